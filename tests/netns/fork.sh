#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Sockets that more than one process has: fork, clone, exec, SCM_RIGHTS, splice, servers that fork for each
# connection, before, and to become a daemon; see forker.py (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
net_up
serve_tcp 7003 echo || exit 99

# To ThreadSanitizer a child that is made by a system call has its parent's threads and locks.
cloned=cloned clone=clone
case " ${SANITIZERS:-} " in *" tsan "*) cloned= clone= ;; esac

port=7100
for mode in shared own; do
	for step in both $cloned child options epoll exec spawn pass splice helper killed killed_sender; do
		check_eq "$mode: $step" ok "$(xt $mode python3 "$here/forker.py" $step "$S_ADDR" 7003)"
	done
	addr=$C_ADDR
	[ $mode = shared ] || addr=$OWN_ADDR
	for how in each $clone prefork daemon; do
		port=$((port + 1))
		xt_bg $mode python3 "$here/forker.py" serve-$how $port >"$T/server" 2>&1 &
		disown
		until_true 10 is_served $addr $port
		report $? "$mode: server, $how: it answers"
		check_eq "$mode: server, $how: 20 clients" ok \
			"$(in_s timeout 40 python3 "$here/forker.py" many $addr $port)"
		check "$mode: server, $how: kill -9 of its processes ends all" end_all -KILL
		check "$mode: server, $how: the port is free" in_c python3 -c \
			"import socket; socket.socket().bind(('0.0.0.0', $port))"
	done
done
# The one that is left when a daemon's first process has gone must not outlive the daemon.
xt_bg shared python3 "$here/forker.py" serve-daemon 7200 >"$T/server" 2>&1
# Connections come before the last of its processes has been made; answers come from that one.
answers() { [ "$(echoed $C_ADDR 7200)" = hello ]; }
has_keeper() {
	keeper=$(ip netns pids "$C" | xargs -r ps -o pid=,comm= -p | awk '$2 == "xtcp-keeper" { print $1 }')
	[ -n "$keeper" ]
}
until_true 20 answers
report $? "daemon: answers after its first process has ended"
check "daemon: a keeper holds its connections" until_true 10 has_keeper
ip netns pids "$C" | grep -vx "$keeper" | xargs -r kill
check "daemon: when it ends, so does the keeper" until_true 10 nobody_left
check_eq "at the end: the kernel opened no connection" 0 "$(tcp_counter ActiveOpens)"
finish

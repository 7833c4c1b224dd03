#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Independent processes serve one port by SO_REUSEPORT: exactly one answers a SYN and its connection
# works, while members join, leave and are killed (topology: lib.sh).
# In an IPC namespace of its own: memory that other programs share is none of it.
[ -n "${XTCP_OWN_IPC:-}" ] || XTCP_OWN_IPC=1 exec unshare --ipc bash "$0" "$@"
. "$(dirname "$0")/lib.sh"
need python3
net_up

declare -A pid
# Memory that nobody has: all of a group's goes with its last member, killed or not.
deserted() { awk 'FNR > 1 && $7 == 0' /proc/sysvipc/shm | wc -l; }
join() {   # NAME [ADDR]: a member over xtcp
	xt_bg "$mode" python3 "$here/group.py" member "$1" $port "${@:2}" >"$T/member.$mode.$1" 2>"$T/err" &
	pid[$1]=$!
	disown
	until_true 10 test -s "$T/member.$mode.$1"
}
real_pid() { pids_like "group.py member $1 $port" | tail -n 1; }
ask() {
	echo "$*" >&"$to"
	read -r -t 30 answer <&"$from"
}
members() { echo "$answer" | tr ' ' '\n' | sed 's/:.*//' | tr -d '\n'; }
total() { echo "$answer" | tr ' ' '\n' | awk -F: '{ n += $2 } END { print n }'; }
# $1 connections were opened, each answered once, by the members $2 and no other.
opened() {
	check_eq "$mode: $3: each of $1 clients is served" "$1" "$(total)"
	check_eq "$mode: $3: by" "$2" "$(members)"
	note "$mode: $3: $answer"
}

deserted=$(deserted)
port=8200
for mode in shared own; do
	port=$((port + 1))
	addr=$C_ADDR
	[ $mode = shared ] || addr=$OWN_ADDR
	rm -f "$T/to" "$T/from"
	mkfifo "$T/to" "$T/from"
	exec {to}<>"$T/to" {from}<>"$T/from"
	in_s python3 "$here/group.py" clients $addr $port <"$T/to" >"$T/from" 2>"$T/err" &
	disown
	read -r -t 10 answer <&"$from"

	join A
	ask open 20
	opened 20 A "one member"
	join B
	join C
	ask open 120
	opened 120 ABC "two more join"
	ask work
	check_eq "$mode: all connections work beside each other" ok "$answer"
	kill -KILL "$(real_pid B)"
	ask open 60
	opened 60 AC "one was killed with -9"
	ask forget B
	ask work
	check_eq "$mode: the connections of the others work on" ok "$answer"
	join D
	ask open 90
	opened 90 ACD "another joins"
	kill -TERM "$(real_pid A)"
	until_true 5 test -z "$(real_pid A)"
	ask forget A
	ask open 60
	opened 60 CD "the first has ended"
	ask work
	check_eq "$mode: and the connections of the others work on" ok "$answer"
	check_eq "$mode: a program without SO_REUSEPORT can't have the port" EADDRINUSE \
		"$(xt $mode python3 -c '
import errno, socket, sys
s = socket.socket()
try:
    s.bind(("", int(sys.argv[1])))
    s.listen()
    print("ok")
except OSError as e:
    print(errno.errorcode[e.errno])' $port)"
	# As in one process, a listener on the address comes before those on any (compute_score()).
	join E $addr
	join F $addr
	ask open 60
	opened 60 EF "two are bound to the address"
	for m in E F; do kill -KILL "$(real_pid $m)"; ask forget $m; done
	ask open 40
	opened 40 CD "they were killed"
	for m in C D; do kill -KILL "$(real_pid $m)"; done
	gone() { [ -z "$(real_pid C)$(real_pid D)" ]; }
	until_true 5 gone
	exec {to}>&- {from}>&-
done
check_eq "kill -9 of all members leaves no memory behind" "$deserted" "$(deserted)"
check_eq "shared: nor a kernel's" 0 "$(tcp_counter PassiveOpens)"
finish

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A worker that has a connection and then allows itself only the system calls that it makes over the kernel: over xtcp it
# works on and ends as there, and the peer gets every byte and the end (tests/confined.c; topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
confined=$top_builddir/tests/confined
[ -z "${SANITIZERS:-}" ] || skip_all "a sanitizer's run-time makes calls that the filter refuses"
[ -x "$confined" ] || skip_all "tests/confined isn't built"
net_up
port=9300

# What the peer saw: it echoes text, and counts the rest.
peer() {
	in_s timeout 60 python3 -c '
import socket, sys
how, addr, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if how == "server":
    while True:
        try:
            c = socket.create_connection((addr, port), 5)
            break
        except ConnectionRefusedError:
            pass
else:
    l = socket.create_server(("", port))
    print("ready", flush=True)
    c = l.accept()[0]
c.settimeout(20)
n, last = 0, b""
try:
    while True:
        d = c.recv(4096)
        if not d:
            break
        if b"\0" not in d:
            c.sendall(d)
        n += len(d)
    print("in all", n, "and the end", flush=True)
except OSError as e:
    print("in all", n, e, flush=True)' "$@"
}

# The program itself, not what goes on with its sockets.
worker() {
	local p
	for p in $(pids_like "tests/confined $1"); do
		[ "$(cat "/proc/$p/comm")" != confined ] || echo "$p"
	done
}

# told MODE HOW END: what the worker prints, its status, what the peer says.
told() {
	local mode=$1 how=$2 end=$3 addr=$S_ADDR here=$C_ADDR pid status
	[ "$mode" != own ] || here=$OWN_ADDR
	port=$((port + 1))
	rm -f "$T/in"
	mkfifo "$T/in"
	: >"$T/out" >"$T/peer"
	[ $how = server ] && addr=$here
	if [ $how != server ]; then
		peer $how $here $port >"$T/peer" 2>&1 &
		until_true 10 grep -q ready "$T/peer"
	fi
	exec {hold}<>"$T/in"
	case $mode in
	kernel) in_c timeout -k 5 60 "$confined" $how $addr $port $end ;;
	*) xt_bg $mode "$confined" $how $addr $port $end ;;
	esac <"$T/in" >"$T/out" 2>"$T/err" &
	pid=$!
	if [ $how = server ]; then
		until_true 10 grep -q ^listen "$T/out"
		peer $how $here $port >"$T/peer" 2>&1 &
	fi
	if [ $end = wait ]; then
		until_true 10 grep -q ^recv "$T/out"
		keepers >"$T/keepers"
		kill -TERM $(worker "$how $addr $port")
	fi
	wait $pid
	status=$?
	wait
	exec {hold}>&-
	sed "s/^/worker: /" "$T/out"
	echo "status $status"
	sed "s/^/peer: /" "$T/peer"
}

# keepers: of programs that have confined themselves.
keepers() { ip netns pids "$C" | xargs -r ps -o comm= -p | grep -c xtcp-keeper; }

for what in "prctl exit" "seccomp _exit" "strict exit" "server exit" "prctl wait" "prctl full" "lax wait"; do
	told kernel $what >"$T/kernel"
	check "$what: the kernel's answers are there" grep -q "and the end" "$T/kernel"
	for mode in shared own; do
		told $mode $what >"$T/$mode"
		diff "$T/kernel" "$T/$mode" >"$T/err" 2>&1
		report $? "$what, $mode: as over the kernel"
		case $what in
		"prctl wait") check_eq "$what, $mode: the engine went on in another process" 1 "$(cat "$T/keepers")" ;;
		"lax wait") check_eq "$what, $mode: under a filter that suits it it stays" 0 "$(cat "$T/keepers")" ;;
		esac
	done
done
check "nothing is left" until_true 10 nobody_left
finish

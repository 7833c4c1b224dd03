#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# One address for the kernel and for xtcp: neither cuts off, answers or resets what is the
# other's, now or later, and nothing is left behind (topology: lib.sh).
#
# Flows are held by flows.py: start NAME COUNT COMMAND... opens them, release NAME has them
# exchange bytes and end.
. "$(dirname "$0")/lib.sh"
need python3 nginx curl
net_up
make_files 4
serve_nginx 80 || exit 99
serve_tcp 7003 echo || exit 99

# start NAME COUNT COMMAND...: COMMAND runs flows.py against the echo server; held on a FIFO.
declare -A go
start() {
	local name=$1 count=$2 fd
	shift 2
	mkfifo "$T/go.$name"
	: >"$T/flows.$name"
	exec {fd}<>"$T/go.$name"
	go[$name]=$fd
	"$@" python3 "$here/flows.py" "$S_ADDR" 7003 "$count" <"$T/go.$name" >"$T/flows.$name" 2>&1 &
	disown
}
has_lines() { [ "$(wc -l <"$T/flows.$1")" -ge "$2" ]; }
opened() { until_true 20 has_lines "$1" 2; }
release() {
	echo >&"${go[$1]}"
	until_true 20 has_lines "$1" 3
	sed -n '3p' "$T/flows.$1"
}
ports() { sed -n '2p' "$T/flows.$1" | tr ' ' '\n'; }
port_of() { ports "$1" | head -n 1; }

# ---- what the kernel has, before, while and after ----

server "$C" 8080 python3 "$here/peer.py" 8080 echo || exit 99
start kernel 3 in_c
opened kernel
to_kernel() { in_s python3 -c '
import socket, sys
s = socket.create_connection(("10.99.0.1", 8080), 5)
s.sendall(b"hello")
print(s.recv(5, socket.MSG_WAITALL).decode())'; }

start a 5 xt_bg shared
opened a
check_eq "a kernel listener is reached while xtcp runs" hello "$(to_kernel)"
check_eq "a kernel connection is made while xtcp runs" "xtcp: a small page" \
	"$(in_c curl -sS -m 10 "http://$S_ADDR/small.txt")"
check_eq "a kernel download runs beside it" "$BIG_SHA" \
	"$(in_c curl -sS -m 20 "http://$S_ADDR/big.bin" | sha)"
server "$C" 8081 python3 "$here/peer.py" 8081 echo
check_eq "a kernel listener that comes later is reached" hello \
	"$(in_s python3 -c '
import socket
s = socket.create_connection(("10.99.0.1", 8081), 5)
s.sendall(b"hello")
print(s.recv(5, socket.MSG_WAITALL).decode())')"

# ---- whose port it is ----

taken() { in_c python3 -c '
import errno, socket, sys
s = socket.socket()
try:
    s.bind((sys.argv[1], int(sys.argv[2])))
    print("free")
except OSError as e:
    print(errno.errorcode[e.errno])' "$1" "$2"; }
check_eq "a kernel program can't bind a port of xtcp's" EADDRINUSE "$(taken 0.0.0.0 "$(port_of a)")"
check_eq "nor on the address itself" EADDRINUSE "$(taken "$C_ADDR" "$(port_of a)")"
check_eq "xtcp can't bind a kernel listener's port" EADDRINUSE "$(xt shared python3 -c '
import errno, socket
s = socket.socket()
try:
    s.bind(("", 8080))
    s.connect(("10.99.0.2", 7003))
    print("free")
except OSError as e:
    print(errno.errorcode[e.errno])')"
check_eq "a closed port is still refused by the kernel" ECONNREFUSED "$(in_s python3 -c '
import errno, socket
try:
    socket.create_connection(("10.99.0.1", 9), 5)
    print("open")
except OSError as e:
    print(errno.errorcode[e.errno])')"

# ---- two processes at once, and the kernel beside them ----

start b 60 xt_bg shared
start c 60 xt_bg shared
start k 60 in_c
opened b; opened c; opened k
check_eq "180 flows of two processes and the kernel: no port twice" 180 \
	"$({ ports b; ports c; ports k; } | sort -un | grep -c .)"
for f in b c k; do
	check_eq "each of the flows works ($f)" ok "$(release $f)"
done
check_eq "what xtcp had open before works still" ok "$(release a)"
check_eq "what the kernel had open before works still" ok "$(release kernel)"

# ---- the same where ports are scarce ----

in_c sysctl -q -w net.ipv4.ip_local_port_range="50000 50079"
start d 20 xt_bg shared
start e 20 xt_bg shared
opened d; opened e
# xtcp was first, and has not taken more than it uses.
start f 20 in_c
opened f
check_eq "60 flows in a range of 80 ports: no port twice" 60 \
	"$({ ports d; ports e; ports f; } | sort -un | grep -c .)"
check_eq "all of them in the range" 60 \
	"$({ ports d; ports e; ports f; } | awk '$1 >= 50000 && $1 <= 50079' | grep -c .)"
for f in d e f; do
	check_eq "each of the flows works ($f)" ok "$(release $f)"
done
in_c sysctl -q -w net.ipv4.ip_local_port_range="32768 60999"

# ---- many connections, few fds ----

cat >"$T/many.py" <<'END'
import socket, sys
for i in range(800):
    s = socket.create_connection((sys.argv[1], 80), 10)
    s.shutdown(socket.SHUT_WR)
    while s.recv(4096):
        pass
    s.close()
print("ok")
END
few() { (ulimit -Sn 200 && ulimit -Hn 400 && xt shared python3 "$T/many.py" "$S_ADDR"); }
check_eq "800 connections, one after the other, where 400 fds are allowed" ok "$(few)"

# ---- kill -9 ----

rsts=$(tcp_counter OutRsts)
start victim 3 xt_bg shared
opened victim
check_eq "no reset left the kernel for xtcp's segments" "$rsts" "$(tcp_counter OutRsts)"
port=$(port_of victim)
check_eq "its port is taken" EADDRINUSE "$(taken "$C_ADDR" "$port")"
kill -KILL "$(sed -n 1p "$T/flows.victim")"
is_free() { [ "$(taken "$C_ADDR" "$port")" = free ]; }
check "kill -9: the port is free again" until_true 5 is_free
check "kill -9: no rule drops what comes for it: the kernel answers" test \
	"$(in_s python3 -c '
import errno, socket, sys
try:
    socket.create_connection(("10.99.0.1", int(sys.argv[1])), 5)
except OSError as e:
    print(errno.errorcode.get(e.errno, "time-out"))' "$port")" = ECONNREFUSED
if command -v nft >/dev/null; then
	check_eq "kill -9: no nftables table is left" "" "$(in_c nft list ruleset)"
fi
check_eq "and xtcp works as before" "xtcp: a small page" \
	"$(xt shared curl -sS -m 10 "http://$S_ADDR/small.txt")"
finish

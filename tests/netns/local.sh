#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Servers over xtcp on the shared address, and their clients on the same host: programs of the kernel's TCP and
# other processes over xtcp, by 127.0.0.1, by the host's address, by IPv6; and those outside at the same time (topology: lib.sh;
# $C has a second link to $S, 10.98.0.1 and 10.98.0.2, that xtcp isn't attached to).
. "$(dirname "$0")/lib.sh"
need python3 nc
net_up
make_files 4
ip -n "$C" link add "y$C_IF" type veth peer name "y$S_IF" netns "$S"
ip -n "$C" addr add 10.98.0.1/24 dev "y$C_IF" && ip -n "$S" addr add 10.98.0.2/24 dev "y$S_IF"
ip -n "$C" link set "y$C_IF" up && ip -n "$S" link set "y$S_IF" up

# echoes NAMESPACE ADDRESS PORT: 4 MB there and back by the kernel's TCP.
echoes() { ip netns exec "$1" timeout 20 nc -N "$2" "$3" <"$T/www/big.bin" 2>"$T/err" | sha; }
echoes_xtcp() { xt shared nc -N "$1" "$2" <"$T/www/big.bin" | sha; }
answers() { ip netns exec "$1" nc -z -w 1 "$2" "$3" 2>/dev/null; }
serve() {
	xt_bg shared python3 "$here/echoer.py" "$@" >"$T/server" 2>&1 &
	disown
	until_true 10 answers "$S" $C_ADDR "$port"
}

port=7400
for how in blocking poll epoll dual prefork reuseport; do
	port=$((port + 1))
	serve $how $port
	report $? "$how: a server starts"
	check_eq "$how: from outside" "$BIG_SHA" "$(echoes "$S" $C_ADDR $port)"
	check_eq "$how: by 127.0.0.1" "$BIG_SHA" "$(echoes "$C" 127.0.0.1 $port)"
	check_eq "$how: by the host's own address" "$BIG_SHA" "$(echoes "$C" $C_ADDR $port)"
	check_eq "$how: from another process over xtcp" "$BIG_SHA" "$(echoes_xtcp $C_ADDR $port)"
	check_eq "$how: by another interface" "$BIG_SHA" "$(echoes "$S" 10.98.0.1 $port)"
	[ $how != dual ] || check_eq "$how: by IPv6" "$BIG_SHA" "$(echoes "$C" ::1 $port)"
	check_eq "$how: from outside again" "$BIG_SHA" "$(echoes "$S" $C_ADDR $port)"
	check "$how: kill -9 ends it" end_all -KILL
	check "$how: the port is free" in_c python3 -c "
import socket
for family, addr in ((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')):
    s = socket.socket(family)
    s.bind((addr, $port))
    s.listen()
    s.close()"
done

# ---- two processes that share a port ----

port=7420
serve reuseport $port
serve reuseport $port
serves_both() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		[ "$(echoes "$@" $port)" = "$BIG_SHA" ] || return 1
	done
}
one_fewer() { pids_like "echoer.py reuseport" | tail -n 1 | xargs -r kill -KILL; }
listeners() { [ "$(in_c awk -v p="$(printf ':%04X' $port)" '$4 == "0A" && index($2, p)' /proc/net/tcp | wc -l)" = "$1" ]; }
check "SO_REUSEPORT: both listen" until_true 10 listeners 2
check "SO_REUSEPORT: outside" serves_both "$S" $C_ADDR
check "SO_REUSEPORT: by 127.0.0.1" serves_both "$C" 127.0.0.1
check "SO_REUSEPORT: by the host's own address" serves_both "$C" $C_ADDR
one_fewer
check "SO_REUSEPORT: one is left" until_true 10 listeners 1
check "SO_REUSEPORT: one is killed with -9, outside" serves_both "$S" $C_ADDR
check "SO_REUSEPORT: by 127.0.0.1" serves_both "$C" 127.0.0.1
end_all -KILL

check_eq "the family and the address of each kind of client" ok "$(xt shared python3 "$here/echoer.py" names $C_ADDR)"
check_eq "closing, listening again, options" ok "$(xt shared python3 "$here/echoer.py" life $C_ADDR)"
finish

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What goes on with the connections of a program that has ended lives as long as the kernel's orphans: until the peer has
# ended, tcp_fin_timeout in FIN-WAIT-2, tcp_orphan_retries towards a peer that is silent; then at once no more (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
net_up

cat >"$T/client.py" <<-'END'
	import os, socket, sys
	s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
	s.setblocking(False)
	try:
	    s.send(bytes(int(sys.argv[3])))
	except BlockingIOError:
	    pass
	print("sent", flush=True)
	sys.stdin.readline()
	os._exit(0)
END
cat >"$T/server.py" <<-'END'
	import socket, sys
	l = socket.create_server(("", int(sys.argv[1])))
	c = l.accept()[0]
	sys.stdin.readline()           # reads nothing, and doesn't close
	c.close()
END
keepers() { ip netns pids "$C" | xargs -r ps -o comm= -p | grep -c xtcp-keeper; }
has_keeper() { [ "$(keepers)" = 1 ]; }
port=9600

# begin MODE BYTES [OPTION...]: a client that has sent, and ends when it is told.
begin() {
	local mode=$1 bytes=$2
	shift 2
	port=$((port + 1))
	rm -f "$T/to_c" "$T/to_s"
	mkfifo "$T/to_c" "$T/to_s"
	exec {to_c}<>"$T/to_c" {to_s}<>"$T/to_s"
	: >"$T/said"
	in_s python3 "$T/server.py" $port <"$T/to_s" 2>/dev/null &
	server=$!
	until_true 10 listens "$S" $port
	xt_bg $mode "$@" python3 "$T/client.py" $S_ADDR $port $bytes <"$T/to_c" >"$T/said" 2>"$T/err" &
	client=$!
	until_true 20 grep -q sent "$T/said"
	report $? "$mode: a client has sent $bytes bytes"
}
end_client() { echo >&"$to_c"; wait $client; }
end_server() {
	echo >&"$to_s"
	wait $server
	exec {to_c}>&- {to_s}>&-
}

for mode in shared own; do
	begin $mode 5
	end_client
	check "$mode: a peer that is still there: it goes on" until_true 5 has_keeper
	end_server
	check "$mode: the peer has ended: nothing is left" until_true 20 nobody_left

	begin $mode 5 --sysctl net.ipv4.tcp_fin_timeout=5
	end_client
	check "$mode: a peer that doesn't end: it goes on" until_true 5 has_keeper
	check "$mode: tcp_fin_timeout later nothing is left" until_true 40 nobody_left
	end_server

	begin $mode 10000000 --sysctl net.ipv4.tcp_orphan_retries=3
	ip -n "$S" addr flush dev "$S_IF"
	end_client
	check "$mode: a peer that is silent: it goes on" until_true 5 has_keeper
	check "$mode: after tcp_orphan_retries nothing is left" until_true 45 nobody_left
	ip -n "$S" addr add $S_ADDR/24 dev "$S_IF"
	end_server
done
finish

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Programs that start as root and become somebody else before their first socket, in both address modes (topology:
# lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
net_up
serve_tcp 7003 echo || exit 99

comms() { ip netns pids "$C" | xargs -r ps -o uid=,comm= -p | grep -c "$1"; }

port=7300
for mode in shared own; do
	addr=$C_ADDR
	[ $mode = shared ] || addr=$OWN_ADDR
	for how in setuid setresuid seteuid chroot; do
		check_eq "$mode: $how: a client afterwards" hello \
			"$(T=$T xt $mode python3 "$here/dropper.py" $how get "$S_ADDR" 7003)"
	done
	for signal in TERM KILL; do
		port=$((port + 1))
		xt_bg $mode python3 "$here/dropper.py" setuid serve $port >"$T/server" 2>&1 &
		disown
		until_true 10 is_served $addr $port
		report $? "$mode: a server afterwards: it answers"
		check_eq "$mode: a server afterwards: its client" hello "$(echoed $addr $port)"
		[ $mode = own ] || check_eq "$mode: the broker is nobody" 1 "$(comms '65534 xtcp-broker')"
		check "$mode: when it ends by $signal, all ends" end_all -$signal
		check_eq "$mode: no table is left" 0 "$(tables)"
		check "$mode: the port is free" in_c python3 -c \
			"import socket; socket.socket().bind(('0.0.0.0', $port))"
	done
	check "$mode: one that never has a socket" xt $mode python3 "$here/dropper.py" setuid nothing
	check "$mode: leaves nobody behind" until_true 10 nobody_left
done
alone() {
	(sanitizer_env python3 && env XTCP_INTERFACE=nosuch0 LD_PRELOAD="$LIBXTCP${LD_PRELOAD:+:$LD_PRELOAD}" \
		python3 "$here/dropper.py" setuid nothing)
}
check "without an interface it isn't told of what it never needs" alone
check_eq "at the end: the kernel opened no connection" 0 "$(tcp_counter ActiveOpens)"
finish

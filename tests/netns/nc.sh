#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# nc over xtcp, in both address modes: half-close in both directions (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need nc python3
net_up
make_files 16
serve_tcp 7001 send "$T/www/big.bin" || exit 99
serve_tcp 7002 recv "$T/up/nc.bin" || exit 99
serve_tcp 7003 echo || exit 99

port=4321
for mode in shared own; do
	rm -f "$T/got"
	xt $mode nc -N "$S_ADDR" 7001 </dev/null >"$T/got"
	check_eq "$mode: download of 16 MB" "$BIG_SHA" "$(sha "$T/got")"
	rm -f "$T/up/nc.bin"
	check_eq "$mode: the answer comes after our end" done \
		"$(xt $mode nc -N "$S_ADDR" 7002 <"$T/www/big.bin")"
	check_eq "$mode: upload of 16 MB" "$BIG_SHA" "$(sha "$T/up/nc.bin")"
	rm -f "$T/got"
	xt $mode nc -N "$S_ADDR" 7003 <"$T/www/big.bin" >"$T/got"
	check_eq "$mode: both directions at once" "$BIG_SHA" "$(sha "$T/got")"
	check "$mode: nc -z finds an open port" xt $mode nc -z "$S_ADDR" 7003
	xt $mode nc -z "$S_ADDR" 7004
	check_eq "$mode: nc -z finds a closed port" 1 $?
	check_eq "$mode: a chosen source port" hello \
		"$(echo hello | xt $mode nc -N -p $port "$S_ADDR" 7003)"
	port=$((port + 1))
done
kernel_took_no_part "at the end"
finish

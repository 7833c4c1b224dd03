#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# python3 over xtcp, in both address modes: urllib (blocking), asyncio (epoll), threads, select and
# poll; see client.py (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3 nginx
net_up
make_files 16
serve_nginx 80 || exit 99
serve_tcp 7003 echo || exit 99

for mode in shared own; do
	for what in urllib asyncio threads; do
		check_eq "$mode: $what: download of 16 MB" "$BIG_SHA" \
			"$(xt $mode python3 "$here/client.py" $what "http://$S_ADDR/big.bin")"
	done
	xt $mode python3 "$here/client.py" put >"$T/got" "http://$S_ADDR/up/$mode.bin" "$T/www/big.bin"
	check_eq "$mode: urllib: upload of 16 MB" "$BIG_SHA" "$(sha "$T/up/$mode.bin")"
	for what in echo-asyncio echo-select echo-poll echo-epoll; do
		check_eq "$mode: $what: 8 MB there and back" ok \
			"$(xt $mode python3 "$here/client.py" $what "$S_ADDR" 7003)"
	done
	for what in refused timeout errors idle; do
		check_eq "$mode: $what" ok "$(xt $mode python3 "$here/client.py" $what "$S_ADDR" 7003)"
	done
done
kernel_took_no_part "at the end"
finish

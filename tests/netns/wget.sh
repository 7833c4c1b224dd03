#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# wget over xtcp, in both address modes, against nginx (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need wget nginx
net_up
make_files 16
serve_nginx 80 || exit 99

for mode in shared own; do
	rm -f "$T/got"
	xt $mode wget -q -O "$T/got" "http://$S_ADDR/big.bin"
	check_eq "$mode: download of 16 MB" "$BIG_SHA" "$(sha "$T/got")"
	xt $mode wget -q -O - --method=PUT --body-file="$T/www/big.bin" "http://$S_ADDR/up/$mode.bin"
	check_eq "$mode: upload of 16 MB" "$BIG_SHA" "$(sha "$T/up/$mode.bin")"
	# A transfer that is broken off and taken up again.
	head -c 5000000 "$T/www/big.bin" >"$T/got"
	xt $mode wget -q -c -O "$T/got" "http://$S_ADDR/big.bin"
	check_eq "$mode: the rest of a partial download" "$BIG_SHA" "$(sha "$T/got")"
	xt $mode wget -q -t 1 -O /dev/null "http://$S_ADDR:81/"
	check_eq "$mode: connection refused is wget's exit 4" 4 $?
done
kernel_took_no_part "at the end"
finish

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# An interface without link header and ARP: a pair of tun devices joined by tunnel.py, beside
# lib.sh's topology.
#
#      $C  tc0 10.98.0.1 ---- tunnel.py ---- ts0 10.98.0.2  $S
#          10.98.0.9 an own address, which $S routes there
. "$(dirname "$0")/lib.sh"
need curl nginx python3
[ -c /dev/net/tun ] || skip_all "there is no /dev/net/tun"
net_up
make_files 4
serve_nginx 80 || exit 99
python3 "$here/tunnel.py" "$C" tc0 "$S" ts0 >"$T/tunnel" 2>"$T/err" &
tunnel=$!
disown
trap 'kill -KILL $tunnel 2>/dev/null; on_exit' EXIT
until_true 5 grep -qs up "$T/tunnel" || skip_all "no tun device: $(tail -n 1 "$T/err")"
ip -n "$C" addr add 10.98.0.1 peer 10.98.0.2 dev tc0
ip -n "$S" addr add 10.98.0.2 peer 10.98.0.1 dev ts0
ip -n "$C" link set tc0 up
ip -n "$S" link set ts0 up
ip -n "$S" route add 10.98.0.9 dev ts0

check_eq "the kernel gets through, to begin with" "xtcp: a small page" \
	"$(in_c curl -sS -m 10 http://10.98.0.2/small.txt)"
opens=$(tcp_counter ActiveOpens)

xt_tun() { local mode=$1; shift; OWN_ADDR=10.98.0.9 xt "$mode" -i tc0 "$@"; }
for mode in shared own; do
	check_eq "$mode: a small page" "xtcp: a small page" \
		"$(xt_tun $mode curl -sS -m 20 http://10.98.0.2/small.txt)"
	rm -f "$T/got"
	xt_tun $mode curl -sS -m 30 -o "$T/got" http://10.98.0.2/big.bin
	check_eq "$mode: download of 4 MB" "$BIG_SHA" "$(sha "$T/got")"
	xt_tun $mode curl -sS -m 30 -T "$T/www/big.bin" "http://10.98.0.2/up/$mode.bin"
	check_eq "$mode: upload of 4 MB" "$BIG_SHA" "$(sha "$T/up/$mode.bin")"
done
check_eq "the kernel opened no further connection" "$opens" "$(tcp_counter ActiveOpens)"
check_eq "the kernel sent no reset" 0 "$(tcp_counter OutRsts)"
finish

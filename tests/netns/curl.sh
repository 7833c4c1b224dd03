#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# curl over xtcp, in both address modes, against nginx (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need curl nginx
net_up
make_files 32
serve_nginx 80 || exit 99

for mode in shared own; do
	check_eq "$mode: a small page" "xtcp: a small page" \
		"$(xt $mode curl -sS "http://$S_ADDR/small.txt")"
	rm -f "$T/got"
	xt $mode curl -sS -o "$T/got" "http://$S_ADDR/big.bin"
	check_eq "$mode: download of 32 MB" "$BIG_SHA" "$(sha "$T/got")"
	xt $mode curl -sS -T "$T/www/big.bin" "http://$S_ADDR/up/$mode.bin"
	check_eq "$mode: upload of 32 MB" "$BIG_SHA" "$(sha "$T/up/$mode.bin")"
	# One connection carries several transfers.
	check_eq "$mode: keep-alive" 1 "$(xt $mode curl -sS -o /dev/null -o /dev/null -o /dev/null \
		-w '%{num_connects}\n' "http://$S_ADDR/small.txt" "http://$S_ADDR/big.bin" \
		"http://$S_ADDR/small.txt" | awk '{ n += $1 } END { print n }')"
	# Several at once in one process, non-blocking and polled.
	rm -f "$T"/p[1-4]
	xt $mode curl -sS -Z -o "$T/p1" -o "$T/p2" -o "$T/p3" -o "$T/p4" "http://$S_ADDR/big.bin" \
		"http://$S_ADDR/big.bin" "http://$S_ADDR/big.bin" "http://$S_ADDR/big.bin"
	check_eq "$mode: four downloads at once" 4 \
		"$(sha "$T"/p[1-4] | grep -c "$BIG_SHA")"
	xt $mode curl -sS "http://$S_ADDR:81/"
	check_eq "$mode: connection refused is curl's exit 7" 7 $?
	xt $mode curl -sS --connect-timeout 1 "http://10.99.0.77/"
	check_eq "$mode: a host that isn't there is a time-out or no route" 1 \
		$((($? == 28) || ($? == 7)))
done

# Nothing of the kernel's while a transfer is under way.
rm -f "$T/got"
xt_bg shared curl -sS --limit-rate 2M -o "$T/got" "http://$S_ADDR/big.bin" 2>/dev/null &
until_true 10 test -s "$T/got"
check_eq "the kernel holds no connection during a transfer" 0 "$(kernel_conns)"
check_eq "while the server has one" 1 \
	"$(in_s awk '$4 == "01" && $2 ~ /:0050$/' /proc/net/tcp | wc -l)"
kill $! 2>/dev/null
kernel_took_no_part "at the end"

# A capture of both directions that tcpdump reads.
if command -v tcpdump >/dev/null; then
	xt shared -w "$T/cap.pcap" curl -sS -o /dev/null "http://$S_ADDR/small.txt"
	dump=$(tcpdump -nn -r "$T/cap.pcap" tcp 2>/dev/null)
	check_eq "capture: the SYN with its options" 1 \
		"$(grep -c 'Flags \[S\],.*mss 1460,sackOK,TS val .*wscale' <<<"$dump")"
	check_eq "capture: the answer" 1 "$(grep -c 'Flags \[S\.\]' <<<"$dump")"
	(cd "$T" && xt shared -w relative.pcap sh -c "cd / && curl -sS -o /dev/null http://$S_ADDR/small.txt")
	check "capture: its name is relative to where xtcp-run was started" test -s "$T/relative.pcap"
	check "capture: a FIN from each side" test "$(grep -c 'Flags \[F' <<<"$dump")" -ge 2
fi
finish

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# `make bench`: xtcp and the kernel's TCP side by side, on the same pair of interfaces in the same
# run, in turns; what counts is the ratio.  Needs root.  Each figure is the median of ROUNDS.
. "$top_srcdir/tests/netns/lib.sh"
need python3 nginx curl
ROUNDS=${ROUNDS:-5}
MB=${MB:-200}
net_up
make_files "$MB"
serve_nginx 80 || exit 99
serve_tcp 7003 echo || exit 99

client=$top_srcdir/bench/client.py
kernel() { in_c "$@" 2>"$T/err"; }
xtcp() { xt shared "$@"; }

# A measurement prints one number, more is better.
download() { "$1" curl -sS -o /dev/null -w '%{speed_download}\n' "http://$S_ADDR/big.bin"; }
upload() { "$1" curl -sS -T "$T/www/big.bin" -o /dev/null -w '%{speed_upload}\n' "http://$S_ADDR/up/b"; }
round_trips() { "$1" python3 "$client" round_trips "$S_ADDR" 7003 3000; }
epoll_trips() { "$1" python3 "$client" epoll_trips "$S_ADDR" 7003 3000; }
connections() { "$1" python3 "$client" connections "$S_ADDR" 80 500; }

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

printf '%-14s %16s %16s %8s\n' "" xtcp kernel ratio
for what in download upload round_trips epoll_trips connections; do
	rm -f "$T/xtcp" "$T/kernel"
	for ((i = 0; i < ROUNDS; i++)); do
		$what xtcp >>"$T/xtcp"
		$what kernel >>"$T/kernel"
	done
	ours=$(median <"$T/xtcp") theirs=$(median <"$T/kernel")
	awk -v n="${what/_/ }" -v a="${ours:-0}" -v b="${theirs:-0}" 'BEGIN {
		printf "%-14s %16.0f %16.0f %8.2f\n", n, a, b, b ? a / b : 0 }'
done
echo "bytes a second; exchanges of one byte a second, blocking and by epoll; connections a second"

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xtcp with the kernel as its peer over bad links (topology: relay_lib.sh): every byte arrives, both
# ways, as client and as server, and not much slower than the kernel's own over the same link.  Chance and a busy
# machine have their part in transfers this short, so what must be had is half of the kernel's throughput, and once
# in several tries, each with other losses: a program waits for a CPU where the kernel's TCP needn't.  What is too slow always,
# fails; bench/relay.sh is for figures.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/relay_lib.sh"
need ethtool cmp
[ -x "$RELAY" ] && [ -x "$XFER" ] || skip_all "tests/relay or tests/xfer isn't built"
LIMIT=30
net_up
head -c 600k /dev/urandom >"$T/file"
path=rate=40M,delay=5ms,queue=100k

TRIES=6

# compare DIRECTION SIDE ALGORITHM NAME DATA ACKS
compare() {
	local ours theirs best=0 least=1e9 seed spoiled status=1
	in_c grep -qw "$3" /proc/sys/net/ipv4/tcp_available_congestion_control || return
	for ((seed = 5; seed < 5 + TRIES && status != 0; seed++)); do
		theirs=$(one kernel "$1" "$2" "$3" "$T/file" $seed "$5" "$6") || { note "the kernel fails over $4"; return; }
		ours=$(one xtcp "$1" "$2" "$3" "$T/file" $seed "$5" "$6" 2>"$T/err")
		spoiled=$?
		[ -n "$ours" ] || break
		note "Mbit/s, sent again, time-outs: xtcp $ours, kernel $theirs"
		[ $spoiled = 0 ] || continue        # the relay has lost packets of its own accord
		read -r best least status < <(awk -v a="${ours%% *}" -v b="${theirs%% *}" -v best="$best" -v least="$least" '
			BEGIN { if (a > best) best = a; if (b < least) least = b; print best, least, !(best >= least / 2) }')
	done
	check_eq "$1, $2, $3, $4: every byte" "" "$([ -n "$ours" ] || echo "not all")"
	report "$status" "$1, $2, $3, $4: half of the kernel's throughput at least"
}

compare up connect cubic "no loss" "$path" "$path"
compare down connect cubic "no loss" "$path" "$path"
compare up connect bbr "2 % lost" "$path,loss=2%" "$path"
compare up connect cubic "1 % lost, either way" "$path,loss=1%" "$path,loss=1%"
compare down connect cubic "reordering, duplication" "$path,reorder=2%,reorder_by=3ms,dup=1%" "$path,dup=1%"
compare up listen reno "corruption" "$path,corrupt=0.5%" "$path"
compare down listen bbr "bursts, jitter" "$path,bad=0.1%,good=25%,jitter=1ms" "$path,jitter=1ms"
finish

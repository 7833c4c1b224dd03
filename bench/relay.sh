#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# `make bench-relay`: xtcp and the kernel over the same bad links, in turns with the same seeds, with
# the kernel as the peer; every byte is compared.  Needs root.  One row a link, algorithm, direction
# and side: Mbit/s (medians of PAIRS), their ratio (median of the pairs' ratios), what was sent again.
#
#     bench/relay.sh [WORD...]     only rows whose description has each WORD (a pattern) in it
. "$top_srcdir/tests/netns/lib.sh"
. "$top_srcdir/tests/netns/relay_lib.sh"
need ethtool cmp
PAIRS=${PAIRS:-3}
LIMIT=40
SECONDS_EACH=${SECONDS_EACH:-3}
net_up
in_c sysctl -n net.ipv4.tcp_available_congestion_control >"$T/algorithms"

path=rate=50M,delay=10ms,queue=125k
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# size ALGORITHM MBIT: a file for that long at that rate.
file_of() {
	local kb=$(awk -v m="$1" -v s="$SECONDS_EACH" 'BEGIN { print int(m * 1000 / 8 * s) }')
	[ -e "$T/file.$kb" ] || head -c "${kb}k" /dev/urandom >"$T/file.$kb"
	echo "$T/file.$kb"
}

# row DIRECTION SIDE ALGORITHM NAME MBIT DATA ACKS
row() {
	local what word file seed ok=1
	what=$(printf '%-4s %-7s %-5s %-18s' "$1" "$2" "$3" "$4")
	for word in ${words[@]+"${words[@]}"}; do
		[[ $what == *$word* ]] || return
	done
	grep -qw "$3" "$T/algorithms" || return
	file=$(file_of "$5")
	: >"$T/pairs"
	for ((seed = 1; seed <= PAIRS; seed++)); do
		# Who is first changes.
		if ((seed % 2)); then
			ours=$(one xtcp "$1" "$2" "$3" "$file" $seed "$6" "$7") || ok=0
			theirs=$(one kernel "$1" "$2" "$3" "$file" $seed "$6" "$7") || ok=0
		else
			theirs=$(one kernel "$1" "$2" "$3" "$file" $seed "$6" "$7") || ok=0
			ours=$(one xtcp "$1" "$2" "$3" "$file" $seed "$6" "$7") || ok=0
		fi
		echo "$ours $theirs" >>"$T/pairs"
	done
	awk 'NF == 6 { print $1 }' "$T/pairs" | median >"$T/a"
	awk 'NF == 6 { print $4 }' "$T/pairs" | median >"$T/b"
	awk 'NF == 6 && $4 { print $1 / $4 }' "$T/pairs" | median >"$T/c"
	printf '%s %8.2f %8.2f %6.2f   %s\n' "$what" "$(cat "$T/a")" "$(cat "$T/b")" "$(cat "$T/c")" "$(awk '
		NF == 6 { a += $2; b += $3; c += $5; d += $6; r = r sprintf(" %.2f", $4 ? $1 / $4 : 0) }
		END { printf "%6d (%d) %6d (%d)  %s", a, b, c, d, r }' "$T/pairs")"
	[ $ok = 1 ] || { echo "FAILED: $what"; failures=$((failures + 1)); }
}

# links DIRECTION SIDE ALGORITHM: what Reno's response function gives at that loss, or the link.
links() {
	local fast=48
	row "$@" "no loss" 45 "$path" "$path"
	[ "$3" = bbr ] || fast=
	row "$@" "loss 0.1 %" "${fast:-25}" "$path,loss=0.1%" "$path"
	row "$@" "loss 1 %" "${fast:-8}" "$path,loss=1%" "$path"
	row "$@" "loss 3 %" "${fast:-4}" "$path,loss=3%" "$path"
	row "$@" "loss 5 %" "${fast:-2.5}" "$path,loss=5%" "$path"
	row "$@" "loss 10 %" "${fast:-1}" "$path,loss=10%" "$path"
	row "$@" "both ways 5 %" "${fast:-2.5}" "$path,loss=5%" "$path,loss=5%"
	row "$@" "bursts of 8" "${fast:-15}" "$path,bad=0.1%,good=12.5%" "$path"
	row "$@" "reordering" "${fast:-30}" "$path,reorder=2%,reorder_by=4ms" "$path"
	row "$@" "jitter" "${fast:-40}" "$path,jitter=4ms" "$path,jitter=4ms"
	row "$@" "duplication" 45 "$path,dup=2%" "$path,dup=2%"
	row "$@" "corruption" "${fast:-8}" "$path,corrupt=1%" "$path"
	row "$@" "policer" "${fast:-15}" "delay=10ms,police=20M,burst=60k" "$path"
	row "$@" "short queue" "${fast:-40}" "rate=50M,delay=10ms,queue=30k" "$path"
	row "$@" "long queue" 45 "rate=50M,delay=10ms,queue=1M" "$path"
	row "$@" "100 ms" 45 "rate=50M,delay=50ms,queue=625k" "rate=50M,delay=50ms,queue=625k"
	row "$@" "100 ms, 0.1 %" "${fast:-15}" "rate=50M,delay=50ms,queue=625k,loss=0.1%" "rate=50M,delay=50ms,queue=625k"
}

words=("$@")
printf '%-37s %8s %8s %6s   %s\n' "" xtcp kernel ratio "sent again (time-outs): xtcp, kernel; ratios"
for side in connect listen; do
	for dir in up down; do
		for algorithm in reno cubic bbr dctcp; do
			links $dir $side $algorithm
		done
	done
done
echo "Mbit/s"
exit $((failures > 0))

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A server under floods from spoofed sources (bench/flood.c), while its connections carry data both ways at
# a fixed rate (bench/flows.c): they keep 90 % of it over the time of all floods (of a rate that the machine can
# do beside what else it does), memory stays bounded, the answers are, and who connects afterwards is served.  `make bench-flood` is the long version, beside the kernel.
. "${0%/*}/lib.sh"
need
net_up
RATE=40000 PORT=7005 CLOSED=7006
RATE_EACH=100000 EACH=4
flood=$top_builddir/bench/flood flows=$top_builddir/bench/flows
[ -x "$flood" ] && [ -x "$flows" ] || skip_all "bench/flood and bench/flows aren't built"

rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
started() { [ -s "$T/served" ]; }
flowing() { awk '{ n += $2 } END { exit !(n > 0) }' "$T/served" && awk '{ n += $2 } END { exit !(n > 0) }' "$T/got"; }
frames_to_s() { in_s cat "/sys/class/net/$S_IF/statistics/rx_packets"; }

# The bytes that arrived at both ends between two times, per second and in percent of what was offered.
percent() {
	cat "$T/served" "$T/got" | awk -v a="$1" -v b="$2" -v all=$((2 * EACH * RATE_EACH)) \
		'$1 > a && $1 <= b { n += $2 } END { printf "%.0f", 100 * n / (b - a) / all }'
}
connects() { in_s timeout 10 bash -c "exec 3<>/dev/tcp/$1/$PORT"; }

# one_flood MODE ADDRESS KIND TRY: half a second; reported at the first.
one_flood() {
	local port=$PORT to=$3 rate=$((RATE >> ($4 - 1))) frames
	local count=$((rate / 2))
	[ "$3" != closed ] || port=$CLOSED to=syn
	frames=$(frames_to_s)
	in_s "$flood" "$S_IF" "$mac" "$2" $port $to $count $rate $S_ADDR >"$T/err" 2>&1 || { report 1 "$1, $3: a flood"; return; }
	frames=$(($(frames_to_s) - frames))
	[ "$4" = 1 ] || return
	# One answer a frame at most, beside SYN-ACKs sent again, what the flows send and their ACKs.
	[ $frames -lt $((count + count / 2)) ] || note "$frames frames came back"
	[ $frames -lt $((count + count / 2)) ]
	report $? "$1, $3: no more answers than questions"
}

# under MODE ADDRESS KIND...: the floods one after the other.
under() {
	local mode=$1 addr=$2 kind begin end base mac pct try own=()
	shift 2
	[ "$mode" = shared ] || own=(--address "$OWN_ADDR/24")
	: >"$T/served"
	: >"$T/got"
	ip netns exec "$C" "$XTCP_RUN" "${own[@]}" "$flows" serve $PORT >"$T/served" 2>"$T/err" &
	server=$!
	until_true 10 started || { report 1 "$mode: a server"; return; }
	ip netns exec "$S" "$flows" run "$addr" $PORT $EACH $EACH $RATE_EACH >"$T/got" 2>"$T/err.flows" &
	client=$!
	until_true 10 flowing
	report $? "$mode: connections carry data"
	mac=$(in_s ip neigh show "$addr" | grep -oE '([0-9a-f]{2}:){5}[0-9a-f]{2}')
	pid=$(pgrep -P $server) || pid=$server
	base=$(rss "$pid")
	# Whether the rate is kept is also a matter of the machine's time: each attempt has half of the frames.
	for try in 1 2 3 4 5 6; do
		begin=$(cut -d' ' -f1 /proc/uptime)
		for kind; do
			one_flood "$mode" "$addr" "$kind" $try
		done
		sleep .5
		end=$(cut -d' ' -f1 /proc/uptime)
		pct=$(percent "$begin" "$end")
		[ "$pct" -lt 90 ] || break
		note "$mode: $pct % of the rate at attempt $try"
	done
	note "$mode: $pct % of the rate, $(($(rss "$pid") - base)) KB more"
	[ "$pct" -ge 90 ]
	report $? "$mode: connections keep 90 % of their rate"
	[ $(($(rss "$pid") - base)) -lt 24576 ]
	report $? "$mode: memory grows by less than 24 MB"
	check "$mode: who connects afterwards is served" connects "$addr"
	kill -0 $client && kill -0 $server
	report $? "$mode: no connection was lost"
	kill $client $server
	wait $client $server 2>/dev/null
}

under own $OWN_ADDR syn closed rst ack data frag arp
under shared $C_ADDR syn rst
finish

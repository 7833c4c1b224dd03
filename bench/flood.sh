#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# `make bench-flood`: a server under a flood, over xtcp and over the kernel in turns.  Needs root.
#
#     COUNT=1000000 RATE=100000 bench/flood.sh [WORD...]   only rows whose description has each WORD in it
#
# The server's connections carry data both ways: slow (16 of 1 MB/s each), gigabit (16 of 7.5 MB/s each), full (one each way
# as fast as it goes).  Bytes a second in the three seconds before the flood and while it lasts, their ratio, the
# processors that the server takes, and its memory (VmRSS) before and at most.  own: the library with an address of its own, shared: on the
# kernel's; closed: SYNs for a port that nobody listens on.
. "$top_srcdir/tests/netns/lib.sh"
need
COUNT=${COUNT:-1000000} RATE=${RATE:-100000} ROUNDS=${ROUNDS:-1}
net_up
words=("$@")
PORT=7005 CLOSED=7006
in_c sysctl -qw net.core.somaxconn=4096 net.ipv4.tcp_max_syn_backlog=4096

flows=$top_builddir/bench/flows

# The server in the background; its output is $T/served.
start_server() {
	case $1 in
	kernel) ip netns exec "$C" "$flows" serve $PORT >"$T/served" 2>"$T/err" & ;;
	own) ip netns exec "$C" "$XTCP_RUN" --address "$OWN_ADDR/24" --sysctl net.ipv4.tcp_max_syn_backlog=4096 \
		"$flows" serve $PORT >"$T/served" 2>"$T/err" & ;;
	shared) ip netns exec "$C" "$XTCP_RUN" --sysctl net.ipv4.tcp_max_syn_backlog=4096 \
		"$flows" serve $PORT >"$T/served" 2>"$T/err" & ;;
	esac
	server=$!
}

uptime_s() { cut -d' ' -f1 /proc/uptime; }
# Processor time of the server so far, seconds; of the kernel's work none is counted, ours is all here.
cpu() { awk '{ printf "%.2f", ($14 + $15) / 100 }' "/proc/$1/stat" 2>/dev/null || echo 0; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status" 2>/dev/null || echo 0; }
gone() { ! kill -0 "$1" 2>/dev/null; }
is_free() { ! in_c ss -Htan | grep -q ":$PORT "; }
started() { [ -s "$T/served" ]; }

# rate FROM TO: bytes a second that arrived on both ends between two times.
rate() {
	cat "$T/served" "$T/got" | awk -v a="$1" -v b="$2" '$1 > a && $1 <= b { n += $2 } END { printf "%.0f", n / (b - a) }'
}

# row WHO KIND LOAD: one run.
row() {
	local what word addr=$C_ADDR mac port=$PORT kind=$2 up down pace before after begin end most=0 r quiet busy cpu0 cpu1 pid
	what=$(printf '%-7s %-7s %-8s' "$1" "$2" "$3")
	for word in ${words[@]+"${words[@]}"}; do
		[[ $what == *$word* ]] || return 0
	done
	[ "$1" = own ] && addr=$OWN_ADDR
	[ "$2" = closed ] && port=$CLOSED kind=syn
	case $3 in
	slow) up=8 down=8 pace=1000000 ;;
	gigabit) up=8 down=8 pace=7500000 ;;
	full) up=1 down=1 pace=0 ;;
	esac
	: >"$T/served"; : >"$T/got"
	start_server "$1"
	until_true 10 started || { note "$what: no server: $(cat "$T/err")"; failures=1; return; }
	ip netns exec "$S" "$flows" run "$addr" $PORT $up $down $pace >"$T/got" 2>"$T/err.flows" &
	client=$!
	sleep 1.5
	mac=$(in_s ip neigh show "$addr" | grep -oE '([0-9a-f]{2}:){5}[0-9a-f]{2}')
	# The program, not the shell or ip that started it.
	pid=$(pgrep -P $server) || pid=$server
	before=$(rss "$pid")
	begin=$(uptime_s)
	cpu0=$(cpu "$pid")
	sleep 3
	end=$(uptime_s)
	cpu1=$(cpu "$pid")
	r=$(rate "$begin" "$end")
	quiet=$(awk -v a="$begin" -v b="$end" -v c="$cpu0" -v d="$cpu1" 'BEGIN { print (d - c) / (b - a) }')
	in_s "$top_builddir/bench/flood" "$S_IF" "$mac" "$addr" $port $kind "$COUNT" "$RATE" $S_ADDR >"$T/flood" 2>&1 &
	flood=$!
	begin=$(uptime_s)
	while kill -0 $flood 2>/dev/null; do
		after=$(rss "$pid")
		most=$((after > most ? after : most))
		sleep .1
	done
	end=$(uptime_s)
	busy=$(awk -v a="$begin" -v b="$end" -v c="$cpu1" -v d="$(cpu "$pid")" 'BEGIN { print (d - c) / (b - a) }')
	sleep .3
	awk -v w="$what" -v c0="$quiet" -v c1="$busy" -v a="$r" -v b="$(rate "$begin" "$end")" -v m0="$before" -v m1="$most" -v f="$(cat "$T/flood")" 'BEGIN {
		printf "%s %9.2f %9.2f %6.2f   %4.2f %4.2f   %7d %7d   %s\n", w, a / 1e6, b / 1e6, a ? b / a : 0, c0, c1, m0, m1, f }'
	kill $client $server "$pid" 2>/dev/null
	wait $client $server 2>/dev/null
	until_true 10 gone "$pid"
	until_true 10 is_free
}

printf '%-24s %9s %9s %6s   %4s %4s   %7s %7s   %s\n' "" "MB/s" flooded ratio cpu flooded "RSS KB" most flood
for ((i = 0; i < ROUNDS; i++)); do
	for kind in syn closed rst ack data frag arp; do
		for load in slow gigabit full; do
			for who in own shared kernel; do
				row $who $kind $load
			done
		done
	done
done
exit $((failures > 0))

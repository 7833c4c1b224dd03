# SPDX-License-Identifier: BSD-2-Clause
#
# rows.sh - the rows of bench/run, in the order of the table (how a row is declared: lib.sh); sourced, never run.

# ---- bulk ----

# iperf WHO ROLE [OPTION...]: prints Gbit/s, as the receiver counts it.
iperf() {
	ends "$1" "$2"
	serve $server "$T/served" iperf3 -4 -s -1 -p $port
	listening $server || return
	"${client[@]}" iperf3 -c $addr -p $port -t "$SECONDS_EACH" -J "${@:3}" >"$T/iperf" ||
		{ cannot "iperf3: $(sed -n 's/.*"error":[^"]*"\(.*\)".*/\1/p' "$T/iperf") $(tail -n 1 "$T/err")"; return; }
	awk '/"sum_received"/ { in_sum = 1 } in_sum && /"bits_per_second"/ { gsub(/[^0-9.e+]/, "", $2); print $2 / 1e9; exit }' "$T/iperf"
}

row bulk-up "1 stream up, client" iperf3
line "" Gbit/s higher ratio 1.0 1.5
row_bulk_up() { iperf "$1" client; }

row bulk-down "1 stream down, client" iperf3
line "" Gbit/s higher ratio 0.9 1.3
row_bulk_down() { iperf "$1" client -R; }

# raw WHO DIRECTION: Gbit/s, and busy seconds of the whole machine per GB.
raw() {
	ends "$1" client
	if [ "$2" = up ]; then
		serve peer "$T/served" "$B/bulk" recv listen $addr $port "$SECONDS_EACH"
		is_ready ready "$T/served" || return
		near "$1" "$B/bulk" send connect $addr $port "$SECONDS_EACH" || return
		until_true 2 says ^bytes "$T/served" || { cannot "the receiver has no result: $(cat "$T/err.server")"; return; }
		cp "$T/served" "$T/raw"
	else
		serve peer "$T/served" "$B/bulk" send listen $addr $port "$SECONDS_EACH"
		is_ready ready "$T/served" || return
		near "$1" "$B/bulk" recv connect $addr $port "$SECONDS_EACH" >"$T/raw" || return
	fi
	awk '/^bytes/ { print $2 * 8 / $4 / 1e9, $6 / ($2 / 1e9) }' "$T/raw"
}

row raw-up "128 KB blocking writes, client"
line "" Gbit/s higher ratio 0.9 1.2
line cpu s/GB lower ratio 1.2 1.0
row_raw_up() { raw "$1" up; }

row raw-down "128 KB blocking reads, client"
line "" Gbit/s higher ratio 0.75 1.0
line cpu s/GB lower ratio 1.2 1.0
row_raw_down() { raw "$1" down; }

row bulk8-up "8 streams up, client" iperf3
line "" Gbit/s higher ratio 1.0 1.5
row_bulk8_up() { iperf "$1" client -P 8; }

row bulk8-down "8 streams down, client" iperf3
line "" Gbit/s higher ratio 1.0 1.5
row_bulk8_down() { iperf "$1" client -P 8 -R; }

row bulk-server-up "1 stream to the server" iperf3
line "" Gbit/s higher ratio 0.9 1.3
row_bulk_server_up() { iperf "$1" server; }

row bulk-server-down "1 stream from the server" iperf3
line "" Gbit/s higher ratio 0.9 1.3
row_bulk_server_down() { iperf "$1" server -R; }

# without_offloads COMMAND...
without_offloads() {
	local status
	offloads off || { cannot "ethtool -K"; return; }
	"$@"
	status=$?
	offloads on off
	return $status
}

row offloads-off-up "1 stream up, no tso, gso, gro" iperf3 ethtool
line "" Gbit/s higher ratio 0.8 1.2
row_offloads_off_up() { without_offloads iperf "$1" client; }

row offloads-off-down "1 stream down, no tso, gso, gro" iperf3 ethtool
line "" Gbit/s higher ratio 0.8 1.2
row_offloads_off_down() { without_offloads iperf "$1" client -R; }

# switching COMMAND...: tso, gso and gro go off and on five times a second meanwhile.
switching() {
	local status switcher
	: >"$T/switch"
	while [ -e "$T/switch" ]; do offloads off; sleep .2; offloads on; sleep .2; done &
	switcher=$!
	"$@"
	status=$?
	rm "$T/switch"
	wait $switcher
	offloads on off
	return $status
}

row offloads-switched-up "1 stream up, tso, gso, gro switched" iperf3 ethtool
line "" Gbit/s higher ratio 0.8 1.2
row_offloads_switched_up() { switching iperf "$1" client; }

row offloads-switched-down "1 stream down, tso, gso, gro switched" iperf3 ethtool
line "" Gbit/s higher ratio 0.8 1.2
row_offloads_switched_down() { switching iperf "$1" client -R; }

# ---- latency: the median and the 99th part of a hundred, us ----

# cpus PLACEMENT: the client's and the server's.
cpus() {
	client_cpu=0 server_cpu=0
	[ "$1" = one ] && return
	[ "$(nproc)" -ge 2 ] || { cannot "there is one CPU only"; return; }
	server_cpu=1
}

# pingpong WHO ROLE block|epoll across|one
pingpong() {
	cpus "$4" || return
	ends "$1" "$2"
	serve $server "$T/served" "$B/latency" serve "$3" $addr $port 64 $server_cpu
	is_ready ready "$T/served" || return
	"${client[@]}" "$B/latency" run "$3" $addr $port 64 "$SECONDS_EACH" $client_cpu
}

# pingpong_row WHO HOW PLACEMENT BAR AIM: declares one of those, ping-... (HOW is block) or epoll-....
pingpong_row() {
	local name=${2/block/ping}-$1-$3 how=${2/block/blocking} cpus="2 CPUs"
	[ "$3" = across ] || cpus="1 CPU"
	row "$name" "64 B, $how, $1, $cpus"
	line p50 us lower ratio "$4" "$5"
	line p99 us lower ratio "$4" "$5"
	eval "row_${name//-/_}() { pingpong \"\$1\" $1 $2 $3; }"
}
pingpong_row client block across 1.0 0.85
pingpong_row server block across 1.0 0.85
pingpong_row client block one 1.05 0.85
pingpong_row server block one 1.05 0.85
pingpong_row client epoll across 1.1 0.9
pingpong_row server epoll across 1.1 0.9
pingpong_row client epoll one 1.3 1.0
pingpong_row server epoll one 1.3 1.0

# sockperf_on WHO PLACEMENT: all threads of the program are on its CPU.
sockperf_on() {
	cpus "$2" || return
	ends "$1" client
	serve peer "$T/served" taskset -c $server_cpu sockperf server --tcp -i $addr -p $port
	listening peer || return
	near "$1" taskset -c $client_cpu sockperf ping-pong --tcp -i $addr -p $port -m 64 -t "$SECONDS_EACH" >"$T/sockperf" ||
		{ cannot "sockperf: $(tail -n 1 "$T/sockperf")"; return; }
	sed 's/\x1b\[[0-9;]*m//g' "$T/sockperf" | awk '/percentile 50.000/ { a = $NF * 2 } /percentile 99.000/ { b = $NF * 2 } END { print a, b }'
}

row sockperf-across "sockperf, 64 B, client, 2 CPUs" sockperf
line p50 us lower ratio 1.0 0.85
line p99 us lower ratio 1.0 0.85
row_sockperf_across() { sockperf_on "$1" across; }

row sockperf-one "sockperf, 64 B, client, 1 CPU" sockperf
line p50 us lower ratio 1.05 0.85
line p99 us lower ratio 1.05 0.85
row_sockperf_one() { sockperf_on "$1" one; }

row spin "64 B, blocking, client, --spin, 2 CPUs"
line p50 us lower ratio 0.4 0.3
row_spin() {
	in_c "$XTCP_RUN" --spin=100 true 2>"$T/err" || { lacks "--spin isn't built: $(tail -n 1 "$T/err")"; return; }
	local xtcp_args=(--spin=100)
	pingpong "$1" client block across >"$T/spin" && awk '{ print $1 }' "$T/spin"
}

# ---- connections and requests a second ----

short_connections() {
	ends "$1" "$2"
	serve $server "$T/served" "$B/conns" serve block $addr $port
	is_ready ready "$T/served" || return
	"${client[@]}" "$B/conns" connect $addr $port "$SECONDS_EACH"
}

row connections "connect, request, answer, close"
line "" 1/s higher ratio 1.0 1.5
row_connections() { short_connections "$1" client; }

# connections_of WHO N: connections a second of N processes at once, each with a server of its own.
connections_of() {
	local k clients=()
	for ((k = 1; k <= $2; k++)); do
		ends "$1" client
		serve peer "$T/served.$k" "$B/conns" serve block $addr $port
		is_ready ready "$T/served.$k" || return
		near "$1" "$B/conns" connect $addr $port "$SECONDS_EACH" >"$T/rate.$k" &
		clients+=($!)
	done
	for k in "${clients[@]}"; do
		wait "$k" || return
	done
	for ((k = 1; k <= $2; k++)); do cat "$T/rate.$k"; done | awk '{ n += $1 } END { print n }'
}

row engines "connections of two processes over one's"
line "" x higher ratio 1.0 1.2
row_engines() {
	connections_of "$1" 1 >"$T/one" && connections_of "$1" 2 >"$T/two" || { cannot "a client failed: $(tail -n 1 "$T/err")"; return; }
	paste "$T/one" "$T/two" | awk '{ print $2 / $1 }'
}

row accepts "the same, server"
line "" 1/s higher ratio 1.0 1.3
row_accepts() { short_connections "$1" server; }

row accepts-ab "ab, 64 at a time, nginx" nginx ab
line "" 1/s higher ratio 1.0 1.3
row_accepts_ab() {
	ends "$1" server
	serve_web $server 0 || return
	far ab -q -c 64 -t "$SECONDS_EACH" -n 1000000 "http://$addr:$port/1k" >"$T/ab" || { cannot "ab: $(tail -n 1 "$T/err")"; return; }
	awk '/^Failed requests:/ && $3 { exit 1 } /^Requests per second/ { print $4 }' "$T/ab" || cannot "ab: failed requests"
}

# wrk_on WHO ROLE WORKERS [OPTION...]: requests a second; whatever failed fails the row.
wrk_on() {
	ends "$1" "$2"
	serve_web $server "$3" || return
	"${client[@]}" wrk -t 1 -c 64 -d "$SECONDS_EACH" "${@:4}" "http://$addr:$port/1k" >"$T/wrk" || { cannot "wrk: $(tail -n 1 "$T/err")"; return; }
	! grep -q 'Socket errors\|Non-2xx' "$T/wrk" || { cannot "wrk: $(grep 'Socket errors\|Non-2xx' "$T/wrk")"; return; }
	awk '/^Requests\/sec/ { print $2 }' "$T/wrk"
}

row accepts-wrk "wrk, 64 at a time, nginx" nginx wrk
line "" 1/s higher ratio 1.0 1.3
row_accepts_wrk() { wrk_on "$1" server 0 -H "Connection: close"; }

row wrk-client "wrk, keep-alive, client" nginx wrk
line "" 1/s higher ratio 1.0 1.5
row_wrk_client() { wrk_on "$1" client 0; }

row wrk-server "wrk, keep-alive, nginx in one process" nginx wrk
line "" 1/s higher ratio 1.0 1.5
row_wrk_server() { wrk_on "$1" server 0; }

row wrk-workers "wrk, keep-alive, nginx with 2 workers" nginx wrk
line "" 1/s higher ratio 1.0 1.5
row_wrk_workers() { wrk_on "$1" server 2; }

# redis WHO PIPELINE REQUESTS
redis() {
	ends "$1" server
	serve $server "$T/served" redis-server --port $port --bind $C_ADDR --protected-mode no --save "" --dir "$T"
	listening $server || return
	far redis-benchmark -h $addr -p $port -t get -P "$2" -n $(($3 * SECONDS_EACH)) --csv >"$T/redis" || { cannot "redis-benchmark: $(tail -n 1 "$T/err")"; return; }
	awk -F'"' '$2 == "GET" { print $4 }' "$T/redis"
}

row redis "redis-benchmark, 50 clients" redis-server redis-benchmark
line "" 1/s higher ratio 1.0 1.3
row_redis() { redis "$1" 1 40000; }

row redis-pipeline "redis-benchmark -P 16" redis-server redis-benchmark
line "" 1/s higher ratio 1.0 1.3
row_redis_pipeline() { redis "$1" 16 300000; }

# ---- large tables ----

row ports "connect(), 99 % of the ports taken over none"
line "" x lower value 1.2 1.05
row_ports() {
	local range="20000 27999" before status
	local xtcp_args=(--sysctl "net.ipv4.ip_local_port_range=$range")
	before=$(in_c sysctl -n net.ipv4.ip_local_port_range)
	in_c sysctl -q -w net.ipv4.ip_local_port_range="$range"
	ends "$1" client
	serve peer "$T/served" "$B/conns" serve epoll $addr $port
	is_ready ready "$T/served" && near "$1" "$B/conns" ports $addr $port 7920
	status=$?
	in_c sysctl -q -w net.ipv4.ip_local_port_range="$before"
	return $status
}

row scale "cost of one connection, 9,000 open over 100"
line "" x lower value 1.2 1.05
row_scale() {
	ends "$1" client
	serve peer "$T/served" "$B/conns" serve epoll $addr $port
	is_ready ready "$T/served" && near "$1" "$B/conns" scale $addr $port "$SECONDS_EACH" 100 9000
}

# Simulated: two stacks back to back in a process (bench/million.c), the most that grows as the numbers do.
million_of() {
	"$B/million" "$@" >"$T/million" 2>"$T/err" &
	wait $! || return
	sed 's/^/bench\/run: /' "$T/million" >&2
	awk '/over first/ { print $3, $4, $5, $6, $7 }' "$T/million"
}

# million_row NAME CONNECTIONS "TEXT"
million_row() {
	row "$1" "$3, simulated"
	line memory x lower value 1.2 1.05
	line connect x lower value 1.2 1.05
	line request x lower value 1.2 1.05
	line tick x lower value 1.2 1.05
	line close x lower value 1.2 1.05
	makes_no_connection[$1]=1 is_alone[$1]=1
	eval "row_${1//-/_}() { million_of 10000 $2; }"
}
million_row scale-100k 100000 "100,000 open over 10,000"
million_row million 1000000 "1,000,000 open over 10,000"

# Bytes that the programs of $C and the kernel use.
used() {
	local p
	{ sed 's/kB//' /proc/meminfo
	for p in $(ip netns pids "$C"); do
		sed 's/^Pss:/process:/' "/proc/$p/smaps_rollup" 2>/dev/null
	done; } | awk '/^(Slab|VmallocUsed|process):/ { n += $2 } END { print n * 1024 }'
}

HELD_FIRST=500 HELD=4000

# memory_of WHO ROLE keep|epoll: bytes per connection that the machine has used more, both ends.
memory_of() {
	local before after status=1
	ends "$1" "$2"
	rm -f "$T/fifo"
	mkfifo "$T/fifo"
	exec {holding}<>"$T/fifo"
	serve $server "$T/served" "$B/conns" serve "$3" $addr $port
	if is_ready ready "$T/served"; then
		[ "$server" = peer ] && place=$1 || place=peer
		serve "$place" "$T/held" sh -c 'exec "$0" hold "$1" "$2" <"$3"' "$B/conns" $addr $port "$T/fifo"
		echo $HELD_FIRST >&"$holding"
		if until_true 10 holds 1; then
			before=$(settled)
			echo $HELD >&"$holding"
			until_true 20 holds 2 && after=$(settled) && status=0
		fi
	fi
	exec {holding}>&-
	end_servers
	[ $status = 0 ] || { cannot "connections couldn't be held: $(tail -n 1 "$T/err.server")"; return; }
	per_connection=$(((after - before) / HELD))
}

# holds N: the N-th lot is there.  settled: what is used when no more is freed or taken within a moment.
holds() { [ "$(grep -c ready "$T/held")" -ge "$1" ]; }
settled() { sleep .3; used; }

row memory "an idle connection, kernel objects included"
line server bytes lower value 4096 3072
line watched bytes lower value 9216 7168
line client bytes lower value 4096 3072
row_memory() {
	local peer unwatched watched before
	# Both ends are the kernel's and nobody watches: half of it is the peer's.
	before=$(opens "$C")
	memory_of kernel server keep || return
	peer=$((per_connection / 2))
	kernel_opens=$(($(opens "$C") - before))
	memory_of "$1" server keep || return
	unwatched=$((per_connection - peer))
	memory_of "$1" server epoll || return
	watched=$((per_connection - peer))
	memory_of "$1" client keep || return
	echo $unwatched $watched $((per_connection - peer))
}

# Seconds that the threads of a process and of its children have run so far.
ran() {
	local p
	for p in $(ip netns pids "$C"); do
		cat /proc/"$p"/task/*/schedstat 2>/dev/null
	done | awk '{ n += $1 } END { printf "%.6f", n / 1e9 }'
}

row idle "CPU of a server with 9,000 idle connections"
line "" % lower value 0.1 0
row_idle() {
	local a b
	ends "$1" server
	serve $server "$T/served" "$B/conns" serve epoll $addr $port 9000
	is_ready ready "$T/served" || return
	serve peer "$T/held" sh -c '(echo 9000; sleep 60) | "$0" hold "$1" "$2"' "$B/conns" $addr $port
	until_true 20 says "^kept" "$T/served" || { cannot "9,000 connections couldn't be held: $(tail -n 1 "$T/err.server")"; return; }
	sleep .5
	a=$(ran)
	sleep "$SECONDS_EACH"
	b=$(ran)
	awk -v a="$a" -v b="$b" -v s="$SECONDS_EACH" 'BEGIN { print (b - a) / s * 100 }'
}

# ---- start ----

STARTS=20

# started WHO COMMAND...: ms that a run of it takes.
started() {
	local who=$1
	shift
	[ "$who" = kernel ] || set -- "$XTCP_RUN" "$@"
	in_c timeout -k 5 "$LIMIT" bash -c 'n=$1 begin=$EPOCHREALTIME; shift
		for ((i = 0; i < n; i++)); do "$@" >/dev/null || exit; done
		echo $(((${EPOCHREALTIME/./} - ${begin/./}) / n))' bash $STARTS "$@" 2>"$T/err" | awk '{ print $1 / 1000 }'
}

row start-true "time added to true"
line "" ms lower added 20 5
makes_no_connection[start-true]=1
row_start_true() { started "$1" "$(type -P true)"; }

row start-curl "time added to curl of 1 KB" curl nginx
line "" ms lower added 20 5
row_start_curl() {
	next_port
	serve_web peer 0 && started "$1" curl -sS "http://$S_ADDR:$port/1k"
}

# ---- loss ----

# lossy WHO LOSS: Mbit/s up over the link with 10 ms each way, its losses the same in both runs of a pair.
lossy() {
	local xtcp_args=(--interface "$C_BAD")
	local way=rate=100M,delay=10ms,queue=250k
	next_port
	: >"$T/relay"
	ip netns exec "$R" timeout -k 5 "$LIMIT" "$RELAY" -s "$pair" -p $port near far "$way,loss=$2" "$way" >"$T/relay" 2>&1 &
	relay=$!
	servers+=($relay)
	until_true 5 says ready "$T/relay" || { cannot "no link: $(cat "$T/relay")"; return; }
	serve peer "$T/served" $urgent "$B/bulk" recv listen $S_BAD_ADDR $port $((SECONDS_EACH * 2))
	is_ready ready "$T/served" || return
	# As the kernel's TCP runs with the relay's priority (relay_lib.sh).
	near "$1" $urgent "$B/bulk" send connect $S_BAD_ADDR $port 1 || return
	until_true 2 says ^bytes "$T/served" || { cannot "the receiver has no result: $(cat "$T/err.server")"; return; }
	kill -TERM "$relay"
	wait "$relay" || { cannot "the relay was late: $(cat "$T/relay")"; return; }
	awk '/^bytes/ { print $2 * 8 / $4 / 1e6 }' "$T/served"
}

row loss-0.1 "1 stream up, 100 Mbit/s, 20 ms, 0.1 % lost" ethtool
line "" Mbit/s higher ratio 1.0 1.3
row_loss_0_1() { lossy "$1" 0.1%; }

row loss-1 "1 stream up, 100 Mbit/s, 20 ms, 1 % lost" ethtool
line "" Mbit/s higher ratio 1.0 1.3
row_loss_1() { lossy "$1" 1%; }

row loss-5 "1 stream up, 100 Mbit/s, 20 ms, 5 % lost" ethtool
line "" Mbit/s higher ratio 1.0 1.3
row_loss_5() { lossy "$1" 5%; }

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# `./bootstrap demo`: an unmodified curl over xtcp, beside the kernel's TCP on the same pair of
# interfaces (topology: lib.sh).  Says what it does; every claim is a line that begins with ok.
. "$(dirname "$0")/lib.sh"
need curl nginx tcpdump
MB=${XTCP_DEMO_MB:-200}
RUNS=3

step() { printf '\n== %s\n' "$*"; }
show() { printf '   $ %s\n' "$*"; }

# Watches the kernel's table in the client's namespace until $T/stop exists: the most
# connections that it held at once, and how often that was looked up.
watch_kernel() {
	rm -f "$T/stop" "$T/watched"
	in_c bash -c '
		exec {never}<>"$0/never"
		most=0 looks=0
		until [ -e "$0/stop" ]; do
			n=0
			while read -r _ _ _ state _; do
				case $state in st|0A) ;; *) n=$((n + 1)) ;; esac
			done </proc/net/tcp
			[ $n -le $most ] || most=$n
			looks=$((looks + 1))
			read -r -t 0.02 -u $never
		done
		echo "$most $looks" >"$0/watched"' "$T" &
	watcher=$!
}
watched() {
	touch "$T/stop"
	wait $watcher
	read -r held looks <"$T/watched"
}

# speed FILE: the median in Gbit/s of curl's bytes a second, one a line.
speed() { sort -n "$1" | awk '{ v[NR] = $1 } END { printf "%.2f\n", v[int((NR + 1) / 2)] * 8 / 1e9 }'; }

kernel() { in_c "$@" 2>"$T/err" & wait $!; }

# runs NAME WHO...: RUNS downloads and uploads of the big file, WHO being `xt shared` or kernel.
runs() {
	local name=$1 i
	shift
	rm -f "$T/$name."*
	for ((i = 0; i < RUNS; i++)); do
		"$@" curl -sS -o "$T/got.$name" -w '%{speed_download}\n' "http://$S_ADDR/big.bin" \
			>>"$T/$name.down" || return 1
		"$@" curl -sS -T "$T/www/big.bin" -w '%{speed_upload}\n' -o /dev/null \
			"http://$S_ADDR/up/$name.bin" >>"$T/$name.up" || return 1
	done
}

net_up
mkfifo "$T/never"
step "Two network namespaces joined by a veth pair"
echo "   $C: $C_IF $C_ADDR/24, default route $S_ADDR"
echo "   $S: $S_IF $S_ADDR/24, nginx on port 80 (the kernel's TCP)"
make_files "$MB"
serve_nginx 80 || exit 99

step "A small page, with a capture"
show "xtcp-run -w small.pcap curl http://$S_ADDR/small.txt"
xt shared -w "$T/small.pcap" curl -sS -o "$T/small" "http://$S_ADDR/small.txt"
sed 's/^/   /' "$T/small" "$T/err"
check_eq "the page is the page" "$(sha "$T/www/small.txt")" "$(sha "$T/small")"
echo "   The capture, read with tcpdump:"
tcpdump -nn -t -r "$T/small.pcap" 'arp or tcp' 2>/dev/null >"$T/dump"
sed 's/^/   /' "$T/dump" | cut -c1-150
check "it begins with a handshake: SYN, SYN-ACK, ACK" awk '
	/Flags \[S\],/ && s == 0 { s = 1; next }
	/Flags \[S\.\],/ && s == 1 { s = 2; next }
	/Flags \[\.\],/ && s == 2 { s = 3 }
	END { exit s != 3 }' "$T/dump"
check "the SYN offers MSS, SACK, timestamps and window scaling" \
	grep -q 'Flags \[S\],.*\[mss [0-9]*,sackOK,TS val [0-9]* ecr 0,nop,wscale [0-9]*\]' "$T/dump"

step "A file of $MB MB, down and up, $RUNS times"
show "xtcp-run curl -o big.bin http://$S_ADDR/big.bin"
show "xtcp-run curl -T big.bin http://$S_ADDR/up/"
watch_kernel
runs xtcp xt shared
report $? "the transfers succeed"
watched
echo "   sha256 at the server  $BIG_SHA"
echo "          downloaded     $(sha "$T/got.xtcp")"
echo "          uploaded       $(sha "$T/up/xtcp.bin")"
check_eq "downloaded, it is the same file" "$BIG_SHA" "$(sha "$T/got.xtcp")"
check_eq "uploaded, it is the same file" "$BIG_SHA" "$(sha "$T/up/xtcp.bin")"

step "The kernel's own TCP took no part in $C"
echo "   /proc/net/tcp, looked up $looks times during the transfers: $held connections"
echo "   /proc/net/snmp: ActiveOpens $(tcp_counter ActiveOpens), OutRsts $(tcp_counter OutRsts)," \
	"InSegs $(tcp_counter InSegs), OutSegs $(tcp_counter OutSegs)"
check_eq "it held no connection at any time" 0 "$held"
check "and that was looked up" test "$looks" -gt 0
kernel_took_no_part "since the namespace was made"
check_eq "while the server's kernel accepted each of them" $((2 * RUNS + 1)) \
	"$(tcp_counter PassiveOpens "$S")"

step "What a capture of the download sees"
show "xtcp-run -w big.pcap curl -o big.bin http://$S_ADDR/big.bin"
xt shared -w "$T/big.pcap" curl -sS -o "$T/got.cap" "http://$S_ADDR/big.bin"
tcpdump -nn -tt -r "$T/big.pcap" tcp 2>/dev/null | awk -v server="$S_ADDR.80" '
	$3 == server { from++ }
	$3 != server { to++ }
	{ len = 0; if (match($0, /length [0-9]+/)) len = substr($0, RSTART + 7, RLENGTH - 7) + 0 }
	$3 == server { bytes += len; if (len > largest) largest = len }
	/sack [0-9]+ \{/ { sacks++ }
	END {
		printf "   from the server: %d frames, %d bytes of payload, the largest %d\n", from, bytes, largest
		printf "   to the server:   %d frames, %d with SACK blocks\n", to, sacks
		print bytes + 0 > "/dev/stderr"
	}' 2>"$T/bytes"
size=$(stat -c %s "$T/www/big.bin")
check "the capture holds the whole file" test "$(cat "$T/bytes")" -ge "$size"
check_eq "and it arrived intact" "$BIG_SHA" "$(sha "$T/got.cap")"
rm -f "$T/big.pcap"

step "The kernel's TCP on the same pair, for comparison"
watch_kernel
runs kernel kernel
report $? "the transfers succeed"
watched
check "the same look-up finds its connections (at most $held at once)" test "$held" -gt 0
check_eq "its active-open counter moved" $((2 * RUNS)) "$(tcp_counter ActiveOpens)"

step "Throughput, median of $RUNS, Gbit/s"
printf '   %-10s %10s %10s\n' "" xtcp kernel \
	download "$(speed "$T/xtcp.down")" "$(speed "$T/kernel.down")" \
	upload "$(speed "$T/xtcp.up")" "$(speed "$T/kernel.up")"

step "Closing: the namespaces, the servers and the files are removed"
finish

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# ECN between xtcp and the kernel's TCP: the server's namespace marks one packet in twenty as
# having met congestion, both ways (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need nc python3 nft
net_up
make_files 8
serve_tcp 7001 send "$T/www/big.bin" || exit 99
serve_tcp 7002 recv "$T/up/ecn.bin" || exit 99
in_s nft -f - 2>"$T/err" <<-'RULES' || skip_all "nftables can't mark here: $(cat "$T/err")"
	table ip congestion {
		counter reduced { }
		chain arriving { type filter hook prerouting priority mangle; tcp flags & (syn | cwr) == cwr counter name reduced; ip ecn ect0 numgen random mod 20 == 0 ip ecn set ce; }
		chain leaving { type filter hook postrouting priority mangle; ip ecn ect0 numgen random mod 20 == 0 ip ecn set ce; }
	}
RULES

# A value of TcpExt: or IpExt: of the server's kernel.
server_ext() {
	in_s awk -v name="$1" '$1 == key { for (i = 2; i <= NF; i++) if (n[i] == name) print $i }
		{ key = $1; for (i = 2; i <= NF; i++) n[i] = $i }' /proc/net/netstat
}

# grew NAME BEFORE WHAT: that counter has become larger.
grew() {
	check "$3" [ "$(server_ext "$1")" -gt "$2" ]
}

# Segments of ours with CWR so far.
reduced() { in_s nft list counter ip congestion reduced | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }

for mode in shared own; do
	echoed=$(server_ext TCPDeliveredCE)
	xt $mode --sysctl tcp_ecn=1 nc -N "$S_ADDR" 7001 </dev/null >"$T/got"
	check_eq "$mode: download with marks" "$BIG_SHA" "$(sha "$T/got")"
	grew TCPDeliveredCE "$echoed" "$mode: we echoed congestion to the kernel"
	rm -f "$T/up/ecn.bin"
	capable=$(server_ext InECT0Pkts) told=$(reduced)
	xt $mode --sysctl tcp_ecn=1 nc -N "$S_ADDR" 7002 <"$T/www/big.bin" >"$T/got"
	check_eq "$mode: upload with marks" "$BIG_SHA" "$(sha "$T/up/ecn.bin")"
	grew InECT0Pkts "$capable" "$mode: our data was ECN-capable"
	check "$mode: and told of reductions" [ "$(reduced)" -gt "$told" ]
	xt $mode --congestion dctcp nc -N "$S_ADDR" 7001 </dev/null >"$T/got"
	check_eq "$mode: DCTCP, whose SYN a server with CUBIC refuses to take for ECN's" "$BIG_SHA" "$(sha "$T/got")"
done
kernel_took_no_part "at the end"
finish

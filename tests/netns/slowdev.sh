#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# An interface that keeps frames for a while, or has no room for them: xtcp beside the kernel's TCP over
# the same queueing discipline (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3 tc
net_up
mkdir -p "$T/up" "$T/control"
serve_tcp 7001 recv "$T/up/pieces" || exit 99

# slow RATE BURST LIMIT: what the client's interface passes, and how many bytes may wait.
slow() {
	in_c tc qdisc replace dev "$C_IF" root tbf rate "$1" burst "$2" limit "$3" 2>"$T/err" ||
		skip_all "there is no tbf here: $(cat "$T/err")"
}

# pieces MODE COUNT BYTES: over the kernel or over xtcp; sets segs, again, rtt (us), corked.
pieces() {
	local mode=$1
	shift
	set -- python3 "$here/pieces.py" "$S_ADDR" 7001 "$@"
	if [ "$mode" = kernel ]; then
		set -- $(in_c "$@" 2>"$T/err")
	else
		set -- $(XTCP_CONTROL=$T/control XTCP_CTL=$top_builddir/xtcp-ctl xt shared "$@")
	fi
	segs=${1:-0} again=${2:-999} rtt=${3:-999999999} corked=${4:-0}
	note "$mode: $segs segments, $again sent again, round trip $rtt us, TCPAutoCorking $corked"
}

slow 10mbit 3000 1000000
for try in 1 2 3; do   # so do the moments at which a byte waits
	pieces kernel 3000 100
	theirs=$segs
	pieces xtcp 3000 100
	[ "$segs" -gt $((theirs + theirs / 4)) -o "$corked" = 0 ] || break
done
check "small writes are as few segments as the kernel's" [ "$segs" -gt 0 -a "$segs" -le $((theirs + theirs / 4)) ]
check "as they wait for what has not left (TCPAutoCorking)" [ "$corked" -gt 0 ]

slow 10mbit 3000 15000
for try in 1 2 3; do   # where the queue is full depends on when who runs
	pieces kernel 300 4000
	theirs=$again
	pieces xtcp 300 4000
	[ "$again" -gt $((theirs + 5)) ] || break
done
check "what the discipline drops is not missing at the peer" [ "$again" -le $((theirs + 5)) ]

slow 20mbit 30000 10000000
pieces kernel 64 65536
theirs=$rtt
for try in 1 2 3; do   # a machine that is busy makes it longer, too
	pieces xtcp 64 65536
	[ "$rtt" -gt $((2 * theirs)) ] || break
done
check "a large transfer doesn't fill the queue (small queues: without them the round trip is more than twice as long)" \
	[ "$rtt" -le $((2 * theirs)) ]
finish

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What a server's program sees over xtcp is what it sees over the kernel: the same program runs over
# both, with the same peer (the kernel's, on the other side), and prints the same (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
net_up
port=8000

# told MODE PROGRAM WHAT: what PROGRAM.py says; MODE kernel, shared or own.
told() {
	local mode=$1 program=$2 what=$3 addr=$C_ADDR
	[ "$mode" != own ] || addr=$OWN_ADDR
	rm -f "$T/ask" "$T/answer"
	mkfifo "$T/ask" "$T/answer"
	in_s python3 "$here/server.py" peer "$addr" <"$T/ask" >"$T/answer" 2>"$T/peer.err" &
	{ if [ "$mode" = kernel ]; then
		in_c timeout -k 5 60 python3 "$here/$program.py" "$what" "$addr" $port 3>"$T/ask" 4<"$T/answer" 2>"$T/err"
	else
		xt_bg "$mode" python3 "$here/$program.py" "$what" "$addr" $port 3>"$T/ask" 4<"$T/answer" 2>"$T/err"
	fi || echo "exit status $?"; } | sed "s/$OWN_ADDR/$C_ADDR/g" >"$T/$what.$mode"
	wait $!
}

# FILE: it has said something, and has not failed.
is_whole() { [ "$(wc -l <"$1")" -gt 10 ] && ! grep -q '^exit status' "$1"; }

# alike PROGRAM WHAT...: over xtcp as over the kernel.
alike() {
	local program=$1 what mode try
	shift
	for what; do
		port=$((port + 1))   # nothing of the part before is in its way
		told kernel $program $what
		check "$what: the kernel's answers are there" is_whole "$T/$what.kernel"
		for mode in shared own; do
			told $mode $program $what
			# A busy machine has times of its own, for either.
			for try in 1 2 3 4; do
				! cmp -s "$T/$what.kernel" "$T/$what.$mode" || break
				port=$((port + 1))
				told kernel $program $what
				told $mode $program $what
			done
			diff "$T/$what.kernel" "$T/$what.$mode" >>"$T/err" 2>&1
			report $? "$what, $mode: as over the kernel"
		done
	done
}

# With arguments: only these.
[ $# -gt 0 ] || set -- server:states server:options
for pair; do
	alike "${pair%%:*}" "${pair#*:}"
done
finish

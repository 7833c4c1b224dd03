#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Sockets and the lives of processes: each step of life.py over the kernel and over xtcp, on a shared address, says the
# same (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
net_up
serve_tcp 7003 echo || exit 99

for step in $(python3 "$here/life.py" steps); do
	in_c timeout -k 5 60 python3 "$here/life.py" $step "$S_ADDR" 7003 "$C_ADDR" >"$T/kernel" 2>&1
	xt shared timeout -k 5 40 python3 "$here/life.py" $step "$S_ADDR" 7003 "$C_ADDR" >"$T/xtcp" 2>"$T/said"
	cat "$T/said" >>"$T/xtcp"
	diff "$T/kernel" "$T/xtcp" >"$T/err"
	report $? "$step"
done
nobody_left() { [ -z "$(ip netns pids "$C")" ]; }
check "nobody is left" until_true 10 nobody_left
finish

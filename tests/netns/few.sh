#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Few descriptors, all of them taken: what few.py says over xtcp, which has some of its own, is what it says over the
# kernel (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
net_up

# as_kernel NAME LIMIT HARD [COMMAND...]
as_kernel() {
	local name=$1 limit=$2 hard=$3
	shift 3
	in_c "$@" python3 "$here/few.py" "$limit" "$hard" >"$T/kernel" 2>"$T/err"
	check "$name: the kernel's answers" test "$(wc -l <"$T/kernel")" = 15
	xt shared --loopback -- "$@" python3 "$here/few.py" "$limit" "$hard" >"$T/xtcp"
	diff "$T/kernel" "$T/xtcp" >>"$T/err"
	report $? "$name: as over the kernel"
}

as_kernel "20, for good" 20 20
as_kernel "32, for good" 32 32
as_kernel "32, which may be 4096" 32 4096 setpriv --bounding-set -sys_resource
finish

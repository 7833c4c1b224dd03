#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Large transfers arrive whole however they are read: reads.py over the kernel, and over xtcp in both modes.
. "$(dirname "$0")/lib.sh"
need python3
net_up
server "$S" 7010 python3 "$here/reads.py" serve 7010 || exit 99

reads() { "$@" python3 "$here/reads.py" read "$S_ADDR" 7010 "${XTCP_READS_SEED:-1}" >"$T/reads" 2>"$T/err"; }

check "the kernel: every way of reading gives every byte" reads in_c
check "eleven ways were tried" test "$(wc -l <"$T/reads")" = 11
for mode in shared own; do
	check "$mode: every way of reading gives every byte" reads xt "$mode"
done
finish

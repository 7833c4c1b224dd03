#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# splice() and its likes with TCP sockets on either side: splice.py over the kernel and over xtcp sees the same (topology:
# lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
net_up
serve_tcp 7003 echo || exit 99
serve_tcp 7004 hold || exit 99

in_c timeout 60 python3 "$here/splice.py" $S_ADDR 7003 7004 >"$T/kernel" 2>"$T/err"
report $? "over the kernel"
for mode in shared own; do
	opens=$(tcp_counter ActiveOpens)
	xt $mode python3 "$here/splice.py" $S_ADDR 7003 7004 >"$T/xtcp"
	diff "$T/kernel" "$T/xtcp" | sed 's/^/# /'
	cmp -s "$T/kernel" "$T/xtcp"
	report $? "$mode: the same, in each of $(wc -l <"$T/kernel") lines"
	check_eq "$mode: over xtcp" "$opens" "$(tcp_counter ActiveOpens)"
done
[ "$failures" = 0 ] || sed 's/^/# /' "$T/kernel"
finish

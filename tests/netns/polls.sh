#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# poll() and select() of one and of a thousand sockets, among the kernel's: polls.py over xtcp says what it says over
# the kernel (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
net_up
server "$S" 7020 python3 "$here/polls.py" serve 7020 || exit 99

for n in 1 9 100 1000; do
	in_c timeout 60 python3 "$here/polls.py" $S_ADDR 7020 $n >"$T/kernel" 2>"$T/err"
	check "$n connections: the kernel's answers" test "$(wc -l <"$T/kernel")" -gt 10
	for mode in shared own; do
		xt $mode python3 "$here/polls.py" $S_ADDR 7020 $n >"$T/xtcp"
		diff "$T/kernel" "$T/xtcp" >>"$T/err"
		report $? "$n connections, $mode: as over the kernel"
	done
done
finish

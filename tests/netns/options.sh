#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Every socket option number of a TCP socket that is fresh, listens or is connected, over the kernel and
# over xtcp: values, lengths and errors are the same but where options.txt says why not.
. "$(dirname "$0")/lib.sh"
need python3 awk
net_up
PROBE=$top_builddir/tests/optprobe
[ -x "$PROBE" ] || skip_all "tests/optprobe isn't built"
case $(uname -r) in 6.18.*) ;; *) skip_all "not Linux 6.18: others differ in other things" ;; esac
# Connections that nobody accepts are as good as others.
server "$S" 7001 python3 -c 'import socket, time; s = socket.create_server(("", 7001), backlog=4096); time.sleep(600)' || exit 99
# Those of IPv6 are tried on AF_INET6 sockets.
in_c timeout 60 "$PROBE" $S_ADDR 7001 >"$T/kernel" 2>"$T/err" && in_c timeout 60 "$PROBE" ::ffff:$S_ADDR 7001 >>"$T/kernel" 2>"$T/err"
check "the options over the kernel" [ $? = 0 ]
xt shared -l error "$PROBE" $S_ADDR 7001 >"$T/xtcp" && xt shared -l error "$PROBE" ::ffff:$S_ADDR 7001 >>"$T/xtcp"
check "the options over xtcp" [ $? = 0 ]
diff "$T/kernel" "$T/xtcp" >"$T/diff"
awk '/^[<>]/ { print $3, $4 }' "$T/diff" | sort -u >"$T/differ"
awk '!/^#/ { print $1, $2 }' "$here/options.txt" | sort -u >"$T/known"
comm -23 "$T/differ" "$T/known" >"$T/new"
: >"$T/err"
while read -r level name; do
	grep -E "^[<>] [a-z]+ $level $name " "$T/diff" | head -n 6
done <"$T/new" | tee "$T/err" >/dev/null
check_eq "no option differs that options.txt doesn't know of" "" "$(tr '\n' ';' <"$T/new")"
check_eq "what options.txt knows of does differ" "" "$(comm -13 "$T/differ" "$T/known" | tr '\n' ';')"
finish

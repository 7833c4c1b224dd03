#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Ten times as many connections: as much memory for each, and what is done with one doesn't take longer by much more than the
# caches explain (what `bench/run million` measures with a million, on an idle machine, against bars of 1.2).
set -u
LC_ALL=C
export LC_ALL
. "$top_srcdir/tests/tap.sh"
T=$(mktemp -d "${TMPDIR:-/tmp}/xtcp-test.XXXXXX") || exit 99
trap 'rm -rf "$T"' EXIT
said="out"

[ -z "${SANITIZERS:-}" ] || skip_all "a build with sanitizers"
million() { "$top_builddir/bench/million" --events 18000 "$@" >"$T/out" 2>&1; }
# A search through all of them would be ten times dearer; a busy machine makes no more than one or two times of it, seldom
# three times in a row.
grows_little() {
	local i
	for i in 1 2 3; do
		million "$@" --memory 1.1 --cost 3 5000 50000 && return
	done
	false
}
check "50,000 connections cost what 5,000 do" grows_little
check "and with a timer for each of them" grows_little --keepalive
million --memory 0.5 5000 6000
check "what is too much is told" [ $? = 1 ]
check "in words" grep -q "too much" "$T/out"
finish

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# totals.sh DIRECTORY: sums up the logs that `make check` left in that build directory: what failed, with what it
# said, then cmocka's tests, the checks of scripts (ok, not ok), automake's results; the last line is the sum of
# all.  A test program that skips or dies without a count of its own counts as one.
set -u
cd "$1" || exit 1
shopt -s nullglob globstar

# why LOG: the failures that it tells of, each with the remarks before it and the lines after it; else its end.
why() {
	awk '/^#/ && n <= 0 { said = said $0 "\n"; next }
	     /^not ok|^\[  ERROR   \]|^\[  FAILED  \]/ { n = 12; printf "%s", said }
	     /^ok / { n = 0 }
	     { said = "" }
	     n-- > 0' "$1" | head -n 40 | grep . ||
		tail -n 20 "$1"
}

for trs in tests/**/*.trs; do
	log=${trs%.trs}.log
	grep -qE '^:global-test-result: (PASS|SKIP)' "$trs" && continue
	echo "${log%.log} failed:"
	why "$log" | sed 's/^/    /'
done

for trs in tests/**/*.trs; do
	log=${trs%.trs}.log
	result=$(sed -n 's/^:global-test-result: //p' "$trs")
	echo "@ $result $(grep -q '^\[==========\]' "$log" && echo cmocka || echo script)"
	cat "$log"
	echo
done | awk '
	function settle() {
		if (result == "")
			return
		automake[result]++
		if (result == "SKIP" && !s)
			s = 1
		if (result != "PASS" && result != "SKIP" && !f)
			f = 1
		if (result == "PASS" && !p && !s)
			p = 1
		kinds[kind, "p"] += p; kinds[kind, "f"] += f; kinds[kind, "s"] += s
		p = f = s = 0
	}
	$1 == "@" && NF == 3 { settle(); result = $2; kind = $3; next }
	kind == "cmocka" && /^\[  PASSED  \] [0-9]+ test/ { p += $4 }
	kind == "cmocka" && /^\[  FAILED  \] [0-9]+ test/ { f += $4 }
	kind == "cmocka" && /^\[  SKIPPED \] [0-9]+ test/ { s += $4 }
	kind == "script" && /^ok .*# [Ss][Kk][Ii][Pp]/ { s++; next }
	kind == "script" && /^ok / { p++ }
	kind == "script" && /^not ok / { f++ }
	END {
		settle()
		printf "cmocka: %d tests passed, %d failed, %d skipped\n",
			kinds["cmocka", "p"], kinds["cmocka", "f"], kinds["cmocka", "s"]
		printf "scripts: %d checks passed, %d failed, %d skipped\n",
			kinds["script", "p"], kinds["script", "f"], kinds["script", "s"]
		printf "automake: %d programs passed, %d failed, %d skipped\n", automake["PASS"],
			automake["FAIL"] + automake["ERROR"] + automake["XPASS"], automake["SKIP"]
		printf "%d passed, %d failed, %d skipped\n",
			kinds["cmocka", "p"] + kinds["script", "p"], kinds["cmocka", "f"] + kinds["script", "f"],
			kinds["cmocka", "s"] + kinds["script", "s"]
	}'

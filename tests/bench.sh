#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# bench/run: options, table, JSON, chart, comparison, and that it leaves nothing.  What the figures are isn't judged.
set -u
LC_ALL=C
export LC_ALL
run=$top_srcdir/bench/run
. "$top_srcdir/tests/tap.sh"
said="out err"
T=$(mktemp -d "${TMPDIR:-/tmp}/xtcp-test.XXXXXX") || exit 99
bench=
trap '[ -z "$bench" ] || kill "$bench" 2>/dev/null; rm -rf "$T"' EXIT
: >"$T/out"; : >"$T/err"

# refused WORD OPTION...: exit status 2, and one sentence that has the word.
refused() {
	bash "$run" "${@:2}" >"$T/out" 2>"$T/err"
	[ $? = 2 ] && [ ! -s "$T/out" ] && [ "$(wc -l <"$T/err")" = 1 ] && grep -qF -- "$1" "$T/err"
}
check "an unknown row is an error that names it" refused '"no-such-row"' no-such-row
check "an unknown option, too" refused --fast --fast
check "a number that isn't one" refused '"0"' --pairs 0
check "a value that is missing" refused --seconds --seconds
check "results that aren't there" refused "$T/none" --compare "$T/none" bulk-up
bash "$run" --list >"$T/out" 2>"$T/err"
check "--list has the rows" grep -q '^bulk-up ' "$T/out"
bash "$run" --help >"$T/out" 2>"$T/err"
check "--help tells of the options" grep -q -e --compare "$T/out"

if [ -n "${SANITIZERS:-}" ]; then
	skip "what it measures" "a build with sanitizers"
	finish
fi

# A machine without iperf3.
mkdir "$T/bin"
IFS=: read -r -a path <<<"$PATH"
for dir in "${path[@]}"; do
	ln -s "$dir"/* "$T/bin/" 2>/dev/null
done
rm -f "$T/bin/iperf3"

PATH=$T/bin bash "$run" --pairs=1 --seconds 1 --json "$T/a.json" bulk-up ping-client-one spin connections >"$T/out" 2>"$T/err" &
bench=$!
wait $bench
code=$?
ours() { ip netns list | grep -cE "^xtcp-[csr]$1( |\$)"; }
if [ $code = 77 ]; then
	skip "what it measures" "$(tail -n 1 "$T/out")"
	finish
fi
check "rows are measured" [ $code = 0 ]
check "no namespace is left" [ "$(ours $bench)" = 0 ]
bench=
check "progress is shown" grep -q '\[4/4\] connections 1/1: xtcp [0-9.]* kernel [0-9.]*$' "$T/err"
check "the table has both sides, the judged figure, bar and verdict" \
	grep -qE '^connections +[0-9.]+ +[0-9.]+ 1/s +[0-9.]+ +[0-9.]+-[0-9.]+ +>= +1.00 +1.50 +(aim|pass|missed) ' "$T/out"
check "a row of two lines has both" [ "$(grep -cE '^ping-client-one\.p(50|99) +[0-9]' "$T/out")" = 2 ]
check "a row whose program isn't there says so" grep -q '^bulk-up  *skipped: not installed: iperf3' "$T/out"
cat >"$T/parse.py" <<'END'
import json, sys, xml.etree.ElementTree
with open(sys.argv[1]) as f:
    results = json.load(f)
lines = {line["id"]: line for line in results["lines"]}
assert set(lines) == {"bulk-up", "ping-client-one.p50", "ping-client-one.p99", "spin.p50", "connections"}, lines
line = lines["connections"]
pair, = line["pairs"]
assert pair["xtcp"] > 0 and pair["kernel"] > 0 and abs(line["score"] - pair["xtcp"] / pair["kernel"]) < 1e-6, line
assert (results["pairs"], results["seconds"]) == (1, 1), results
root = xml.etree.ElementTree.parse(sys.argv[2]).getroot()
assert root.tag.endswith("}svg"), root.tag
assert "connections" in [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
# What the next run is compared with: a thousandth, with its spread; what another row had is as it was.
line["score"] /= 1000
line["spread"] = [line["score"]] * 2
with open(sys.argv[1], "w") as f:
    json.dump(results, f)
END
check "JSON and chart can be loaded" python3 "$T/parse.py" "$T/a.json" "$T/a.svg" 2>"$T/err"
bash "$run" -p 1 -s 1 -j "$T/b.json" -c "$T/a.json" connections >"$T/out" 2>"$T/err"
check "--compare shows what has moved" grep -qE '^connections +[0-9.]+ -> +[0-9.]+ \+[0-9]+% +better' "$T/out"

bash "$run" --pairs 1 --seconds 60 --json "$T/c.json" connections >"$T/out" 2>"$T/err" &
bench=$!
# While it waits for a program that runs: bash loses a signal that comes when it reads a $(...) of a script.
is_running() {
	local p
	for p in $(ip netns pids "xtcp-c$bench" 2>/dev/null); do
		tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q 'conns connect' && return
	done
	false
}
for ((i = 0; i < 600; i++)); do
	is_running && break
	sleep .05
done
check "a run can be ended" kill "$bench"
wait "$bench"
check "its status says so" [ $? = 143 ]
check "and leaves no namespace" [ "$(ours "$bench")" = 0 ]
bench=
finish

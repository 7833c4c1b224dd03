#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The documents speak of what is there: files, tests, options and variables.
#
# In doc/*.md and README.md a path of the tree in backquotes is a file or a directory, and
# `test_X: name` is a test of tests/test_X.c (or a check of a script, tests/netns/X.sh: `X.sh: text`).
set -u
cd "$top_srcdir" || exit 99
status=0
n=0
result() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1:"
		sed 's/^/#   /' <<<"$2"
		status=1
	fi
}
quoted() { grep -ohE '`[^`]+`' README.md doc/*.md | tr -d '`' | sort -u; }

result "paths exist" "$(quoted | grep -E '^(stack|netif|shim|tests|doc|bench|m4)/[A-Za-z0-9_./-]*$' |
	while read -r p; do [ -e "$p" ] || echo "$p"; done)"

result "tests exist" "$(quoted | grep -E '^(test|fuzz)_[a-z0-9_]+: ' | while IFS=': ' read -r f t; do
	grep -qE "\\b$t\\b" "tests/$f.c" 2>/dev/null || echo "$f: $t"; done)"

result "checks of scripts exist" "$(quoted | grep -E '^[a-z_]+\.sh: ' | while IFS= read -r line; do
	f=${line%%: *} t=${line#*: }
	grep -qF -- "$t" tests/netns/"$f" tests/"$f" 2>/dev/null || echo "$line"; done)"

result "each option is in xtcp-run(1)" "$(sed -n 's/^	{ "\([a-z]*\)", .*/\1/p' shim/xtcp-run.c |
	while read -r o; do grep -qE "\\\\-\\\\-$o\\b" doc/xtcp-run.1 || echo "--$o"; done)"

result "each variable is documented" "$(grep -ohE '"XTCP_[A-Z_]+"' shim/*.c | tr -d '"' | sort -u |
	while read -r v; do grep -q "$v" doc/xtcp-run.1 doc/xtcp.7 doc/xtcp.conf.5 || echo "$v"; done)"
exit $status

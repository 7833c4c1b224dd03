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

# What the code does with each option, "NAME;what": the tables of stack/ and shim/opts.c, and tests/netns/options.txt
# for what Linux has and we don't.
options_of_code() {
	sed -nE 's/^\t\{ ((SO|IP|TCP|MCAST)_[A-Z0-9_]+), (.*)/\1 \3/p' stack/tcp_opt_sock.c stack/tcp_opt_ip.c stack/tcp_opt_tcp.c |
		awk '{ what = "implemented"; errno = $4; sub(/,$/, "", errno)
			if (/INERT|opt_get_const, set_/ || (/opt_set_refuse/ && errno == "0")) what = "no effect"
			else if (/_refuse,/) what = "refused: " errno
			else if ($3 == "NULL,") what = "read only"
			print $1 ";" what }'
	sed -nE 's/^\t\{ (SO_[A-Z0-9_]+), set_never, .*/\1;read only/p
		s/^\t\{ (SO_[A-Z0-9_]+), set_[a-z_]+, (get_[a-z]+|NULL) \},/\1;implemented/p' shim/opts.c
}
options() {
	{ options_of_code; sed '/^#/d; /^IPPROTO_IPV6/d; s/$/ ;/' tests/netns/options.txt; } | awk -F';' '
		!/ ;$/ { what[$1] = $2; next }
		{ split($1, w, / /); name = w[3]; sub(/:$/, "", name) }
		!(name in what) || (what[name] == "read only" && / refused ;$/) { what[name] = "refused: ENOPROTOOPT" }
		END { for (name in what) print name ";" what[name] }' | sort
}
result "xtcp-options(7) says what the code does with each option" \
	"$(diff <(options) <(sed -nE 's/^([A-Z][A-Z0-9_]+;[^;]+);.*/\1/p' doc/xtcp-options.7 | sort))"
exit $status

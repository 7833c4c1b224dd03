# SPDX-License-Identifier: BSD-2-Clause
#
# tap.sh - how test scripts tell their results; sourced, never run.  One line a check, `ok N - what`, as in TAP; exit status 77 is a
# skip.  T is the script's directory for files.

checks=0
failures=0
said=err                         # the files in $T that tell why something failed

skip_all() { echo "skip: $*"; exit 77; }
note() { echo "# $*"; }

# skip NAME WHY: a check that can't be made here.
skip() {
	checks=$((checks + 1))
	echo "ok $checks - $1 # SKIP $2"
}

# report STATUS NAME: one result; after a failure, what the last commands printed.
report() {
	checks=$((checks + 1))
	if [ "$1" = 0 ]; then
		echo "ok $checks - $2"
	else
		failures=$((failures + 1))
		echo "not ok $checks - $2"
		local f
		for f in $said; do
			[ ! -s "$T/$f" ] || sed 's/^/#   /' "$T/$f" | tail -n 15
		done
	fi
}

# check NAME COMMAND...: the command succeeds.
check() {
	local name=$1
	shift
	"$@"
	report $? "$name"
}

# check_eq NAME WANTED FOUND
check_eq() {
	[ "$2" = "$3" ] || note "wanted $2, found $3"
	[ "$2" = "$3" ]
	report $? "$1"
}

finish() {
	echo "1..$checks"
	[ "$failures" = 0 ] || echo "# $failures of $checks failed"
	exit $((failures > 0))
}

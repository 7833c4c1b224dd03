#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# calls.sh [PART...]: what the calls of libc say to a socket in each of its states is the same over xtcp as over the kernel
# (topology: lib.sh).  Without arguments: all parts of callprobe but those of signals.sh.
. "$(dirname "$0")/lib.sh"
need python3
net_up
PROBE=$top_builddir/tests/callprobe
case $(uname -r) in 6.18.*) ;; *) skip_all "not Linux 6.18: others differ in other things" ;; esac
[ -x "$PROBE" ] || skip_all "tests/callprobe isn't built"
serve_tcp 7001 echo || exit 99
families=${FAMILIES:-4 6}
[ $# -gt 0 ] || set -- file data pointer stream thread

# One process each: none may take longer than xt lets it.
probe_over() {
	local mode=$1 family=$2 part status=0
	shift 2
	for part; do
		case $mode in
		kernel) in_c timeout 120 "$PROBE" "$family" $S_ADDR 7001 "$part" </dev/null 2>"$T/err" ;;
		*) xt "$mode" -l error "$PROBE" "$family" $S_ADDR 7001 "$part" </dev/null ;;
		esac || status=$?
	done >"$T/$mode.$family"
	return $status
}

for family in $families; do
	probe_over kernel "$family" "$@"
	check "IPv$family: the kernel's answers" [ $? = 0 ]
	modes="shared own"
	[ "$family" = 4 ] || modes=shared
	for mode in $modes; do
		probe_over $mode "$family" "$@"
		check "IPv$family, $mode: the answers over xtcp" [ $? = 0 ]
		diff "$T/kernel.$family" "$T/$mode.$family" >"$T/diff"
		grep '^[<>]' "$T/diff" >"$T/err"
		[ ! -s "$T/err" ]
		report $? "IPv$family, $mode: as over the kernel"
	done
done

case " $* " in *" data "*)
	check_eq "calls that a handler may make don't allocate" "60 calls" \
		"$(xt shared "$top_builddir/tests/mallocprobe" $S_ADDR 7001; cat "$T/err")" ;;
esac
finish

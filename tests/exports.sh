#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The preloaded library exports the interposed calls (shim/symbols.def) and nothing else, needs
# few libraries, and has no text relocation.
set -u
LC_ALL=C
lib=$top_builddir/.libs/libxtcp.so
def=$top_srcdir/shim/symbols.def
[ -e "$lib" ] && [ -e "$def" ] || { echo "skip: libxtcp.so isn't built"; exit 77; }
status=0
result() {
	[ -z "$2" ] && echo "ok $1 - $3" || { echo "not ok $1 - $3:" $2; status=1; }
}

exported=$($NM -D --defined-only "$lib" | awk '$2 ~ /[TWDBVi]/ { sub(/@.*/, "", $3); print $3 }' | sort -u)
listed=$(sed -n 's/^SYMBOL\(_OF_LIBURING\)\?(\([A-Za-z0-9_]*\).*/\2/p' "$def" | sort -u)
case " $SANITIZERS " in
*"an "*) ;;
*) result 1 "$(comm -3 <(echo "$exported") <(echo "$listed"))" "exports what symbols.def lists, no less, no more" ;;
esac
result 2 "$(echo "$exported" | grep -E '^(ev_|mnl_|ini_|cap_|pcap_|xtcp_|stack_|tcp_|engine_)')" \
	"exports nothing of its parts"
result 3 "$(readelf -d "$lib" | grep TEXTREL)" "has no text relocation"
result 4 "$(readelf -d "$lib" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' |
	grep -E '^(libpcap|libev|libdbus|libsystemd)')" "needs neither libpcap nor libev"

libc=$(${CC:-cc} -print-file-name=libc.so.6)
public=$($NM -D --defined-only "$libc" 2>/dev/null | awk '$2 ~ /[TWi]/ && $3 !~ /GLIBC_PRIVATE/ { sub(/@.*/, "", $3); print $3 }' | sort -u)
if [ -n "$public" ]; then
	interface=$top_srcdir/tests/interface.txt
	names() { sed '/^#/d' "$interface" | grep "$@" ':' | sed 's/:.*//' | tr ' ' '\n' | sort -u; }
	result 5 "$(comm -23 <(names -v) <(echo "$listed"))" "every call of the interface is interposed"
	result 6 "$(comm -12 <(names -e) <(echo "$listed"))" "what has a reason not to be is not"
	result 7 "$(comm -23 <({ names -v; names -e; } | sort) <(echo "$public") | grep -vx fstatat)" "libc has each of them"
	# Of a call NAME: __NAME, _IO_NAME, NAME64 and __NAME_chk.
	others=$(for name in $listed; do echo "__$name _IO_$name ${name}64 __${name}_chk"; done | tr ' ' '\n' | sort -u)
	result 8 "$(comm -12 <(echo "$others") <(echo "$public") | comm -23 - <(echo "$listed"))" \
		"libc's other names for a call are interposed, too"
	result 9 "$(comm -23 <(echo "$listed") <(names -v) | comm -12 - <(echo "$public"))" "interface.txt has what symbols.def has"
fi
exit $status

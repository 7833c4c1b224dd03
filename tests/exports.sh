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
exit $status

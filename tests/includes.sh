#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Dependencies point down only: shim -> engine -> stack -> (ip, tcp) -> wire -> base, and engine ->
# netif; each header compiles alone; a module's .c includes its own .h first.
set -u
cd "$top_srcdir" || exit 99
status=0
say() { echo "$@"; status=1; }

# allowed FILE INCLUDED: may this file of ours include that header of ours?
allowed() {
	case $1 in
	stack/engine*|stack/sys.h) return 0 ;;
	stack/*) case $2 in stack/engine*|netif/*|shim/*|stack/evio.h) [[ $1 == stack/evio.c ]] ;; esac ;;
	netif/*) case $2 in netif/*) ;; *) false ;; esac ;;
	shim/xtcp-run.c|shim/xtcp-ctl.c) return 0 ;;   # a program of its own
	shim/*) case $2 in shim/*|stack/engine.h|stack/base.h|stack/settings.*|netif/afpacket.h|netif/guard.h|netif/rawcall.h) ;; *) false ;; esac ;;
	esac
}

# Headers of the wire know nothing of the protocol machines above them.
low='stack/(base|ring|ranges|timer|siphash|wire|wire_tcp|counters|settings|frame)\.[ch]'
high='stack/(stack|stack_impl|tcp|tcp_impl|conntab|ip|route|neigh|cc|engine)\.h'

while IFS=: read -r file line; do
	inc=${line#*\"}
	inc=${inc%\"*}
	for d in "" "${file%/*}/" stack/ netif/ shim/; do
		[ -e "$d$inc" ] && break
	done
	target=$d$inc
	if [ ! -e "$target" ]; then
		[ "$inc" = config.h ] || say "# $file includes $inc, which isn't there"
		continue
	fi
	allowed "$file" "$target" || say "# $file may not include $target"
	if [[ $file =~ ^$low$ && $target =~ ^$high$ ]]; then
		say "# $file may not include $target, which is above it"
	fi
done < <(grep -HE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' stack/*.[ch] netif/*.[ch] shim/*.[ch])
[ $status = 0 ] && echo "ok 1 - includes point down" || echo "not ok 1 - includes point down"

alone=0
for h in stack/*.h netif/*.h shim/*.h tests/*.h; do
	[ -e "$h" ] || continue
	printf '#define _GNU_SOURCE\n#include "%s"\n' "$h" | ${CC:-cc} -std=gnu11 -Wall -Wextra -Werror \
		-fsyntax-only -iquote . -iquote stack -iquote netif -iquote shim -iquote tests -x c - || {
		say "# $h doesn't compile alone"
		alone=1
	}
done
[ $alone = 0 ] && echo "ok 2 - each header compiles alone" || echo "not ok 2 - each header compiles alone"

first=0
for c in stack/*.c netif/*.c shim/*.c; do
	h=${c##*/}
	h=${h%.c}.h
	[ -e "${c%/*}/$h" ] || continue
	case $(sed -n 's/^#include [<"]\(.*\)[">]/\1/p' "$c" | head -n 1) in
	"$h" | "${h%.h}_impl.h") ;;
	*)
		say "# $c doesn't include $h first"
		first=1 ;;
	esac
done
[ $first = 0 ] && echo "ok 3 - each file includes its own header first" ||
	echo "not ok 3 - each file includes its own header first"
exit $status

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The core is a function of bytes and time: what libstack.a needs from outside itself is
# listed in tests/core_symbols.txt and nothing else, and it keeps no state of its own.
set -u
LC_ALL=C
lib=$top_builddir/.libs/libstack.a
[ -e "$lib" ] || { echo "skip: no $lib"; exit 77; }
[ -z "${SANITIZERS// /}" ] || { echo "skip: a sanitizer adds calls of its own"; exit 77; }
status=0

undefined=$(comm -23 <($NM -u "$lib" | awk '$1 == "U" { print $2 }' | sort -u) \
	<($NM --defined-only "$lib" | awk 'NF == 3 { print $3 }' | sort -u))
surplus=$(comm -23 <(echo "$undefined") \
	<(sed 's/#.*//; s/[[:space:]]*$//; /^$/d' "$top_srcdir/tests/core_symbols.txt" | sort -u))
if [ -n "$surplus" ]; then
	echo "not ok 1 - the core calls what it may not:" $surplus
	status=1
else
	echo "ok 1 - the core calls only what is listed"
fi

# b, B, C, d, D: writable data.  (Tables with pointers are constants, .data.rel.ro: shown as d.)
writable=$($NM --defined-only -f sysv "$lib" | awk -F'|' '
	$7 ~ /\.(data|bss|tdata|tbss)/ && $7 !~ /\.rel\.ro/ && $4 ~ /OBJECT|TLS/ { print $1 }')
if [ -n "$writable" ]; then
	echo "not ok 2 - the core has writable globals:" $writable
	status=1
else
	echo "ok 2 - the core has no writable globals"
fi
exit $status

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# io_uring over xtcp: tests/ringcalls.c over the kernel and over xtcp, with rings made by syscall(2) and by liburing
# (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3 nc
RING=$top_builddir/tests/ringcalls
[ -x "$RING" ] || skip_all "tests/ringcalls isn't built"
net_up
make_files 4
serve_tcp 7003 echo || exit 99
in_c timeout 20 "$RING" client $S_ADDR 7003 >"$T/kernel" 2>"$T/err" || {
	grep -q 'no io_uring' "$T/kernel" && skip_all "the kernel gives no io_uring"
}

kinds=raw
cp "$RING" "$T/raw"
if ${CC:-cc} -O1 -DWITH_LIBURING -o "$T/liburing" "$top_srcdir/tests/ringcalls.c" -luring 2>"$T/err"; then
	kinds="raw liburing"
else
	note "liburing can't be had: $(head -n 1 "$T/err")"
fi

# ---- clients ----

for kind in $kinds; do
	for what in client connect; do
		in_c timeout 20 "$T/$kind" $what $S_ADDR 7003 >"$T/kernel"
		for mode in shared own; do
			opens=$(tcp_counter ActiveOpens)
			xt $mode "$T/$kind" $what $S_ADDR 7003 >"$T/xtcp"
			check_eq "$kind, $mode, $what: as the kernel has it" "$(cat "$T/kernel")" "$(cat "$T/xtcp")"
			check_eq "$kind, $mode, $what: over xtcp" "$opens" "$(tcp_counter ActiveOpens)"
		done
	done
done

# ---- servers ----

says() { grep -q "$1" "$T/server"; }
gone() { ! kill -0 "$1" 2>/dev/null; }
port=7600
for kind in $kinds; do
	for mode in shared own; do
		port=$((port + 1))
		addr=$C_ADDR
		[ $mode = shared ] || addr=$OWN_ADDR
		accepted=$(tcp_counter PassiveOpens)
		: >"$T/server"
		xt_bg $mode "$T/$kind" server $port >"$T/server" 2>"$T/err" &
		pid=$!
		check "$kind, $mode: a server starts" until_true 10 says listens
		for client in one another; do
			check_eq "$kind, $mode: $client client" "$BIG_SHA" \
				"$(in_s timeout 20 nc -N $addr $port <"$T/www/big.bin" | sha)"
		done
		check "$kind, $mode: it ends" until_true 10 gone $pid
		check_eq "$kind, $mode: over xtcp" "$accepted" "$(tcp_counter PassiveOpens)"
	done
done
finish

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A script of the harness that is broken off by a signal, kill -9 included, leaves no namespace,
# no process and no file (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
net_up

cat >"$T/victim.sh" <<-END
	. "$here/lib.sh"
	need
	net_up
	serve_tcp 7003 echo || exit 99
	echo "\$C \$S \$T" >"$T/victim.names"
	xt shared python3 "$here/flows.py" "\$S_ADDR" 7003 2 <"$T/never"
END
mkfifo "$T/never"
exec {never}<>"$T/never"

populated() { [ -n "$(ip netns pids "$vc")" ]; }
named() { [ -s "$T/victim.names" ]; }
gone() {
	! ip netns list | grep -qE "^($1|$2)( |\$)" && [ ! -e "$3" ]
}
for sig in INT TERM HUP KILL; do
	rm -f "$T/victim.names"
	# A job of its own process group, as a terminal's would be, with INT not ignored.
	set -m
	bash "$T/victim.sh" >"$T/victim.out" 2>&1 &
	victim=$!
	set +m
	until_true 20 named
	read -r vc vs vt <"$T/victim.names"
	until_true 10 populated
	pids=$(ip netns pids "$vc"; ip netns pids "$vs")
	kill -$sig $victim
	wait $victim 2>/dev/null
	check "after SIG$sig the namespaces and the files go" until_true 10 gone "$vc" "$vs" "$vt"
	dead() { ! kill -0 $pids 2>/dev/null; }
	check "after SIG$sig what ran in them is dead" until_true 5 dead
done
finish

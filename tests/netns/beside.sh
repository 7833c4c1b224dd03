#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Independent processes that want one port, and servers that are started again: the same over xtcp as over the
# kernel, with clients on the other side (beside.py; topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
net_up
port=9000

# told WHO FIRST SECOND SCENE: the processes' command lines.
told() {
	local who=$1 addr=$C_ADDR
	[ "${who%%+*}" != own ] || addr=$OWN_ADDR
	port=$((port + 200))
	(sanitizer_env python3; timeout -k 5 100 python3 "$here/beside.py" drive "$2" "$3" "ip netns exec $S" "$kernel" "$addr" $port \
		$4 >"$T/$4.$who" 2>"$T/err" || { cat "$T/err"; echo "exit status $?"; } >>"$T/$4.$who")
}

# alike WHO FIRST SECOND SCENE...
alike() {
	local who=$1 scene
	shift
	for scene in "${@:3}"; do
		[ -s "$T/$scene.kernel" ] || told kernel "$kernel" "$kernel" $scene
		told "$who" "$1" "$2" $scene
		diff "$T/$scene.kernel" "$T/$scene.$who" >"$T/err" 2>&1
		report $? "$scene, $who: as over the kernel"
	done
}

kernel="ip netns exec $C"
shared="$kernel $XTCP_RUN --"
own="$kernel $XTCP_RUN --address $OWN_ADDR/24 --"
scenes="both_bind one_without left_connection connects children restart_exit restart_term restart_kill restart_pending"
[ $# -eq 0 ] || scenes="$*"
alike shared "$shared" "$shared" $scenes
alike own "$own" "$own" $scenes
finish

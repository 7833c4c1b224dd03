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

# ---- another user's word isn't taken ----

cat >"$T/impostor.py" <<-'END'
	"""Answers to the name of an engine, as another user: the port is taken."""
	import array, errno, os, socket, struct
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	os.setuid(65534)
	s.bind("\0xtcp:0123456789abcdef")
	print("bound", flush=True)
	while True:
	    m, anc, _, who = s.recvmsg(1000, 100)
	    r = m[:16] + struct.pack("i", -errno.EADDRINUSE) + m[20:]
	    fds = array.array("i", anc[0][2] if anc else b"")
	    print("asked", flush=True)
	    socket.socket(fileno=fds[0]).send(r)
END
cat >"$T/again.py" <<-'END'
	"""A server with a connection is started again: its port can be had beside it."""
	import os, socket, sys
	def listener():
	    s = socket.socket()
	    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
	    s.bind(("", int(sys.argv[1])))
	    s.listen()
	    print("listens", flush=True)
	    return s
	s = listener()
	c = s.accept()[0]
	print("accepted", flush=True)
	s.close()
	if len(sys.argv) > 2:
	    c.recv(1)
END
in_c python3 "$T/impostor.py" >"$T/impostor" 2>"$T/impostor.err" &
disown
until_true 10 grep -q bound "$T/impostor"
xt_bg shared python3 "$T/again.py" 7790 keeps >"$T/first" 2>"$T/err" &
disown
until_true 10 grep -q listens "$T/first"
in_s python3 -c "
import socket
s = socket.create_connection(('$C_ADDR', 7790), 5)
s.settimeout(None)
s.recv(1)" 2>/dev/null &
disown
until_true 10 grep -q accepted "$T/first"
: >"$T/second"
xt_bg shared python3 "$T/again.py" 7790 >"$T/second" 2>"$T/err" &
disown
check "a server is started again, whatever another user's process says of its port" until_true 10 grep -q listens "$T/second"
check "which was asked, as its name is an engine's" grep -q asked "$T/impostor"
finish

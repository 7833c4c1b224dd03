#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# kill -9 of processes in every state at once, shared and own address: then all is as it was before them (topology: lib.sh).
# In an IPC namespace of its own: memory that other programs share is none of it.
[ -n "${XTCP_OWN_IPC:-}" ] || XTCP_OWN_IPC=1 exec unshare --ipc bash "$0" "$@"
. "$(dirname "$0")/lib.sh"
need python3 nft
net_up
serve_tcp 7003 echo || exit 99
mkdir "$T/control"

# What there is in the namespace, but for ids of its own.
everything() {
	echo "-- rules"
	in_c nft list ruleset
	for f in tcp tcp6 udp raw packet unix netlink; do
		echo "-- $f"
		in_c tail -n +2 /proc/net/$f | { [ $f != netlink ] && cat || awk '$3 != 0 { print $2 }'; }
	done
	echo "-- interfaces"
	in_c ip -o addr | sed 's/ tentative//; s/valid_lft.*//'
	in_c ip route
	echo "-- processes"
	ip netns pids "$C"
	echo "-- System V memory, semaphores, queues"
	tail -q -n +2 /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg
	echo "-- shared memory"
	ls /dev/shm | grep -i xtcp
}
is_as_before() { everything >"$T/after" 2>&1; diff "$T/before" "$T/after" >"$T/err"; }
everything >"$T/before" 2>&1

cat >"$T/one.py" <<-'END'
	import encodings.idna, os, socket, sys, time   # the first while the files are not closed to the user
	how, addr, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
	def dial():
	    s = socket.create_connection((addr, 7003), 20)
	    s.sendall(b"x")
	    assert s.recv(1) == b"x"
	    return s
	def listen(**opts):
	    s = socket.socket()
	    s.setsockopt(socket.SOL_SOCKET, opts.get("opt", socket.SO_REUSEADDR), 1)
	    s.bind(("", port))
	    s.listen()
	    return s
	if how == "client":
	    kept = [dial() for _ in range(5)]
	    kept[0].setblocking(False)
	    try:
	        while kept[0].send(bytes(65536)):
	            pass
	    except BlockingIOError:
	        pass
	elif how == "connecting":
	    s = socket.socket()
	    s.setblocking(False)
	    s.connect_ex(("10.99.0.77", 9))
	elif how == "bound":
	    s = socket.socket()
	    s.bind(("", port))
	elif how == "listener":
	    s = listen()
	elif how == "group":
	    s = listen(opt=socket.SO_REUSEPORT)
	    os.fork()
	elif how == "prefork":
	    s = listen()
	    for _ in range(3):
	        if not os.fork():
	            s.accept()
	elif how == "bridged":
	    s, d = listen(), dial()
	    d.set_inheritable(True)
	    s.set_inheritable(True)
	    if not os.fork():
	        os.execlp("sleep", "sleep", "1000")
	elif how == "daemon":
	    s, d = listen(), dial()
	    for _ in range(2):
	        if os.fork():
	            os._exit(0)
	        os.setsid()
	    d.sendall(b"x")
	elif how == "user":
	    s = listen()
	    os.setuid(65534)
	    d = dial()
	print("ready", flush=True)
	time.sleep(1000)
END

is_ready() { grep -q ready "$1"; }
start() {   # MODE HOW PORT [OPTION...]
	local mode=$1 how=$2 port=$3
	shift 3
	[ $mode = shared ] || set -- --address "$OWN_ADDR/24" "$@"
	: >"$T/ready.$how"       # the one before of this kind said so, too
	(sanitizer_env python3; exec ip netns exec "$C" "$XTCP_RUN" "$@" python3 "$T/one.py" $how $S_ADDR $port) \
		>"$T/ready.$how" 2>"$T/err" </dev/null &
	disown
	until_true 30 is_ready "$T/ready.$how"
	report $? "$mode: $how"
}
answers_arp() {
	in_s ip neigh flush dev "$S_IF"
	in_s python3 -c "
import socket, sys
s = socket.socket()
s.settimeout(5)
try:
    s.connect(('$1', 1))
except ConnectionRefusedError:
    sys.exit(0)
except OSError:
    sys.exit(1)"
}

for mode in shared own; do
	port=7100
	for how in client connecting bound listener group prefork bridged daemon user; do
		port=$((port + 1))
		start $mode $how $port
	done
	start $mode client 7200 --control "$T/control" --write "$T/capture.pcap"
	check "$mode: its control socket is there" test -n "$(ls "$T/control")"
	[ $mode = shared ] || check "own: its address answers" answers_arp $OWN_ADDR
	is_as_before && false
	check "$mode: there is something to be left" test -s "$T/err"
	ip netns pids "$C" | xargs -r kill -KILL
	check "$mode: after kill -9 of all at once nothing is left" until_true 10 is_as_before
	[ $mode = shared ] || check "own: its address doesn't answer" eval '! answers_arp $OWN_ADDR'
	for port in 7103 7104 7105 7106 7107 7108 7109; do
		in_c python3 -c "import socket; s = socket.socket(); s.bind(('', $port)); s.listen()" 2>>"$T/err"
		check_eq "$mode: the port $port is free" 0 $?
	done
	check "$mode: a name in the control directory goes with the next start" \
		xt $mode --control "$T/control" true
	check_eq "$mode: and none is left" "" "$(ls "$T/control")"
done
finish

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What a program has written is delivered, although it closes and ends at once, as when the
# kernel owns the connection; and nobody waits for it (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
net_up
# The server reads nothing until it is told, which is after the program has ended.
serve_tcp 7005 slow "$T/received" || exit 99

# The program sends what its buffer takes, prints how much that was and ends in the given way.
cat >"$T/end.py" <<-END
	import os, socket, sys, threading
	how = sys.argv[1]
	s = socket.create_connection(("$S_ADDR", 7005))
	s.setblocking(False)
	sent, part = 0, bytes(range(256)) * 16
	try:
	    while sent < 1 << 20:
	        sent += s.send(part[sent % 4096:])
	except BlockingIOError:
	    pass
	print(sent, flush=True)
	if how == "close":
	    s.close()
	    sys.exit(3)
	elif how == "exit":
	    sys.exit(3)
	elif how == "_exit":
	    os._exit(3)
	elif how == "close_exit":
	    s.close()
	    os._exit(3)
	elif how == "shutdown":
	    s.shutdown(socket.SHUT_WR)
	    os._exit(3)
	elif how == "thread":
	    threading.Thread(target=lambda: os._exit(3)).start()
	    threading.Event().wait()
END

arrived() { [ "$(stat -c %s "$T/received")" -ge "$1" ]; }
intact() { python3 -c '
import sys
d = open(sys.argv[1], "rb").read()
sys.exit(d != (bytes(range(256)) * (len(d) // 256 + 1))[:len(d)])' "$T/received"; }

for mode in shared own; do
	for how in close exit _exit close_exit shutdown thread; do
		rm -f "$T/received.go"
		: >"$T/received"
		sent=$(xt $mode python3 "$T/end.py" $how)
		status=$?
		check_eq "$mode, $how: the program ends at once, with its own status" 3 $status
		touch "$T/received.go"
		check "$mode, $how: all ${sent:-0} bytes arrive" until_true 10 arrived "${sent:-1}"
		check_eq "$mode, $how: and no more" "$sent" "$(stat -c %s "$T/received")"
		check "$mode, $how: intact" intact
	done
done
check "nothing of it is left running" until_true 20 nobody_left
# Resets aren't counted: once nothing is left to deliver the port is the kernel's again, which
# refuses a FIN that comes after that.
check_eq "the kernel opened no connection" 0 "$(tcp_counter ActiveOpens)"
finish

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Many threads with a connection each, beside the kernel's TCP: none starves.  Then the same and programs with threads
# on one processor: who waits lets the others go on (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3 taskset
net_up
make_files 4
server "$S" 7000 "$top_builddir/tests/stress" peer 7000 $C_ADDR 7300 || exit 99
serve_tcp 7003 echo || exit 99

quietly() { "$@" >/dev/null; }

# threads NAME COMMAND...: rounds of tests/threads; it fails when a thread has had none.
threads() {
	local name=$1 said
	shift
	said=$("$@")
	report $? "$name: ${said:-no answer}"
}
for n in 1 8 64; do
	for bytes in 64 32768; do
		threads "kernel, $bytes bytes" in_c "$top_builddir/tests/threads" $S_ADDR 7000 $n 0.4 $bytes
		threads "xtcp, $bytes bytes" xt shared "$top_builddir/tests/threads" $S_ADDR 7000 $n 0.4 $bytes
	done
done

taskset -pc 0 $$ >/dev/null || skip_all "no processor 0 to be alone on"
for n in 1 8 64; do
	threads "one processor" xt shared "$top_builddir/tests/threads" $S_ADDR 7000 $n 0.4 64
done
for how in poll select epoll; do
	threads "one processor, $how()" xt shared "$top_builddir/tests/threads" $S_ADDR 7000 8 0.4 64 $how
done
for how in recv poll epoll; do
	threads "one processor, --spin, $how()" xt shared --spin=200 "$top_builddir/tests/threads" $S_ADDR 7000 8 0.4 64 $how
done
# Several processes: each has an engine, which may spin.
for how in recv poll epoll; do
	for i in 1 2 3; do
		xt_bg shared --spin=200 "$top_builddir/tests/threads" $S_ADDR 7000 4 0.4 2000 $how >"$T/threads.$i" 2>&1 &
		pids[i]=$!
	done
	ended=
	for i in 1 2 3; do wait "${pids[i]}" || ended="$ended $i: $(cat "$T/threads.$i")"; done
	check_eq "one processor, three processes with --spin, $how()" "" "$ended"
done
# The library's thread is of the program's class, then.
if chrt -f 1 true 2>/dev/null; then
	threads "one processor, SCHED_FIFO" xt shared chrt -f 1 "$top_builddir/tests/threads" $S_ADDR 7000 8 0.4 64
fi

check_eq "one processor: python's threads" ok "$(xt shared python3 - $S_ADDR 7003 <<-END
	import os, socket, sys, threading
	data = os.urandom(200000)
	good = []
	def echo():
	    s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
	    t = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
	    t.start()
	    got = b''.join(iter(lambda: s.recv(65536), b''))
	    t.join()
	    good.append(got == data)
	ts = [threading.Thread(target=echo) for i in range(8)]
	for t in ts: t.start()
	for t in ts: t.join()
	print('ok' if good == [True] * 8 else good)
	END
)"

if has nginx && has curl && serve_nginx 80; then
	check_eq "one processor: curl" "$BIG_SHA" "$(xt shared curl -sS "http://$S_ADDR/big.bin" | sha)"
fi
if has iperf3 && server "$S" 5201 iperf3 -s -B $S_ADDR; then
	check "one processor: iperf3 -P 8" quietly xt shared iperf3 -c $S_ADDR -P 8 -t 1
	check "one processor: iperf3 -P 8 -R" quietly xt shared iperf3 -c $S_ADDR -P 8 -t 1 -R
fi

if has redis-benchmark; then
	xt_bg shared redis-server --port 6379 --bind $C_ADDR --protected-mode no --save "" --io-threads 4 \
		--io-threads-do-reads yes >"$T/redis" 2>&1 &
	disown
	until_true 20 is_served $C_ADDR 6379
	report $? "one processor: redis-server with 4 I/O threads answers"
	check "one processor: redis-benchmark, 20 connections" \
		quietly in_s timeout 60 redis-benchmark -h $C_ADDR -q -n 2000 -c 20 -t set,get
fi
if has memcached; then
	xt_bg shared memcached -u nobody -l $C_ADDR -p 11211 -t 4 >"$T/memcached" 2>&1 &
	disown
	until_true 20 is_served $C_ADDR 11211
	report $? "one processor: memcached -t 4 answers"
	check_eq "one processor: memcached -t 4, 16 connections" ok "$(in_s timeout 60 python3 - $C_ADDR <<-END
		import socket, sys
		cs = [socket.create_connection((sys.argv[1], 11211)) for i in range(16)]
		fs = [c.makefile('rwb') for c in cs]
		for n in range(20):
		    for i, f in enumerate(fs):
		        f.write(b'set k%d 0 0 5\r\nv%04d\r\nget k%d\r\n' % (i, n, i)); f.flush()
		    for i, f in enumerate(fs):
		        got = [f.readline() for j in range(4)]
		        assert got[0] == b'STORED\r\n' and got[2] == b'v%04d\r\n' % n, got
		print('ok')
		END
	)"
fi
finish

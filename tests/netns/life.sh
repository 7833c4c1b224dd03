#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Sockets and the lives of processes: each step of life.py over the kernel and over xtcp, on a shared address, says the
# same (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
net_up
serve_tcp 7003 echo || exit 99

# A static program that writes to the fd that it is told of, and reads the echo.
cat >"$T/static.c" <<-'END'
	#include <stdlib.h>
	#include <unistd.h>
	int main(int argc, char **argv)
	{
		int fd = argc > 1 ? atoi(argv[1]) : 0, n = 0;
		char buf[6];

		if (write(fd, "static", 6) != 6)
			return 1;
		for (ssize_t r = 1; n < 6 && r > 0; n += (int)r)
			r = read(fd, buf + n, (size_t)(6 - n));
		return write(1, buf, (size_t)n) != 6;
	}
END
if "${CC:-cc}" -static -o "$T/static" "$T/static.c" 2>/dev/null; then
	export STATIC=$T/static
else
	note "static programs can't be linked here"
fi

for step in ${STEPS:-$(python3 "$here/life.py" steps)}; do
	in_c timeout -k 5 60 python3 "$here/life.py" $step "$S_ADDR" 7003 "$C_ADDR" >"$T/kernel" 2>&1
	xt shared timeout -k 5 40 python3 "$here/life.py" $step "$S_ADDR" 7003 "$C_ADDR" >"$T/xtcp" 2>"$T/said"
	cat "$T/said" >>"$T/xtcp"
	diff "$T/kernel" "$T/xtcp" >"$T/err"
	report $? "$step"
done
# Its sockets would be others' for the library's thread.
check_eq "a thread of several has no descriptors of its own" "ENOMEM ENOMEM 5" "$(XTCP_LOG_FILE=$T/log; export XTCP_LOG_FILE; xt shared python3 - $S_ADDR 7003 <<-END
	import ctypes, errno, socket, sys, threading, time
	libc = ctypes.CDLL(None, use_errno=True)
	s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
	def told(r): return errno.errorcode[ctypes.get_errno()] if r else r
	end = threading.Event()
	t = threading.Thread(target=end.wait)
	t.start()
	print(told(libc.unshare(0x400)), told(libc.close_range(3, 1000, 2)), end=" ")
	end.set()
	t.join()
	print(s.send(b"still"))
	END
)"
check "and the log says so" grep -q "a thread of several can't have" "$T/log"
check "nobody is left" until_true 10 nobody_left
finish

# SPDX-License-Identifier: BSD-2-Clause
"""Many connections to one echo server, held open until told otherwise.

flows.py HOST PORT COUNT: prints its process id, then the local ports; when a line or the
end comes on stdin, exchanges some bytes on each, prints "ok" or what went wrong, and ends.
"""
import os
import socket
import sys


def main():
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(os.getpid(), flush=True)
    socks = []
    try:
        for _ in range(count):
            s = socket.socket()
            s.settimeout(20)
            s.connect((host, port))
            socks.append(s)
    except OSError as e:
        print(f"connection {len(socks) + 1}: {e}", flush=True)
        return 1
    print(*(s.getsockname()[1] for s in socks), flush=True)
    sys.stdin.readline()
    for i, s in enumerate(socks):
        want = f"{os.getpid()}.{i}".encode()
        try:
            s.sendall(want)
            got = s.recv(len(want), socket.MSG_WAITALL)
        except OSError as e:
            got = str(e).encode()
        if got != want:
            print(f"flow {i}: {want} came back as {got}", flush=True)
            return 1
    print("ok", flush=True)
    return 0


sys.exit(main())

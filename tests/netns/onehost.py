# SPDX-License-Identifier: BSD-2-Clause
"""Clients and servers of one host, for onehost.sh.

    onehost.py serve ADDRESS PORT          an echo server; says "listens"
    onehost.py try ADDRESS PORT            the same, and ends
    onehost.py ask ADDRESS PORT [BIND]     some bytes there and back: "ok", or the error; with "fast" for BIND the first of
                                           them by MSG_FASTOPEN
    onehost.py later PORT                  asks the addresses that come by lines of its input, one after the other
"""
import errno
import socket
import sys
import threading

DATA = bytes(range(256)) * 4096


def echo(s):
    while data := s.recv(65536):
        s.sendall(data)
    s.close()


def serve(addr, port, stays):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind((addr, port))
        s.listen()
    except OSError as e:
        print(errno.errorcode[e.errno], flush=True)
        return
    print("listens", flush=True)
    while stays:
        threading.Thread(target=echo, args=(s.accept()[0],), daemon=True).start()


def ask(addr, port, bound=None):
    with socket.socket() as s:
        s.settimeout(10)
        try:
            sent = 0
            if bound == "fast":
                s.settimeout(None)
                sent = s.sendto(DATA[:100], socket.MSG_FASTOPEN, (addr, port))
            else:
                if bound:
                    s.bind((bound, 0))
                s.connect((addr, port))
            feed = threading.Thread(target=lambda: (s.sendall(DATA[sent:]), s.shutdown(socket.SHUT_WR)))
            feed.start()
            got = b""
            while data := s.recv(65536):
                got += data
            feed.join()
        except OSError as e:
            return errno.errorcode.get(e.errno, str(e))
        return "ok" if got == DATA else "differs"


if sys.argv[1] in ("serve", "try"):
    serve(sys.argv[2], int(sys.argv[3]), sys.argv[1] == "serve")
elif sys.argv[1] == "ask":
    print(ask(sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
else:
    for line in sys.stdin:
        print(ask(line.strip(), int(sys.argv[2])), flush=True)

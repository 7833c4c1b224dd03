# SPDX-License-Identifier: BSD-2-Clause
"""Members of a SO_REUSEPORT group and their clients, for server_group.sh.

group.py member NAME PORT [ADDR]   says its name to each connection, then echoes
group.py clients ADDR PORT    reads lines: "open N" opens N connections more and prints how many each
                              member has of these; "work" uses all that are open and prints "ok", or of
                              how many the other side is gone; "forget NAME" closes those of a member
"""
import collections
import selectors
import socket
import sys


def member(who, port, addr=""):
    sel = selectors.DefaultSelector()
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((addr, port))
    s.listen(100)
    s.setblocking(False)
    sel.register(s, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in sel.select():
            if key.fileobj is s:
                c, _ = s.accept()
                c.sendall(who.encode())
                sel.register(c, selectors.EVENT_READ)
                continue
            try:
                data = key.fileobj.recv(100)
                key.fileobj.sendall(data)
            except OSError:
                data = b""
            if not data:
                sel.unregister(key.fileobj)
                key.fileobj.close()


def use(conn):
    try:
        conn.sendall(b"hello")
        return conn.recv(5, socket.MSG_WAITALL) == b"hello"
    except OSError:
        return False


def clients(addr, port):
    conns = []
    print("ready", flush=True)
    for line in sys.stdin:
        verb, *rest = line.split()
        if verb == "open":
            new = [socket.create_connection((addr, port), 10) for _ in range(int(rest[0]))]
            new = [(c.recv(1).decode(), c) for c in new]
            conns += new
            print(*(f"{k}:{n}" for k, n in sorted(collections.Counter(k for k, _ in new).items())), flush=True)
        elif verb == "work":
            bad = sum(not use(c) for _, c in conns)
            print(bad or "ok", flush=True)
        elif verb == "forget":
            conns = [(k, c) for k, c in conns if k != rest[0]]
            print("ok", flush=True)


if sys.argv[1] == "member":
    member(sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
else:
    clients(sys.argv[2], int(sys.argv[3]))

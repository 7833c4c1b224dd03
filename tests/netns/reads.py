# SPDX-License-Identifier: BSD-2-Clause
"""Large transfers that are read in every way, each byte compared.

reads.py serve PORT             sends what it is asked for: "WAY BYTES\\n", an endless pattern
reads.py read ADDR PORT SEED    reads over several connections in turn and at the same time; prints what it did
"""
import os
import random
import select
import socket
import sys
import threading

BLOCK = random.Random(5).randbytes(1 << 20) * 2   # so that any 1 MB from an offset in the first half is one piece
HALF = len(BLOCK) // 2
SIZE = 24 << 20
ODD = 7919                                        # the pattern moves on from block to block


def piece(off, n):
    """Up to n bytes of the pattern at off."""
    block, at = divmod(off, HALF)
    at = (at + block * ODD) % HALF
    return memoryview(BLOCK)[at:at + min(n, HALF - off % HALF)]


def serve(port):
    def one(c):
        size, off = int(c.makefile("rb").readline()), 0
        while off < size:
            off += c.send(piece(off, min(size - off, 300000)))
        c.close()

    s = socket.create_server(("", port))
    while True:
        threading.Thread(target=one, args=(s.accept()[0],), daemon=True).start()


class Stream:
    """One connection, and what of it has been read."""

    def __init__(self, addr, port):
        self.s, self.off = socket.create_connection((addr, port)), 0
        self.s.sendall(b"%d\n" % SIZE)

    def check(self, data):
        data = memoryview(data)
        while len(data):
            want = piece(self.off, len(data))
            if data[:len(want)] != want:
                sys.exit(f"wrong bytes between {self.off} and {self.off + len(want)}")
            self.off += len(want)
            data = data[len(want):]


def plain(t, r):
    data = t.s.recv(r.choice((1, 100, 4096, 16384, 65536, 131072, 400000)))
    t.check(data)
    return len(data)


def into(t, r):
    buf = bytearray(r.randrange(1, 300000))
    n = t.s.recv_into(buf)
    t.check(memoryview(buf)[:n])
    return n


def vector(t, r):
    bufs = [bytearray(r.choice((1, 1000, 30000, 70000))) for _ in range(r.randrange(1, 6))]
    n = t.s.recvmsg_into(bufs)[0] if r.random() < 0.5 else os.readv(t.s.fileno(), bufs)
    t.check(b"".join(bufs)[:n])
    return n


def whole(t, r):
    data = t.s.recv(r.choice((10, 50000, 200000)), socket.MSG_WAITALL)
    t.check(data)
    return len(data)


def peeked(t, r):
    seen = t.s.recv(r.choice((1, 5000, 100000)), socket.MSG_PEEK)
    data = t.s.recv(max(len(seen), 1))
    if data[:len(seen)] != seen[:len(data)]:
        sys.exit(f"other bytes at {t.off} than were peeked")
    t.check(data)
    return len(data)


def polled(t, r):
    p = select.poll()
    p.register(t.s, select.POLLIN)
    p.poll()
    return plain(t, r)


def watched(t, r):
    e = select.epoll()
    e.register(t.s, select.EPOLLIN)
    e.poll()
    e.close()
    return into(t, r)


def impatient(t, r):
    t.s.setblocking(False)
    while True:
        try:
            data = t.s.recv(r.choice((20000, 131072)))
            break
        except BlockingIOError:
            select.select([t.s], [], [])
    t.s.setblocking(True)
    t.check(data)
    return len(data)


def low_mark(t, r):
    t.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, r.choice((1, 20000, 90000)))
    n = polled(t, r)
    t.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    return n


WAYS = (plain, into, vector, whole, peeked, polled, impatient, low_mark)


def drain(t, r, ways):
    while r.choice(ways)(t, r):
        pass
    if t.off != SIZE:
        sys.exit(f"{t.off} bytes of {SIZE}")


def read(addr, port, seed):
    r = random.Random(seed)
    for way in WAYS:
        drain(Stream(addr, port), r, (way,))
        print(way.__name__)
    drain(Stream(addr, port), r, WAYS)
    print("mixed")
    drain(Stream(addr, port), r, (watched,) + WAYS)   # from the first epoll on readiness is mirrored
    print("mixed, with epoll")
    threads = [threading.Thread(target=drain, args=(Stream(addr, port), random.Random(seed + i), WAYS)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print("by threads")


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    threading.excepthook = lambda a: (print(a.exc_value, file=sys.stderr), os._exit(1))
    read(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

# SPDX-License-Identifier: BSD-2-Clause
"""Reads, writes and the options that bear on them, as lines that are the same over xtcp and over the
kernel; see server.py.

data.py reading ADDR PORT   MSG_* flags, SO_PEEK_OFF, SO_RCVLOWAT, SO_RCVTIMEO
data.py writing ADDR PORT   Nagle and cork, SO_SNDTIMEO, SO_LINGER, TCP_LINGER2, TCP_WINDOW_CLAMP
"""
import ctypes
import os
import select
import signal
import socket
import struct
import sys
import time

from server import Conn, Peer, listener, tried

PEEK, TRUNC, WAITALL, DONTWAIT, ERRQUEUE = (socket.MSG_PEEK, socket.MSG_TRUNC, socket.MSG_WAITALL,
                                            socket.MSG_DONTWAIT, socket.MSG_ERRQUEUE)
SOL, TCP = socket.SOL_SOCKET, socket.IPPROTO_TCP
SO_PEEK_OFF = 42
TCP_WINDOW_CLAMP, TCP_LINGER2, TCP_QUICKACK, TCP_INFO = 10, 8, 12, 11
SEGS_IN, SND_WND = 152, 228


def get(s, level, opt):
    return tried(s.getsockopt, level, opt)


def put(s, level, opt, val):
    return tried(s.setsockopt, level, opt, val)


def timed(f, *args):
    """The result, and how long it took as it should be told."""
    t = time.monotonic()
    r = tried(f, *args)
    t = time.monotonic() - t
    return r, "at once" if t < 0.1 else "later" if t < 0.6 else f"{round(t)} s"


def timeout(s, opt, secs, usecs=0):
    return put(s, SOL, opt, struct.pack("ll", secs, usecs))


def ready(c):
    p = select.poll()
    p.register(c.s, select.POLLIN | select.POLLRDHUP)
    ep = select.epoll()
    ep.register(c.s, select.EPOLLIN)
    e = len(ep.poll(0.03))
    ep.close()
    return [hex(x) for _, x in p.poll(0)], e, len(select.select([c.s], [], [], 0)[0])


# ---- reading ----

def peek_offset(c):
    s = c.s
    print("as it is:", get(s, SOL, SO_PEEK_OFF))
    c.send(b"0123456789")
    print("off:", c.recv(3, PEEK), c.recv(3, PEEK))
    print("on:", put(s, SOL, SO_PEEK_OFF, 0), c.recv(3, PEEK), c.recv(3, PEEK), get(s, SOL, SO_PEEK_OFF))
    print("a read in between:", c.recv(2), get(s, SOL, SO_PEEK_OFF), c.recv(2, PEEK), get(s, SOL, SO_PEEK_OFF))
    print("read beyond it:", c.recv(7), get(s, SOL, SO_PEEK_OFF), c.recv(5, PEEK), c.recv(5, PEEK),
          get(s, SOL, SO_PEEK_OFF), c.recv(5))
    c.send(b"abcdefgh")
    print("set:", put(s, SOL, SO_PEEK_OFF, 5), c.recv(2, PEEK), get(s, SOL, SO_PEEK_OFF))
    print("at the end:", put(s, SOL, SO_PEEK_OFF, 8), c.recv(2, PEEK), ready(c))
    print("far behind it:", put(s, SOL, SO_PEEK_OFF, 100), c.recv(2, PEEK), c.recv(2), get(s, SOL, SO_PEEK_OFF))
    for v in (-1, -5, 1 << 30):
        print("to", v, put(s, SOL, SO_PEEK_OFF, v), get(s, SOL, SO_PEEK_OFF), c.recv(2, PEEK), get(s, SOL, SO_PEEK_OFF))
    put(s, SOL, SO_PEEK_OFF, 0)
    print("thrown away:", c.recv(2, PEEK | TRUNC), c.recv(2, TRUNC), get(s, SOL, SO_PEEK_OFF))
    s.setblocking(True)
    put(s, SOL, SO_PEEK_OFF, 1)
    c.later(0.15, b"ijklmn")
    print("wanted whole:", timed(c.recv, 8, PEEK | WAITALL), get(s, SOL, SO_PEEK_OFF))
    c.recv(100, DONTWAIT)
    put(s, SOL, SO_PEEK_OFF, 0)
    c.send(b"op")
    c.recv(2, PEEK)
    c.later(0.15, b"q")
    print("waits for more:", timed(c.recv, 2, PEEK), get(s, SOL, SO_PEEK_OFF))
    c.recv(100, DONTWAIT)
    c.peer("shutdown(SHUT_WR)")
    print("the end:", c.recv(2, PEEK), get(s, SOL, SO_PEEK_OFF))


def whole(c):
    s = c.s
    c.send(b"abc")
    print("not waiting:", c.recv(5, WAITALL), c.recv(5, WAITALL))
    s.setblocking(True)
    c.send(b"abc")
    print("MSG_DONTWAIT:", c.recv(5, WAITALL | DONTWAIT), c.recv(5, DONTWAIT))
    c.send(b"abc")
    c.later(0.15, b"defg")
    print("two writes:", timed(c.recv, 5, WAITALL), c.recv(5))
    c.send(b"abc")
    c.later(0.15, b"defg")
    print("peeked:", timed(c.recv, 6, WAITALL | PEEK), c.recv(10))
    timeout(s, socket.SO_RCVTIMEO, 0, 150000)
    c.send(b"abc")
    print("time-out:", timed(c.recv, 5, WAITALL))
    print("time-out, nothing:", timed(c.recv, 5, WAITALL))
    c.send(b"abc")
    c.peer("shutdown(SHUT_WR)")
    print("the end:", timed(c.recv, 5, WAITALL), timed(c.recv, 5, WAITALL))


def whole_until_reset(c):
    c.s.setblocking(True)
    c.send(b"abc")
    c.ask("reset", c.key)
    c.key = None
    time.sleep(0.02)
    print("reset:", timed(c.recv, 5, WAITALL), c.recv(5), c.recv(5))


def low_water(c):
    s = c.s
    print("as it is:", get(s, SOL, socket.SO_RCVLOWAT))
    for v in (0, -1, 1, 100, 1 << 20, 1 << 30):
        print("set", v, put(s, SOL, socket.SO_RCVLOWAT, v), get(s, SOL, socket.SO_RCVLOWAT),
              get(s, SOL, socket.SO_RCVBUF))
    put(s, SOL, socket.SO_RCVLOWAT, 100)
    c.send(b"a" * 50)
    print("below:", ready(c), c.recv(10))
    c.send(b"a" * 60)
    print("there:", ready(c))
    s.setblocking(True)
    print("read:", c.recv(200))
    c.send(b"a" * 50)
    c.later(0.15, b"b" * 100)
    print("waits:", timed(c.recv, 200))
    c.send(b"a" * 50)
    print("a smaller read doesn't:", timed(c.recv, 20), timed(c.recv, 30, PEEK), timed(c.recv, 200, DONTWAIT))
    timeout(s, socket.SO_RCVTIMEO, 0, 150000)
    c.send(b"a" * 50)
    print("time-out:", timed(c.recv, 200), timed(c.recv, 200))
    c.send(b"a" * 50)
    c.peer("shutdown(SHUT_WR)")
    print("the end:", ready(c), timed(c.recv, 200), timed(c.recv, 200))


def low_water_of_a_small_buffer(c):
    s = c.s
    put(s, SOL, socket.SO_RCVBUF, 10000)
    for v in (5000, 50000):
        print("set", v, put(s, SOL, socket.SO_RCVLOWAT, v), get(s, SOL, socket.SO_RCVLOWAT),
              get(s, SOL, socket.SO_RCVBUF))
    c.later(0, b"a" * 100000)
    time.sleep(0.3)
    print("ready before it is full:", ready(c))


def low_water_grows(c):
    put(c.s, SOL, socket.SO_RCVLOWAT, 500000)
    c.later(0, b"a" * 600000)
    n = len(select.select([c.s], [], [], 5)[0])
    print("a window for all of it:", n, c.recv(1000000)[1] >= 500000)


def odd_flags(c):
    s = c.s
    print("MSG_ERRQUEUE:", c.recv(5, ERRQUEUE), c.recv(5, ERRQUEUE | PEEK))
    c.send(b"abcdef")
    print("with data:", c.recv(5, ERRQUEUE), c.recv(0), c.recv(0, PEEK), c.recv(2, TRUNC | PEEK)[1], c.recv(2, TRUNC)[1])
    print("nothing wanted:", tried(s.recvmsg, 0), tried(os.read, s.fileno(), 0), c.recv(10))
    print("nothing wanted, nothing there:", tried(s.recv, 0), tried(os.read, s.fileno(), 0))
    print("flags unknown:", c.recv(2, 0x80000), c.recv(2, socket.MSG_DONTROUTE), c.recv(2, socket.MSG_CONFIRM))
    c.send(b"ghi")
    a, b = bytearray(2), bytearray(5)
    print("a vector:", s.recvmsg_into([a, b], 0, TRUNC | PEEK)[0], s.recvmsg_into([a, b])[0:3:2], a, b)
    print("sent with odd flags:", tried(s.send, b"x", socket.MSG_CONFIRM), tried(s.send, b"x", socket.MSG_DONTROUTE),
          tried(s.send, b"x", TRUNC), tried(s.send, b"x", PEEK), tried(s.send, b"", 0))


def timeouts(c):
    s = c.s
    for opt in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        for secs, usecs in ((0, 1), (0, 1000), (0, 4001), (1, 999999), (0, 1000000), (0, -1), (-1, 0), (-1, 5),
                            (1 << 31, 0), (0, 0)):
            r = timeout(s, opt, secs, usecs)
            print(opt, secs, usecs, r, struct.unpack("ll", s.getsockopt(SOL, opt, 16)))
        print("short:", put(s, SOL, opt, b"12345678"), len(s.getsockopt(SOL, opt, 8)), len(s.getsockopt(SOL, opt, 40)))
    s.setblocking(True)
    timeout(s, socket.SO_RCVTIMEO, 0, 150000)
    print("recv:", timed(s.recv, 1), timed(s.recv, 1, PEEK), timed(s.recv, 1, DONTWAIT))
    timeout(s, socket.SO_RCVTIMEO, -1, 0)
    print("less than none:", timed(s.recv, 1))
    timeout(s, socket.SO_RCVTIMEO, 0, 150000)
    s.setblocking(False)
    print("not blocking:", timed(s.recv, 1))


def reading(_, port):
    ask = Peer()
    lis = listener(port)
    for f in (peek_offset, whole, whole_until_reset, low_water, low_water_of_a_small_buffer, low_water_grows,
              odd_flags, timeouts):
        print(f"-- {f.__name__}", flush=True)
        c = Conn(ask, lis)
        f(c)
        c.close()
    put(lis, SOL, SO_PEEK_OFF, 7)
    put(lis, SOL, socket.SO_RCVLOWAT, 33)
    timeout(lis, socket.SO_RCVTIMEO, 1)
    c = Conn(ask, lis)
    print("inherited:", get(c.s, SOL, SO_PEEK_OFF), get(c.s, SOL, socket.SO_RCVLOWAT),
          struct.unpack("ll", c.s.getsockopt(SOL, socket.SO_RCVTIMEO, 16)))
    c.close()


# ---- writing ----

def segments(c):
    """How many have come with data, as the peer tells."""
    time.sleep(0.02)
    expr = f"struct.unpack_from('I', p[{c.key!r}].getsockopt(6, 11, 256), {SEGS_IN})[0]"
    return int(c.ask("do", expr))


def count(c, what, *writes):
    was = segments(c)
    for w in writes:
        w()
    print(what, segments(c) - was)


def corked(c):
    s = c.s
    one = lambda: s.send(b"x" * 10)
    more = lambda: s.send(b"x" * 10, socket.MSG_MORE)
    cork = lambda: put(s, TCP, socket.TCP_CORK, 1)
    uncork = lambda: put(s, TCP, socket.TCP_CORK, 0)
    nodelay = lambda: put(s, TCP, socket.TCP_NODELAY, 1)
    delay = lambda: put(s, TCP, socket.TCP_NODELAY, 0)
    count(c, "one:", one)
    count(c, "with more:", more)
    count(c, "TCP_NODELAY pushes it:", nodelay)
    count(c, "three without delay:", one, one, one)
    count(c, "more, one:", more, one)
    count(c, "corked:", cork, one, one)
    count(c, "TCP_NODELAY while corked:", nodelay)
    count(c, "one more:", one)
    count(c, "uncorked:", uncork)
    count(c, "corked, a segment and a half:", cork, lambda: s.send(b"x" * 2200))
    count(c, "uncorked:", uncork)
    count(c, "cork gives way:", cork, one, lambda: time.sleep(0.3))
    count(c, "corked again, then the end of delay:", cork, one, delay)
    count(c, "uncorked:", uncork)
    count(c, "more, then nothing:", more, lambda: s.send(b""))
    count(c, "and the end:", lambda: s.shutdown(socket.SHUT_WR))
    print("options:", get(s, TCP, socket.TCP_CORK), get(s, TCP, socket.TCP_NODELAY))


def filled(c, nonblocking=True):
    """Until nothing more goes in; the peer doesn't read."""
    c.s.setblocking(False)
    while tried(c.s.send, b"x" * 65536) != "EAGAIN":
        time.sleep(0.002)
    c.s.setblocking(not nonblocking)


def send_timeout(c):
    put(c.s, SOL, socket.SO_SNDBUF, 20000)
    c.peer("setsockopt(SOL_SOCKET, SO_RCVBUF, 4000)")
    filled(c, False)
    timeout(c.s, socket.SO_SNDTIMEO, 0, 150000)
    print("full:", timed(c.s.send, b"x" * 100000), timed(c.s.send, b"x"), timed(c.s.send, b"x", DONTWAIT))
    c.ask("reset", c.key)
    c.key = None
    time.sleep(0.05)
    print("reset:", timed(c.s.send, b"x"), timed(c.s.send, b"x", socket.MSG_NOSIGNAL))


def linger(c):
    s = c.s
    for on, secs in ((1, 0), (0, 5), (5, 7), (1, -1), (1, 100000), (0, 0)):
        put(s, SOL, socket.SO_LINGER, struct.pack("ii", on, secs))
        print("linger", on, secs, struct.unpack("ii", s.getsockopt(SOL, socket.SO_LINGER, 8)))
    print("short:", put(s, SOL, socket.SO_LINGER, b"1234"), s.getsockopt(SOL, socket.SO_LINGER, 4))
    for v in (5, 0, -1, -7, 100, 1000, 1 << 30):
        print("TCP_LINGER2", v, put(s, TCP, TCP_LINGER2, v), get(s, TCP, TCP_LINGER2))
    for v in (0, 1, 2, 3, -1):
        print("TCP_QUICKACK", v, put(s, TCP, TCP_QUICKACK, v), get(s, TCP, TCP_QUICKACK))


def closing(ask, lis, what, secs, on=1, full=False, nonblocking=False, unread=False):
    c = Conn(ask, lis)
    c.peer("settimeout(2)")
    put(c.s, SOL, socket.SO_LINGER, struct.pack("ii", on, secs))
    if full:
        put(c.s, SOL, socket.SO_SNDBUF, 20000)
        c.peer("setsockopt(SOL_SOCKET, SO_RCVBUF, 4000)")
        filled(c)
    else:
        c.s.send(b"abc")
    if unread:
        c.send(b"unread")
    c.s.setblocking(not nonblocking)
    fd = c.s.detach()
    print(what, timed(os.close, fd), end=" ")
    if full:
        c.ask("reset", c.key)
        print()
        return
    time.sleep(0.02)
    print(c.peer("recv(10)"), c.peer("recv(10)"), c.peer("recv(10)"))
    c.ask("close", c.key)


def window_clamp(c):
    s = c.s
    offered = f"struct.unpack_from('I', p[{c.key!r}].getsockopt(6, 11, 256), {SND_WND})[0]"
    print("as it is:", get(s, TCP, TCP_WINDOW_CLAMP) > 0)
    for v in (0, 1, 1000, 5000, 1 << 20):
        print("set", v, put(s, TCP, TCP_WINDOW_CLAMP, v), get(s, TCP, TCP_WINDOW_CLAMP) if v else "")
    put(s, TCP, TCP_WINDOW_CLAMP, 5000)
    for _ in range(4):
        c.send(b"a" * 3000)
        c.recv(5000)
    print("offered at most:", int(ask_of(c, offered)) <= 5000)
    fresh = socket.socket()
    print("fresh:", put(fresh, TCP, TCP_WINDOW_CLAMP, 0), put(fresh, TCP, TCP_WINDOW_CLAMP, 100),
          get(fresh, TCP, TCP_WINDOW_CLAMP))
    fresh.close()


def ask_of(c, expr):
    time.sleep(0.02)
    return c.ask("do", expr)


def writing(_, port):
    ask = Peer()
    lis = listener(port)
    for f in (corked, send_timeout, linger, window_clamp):
        print(f"-- {f.__name__}", flush=True)
        c = Conn(ask, lis)
        f(c)
        c.close()
    print("-- closing")
    closing(ask, lis, "no linger:", 0, on=0)
    closing(ask, lis, "reset:", 0)
    closing(ask, lis, "linger, delivered:", 5)
    closing(ask, lis, "linger, delivered, not blocking:", 5, nonblocking=True)
    closing(ask, lis, "reset, not blocking:", 0, nonblocking=True)
    closing(ask, lis, "unread:", 0, on=0, unread=True)
    closing(ask, lis, "linger, unread:", 5, unread=True)
    closing(ask, lis, "full, no linger:", 0, on=0, full=True)
    closing(ask, lis, "full, reset:", 0, full=True)
    for nonblocking in (False, True):
        closing(ask, lis, "full, linger:", 1, full=True, nonblocking=nonblocking)


globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]))

# SPDX-License-Identifier: BSD-2-Clause
"""Listening sockets in awkward order, as lines that are the same over xtcp and over the kernel; see server.py.

listening.py calls ADDR PORT     listen, accept, shutdown and connect where they are out of place
listening.py sleepers ADDR PORT  threads and sets that wait for a socket that is shut down or closed
listening.py queues ADDR PORT    what was reset or finished before accept(), backlogs, TCP_INFO
listening.py ports ADDR PORT     who may bind beside whom, here and in other processes
"""
import ctypes
import errno
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from server import SETTLE, Conn, Peer, listener, name, ready, tried

SOL, TCP = socket.SOL_SOCKET, socket.IPPROTO_TCP
libc = ctypes.CDLL(None, use_errno=True)


def raw(f, *args):
    """A call past Python's own rules."""
    r = getattr(libc, f)(*args)
    return r if r >= 0 else errno.errorcode[ctypes.get_errno()]


def get(s, level, opt):
    return tried(s.getsockopt, level, opt)


def fresh(port=None, addr="", **opts):
    s = socket.socket()
    for o, v in opts.items():
        s.setsockopt(SOL, getattr(socket, o), v)
    if port is not None:
        s.bind((addr, port))
    return s


def name_of(s):
    n = tried(s.getsockname)
    return (n[0], n[1] > 0) if isinstance(n, tuple) else n


def state(s):
    return s.getsockopt(TCP, socket.TCP_INFO, 1)[0]


def info(s):
    """State, backlog and length of the queue of a listener (unacked, sacked)."""
    i = s.getsockopt(TCP, socket.TCP_INFO, 104)
    return i[0], struct.unpack_from("II", i, 24)


def inq(s, cmd):
    buf = ctypes.c_int(-7)
    return raw("ioctl", s.fileno(), ctypes.c_ulong(cmd), ctypes.byref(buf)), buf.value


# ---- calls ----

def calls(addr, port):
    ask = Peer()
    s = fresh()
    print("unbound:", name_of(s), get(s, SOL, socket.SO_ACCEPTCONN), raw("accept4", s.fileno(), None, None, 0x1234),
          raw("accept4", s.fileno(), None, None, 0))
    for backlog in (5, 0, -1, 1000000, 3, -2147483648):
        print("listen", backlog, raw("listen", s.fileno(), backlog), name_of(s), info(s))
    print("listening:", get(s, SOL, socket.SO_ACCEPTCONN), get(s, SOL, socket.SO_ERROR), tried(s.getpeername),
          raw("accept4", s.fileno(), None, None, 0x1234))
    for cmd in (0x541B, 0x5411, 0x894B, 0x8905):
        print("ioctl", hex(cmd), *inq(s, cmd))
    print("calls:", tried(s.connect, ("10.99.0.2", 9)), tried(s.connect_ex, ("10.99.0.2", 9)),
          tried(s.bind, ("", port)), tried(s.send, b"x", socket.MSG_NOSIGNAL), tried(s.recv, 1),
          tried(s.recv, 1, socket.MSG_PEEK), tried(s.recv, 0))
    print("AF_UNSPEC:", raw("connect", s.fileno(), struct.pack("H14x", 0), 16), state(s), name_of(s),
          get(s, SOL, socket.SO_ACCEPTCONN), raw("listen", s.fileno(), 3), name_of(s))
    s.close()
    s = fresh(0)
    was = s.getsockname()
    s.listen()
    print("an ephemeral port stays:", s.getsockname() == was, tried(s.shutdown, socket.SHUT_RD),
          s.getsockname() == was, name_of(s), state(s), raw("listen", s.fileno(), 1), name_of(s))
    s.close()
    for how in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR, 3, -1):
        s = listener(port)
        print("shutdown", how, tried(s.shutdown, how), state(s), name_of(s), ready(s), tried(s.shutdown, how),
              tried(s.getpeername), get(s, SOL, socket.SO_ERROR))
        s.setblocking(False)
        print("  then:", tried(s.accept), tried(s.listen), state(s), ready(s), tried(s.accept))
        ask("open", "a", port) if state(s) == 10 else None
        if state(s) == 10:
            select.select([s], [], [], 2)
            c, _ = s.accept()
            print("  accepts:", ready(c), tried(c.listen), raw("accept4", c.fileno(), None, None, 0))
            c.close()
            ask("close", "a")
        s.close()
    bound_shut(port)
    connecting()
    flags(ask, port)
    groups(ask, port)


def bound_shut(port):
    s = fresh(port + 1)
    print("bound, shut down:", tried(s.shutdown, socket.SHUT_RDWR), ready(s), tried(s.listen), state(s), ready(s))
    s.close()
    s = fresh(port + 1)
    print("bound twice:", tried(s.bind, ("", port + 2)), tried(s.bind, ("", port + 1)), name_of(s))
    print("AF_UNSPEC, bound:", raw("connect", s.fileno(), struct.pack("H14x", 0), 16), name_of(s))
    s.close()


def connecting():
    for how in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
        s = fresh()
        s.setblocking(False)
        print("connecting:", tried(s.connect, ("10.99.0.77", 9)), state(s), tried(s.listen), tried(s.accept))
        print("shutdown", how, tried(s.shutdown, how), state(s), ready(s), get(s, SOL, socket.SO_ERROR), ready(s),
              name_of(s), tried(s.getpeername), tried(s.send, b"x", socket.MSG_NOSIGNAL), tried(s.recv, 1))
        print("  and again:", tried(s.connect, ("10.99.0.77", 9)), tried(s.shutdown, how), tried(s.listen), state(s))
        s.close()
    s = fresh()
    r = []
    t = threading.Thread(target=lambda: r.append(tried(s.connect, ("10.99.0.77", 9))))
    t.start()
    time.sleep(0.1)
    print("a thread that connects:", tried(s.shutdown, socket.SHUT_RDWR))
    t.join(5)
    print("  ends with:", r, state(s), get(s, SOL, socket.SO_ERROR))
    s.close()


JOIN, LEAVE = 42, 45  # MCAST_JOIN_GROUP, MCAST_LEAVE_GROUP


def groups(ask, port):
    """A stream may be a member; who is accepted isn't."""
    req = struct.pack("I4xHH4s120x", 0, socket.AF_INET, 0, socket.inet_aton("239.1.2.3"))
    s = fresh(port, SO_REUSEADDR=1)
    print("groups:", tried(s.setsockopt, 0, LEAVE, req), tried(s.setsockopt, 0, JOIN, req), tried(s.setsockopt, 0, JOIN, req),
          tried(s.setsockopt, 0, JOIN, req[:40]))
    s.listen()
    ask("open", "m", port)
    c, _ = s.accept()
    print("  accepted:", tried(c.setsockopt, 0, LEAVE, req), "listening:", tried(s.setsockopt, 0, LEAVE, req),
          tried(s.setsockopt, 0, LEAVE, req))
    c.close()
    ask("close", "m")
    s.close()


def flags(ask, port):
    s = listener(port)
    for fl in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC, socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC):
        ask("open", "f", port)
        fd = raw("accept4", s.fileno(), None, None, fl)
        print("accept4", hex(fl), os.get_blocking(fd), os.get_inheritable(fd))
        os.close(fd)
        ask("close", "f")
    ask("open", "f", port)
    for addr, size in ((None, 16), (ctypes.create_string_buffer(32), -1), (ctypes.create_string_buffer(32), 5),
                       (ctypes.create_string_buffer(32), 100)):
        n = ctypes.c_int(size)
        r = raw("accept", s.fileno(), addr, ctypes.byref(n))
        print("room for", size if addr else None, r if isinstance(r, str) else "ok", n.value,
              addr.raw[:2] if addr else "")
        if not isinstance(r, str):
            os.close(r)
        ask("open", f"g{size}", port)
    s.setblocking(False)
    c, _ = s.accept()
    print("O_NONBLOCK isn't inherited:", os.get_blocking(c.fileno()))
    c.close()
    s.close()


# ---- sleepers ----

class Sleeper(threading.Thread):
    def __init__(self, f, *args):
        super().__init__(daemon=True)
        self.f, self.args, self.r = f, args, "sleeps"
        self.start()
        time.sleep(0.05)

    def run(self):
        self.r = tried(self.f, *self.args)
        if isinstance(self.r, tuple):
            self.r = "a connection"

    def told(self, secs=1):
        self.join(secs)
        return self.r


def polled(s):
    p = select.poll()
    p.register(s, select.POLLIN)
    return str([hex(e) for _, e in p.poll(400)])


def epolled(s):
    ep = select.epoll()
    ep.register(s, select.EPOLLIN)
    r = str([hex(e) for _, e in ep.poll(0.4)])
    ep.close()
    return r


def sleepers(addr, port):
    ask = Peer()
    for how in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
        s = listener(port)
        all_ = [Sleeper(s.accept), Sleeper(s.accept), Sleeper(polled, s), Sleeper(epolled, s)]
        print("shutdown", how, tried(s.shutdown, how), [t.told(0.6) for t in all_])
        print("  listens again:", tried(s.listen, 5))
        waiting = sum(t.r == "sleeps" for t in all_)
        for i in range(waiting + 1):
            ask("open", f"a{i}", port)
        print("  sleepers:", [t.told() for t in all_], "and", len(tried(s.accept)))
        for i in range(waiting + 1):
            ask("close", f"a{i}")
        s.close()
    closing(ask, port)
    interrupted(port)


def closing(ask, port):
    s = listener(port)
    t = Sleeper(raw, "accept", s.fileno(), None, None)
    print("close while accept() sleeps:", raw("close", s.detach()), t.told(0.3))
    # The port is served for as long as the call lasts.
    print("still served:", ask("do", f"(p.__setitem__('x', create_connection((addr, {port}), 2)), 'yes')[1]"),
          isinstance(t.told(), int))
    print("not any more:", ask("refused", "-", port))
    ask("close", "x")
    s = listener(port)
    ep = select.epoll()
    ep.register(s, select.EPOLLIN)
    t = Sleeper(ep.poll, 0.3)
    s.close()
    print("close while epoll sleeps:", t.told())
    ep.close()
    s = listener(port)
    t = Sleeper(epolled, s)
    d = os.dup(s.fileno())
    s.close()
    print("a duplicate is open:", t.told(0.1), end=" ")
    ask("open", "d", port)
    print(t.told())
    os.close(d)
    ask("close", "d")


def interrupted(port):
    """EINTR and SA_RESTART, with a handler that Python doesn't know."""
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda sig: None)

    class Action(ctypes.Structure):
        _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_ulong * 16), ("flags", ctypes.c_int),
                    ("restorer", ctypes.c_void_p)]

    s = listener(port)
    me = threading.get_ident()
    for restart, timeo in ((0, 0), (0x10000000, 0), (0, 1), (0x10000000, 1)):
        act = Action(ctypes.cast(handler, ctypes.c_void_p).value, (ctypes.c_ulong * 16)(), restart, None)
        libc.sigaction(signal.SIGUSR2, ctypes.byref(act), None)
        s.setsockopt(SOL, socket.SO_RCVTIMEO, struct.pack("ll", 0, timeo * 900000))
        timers = [threading.Timer(0.1, signal.pthread_kill, (me, signal.SIGUSR2))]
        if not timeo:
            timers.append(threading.Timer(0.9, s.shutdown, (socket.SHUT_RD,)))
        for t in timers:
            t.start()
        t = time.monotonic()
        r = raw("accept", s.fileno(), None, None)
        t = time.monotonic() - t
        print("restart" if restart else "no restart", "time-out" if timeo else "", r,
              "at the signal" if t < 0.5 else "later")
        # What is left of one round must not reach into the next.
        for t in timers:
            t.cancel()
            t.join()
        tried(s.listen)
    s.close()


# ---- queues ----

def settled():
    time.sleep(SETTLE)
    return ""


def queues(addr, port):
    ask = Peer()
    s = listener(port)
    print("empty:", info(s))
    for how, what in (("reset", "reset"), ("close", "finished"), ("shutdown(SHUT_WR)", "half closed")):
        ask("open", "q", port)
        time.sleep(SETTLE)
        print(what, "waits:", info(s), ready(s, 1))
        if how in ("reset", "close"):
            ask(how, "q")
        else:
            ask("do", f"p['q'].{how}")
        time.sleep(SETTLE)
        print("  then:", info(s), ready(s, 1))
        c, who = s.accept()
        print("  accepted:", who[0], state(c), ready(c), get(c, SOL, socket.SO_ERROR), name_of(c), tried(c.getpeername) ==
              who, tried(c.recv, 5), tried(c.send, b"x", socket.MSG_NOSIGNAL), settled(),
              tried(c.shutdown, socket.SHUT_WR), info(s))
        c.close()
        if how not in ("reset", "close"):
            ask("close", "q")
    s.close()
    data_waits(ask, port)
    for backlog in (0, 1, 3):
        full(ask, port, backlog)
    closed(ask, port)


def data_waits(ask, port):
    s = listener(port)
    ask("open", "w", port)
    ask("data", "w")
    ask("reset", "w")
    time.sleep(SETTLE)
    c, _ = s.accept()
    print("data, then reset:", ready(c), tried(c.recv, 10), tried(c.recv, 10), tried(c.getpeername))
    c.close()
    for i in range(3):
        ask("open", f"o{i}", port)
        ask("do", f"p['o{i}'].send(b'{i}')")
    time.sleep(SETTLE)
    print("in order:", info(s), [s.accept()[0].recv(1) for _ in range(3)], info(s))
    for i in range(3):
        ask("close", f"o{i}")
    s.close()


def full(ask, port, backlog):
    """One more than the backlog is taken; those beyond get no answer."""
    s = listener(port, backlog=backlog)
    for i in range(backlog + 1):
        ask("open", f"b{i}", port)
    time.sleep(SETTLE)
    print("backlog", backlog, "full:", info(s), end=" ")
    ask("do", "(p.__setitem__('z', socket(AF_INET, SOCK_STREAM)), p['z'].setblocking(False), "
        f"p['z'].connect_ex((addr, {port})))[2]")
    time.sleep(0.1)
    print("one more:", ask("do", "p['z'].getsockopt(6, 11, 1)[0]"), info(s), tried(s.listen, backlog + 1))
    for _ in range(backlog + 1):
        s.accept()[0].close()
    for i in range(backlog + 1):
        ask("close", f"b{i}")
    print("  room again:", ask("do", "len(select.select([], [p['z']], [], 3)[1])"), ask("do", "p['z'].getsockopt(1, 4)"),
          info(s))
    ask("close", "z")
    s.accept()[0].close()
    s.close()


def closed(ask, port):
    s = listener(port)
    for i in range(3):
        ask("open", f"k{i}", port)
    time.sleep(SETTLE)
    c, _ = s.accept()
    s.close()
    print("closed:", *(ask("read", f"k{i}") for i in (1, 2)), ask("refused", "-", port))
    c.send(b"alive")
    print("what was accepted lives:", ask("read", "k0"))
    t = fresh()
    print("bind beside it:", tried(t.bind, ("", port)), t.setsockopt(SOL, socket.SO_REUSEADDR, 1),
          tried(t.bind, ("", port)), tried(t.listen), ask("open", "m", port), len(t.accept()))
    print("and it lives:", c.send(b"still"), ask("read", "k0"))
    c.close()
    t.close()


# ---- ports ----

OTHER = """
import errno, socket, sys
s = socket.socket()
for o in sys.argv[3].split(","):
    if o:
        s.setsockopt(socket.SOL_SOCKET, getattr(socket, o), 1)
try:
    s.bind((sys.argv[1], int(sys.argv[2])))
    s.listen()
    print("ok")
except OSError as e:
    print(errno.errorcode[e.errno])
"""


def elsewhere(addr, port, opts=""):
    """The same in another process, over whatever this one runs over."""
    return subprocess.run([sys.executable, "-c", OTHER, addr, str(port), opts], capture_output=True, text=True,
                          timeout=20).stdout.strip()


def ports(addr, port):
    ask = Peer()
    for first in ("", addr):
        for opt in ("", "SO_REUSEADDR", "SO_REUSEPORT"):
            s = fresh(port, first, **({opt: 1} if opt else {}))
            print("bound:", first or "any", opt, [elsewhere(a, port, o) for a in ("", addr) for o in
                                                  ([""] if opt == "SO_REUSEADDR" else
                                                   ["", "SO_REUSEADDR", "SO_REUSEPORT"])])
            s.listen()
            print("listens:", [elsewhere(a, port, o) for a in ("", addr) for o in
                               ("SO_REUSEADDR", "SO_REUSEPORT")])
            s.close()
            print("closed:", elsewhere(first, port))
    for a in ("", addr):
        for again in (a, "", "127.0.0.1"):
            s = fresh(0, a)
            free = s.getsockname()[1]
            s.close()
            print("a free port was found:", a or "any", again or "any", elsewhere(again, free),
                  tried(lambda: fresh(free, again).close()))
    wrong_user(port)
    devices(ask, addr, port)
    s = listener(port)
    ask("open", "a", port)
    c, _ = s.accept()
    s.close()
    print("a connection lives:", elsewhere("", port), elsewhere("", port + 1))
    ask("close", "a")
    print(c.recv(1))
    c.close()
    time.sleep(SETTLE)
    print("the peer closed first:", elsewhere("", port))


def device_of(s):
    r = tried(s.getsockopt, SOL, socket.SO_BINDTODEVICE, 16)
    return "ours" if r == DEVICE.encode() + b"\0" else r


DEVICE = next((n for _, n in socket.if_nameindex() if n != "lo"), "")


def devices(ask, addr, port):
    for dev in (DEVICE, "lo", "nosuch0", ""):
        s = socket.socket()
        s.setsockopt(SOL, socket.SO_REUSEADDR, 1)
        print("device", "ours" if dev == DEVICE else dev, tried(s.setsockopt, SOL, socket.SO_BINDTODEVICE, dev.encode()),
              device_of(s), tried(s.bind, ("", port)), tried(s.listen))
        r = ask("do", f"(p.__setitem__('v', create_connection((addr, {port}), 2)), 'reached')[1]")
        print("  listener:", r, end=" ")
        if r == "'reached'":
            c, _ = s.accept()
            print(device_of(c), ask("do", "p['v'].send(b'abc')"), c.recv(3), tried(c.setsockopt, SOL,
                  socket.SO_BINDTODEVICE, b""), device_of(c), c.send(b"def"), ask("read", "v"))
            ask("reset", "v")
            settled()
            c.close()
        else:
            print()
        other = socket.socket()
        other.setsockopt(SOL, socket.SO_BINDTODEVICE, b"lo")
        print("  beside one of lo:", tried(other.bind, ("", port)))
        other.close()
        s.close()
    ask("do", f"(p.__setitem__('L', create_server(('', {port}))), 1)[1]")
    for dev in (DEVICE, "lo"):
        s = socket.socket()
        s.settimeout(1)
        s.setsockopt(SOL, socket.SO_BINDTODEVICE, dev.encode())
        print("connect by", "ours" if dev == DEVICE else dev, tried(s.connect, ("10.99.0.2", port)) == "ok", device_of(s))
        s.close()
    ask("do", "p['L'].close()")


def wrong_user(port):
    if os.geteuid():
        return
    a = fresh(port, SO_REUSEPORT=1)
    os.seteuid(65534)
    b = socket.socket()
    os.seteuid(0)
    c = socket.socket()
    for s in (b, c):
        s.setsockopt(SOL, socket.SO_REUSEPORT, 1)
    print("SO_REUSEPORT, another user's, one's own:", tried(b.bind, ("", port)), tried(c.bind, ("", port)))
    for s in (a, b, c):
        s.close()


globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]))

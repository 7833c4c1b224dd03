# SPDX-License-Identifier: BSD-2-Clause
"""Many threads on one socket, as lines that are the same over xtcp and over the kernel; see server.py.

crowd.py streams ADDR PORT   send() and recv() of many threads at once; accept() of many
crowd.py gone ADDR PORT      threads that are in a call on a number while another closes, replaces or shuts it down
crowd.py sets ADDR PORT      threads on one epoll set, and on many that watch one socket
"""
import collections
import ctypes
import os
import select
import socket
import struct
import sys
import threading
import time

from server import Conn, Peer, listener, name, tried

THREADS = 8
PIECE = 65536
libc = ctypes.CDLL(None)
FUTEX = "202"                    # in /proc/PID/task/TID/syscall: a thread that waits for another


def in_threads(n, f):
    """f(i) in n threads at once: what they return."""
    got = [None] * n

    def one(i):
        got[i] = tried(f, i)

    ts = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in ts:
        t.start()
    for t in ts:
        t.join(20)
    return got


def conn(ask, lis):
    c = Conn(ask, lis)
    c.s.setblocking(True)
    return c


class InCall(threading.Thread):
    """A thread that has come to sleep in f(*args)."""

    def __init__(self, f, *args):
        super().__init__(daemon=True)
        self.f, self.args, self.r = f, args, "sleeps"
        self.start()
        end, same = time.monotonic() + 10, [0, 1, 2]
        while time.monotonic() < end and same[-3:] != same[-1:] * 3:
            time.sleep(0.01)
            same.append(self.where())
            if same[-1] is None:
                same = [0, 1, 2]

    def where(self):
        """The system call that it is in, but for Python's own."""
        if not self.is_alive():
            return "ended"
        with open(f"/proc/self/task/{self.native_id}/syscall") as f:
            words = f.read().split()
        return None if words[0] in ("running", FUTEX) else words[0]

    def run(self):
        self.r = tried(self.f, *self.args)

    def told(self, secs=10):
        self.join(secs)
        return self.r


# ---- streams ----

def runs_of(key, n):
    """The peer's part: reads n bytes, tells how long the runs of equal ones are."""
    return (f"(lambda d: [(k, len(list(g))) for k, g in __import__('itertools').groupby(d)])(b''.join(iter("
            f"(lambda c, left: lambda: (lambda d: (left.append(left.pop() - len(d)), d)[1])("
            f"c.recv(min(left[0], 65536)) if left[0] else b''))(p[{key!r}], [{n}]), b'')))")


def senders(ask, lis):
    c = conn(ask, lis)
    c.s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
    got = in_threads(THREADS, lambda i: c.s.send(bytes([65 + i]) * PIECE))
    runs = eval(ask("do", runs_of(c.key, THREADS * PIECE)))
    print("send, room for all:", set(got), "whole:", sorted(runs) == [(65 + i, PIECE) for i in range(THREADS)])
    c.close()
    for size in (100, 5000, 1 << 20):
        c = conn(ask, lis)
        times = max(1, 400000 // size)
        ts = threading.Thread(target=in_threads, args=(THREADS, lambda i: [
            c.s.sendall(bytes([65 + i]) * size) for _ in range(times)]))
        ts.start()
        runs = eval(ask("do", runs_of(c.key, THREADS * times * size)))
        ts.join(20)
        sums = collections.Counter()
        for k, n in runs:
            sums[k] += n
        print("send, pieces of", size, "all are there:", sorted(sums.items()) ==
              [(65 + i, times * size) for i in range(THREADS)])
        c.close()


def receivers(ask, lis):
    c = conn(ask, lis)
    counts = [collections.Counter() for _ in range(THREADS)]
    total = 4 << 20

    def drain(i):
        ways = (lambda: c.s.recv(7000), lambda: os.read(c.s.fileno(), 300), lambda: c.s.recvmsg(65536)[0],
                lambda: c.s.recv(5000, socket.MSG_WAITALL))
        while data := ways[i % len(ways)]():
            counts[i].update(data)
        return "end"

    c.peer(f"__class__ and __import__('threading').Thread(target=lambda s: (s.sendall(bytes(range(256)) * {total // 256}), "
           f"s.shutdown(SHUT_WR)), args=(p[{c.key!r}],)).start()")
    got = in_threads(THREADS, drain)
    both = sum(counts, collections.Counter())
    print("recv:", set(got), "every byte once:", set(both.values()) == {total // 256} and len(both) == 256)
    c.close()


def acceptors(ask, port):
    lis, each, conns = listener(port + 1, backlog=100), 30, 16 * 30

    def take(i):
        names = []
        while (n := lis.accept()) and (who := n[1]):
            data = n[0].recv(1)
            n[0].close()
            if data == b"q":
                return names
            names.append(who)

    def make(what, n):
        return ask("do", f"len([(s.sendall({what!r}), s.recv(1), s.close()) for s in [create_connection((addr, {port + 1}), "
                   f"10) for _ in range({n})]])")

    t = threading.Thread(target=lambda: got.extend(in_threads(16, take)))
    got = []
    t.start()
    made = [make(b"c", 16) for _ in range(each)]
    make(b"q", 16)
    t.join(20)
    names = sum(got, [])
    print("accept:", set(made), len(names) == conns, "each once:", len(set(names)) == len(names))
    lis.close()


def in_turn(ask, port):
    """Who has waited longest has the next connection."""
    lis = listener(port + 2)
    ts = [InCall(lis.accept) for _ in range(6)]
    order = []
    for i in range(6):
        ask("open", f"t{i}", port + 2)
        end = time.monotonic() + 10
        while len(new := [j for j, t in enumerate(ts) if not t.is_alive() and j not in order]) != 1 and \
                time.monotonic() < end:
            time.sleep(0.005)
        order += new
    print("accept, in turn:", order)
    for t in ts:
        t.r[0].close()
    for i in range(6):
        ask("close", f"t{i}")
    lis.close()


def streams(addr, port):
    ask = Peer()
    lis = listener(port)
    senders(ask, lis)
    receivers(ask, lis)
    for _ in range(4):
        print("two ways at once:", both_ways(ask, lis))
    acceptors(ask, port)
    in_turn(ask, port)


def both_ways(ask, lis):
    """Half of the threads send what the others receive, by way of the peer."""
    c = conn(ask, lis)
    data = os.urandom(1 << 20)
    ask("do", f"__import__('threading').Thread(target=lambda c: [c.sendall(d) for d in iter(lambda: c.recv(65536), b'')] "
        f"and c.shutdown(SHUT_WR), args=(p[{c.key!r}],)).start()")

    def one(i):
        if i:
            return b"".join(iter(lambda: c.s.recv(65536), b""))
        c.s.sendall(data)
        c.s.shutdown(socket.SHUT_WR)
        return "sent"

    r = in_threads(2, one)
    c.close()
    return r[0], r[1] == data


# ---- gone ----

def write_all(s, n):
    return s.send(bytes(n))


def polls(s, events, ms=10000):
    p = select.poll()
    p.register(s, events)
    return str([hex(e) for _, e in p.poll(ms)])


def selects(s):
    return str([len(x) for x in select.select([s], [], [], 10)])


def drained(key, n):
    return f"len(b''.join(iter((lambda c, left: lambda: (lambda d: (left.append(left.pop() - len(d)), d)[1])(" \
           f"c.recv(min(left[0], 1 << 20)) if left[0] else b''))(p[{key!r}], [{n}]), b'')))"


def closed_under(ask, lis):
    for what in ("recv", "read", "poll", "select"):
        c = conn(ask, lis)
        fd = c.s.fileno()
        f = {"recv": c.s.recv, "read": lambda n: os.read(fd, n), "poll": lambda n: polls(fd, select.POLLIN),
             "select": lambda n: selects(fd)}[what]
        t = InCall(f, 100)
        os.close(fd)
        print(what, "while another closes:", t.told(0.1), end=" ")
        c.peer("send(b'news')")
        print(t.told(), "then the peer sees", ask("do", f"(p[{c.key!r}].settimeout(5), p[{c.key!r}].recv(1))[1]"))
        c.s.detach()
        ask("close", c.key)
    c = conn(ask, lis)
    fd = c.s.fileno()
    t = InCall(write_all, c.s, 20 << 20)
    os.close(fd)
    print("send while another closes:", t.told(0.1), ask("do", drained(c.key, 20 << 20)), t.told(),
          ask("do", f"p[{c.key!r}].recv(1)"))
    c.s.detach()
    ask("close", c.key)


def replaced_under(ask, lis):
    """dup2() over the number."""
    for what in ("recv", "poll", "send"):
        c, other = conn(ask, lis), conn(ask, lis)
        fd = c.s.fileno()
        t = InCall(*{"recv": (c.s.recv, 100), "poll": (polls, fd, select.POLLIN, 400),
                     "send": (write_all, c.s, 20 << 20)}[what])
        os.dup2(other.s.fileno(), fd)
        other.peer("send(b'other')")
        print("dup2 under", what, t.told(0.1), c.s.recv(100), end=" ")
        if what == "send":
            print(ask("do", drained(c.key, 20 << 20)), t.told(), end=" ")
        else:
            c.peer("send(b'old')")
            print(t.told(), end=" ")
        print(ask("do", f"(p[{c.key!r}].settimeout(5), p[{c.key!r}].recv(1))[1]"),
              "and the other:", c.s.send(b"to the other"), ask("do", f"p[{other.key!r}].recv(100)"))
        c.close()
        other.close()


def shut_under(ask, lis):
    for how in (socket.SHUT_RD, socket.SHUT_RDWR):
        c = conn(ask, lis)
        fd = c.s.fileno()
        ts = [InCall(f, *a) for f, a in ((c.s.recv, (9,)), (os.read, (fd, 9)), (c.s.recv, (9, socket.MSG_WAITALL)),
                                         (c.s.recv, (9, socket.MSG_PEEK)), (polls, (fd, select.POLLIN)), (selects, (fd,)))]
        print("shutdown", how, tried(c.s.shutdown, how), [t.told() for t in ts])
        c.close()
    for how in (socket.SHUT_WR, socket.SHUT_RDWR):
        c = conn(ask, lis)
        ts = [InCall(lambda: c.s.send(bytes(64 << 20)) and "some") for _ in range(3)]
        print("shutdown", how, tried(c.s.shutdown, how), {t.told() for t in ts} <= {"some", "EPIPE"})
        c.close()
    c = conn(ask, lis)
    ts = [InCall(c.s.recv, 9) for _ in range(3)]
    c.peer("setsockopt(SOL_SOCKET, SO_LINGER, struct.pack('ii', 1, 0))")
    ask("do", f"p[{c.key!r}].close()")
    print("a reset:", sorted(str(t.told()) for t in ts))
    c.s.close()
    c = conn(ask, lis)
    ts = [InCall(c.s.recv, 9) for _ in range(3)]
    c.peer("shutdown(SHUT_WR)")
    print("an end:", [t.told() for t in ts])
    c.close()


def connect_under():
    for how in ("close", "dup2"):
        s = socket.socket()
        fd = s.fileno()
        t = InCall(s.connect, ("10.99.0.77", 9))
        d = os.dup(fd)
        if how == "close":
            os.close(fd)
        else:
            os.dup2(1, fd)
        print(how, "under connect:", t.told(0.1), end=" ")
        again = socket.socket(fileno=d)
        print(tried(again.shutdown, socket.SHUT_RDWR), t.told())
        again.close()
        s.detach() if how == "close" else s.close()


def connect_many():
    """One connection, however many ask for it."""
    s = socket.socket()
    ts = [InCall(s.connect, ("10.99.0.77", 9))]
    ts += [InCall(s.connect, ("10.99.0.77", 9)) for _ in range(2)]
    print("connect by three:", tried(s.shutdown, socket.SHUT_RDWR), sorted(str(t.told()) for t in ts))
    s.close()


def disconnect(s):
    """connect() with AF_UNSPEC."""
    return libc.connect(s.fileno(), struct.pack("H14x", 0), 16)


def disconnected_under(ask, lis):
    for f, *args in ((socket.socket.recv, 9), (write_all, 20 << 20), (polls, select.POLLIN)):
        c = conn(ask, lis)
        t = InCall(f, c.s, *args)
        print("AF_UNSPEC under", f.__name__, disconnect(c.s), t.told() if f != write_all else t.told() > 0)
        c.close()
    s = listener(lis.getsockname()[1] + 4)
    t = InCall(s.accept)
    print("AF_UNSPEC under accept", disconnect(s), t.told())
    s.close()
    s = socket.socket()
    ts = [InCall(s.connect, ("10.99.0.77", 9)) for _ in range(2)]
    print("AF_UNSPEC under connect", disconnect(s), [t.told() for t in ts])
    s.close()


def gone(addr, port):
    ask = Peer()
    lis = listener(port)
    closed_under(ask, lis)
    disconnected_under(ask, lis)
    replaced_under(ask, lis)
    shut_under(ask, lis)
    connect_under()
    connect_many()


# ---- sets ----

def one_set(ask, lis, flags, what):
    """Threads in epoll_wait() of one set: each message is had once."""
    conns = [conn(ask, lis) for _ in range(6)]
    for c in conns:
        c.s.setblocking(False)
    of = {c.s.fileno(): c for c in conns}
    ep, had, lock, stop = select.epoll(), collections.Counter(), threading.Lock(), os.pipe()
    ep.register(stop[0], select.EPOLLIN)
    for fd in of:
        ep.register(fd, select.EPOLLIN | flags)

    def turn(i):
        while True:
            for fd, _ in ep.poll(10, 1):
                if fd == stop[0]:
                    return "stopped"
                while isinstance(data := tried(of[fd].s.recv, 100), bytes) and data:
                    with lock:
                        had.update((fd, b) for b in data)
                if flags & select.EPOLLONESHOT:
                    ep.modify(fd, select.EPOLLIN | flags)

    got = []
    t = threading.Thread(target=lambda: got.extend(in_threads(THREADS, turn)))
    t.start()
    for i in range(100):
        ask("do", f"[p[k].send(bytes([{i}])) for k in {[c.key for c in conns]}]")
    end = time.monotonic() + 10
    while sum(had.values()) < 600 and time.monotonic() < end:
        time.sleep(0.01)
    os.write(stop[1], b"x")
    t.join(20)
    print(what, set(got), "each once:", len(had) == 600 and set(had.values()) == {1})
    ep.close()
    for c in conns:
        c.close()


def oneshot_once(ask, lis):
    """Of the threads that sleep in one set, how many have an event that is shown once."""
    for what, flags in (("EPOLLONESHOT", select.EPOLLONESHOT), ("EPOLLET", select.EPOLLET),
                        ("both", select.EPOLLET | select.EPOLLONESHOT)):
        c, ep = conn(ask, lis), select.epoll()
        ep.register(c.s, select.EPOLLIN | flags)
        ts = [InCall(ep.poll, 1) for _ in range(4)]
        c.peer("send(b'x')")
        print(what, "one message:", sorted(len(t.told()) for t in ts), end=" ")
        ts = [InCall(ep.poll, 1) for _ in range(4)]
        c.peer("send(b'y')")
        print("another:", sorted(len(t.told()) for t in ts))
        ep.close()
        c.close()


def exclusive(ask, port):
    """A set for each thread, all of which watch one listener: at least one wakes, and who is late finds nothing."""
    for what, flags in (("all", 0), ("EPOLLEXCLUSIVE", select.EPOLLEXCLUSIVE)):
        lis = listener(port + 3, backlog=50)
        lis.setblocking(False)
        sets = [select.epoll() for _ in range(THREADS)]
        for ep in sets:
            ep.register(lis, select.EPOLLIN | flags)

        def one(ep):
            n = len(ep.poll(1))
            return n, n and not isinstance(tried(lis.accept), str)

        ts = [InCall(one, ep) for ep in sets]
        ask("open", "x", port + 3)
        got = [t.told() for t in ts]
        woken = sum(n for n, _ in got)
        # epoll_ctl(2) promises "one or more" for EPOLLEXCLUSIVE; not all of them.
        print(what, "woken:", 0 < woken < THREADS if flags else woken > 0, "accepted:", sum(bool(c) for _, c in got))
        ask("close", "x")
        for ep in sets:
            ep.close()
        lis.close()
    try:
        ep, lis = select.epoll(), listener(port + 3)
        ep.register(lis, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        ep.modify(lis, select.EPOLLIN | select.EPOLLEXCLUSIVE)
    except OSError as e:
        print("EPOLLEXCLUSIVE, changed:", name(e))
    lis.close()


def registered_under(ask, lis):
    """Added, changed and taken out while threads sleep in the set."""
    c, ep = conn(ask, lis), select.epoll()
    ts = [InCall(ep.poll, 5) for _ in range(2)]
    c.peer("send(b'x')")
    ep.register(c.s, select.EPOLLIN | select.EPOLLONESHOT)
    end = time.monotonic() + 5
    while sum(not t.is_alive() for t in ts) < 1 and time.monotonic() < end:
        time.sleep(0.01)
    print("register while they sleep:", sorted(map(str, (len(t.told(0.1)) if not t.is_alive() else "sleeps" for t in ts))))
    ep.modify(c.s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLONESHOT)
    print("modify:", sorted(t.told()[0][1] for t in ts))
    t = InCall(ep.poll, 0.5)
    ep.unregister(c.s)
    c.peer("send(b'y')")
    print("unregister:", t.told())
    t = InCall(ep.poll, 0.5)
    ep.register(c.s, select.EPOLLIN)
    print("and again:", [e for _, e in t.told()])
    t = InCall(ep.poll, 0.5) if c.s.recv(9) else None
    c.close()
    print("closed:", t.told())
    ep.close()


def sets(addr, port):
    ask = Peer()
    lis = listener(port)
    one_set(ask, lis, 0, "level:")
    one_set(ask, lis, select.EPOLLET, "edge:")
    one_set(ask, lis, select.EPOLLONESHOT, "once:")
    one_set(ask, lis, select.EPOLLET | select.EPOLLONESHOT, "edge and once:")
    oneshot_once(ask, lis)
    exclusive(ask, port)
    registered_under(ask, lis)


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    {"streams": streams, "gone": gone, "sets": sets}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
    sys.stdout.flush()

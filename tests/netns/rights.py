# SPDX-License-Identifier: BSD-2-Clause
"""Sockets that are handed to other processes (SCM_RIGHTS), as lines that are the same over xtcp and over the kernel; see
server.py.

rights.py connections ADDR PORT   connected and accepted ones
rights.py listeners ADDR PORT     listening ones, and those that are neither
rights.py messages ADDR PORT      several in one message, with others, in several messages
rights.py receive FD BARE         the other process: does what it is told by the UNIX socket FD
"""
import array
import ctypes
import fcntl
import os
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

from server import Peer, listener, name, tried

END = 20
BIG = 300000


def fds_in(anc):
    out = array.array("i")
    for level, kind, data in anc:
        assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        out.frombytes(data)
    return list(out)


def take(s, n):
    got = b""
    while len(got) < n:
        part = s.recv(min(n - len(got), 65536))
        if not part:
            break
        got += part
    return got


class File:
    """What isn't a socket."""

    def __init__(self, fd):
        self.fd = fd

    def fileno(self):
        return self.fd


def opened(fd):
    is_socket = stat.S_ISSOCK(os.fstat(fd).st_mode)
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=fd) if is_socket else File(fd)


def hand(to, *socks, word=b"x"):
    to.sendmsg([word], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno() for s in socks]))])


# ---- the other process ----


class Held(list):
    """What it was handed, as sockets."""

    def __init__(self, via):
        super().__init__()
        self.via = via

    def got(self, flags=0):
        """Of the next message: how many descriptors, and whether they are close-on-exec."""
        _, anc, mflags, _ = self.via.recvmsg(10, 1000, flags)
        fds = fds_in(anc)
        self.extend(map(opened, fds))
        return len(fds), [fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC for fd in fds], mflags & socket.MSG_CTRUNC

    def ready(self, i, what, secs=END):
        """By the three ways to wait."""
        poll, epoll = select.poll(), select.epoll()
        poll.register(self[i], what)
        epoll.register(self[i], what)
        inp, out = ([self[i]] if what & bit else [] for bit in (select.POLLIN, select.POLLOUT))
        r, w, _ = select.select(inp, out, [], secs)
        return (len(r), len(w), [e & what for _, e in poll.poll(secs * 1000)], [e & what for _, e in epoll.poll(secs)])

    def accept(self, i):
        self.append(self[i].accept()[0])

    def close(self, i):
        self[i].close()

    def hand(self, *which):
        hand(self.via, *(self[i] for i in which))

    def echo(self, i, n):
        """Takes n bytes and sends them back."""
        data = take(self[i], n)
        self[i].sendall(data)
        return len(data)


def receive(fd, _):
    via = socket.socket(fileno=int(fd))
    h = Held(via)
    while line := via.recv(1000):
        try:
            said = repr(eval(line, {**vars(socket), "h": h, "select": select, "fcntl": fcntl, "os": os}))
        except OSError as e:
            said = name(e)
        via.sendall(said.encode())


class Other:
    """Such a process; a bare one has no library preloaded."""

    def __init__(self, bare):
        self.a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" or not bare}
        self.p = subprocess.Popen([sys.executable, __file__, "receive", str(b.fileno()), "0"], env=env,
                                  pass_fds=[b.fileno()])
        b.close()

    def tell(self, what):
        self.a.sendall(what.encode())

    def said(self):
        return self.a.recv(1000).decode()

    def __call__(self, what):
        self.tell(what)
        return self.said()

    def hand(self, *socks, flags="0"):
        self.tell(f"h.got({flags})")
        hand(self.a, *socks)
        return self.said()

    def end(self):
        self.a.close()
        return self.p.wait(END)


# ---- connections ----

BLOB = f"bytes(i % 251 for i in range({BIG}))"


class Conn:
    """One that was connected, or accepted, with the peer's end of it."""
    count = 0

    def __init__(self, ask, port, kind):
        Conn.count += 1
        self.ask, self.key = ask, f"c{Conn.count}"
        if kind == "accepted":
            lis = listener(port)
            ask("open", self.key, port)
            self.s = lis.accept()[0]
            lis.close()
        else:
            ask("do", f"p.__setitem__('L', create_server(('', {port})))")
            self.s = socket.create_connection(("10.99.0.2", port), END)
            self.s.settimeout(None)
            ask("do", f"p.__setitem__({self.key!r}, p['L'].accept()[0])")
            ask("do", "p.pop('L').close()")

    def peer(self, expr):
        return self.ask("do", f"p[{self.key!r}].{expr}")

    def echo(self, by):
        """The peer's bytes by way of `by`, who has it as its socket 0, and back."""
        by.tell(f"h.echo(0, {BIG})")
        self.peer(f"sendall({BLOB})")
        return by.said(), self.peer(f"recv({BIG}, MSG_WAITALL) == {BLOB}")

    def end(self):
        self.ask("do", f"p.pop({self.key!r}).close()")


def kept(c, other):
    """The sender goes on with it, and ends its direction for both."""
    print("handed:", other.hand(c.s), c.echo(other))
    print("by the sender:", c.s.send(b"sender"), c.peer("recv(6, MSG_WAITALL)"))
    c.peer("sendall(b'answer')")
    print("whoever reads:", take(c.s, 3), other("h[0].recv(3, MSG_WAITALL)"))
    print("closed there:", other("h.close(0)"), c.s.send(b"still"), c.peer("recv(5, MSG_WAITALL)"))
    c.s.shutdown(socket.SHUT_WR)
    print("the end:", c.peer("recv(1)"))
    c.peer("sendall(b'late')")
    print("the other way:", take(c.s, 4))
    c.peer("shutdown(SHUT_WR)")
    print("and its end:", c.s.recv(1))
    c.s.close()


def closed(c, other):
    """The sender closes its own; what was sent and not read yet is there."""
    c.peer("sendall(b'0123456789')")
    print("read before:", take(c.s, 4), c.s.sendall(b"z" * 20000))
    print("handed:", other.hand(c.s), c.s.close())
    print("the rest:", other("h[0].recv(6, MSG_WAITALL)"), c.peer("recv(20000, MSG_WAITALL) == b'z' * 20000"))
    print("not ready:", other("h.ready(0, select.POLLIN, 0)"), other("h.ready(0, select.POLLOUT)"))
    print("big:", c.echo(other))
    c.peer("sendall(b'x')")
    print("ready:", other("h.ready(0, select.POLLIN)"), other("h[0].recv(10)"))
    print("shut down there:", other("h[0].shutdown(SHUT_WR)"), c.peer("recv(1)"))
    c.peer("sendall(b'late')")
    print("the other way:", other("h[0].recv(4, MSG_WAITALL)"))
    c.peer("shutdown(SHUT_WR)")
    print("and its end:", other("h.ready(0, select.POLLIN)"), other("h[0].recv(1)"), other("h.close(0)"))


def closed_by_all(c, other):
    other.hand(c.s)
    c.s.close()
    print("nobody has it:", other("h.close(0)"), c.peer("recv(1)"))


def never_taken(c, other):
    """In a message that nobody reads."""
    a, b = socket.socketpair()
    hand(a, c.s)
    c.s.close()
    print("on its way:", c.peer("sendall(b'there')"))
    a.close()
    b.close()
    print("thrown away:", c.peer("recv(1)") in ("b''", "ECONNRESET"))


def given_back(c, other):
    other.hand(c.s)
    c.s.close()
    other.tell("h.hand(0)")
    _, anc, _, _ = other.a.recvmsg(10, 1000)
    print("back:", other.said(), other("h.close(0)"))
    c.s = opened(fds_in(anc)[0])
    print("names:", c.s.getpeername()[0], c.s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE))
    print("used:", c.s.send(b"back"), c.peer("recv(4, MSG_WAITALL)"), c.peer("send(b'again')"), take(c.s, 5))
    c.s.close()
    print("closed:", c.peer("recv(1)"))


def to_itself(c, _):
    a, b = socket.socketpair()
    hand(a, c.s)
    fd = fds_in(b.recvmsg(10, 100)[1])[0]
    s = opened(fd)
    print("two numbers:", fd != c.s.fileno(), s.send(b"one"), c.s.send(b"two"), c.peer("recv(6, MSG_WAITALL)"))
    print("one closed:", c.s.close(), s.send(b"three"), c.peer("recv(5, MSG_WAITALL)"))
    print("both closed:", s.close(), c.peer("recv(1)"))


def nonblocking(c, other):
    """The flags of the open file are everybody's."""
    c.s.setblocking(False)
    other.hand(c.s)
    print("flags:", other("bool(fcntl.fcntl(h[0], fcntl.F_GETFL) & os.O_NONBLOCK)"), other("h[0].recv(1, MSG_DONTWAIT)"))
    c.s.setblocking(True)
    print("set back:", other("bool(fcntl.fcntl(h[0], fcntl.F_GETFL) & os.O_NONBLOCK)"))
    c.s.close()


def connections(_, port):
    ask = Peer()
    others = Other(False), Other(True)
    for kind in "accepted", "connected":
        for bare in False, True:
            for f in kept, closed, closed_by_all, never_taken, given_back, to_itself, nonblocking:
                print(f"-- {f.__name__}, {kind}, to one {'without' if bare else 'with'} the library")
                c = Conn(ask, port, kind)
                f(c, others[bare])
                others[bare]("h.clear()")
                c.end()
            leaves(ask, port + 1 + 4 * bare, kind, others[bare])
    print("ended:", [other.end() for other in others])


def leaves(ask, port, kind, other):
    """The sender ends, or executes another program, after it has handed it over.  Each has a port of its own: who asks
    for one that another process had just now may find it in use."""
    for i, how in enumerate(("exits", "execs", "dies")):
        r, w = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            c = Conn(ask, port + i, kind)
            other.hand(c.s)
            os.write(w, c.key.encode())
            if how == "execs":
                os.execv("/bin/true", ["true"])
            if how == "dies":
                os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        Conn.count += 1
        c = Conn.__new__(Conn)
        c.ask, c.key = ask, os.read(r, 10).decode()
        print(f"-- the sender {how}:", os.waitpid(pid, 0)[1], c.echo(other), other("h.close(0)"), c.peer("recv(1)"))
        other("h.clear()")
        c.end()


# ---- listeners ----


def refused(ask, port):
    """What who connects is told; the last close in another process may be noticed a little later."""
    end = time.monotonic() + END
    while (r := ask("refused", "-", port)) != "ECONNREFUSED" and time.monotonic() < end:
        pass
    return r


def accepts(ask, port, bare):
    other, lis = Other(bare), listener(port)
    print("handed:", other.hand(lis))
    print("nobody there:", other("h.ready(0, select.POLLIN, 0)"))
    ask("open", "a", port)
    print("one there:", other("h.ready(0, select.POLLIN)"), other("h.accept(0)"))
    ask("do", "p['a'].sendall(b'hello')")
    print("accepted there:", other("h.echo(1, 5)"), ask("do", "p['a'].recv(5, MSG_WAITALL)"))
    ask("open", "b", port)
    c = lis.accept()[0]
    print("accepted here:", c.send(b"here"), ask("do", "p['b'].recv(4, MSG_WAITALL)"))
    lis.close()
    ask("open", "c", port)
    print("closed here:", other("h.accept(0)"), other("h[2].send(b'there')"), ask("do", "p['c'].recv(5, MSG_WAITALL)"))
    print("closed there:", other("h.close(0)"), refused(ask, port))
    print("connections stay:", other("h[2].send(b'still')"), ask("do", "p['c'].recv(5, MSG_WAITALL)"))
    other.end()
    print("and end:", [ask("read", k) for k in "ac"])
    for k in "abc":
        ask("close", k)


def fresh(ask, port):
    """Neither connected nor listening."""
    other, s, t = Other(False), socket.socket(), socket.socket()
    t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    t.bind(("", port))
    print("handed:", other.hand(s, t))
    ask("do", f"p.__setitem__('L', create_server(('', {port})))")
    print("connects:", other(f"h[0].connect(('10.99.0.2', {port}))"), other("h[0].send(b'fresh')"))
    ask("do", "p.__setitem__('a', p['L'].accept()[0])")
    print("for both:", ask("do", "p['a'].recv(5, MSG_WAITALL)"), s.getpeername(), s.send(b"too"),
          ask("do", "p['a'].recv(3, MSG_WAITALL)"))
    print("listens:", other("h[1].listen()"), t.getsockname())
    ask("open", "b", port)
    print("accepts:", t.accept()[0].send(b"hello"), ask("read", "b"))
    other.end()
    ask("do", "p.pop('L').close()")
    ask("close", "a")
    ask("close", "b")


def listeners(_, port):
    ask = Peer()
    for bare in False, True:
        print("-- a listener, to one", "without" if bare else "with", "the library")
        accepts(ask, port, bare)
    fresh(ask, port + 1)


# ---- messages ----


def in_company(ask, port, other, flags):
    cs = [Conn(ask, port, kind) for kind in ("accepted", "connected", "connected")]
    r, w = os.pipe()
    f = open("/dev/null")
    print("handed:", other.hand(cs[0].s, os.fdopen(r, "rb"), cs[1].s, f, cs[2].s, flags=flags))
    for i, c in ((0, cs[0]), (2, cs[1]), (4, cs[2])):
        c.s.close()
        c.peer("sendall(b'hello')")
        print("one:", i, other(f"h.echo({i}, 5)"), c.peer("recv(5, MSG_WAITALL)"))
    os.write(w, b"pipe")
    print("others:", other("os.read(h[1].fileno(), 10)"), other("os.read(h[3].fileno(), 10)"))
    print("ended:", other.end(), [c.peer("recv(1)") for c in cs])
    for c in cs:
        c.end()


def too_many(ask, port, other):
    """More than the receiver has room for."""
    cs = [Conn(ask, port, "connected") for _ in range(2)]
    a, b = socket.socketpair()
    hand(a, *(c.s for c in cs))
    _, anc, flags, _ = b.recvmsg(10, socket.CMSG_LEN(4))
    print("truncated:", bool(flags & socket.MSG_CTRUNC), len(fds_in(anc)))
    s = opened(fds_in(anc)[0])
    print("the first:", s.send(b"x"), cs[0].peer("recv(1)"))
    for c in cs:
        c.s.close()
    print("the second:", cs[1].peer("recv(1)"))
    s.close()
    for c in cs:
        c.end()
    other.end()


class iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.POINTER(iovec)),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class mmsghdr(ctypes.Structure):
    _fields_ = [("hdr", msghdr), ("len", ctypes.c_uint)]


def vector(controls):
    """One message each, a byte long, and what must not be freed."""
    keep, v = [], (mmsghdr * len(controls))()
    for m, control in zip(v, controls):
        byte = ctypes.create_string_buffer(b"m", 1)
        buf = ctypes.create_string_buffer(control, len(control))
        io = iovec(ctypes.addressof(byte), 1)
        keep += [byte, buf, io]
        m.hdr = msghdr(None, 0, ctypes.pointer(io), 1, ctypes.addressof(buf), len(control), 0)
    return v, keep


def several_messages(ask, port, other):
    libc = ctypes.CDLL(None, use_errno=True)
    cs = [Conn(ask, port, kind) for kind in ("accepted", "connected", "connected")]
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    head = struct.pack("Nii", socket.CMSG_LEN(4), socket.SOL_SOCKET, socket.SCM_RIGHTS)
    v, keep = vector([head + struct.pack("i4x", c.s.fileno()) for c in cs])
    print("sendmmsg:", libc.sendmmsg(a.fileno(), v, 3, 0), [m.len for m in v])
    for c in cs:
        c.s.close()
    w, keep = vector([bytes(socket.CMSG_SPACE(4))] * 3)
    print("recvmmsg:", libc.recvmmsg(b.fileno(), w, 3, socket.MSG_CMSG_CLOEXEC, None), [m.len for m in w],
          [m.hdr.controllen for m in w])
    for m, c in zip(w, cs):
        fd = struct.unpack("i", ctypes.string_at(m.hdr.control + 16, 4))[0]
        s = opened(fd)
        print("one:", os.get_inheritable(fd), s.send(b"many"), c.peer("recv(4, MSG_WAITALL)"), s.close(), c.peer("recv(1)"))
        c.end()
    other.end()


def messages(_, port):
    ask = Peer()
    for bare in False, True:
        for flags in "0", "MSG_CMSG_CLOEXEC":
            print("-- to one", "without" if bare else "with", "the library,", flags)
            in_company(ask, port, Other(bare), flags)
    too_many(ask, port, Other(False))
    several_messages(ask, port, Other(False))


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]))

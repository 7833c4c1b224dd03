# SPDX-License-Identifier: BSD-2-Clause
"""Urgent data, as lines that are the same over xtcp and over the kernel; see server.py.

urgent.py read ADDR PORT      what a program sees of the peer's urgent bytes
urgent.py write ADDR PORT     what the peer, the kernel, sees of ours
urgent.py signals ADDR PORT   SIGURG and SIGIO
"""
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import termios
import time

from server import SETTLE, Conn, Peer, listener, tried

SIOCATMARK = 0x8905
OOB, PEEK, TRUNC, WAITALL, DONTWAIT = (socket.MSG_OOB, socket.MSG_PEEK, socket.MSG_TRUNC, socket.MSG_WAITALL,
                                       socket.MSG_DONTWAIT)
def ioctl_int(s, cmd):
    return struct.unpack("i", fcntl.ioctl(s, cmd, b"\0" * 4))[0]


def seen(c):
    """Mark, bytes to read, and what the four ways to wait say."""
    p = select.poll()
    p.register(c.s, select.POLLIN | select.POLLPRI | select.POLLRDHUP | select.POLLRDBAND)
    r, _, x = select.select([c.s], [], [c.s], 0)
    return (tried(ioctl_int, c.s, SIOCATMARK), tried(ioctl_int, c.s, termios.FIONREAD),
            [hex(e) for _, e in p.poll(0)], len(r), len(x))


def inline(c, on):
    c.s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, on)


def in_the_middle(c):
    print("nothing yet:", seen(c), c.recv(1, OOB), c.recv(1, OOB | PEEK))
    c.send(b"abc")
    c.send(b"d", OOB)
    c.send(b"efg")
    print("there:", seen(c))
    print("peek:", c.recv(1, OOB | PEEK), c.recv(5, OOB | PEEK), seen(c))
    print("into nothing:", c.recv(0, OOB | PEEK))
    print("out of band:", c.recv(5, OOB | WAITALL), seen(c))
    print("again:", c.recv(1, OOB), c.recv(1, OOB | PEEK))
    print("up to the mark:", c.recv(10, PEEK), c.recv(10), seen(c))
    print("behind:", c.recv(10), seen(c))


def left_alone(c):
    c.send(b"abc")
    c.send(b"d", OOB)
    c.send(b"efg")
    print("part:", c.recv(2), seen(c), c.recv(10), seen(c))
    print("at the mark:", c.recv(10, PEEK), seen(c), c.recv(2), seen(c))
    print("too late:", c.recv(1, OOB), c.recv(10))


def kept_inline(c):
    inline(c, 1)
    c.send(b"abc")
    c.send(b"d", OOB)
    c.send(b"efg")
    print("there:", seen(c), c.recv(1, OOB), c.recv(1, OOB | PEEK))
    print("peek stops:", c.recv(10, PEEK), "read stops:", c.recv(10), seen(c))
    print("the byte and more:", c.recv(10, PEEK), c.recv(1), seen(c), c.recv(10), seen(c))
    c.send(b"h", OOB)
    print("alone:", seen(c), c.recv(10), seen(c))


def switched(c):
    c.send(b"abc")
    c.send(b"d", OOB)
    inline(c, 1)
    print("inline since:", seen(c), c.recv(1, OOB), c.recv(10), c.recv(10), seen(c))
    c.send(b"e", OOB)
    inline(c, 0)
    print("out of band since:", seen(c), c.recv(1, OOB), seen(c), c.recv(10))
    c.send(b"fg", OOB)
    print("taken:", c.recv(1, OOB), seen(c))
    inline(c, 1)
    print("and inline:", seen(c), c.recv(1, OOB), c.recv(10), seen(c), c.recv(10), seen(c))
    inline(c, 0)


def several(c):
    c.send(b"1", OOB)
    print("first:", seen(c))
    c.send(b"2", OOB)
    print("second:", seen(c), c.recv(1, OOB), c.recv(10), seen(c), c.recv(10))
    c.send(b"ab3", OOB)
    c.send(b"cd4", OOB)
    c.send(b"e")
    print("of more:", seen(c), c.recv(10), seen(c), c.recv(1, OOB), c.recv(10), seen(c))
    c.send(b"5", OOB)
    print("read:", c.recv(1, OOB), seen(c))
    c.send(b"6", OOB)
    print("and another:", seen(c), c.recv(10), seen(c), c.recv(1, OOB), c.recv(10), seen(c))
    c.send(b"7", OOB)
    c.recv(1, OOB)
    c.send(b"x")
    c.send(b"8", OOB)
    print("one behind one that was read:", seen(c), c.recv(10), seen(c), c.recv(1, OOB), c.recv(10))


def at_the_read_position(c):
    c.send(b"u", OOB)
    print("alone:", seen(c), c.recv(10), c.recv(10, PEEK), seen(c))
    c.send(b"v")
    print("with one behind:", seen(c), c.recv(10, PEEK), c.recv(1), c.recv(1, OOB), seen(c))
    c.send(b"w", OOB)
    print("read first:", c.recv(1, OOB), seen(c), c.recv(10), seen(c))
    c.send(b"xyz")
    print("then data:", seen(c), c.recv(10), seen(c))


def ways_to_read(c):
    c.send(b"abc")
    c.send(b"d", OOB)
    c.send(b"efg")
    print("thrown away:", c.recv(10, TRUNC), seen(c), c.recv(1, OOB | TRUNC), c.recv(10, TRUNC), seen(c))
    c.send(b"abc")
    c.send(b"d", OOB)
    c.send(b"efg")
    c.s.setblocking(True)
    c.s.settimeout(None)
    c.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50000))
    print("all that is wanted:", c.recv(6, WAITALL), seen(c))
    print("more:", c.recv(6, WAITALL), c.recv(1, OOB))
    print("out of band doesn't wait:", c.recv(1, OOB), c.recv(1, OOB | WAITALL))
    c.s.setblocking(False)


def far_away(c):
    c.peer("setsockopt(SOL_SOCKET, SO_SNDBUF, 400000)")
    c.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 400000)
    c.send(b"a" * 100000)
    c.send(b"u", OOB)
    time.sleep(0.05)
    print("far away:", seen(c), c.recv(1, OOB))
    n = 0
    while not ioctl_int(c.s, SIOCATMARK):
        n += c.recv(7000)[1]
    print("up to it:", n, seen(c), c.recv(10))


def at_the_end(c):
    c.send(b"ab")
    c.send(b"u", OOB)
    c.peer("shutdown(SHUT_WR)")
    print("behind it the end:", seen(c), c.recv(1, OOB), c.recv(10), seen(c), c.recv(10), c.recv(1, OOB))


def end_unread(c):
    c.send(b"u", OOB)
    c.peer("shutdown(SHUT_WR)")
    print("the end at it:", seen(c), c.recv(10), c.recv(10), c.recv(1, OOB), seen(c))


def after_reset(c):
    c.send(b"u", OOB)
    c.ask("reset", c.key)
    time.sleep(SETTLE)
    print("reset:", seen(c), c.recv(1, OOB), c.recv(10), c.recv(10), c.recv(1, OOB), seen(c))
    c.key = None


def shut_down(c):
    c.send(b"u", OOB)
    c.s.shutdown(socket.SHUT_RD)
    print("shut down:", seen(c), c.recv(1, OOB), c.recv(10), c.recv(1, OOB))


def edges(c):
    ep = select.epoll()
    ep.register(c.s, select.EPOLLPRI | select.EPOLLET)
    print("epoll, nothing:", [hex(e) for _, e in ep.poll(0)])
    c.send(b"abc")
    print("data:", [hex(e) for _, e in ep.poll(0)])
    c.send(b"d", OOB)
    print("urgent:", [hex(e) for _, e in ep.poll(0.2)], [hex(e) for _, e in ep.poll(0)])
    ep.modify(c.s, select.EPOLLPRI)
    print("level:", [hex(e) for _, e in ep.poll(0.2)], [hex(e) for _, e in ep.poll(0)])
    ep.modify(c.s, select.EPOLLIN | select.EPOLLPRI)
    print("both:", [hex(e) for _, e in ep.poll(0.2)])
    c.recv(1, OOB)
    print("taken:", [hex(e) for _, e in ep.poll(0)])
    c.recv(10)
    print("read:", [hex(e) for _, e in ep.poll(0)])
    c.send(b"x")
    c.send(b"e", OOB)
    print("again:", [hex(e) for _, e in ep.poll(0.2)])
    print("read over it:", c.recv(10), [hex(e) for _, e in ep.poll(0)])
    c.send(b"y")
    print("and on:", c.recv(10), [hex(e) for _, e in ep.poll(0)])
    ep.modify(c.s, select.EPOLLIN)
    c.send(b"f", OOB)
    print("not asked for:", [hex(e) for _, e in ep.poll(0.05)])
    ep.modify(c.s, select.EPOLLPRI)
    print("asked for late:", [hex(e) for _, e in ep.poll(0.2)], c.recv(1, OOB), [hex(e) for _, e in ep.poll(0)])
    ep.close()


def elsewhere(port):
    s = socket.socket()
    print("fresh:", tried(s.recv, 1, OOB), tried(s.send, b"x", OOB | socket.MSG_NOSIGNAL),
          tried(ioctl_int, s, SIOCATMARK))
    s.bind(("", port + 1))
    s.listen()
    print("listening:", tried(s.recv, 1, OOB), tried(s.send, b"x", OOB | socket.MSG_NOSIGNAL),
          tried(ioctl_int, s, SIOCATMARK))
    s.close()


def read(_, port):
    ask = Peer()
    lis = listener(port)
    for f in (in_the_middle, left_alone, kept_inline, switched, several, at_the_read_position, ways_to_read,
              far_away, at_the_end, end_unread, after_reset, shut_down, edges):
        c = Conn(ask, lis)
        print(f"-- {f.__name__}", flush=True)
        f(c)
        c.close()
    elsewhere(port)


def write(_, port):
    ask = Peer()
    lis = listener(port)
    c = Conn(ask, lis)
    mark = "struct.unpack('i', __import__('fcntl').ioctl(p['c1'], 0x8905, b'0000'))"
    take = "p['c1'].recvmsg(10, 0, MSG_DONTWAIT{})[0:3:2]"

    def told(what):
        time.sleep(SETTLE)
        print(what, ask("do", mark), ask("do", take.format(" | MSG_OOB")), ask("do", take.format("")),
              ask("do", take.format("")), ask("do", mark))

    print("sent:", c.s.send(b"abc"), c.s.send(b"d", OOB), c.s.send(b"ef"))
    told("alone:")
    print("sent:", c.s.send(b"abc", OOB), c.s.send(b"def", OOB))
    told("the last of each:")
    print("nothing:", c.s.send(b"", OOB))
    told("nothing:")
    print("with more:", c.s.send(b"g", OOB | socket.MSG_MORE), c.s.send(b"h"))
    told("with more:")
    c.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    print("corked:", c.s.send(b"i"), c.s.send(b"j", OOB), c.s.send(b"k"))
    told("corked:")
    c.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    told("uncorked:")
    c.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print("sent:", c.s.sendmsg([b"lm", b"no"], [], OOB), c.s.send(b"p"))
    told("a vector:")
    c.s.shutdown(socket.SHUT_WR)
    print("after the end:", tried(c.s.send, b"q", OOB | socket.MSG_NOSIGNAL))
    c.close()


# ---- signals ----

F_SETSIG, F_GETSIG, F_SETOWN_EX, F_GETOWN_EX = 10, 11, 15, 16
FIOSETOWN, SIOCSPGRP, FIOGETOWN, SIOCGPGRP = 0x8901, 0x8902, 0x8903, 0x8904
RT = signal.SIGRTMIN + 3
BAND = {1: "IN", 2: "OUT", 4: "ERR", 5: "PRI", 6: "HUP", 3: "MSG"}


def pending(*sigs):
    """What has come since, with what it tells."""
    out = []
    time.sleep(SETTLE)
    while i := signal.sigtimedwait(set(sigs), 0):
        said = (signal.Signals(i.si_signo).name if i.si_signo != RT else "RT",)
        if i.si_signo == RT:
            said += (BAND.get(i.si_code, i.si_code), hex(i.si_band))
        if said not in out:
            out.append(said)
    return out


def owner(s):
    kind, who = struct.unpack("ii", fcntl.fcntl(s, F_GETOWN_EX, b"\0" * 8))
    return kind, {os.getpid(): "mine", 0: "nobody"}.get(who, "?")


def own(c, what, f, *args):
    r = tried(f, *args)
    print(f"{what}:", r if isinstance(r, str) else "ok", *owner(c.s))
    c.send(b"u", OOB)
    print("  signals:", pending(signal.SIGURG, signal.SIGIO), "byte:", c.recv(1, OOB)[0])


def owners(ask, lis):
    c = Conn(ask, lis)
    me = os.getpid()
    group = os.getpgrp()
    own(c, "nobody", fcntl.fcntl, c.s, fcntl.F_GETOWN)
    own(c, "F_SETOWN", fcntl.fcntl, c.s, fcntl.F_SETOWN, me)
    own(c, "F_SETOWN group", fcntl.fcntl, c.s, fcntl.F_SETOWN, -group)
    own(c, "none again", fcntl.fcntl, c.s, fcntl.F_SETOWN, 0)
    own(c, "no such process", fcntl.fcntl, c.s, fcntl.F_SETOWN, 99999999)
    own(c, "SIOCSPGRP", fcntl.ioctl, c.s, SIOCSPGRP, struct.pack("i", me))
    print("SIOCGPGRP:", ioctl_int(c.s, SIOCGPGRP) == me)
    own(c, "SIOCSPGRP none", fcntl.ioctl, c.s, SIOCSPGRP, struct.pack("i", 0))
    own(c, "FIOSETOWN group", fcntl.ioctl, c.s, FIOSETOWN, struct.pack("i", -group))
    print("FIOGETOWN:", ioctl_int(c.s, FIOGETOWN) == -group)
    own(c, "F_SETOWN_EX thread", fcntl.fcntl, c.s, F_SETOWN_EX, struct.pack("ii", 0, me))
    print("F_GETOWN_EX:", struct.unpack("ii", fcntl.fcntl(c.s, F_GETOWN_EX, b"\0" * 8)) == (0, me))
    own(c, "F_SETOWN_EX wrong", fcntl.fcntl, c.s, F_SETOWN_EX, struct.pack("ii", 7, me))
    own(c, "F_SETOWN_EX group", fcntl.fcntl, c.s, F_SETOWN_EX, struct.pack("ii", 2, group))
    fcntl.fcntl(c.s, fcntl.F_SETOWN, me)
    inline(c, 1)
    c.send(b"u", OOB)
    print("inline:", pending(signal.SIGURG), c.recv(10))
    c.send(b"data")
    print("data is not urgent:", pending(signal.SIGURG), c.recv(10))
    c.close()


def before(ask, lis):
    fcntl.fcntl(lis, fcntl.F_SETOWN, os.getpid())
    c = Conn(ask, lis)
    print("a listener's owner is not inherited:", fcntl.fcntl(c.s, fcntl.F_GETOWN))
    c.close()
    fcntl.fcntl(lis, fcntl.F_SETOWN, 0)


def asynchronous(ask, lis):
    c = Conn(ask, lis)
    fcntl.fcntl(c.s, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(c.s, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
    c.send(b"x")
    print("O_ASYNC, data:", pending(signal.SIGIO, signal.SIGURG), c.recv(10)[0])
    c.send(b"u", OOB)
    print("urgent:", pending(signal.SIGIO, signal.SIGURG), c.recv(1, OOB)[0])
    print("F_SETSIG:", fcntl.fcntl(c.s, F_SETSIG, RT), fcntl.fcntl(c.s, F_GETSIG) == RT)
    c.send(b"y")
    print("data:", pending(signal.SIGIO, signal.SIGURG, RT), c.recv(10)[0])
    c.send(b"v", OOB)
    print("urgent:", ("SIGURG",) in pending(signal.SIGIO, signal.SIGURG, RT), c.recv(1, OOB)[0])
    c.peer("shutdown(SHUT_WR)")
    print("end:", pending(signal.SIGIO, signal.SIGURG, RT))
    fcntl.fcntl(c.s, F_SETSIG, 0)
    fcntl.fcntl(c.s, fcntl.F_SETFL, os.O_NONBLOCK)
    c.ask("reset", c.key)
    print("not asked for:", pending(signal.SIGIO, signal.SIGURG, RT))
    c.s.close()
    fcntl.fcntl(lis, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lis, fcntl.F_SETFL, os.O_ASYNC)
    ask("open", "l", lis.getsockname()[1])
    print("listener:", pending(signal.SIGIO, signal.SIGURG))
    lis.accept()[0].close()
    fcntl.fcntl(lis, fcntl.F_SETFL, 0)


def signals(_, port):
    ask = Peer()
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG, signal.SIGIO, RT})
    lis = listener(port)
    for f in (owners, before, asynchronous):
        print(f"-- {f.__name__}", flush=True)
        f(ask, lis)


globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]))

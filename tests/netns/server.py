# SPDX-License-Identifier: BSD-2-Clause
"""What a server's program sees, as lines that are the same over xtcp and over the kernel.

server.py states ADDR PORT   prints; asks its peer (server.py peer) for connections by lines on fd 3
server.py options ADDR PORT
server.py asyncio PORT       echoes
server.py peer ADDR          reads lines "verb connection rest" and does what they say: open, data, close,
                             reset, read, refused; do: the expression that follows, where p holds the connections
"""
import asyncio
import errno
import os
import select
import socket
import struct
import sys
import time


def name(e):
    return errno.errorcode.get(e.errno, e.errno)


def tried(f, *args):
    try:
        r = f(*args)
        return "ok" if r is None else r
    except OSError as e:
        return name(e)


# ---- the other side: connections to order ----

def shown(expr, p):
    try:
        return repr(eval(expr, {**vars(socket), "p": p, "select": select, "struct": struct, "addr": p.addr}))
    except OSError as e:
        return name(e)


class Conns(dict):
    """Those of the peer, by their names."""
    addr = ""


def peer(addr):
    conns = Conns()
    conns.addr = addr
    print("ready", flush=True)
    for line in sys.stdin:
        if line.startswith("do "):
            print(shown(line[3:].strip(), conns), flush=True)
            continue
        verb, key, *rest = line.split()
        if verb == "open":
            conns[key] = socket.create_connection((addr, int(rest[0])), 5)
            conns[key].settimeout(None)
        elif verb == "refused":
            s = socket.socket()
            s.settimeout(5)
            print(tried(s.connect, (addr, int(rest[0]))), flush=True)
            s.close()
            continue
        elif verb == "data":
            conns[key].sendall(b"hello")
        elif verb == "reset":
            conns[key].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            conns.pop(key).close()
        elif verb == "close":
            conns.pop(key).close()
        elif verb == "read":
            conns[key].settimeout(5)
            print(tried(conns[key].recv, 10), flush=True)
            continue
        print("done", flush=True)


class Peer:
    def __init__(self):
        self.out = os.fdopen(3, "w")
        self.inp = os.fdopen(4, "r")
        self.inp.readline()

    def __call__(self, *words):
        print(*words, file=self.out, flush=True)
        return self.inp.readline().strip()


SETTLE = 0.02


class Conn:
    """A connection with the peer, which knows it under the same name."""
    count = 0

    def __init__(self, ask, lis):
        Conn.count += 1
        self.ask, self.key = ask, f"c{Conn.count}"
        ask("open", self.key, lis.getsockname()[1])
        self.s, _ = lis.accept()
        self.s.setblocking(False)

    def peer(self, expr):
        r = self.ask("do", f"p[{self.key!r}].{expr}")
        time.sleep(SETTLE)
        return r

    def send(self, data, flags=0):
        self.peer(f"send({data!r}, {int(flags)})")

    def later(self, secs, data):
        """The peer sends, while we go on."""
        self.ask("do", f"__import__('threading').Timer({secs}, p[{self.key!r}].sendall, ({data!r},)).start()")

    def recv(self, n, flags=0):
        """Data and the flags that come with it."""
        try:
            data, _, fl, _ = self.s.recvmsg(n, 0, flags)
            return b"" if flags & socket.MSG_TRUNC else data[:40], len(data), hex(fl & ~socket.MSG_CMSG_CLOEXEC)
        except OSError as e:
            return name(e)

    def close(self):
        self.s.close()
        if self.key:
            self.ask("close", self.key)


# ---- what is seen ----

def ready(s, secs=0.0):
    p = select.poll()
    p.register(s, select.POLLIN | select.POLLOUT | select.POLLRDHUP)
    ep = select.epoll()
    ep.register(s, select.EPOLLIN)
    n = len(ep.poll(secs))
    r, _, _ = select.select([s], [], [], secs)
    return [hex(x[1]) for x in p.poll(secs * 1000)], n, len(r)


def listener(port, addr="", backlog=5, **opts):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for o in opts:
        s.setsockopt(socket.SOL_SOCKET, getattr(socket, o), opts[o])
    s.bind((addr, port))
    s.listen(backlog)
    return s


def wait_in(s):
    select.select([s], [], [], 5)


def states(addr, port):
    ask = Peer()
    s = socket.socket()
    print("accept, fresh:", tried(s.accept))
    print("shutdown, fresh:", tried(s.shutdown, socket.SHUT_RD))
    print("listen, not bound:", tried(s.listen, 5), s.getsockname()[0], s.getsockname()[1] > 0)
    print("listen again:", tried(s.listen, 0), tried(s.listen, -1))
    print("bind, listening:", tried(s.bind, ("", port)))
    print("connect, listening:", tried(s.connect, (addr, 9)))
    print("send, recv, listening:", tried(s.send, b"x"), tried(s.recv, 1))
    print("peer name, listening:", tried(s.getpeername))
    print("SHUT_WR:", tried(s.shutdown, socket.SHUT_WR))
    s.close()

    s = listener(port)
    s.setblocking(False)
    print("accept, none there:", tried(s.accept))
    print("ready, none there:", ready(s))
    ask("open", "a", port)
    wait_in(s)
    print("ready, one there:", ready(s, 1))
    c, who = s.accept()
    print("accepted:", who[0], c.getsockname(), who == c.getpeername())
    print("its flags:", c.getblocking(), os.get_inheritable(c.fileno()))
    print("ready, none left:", ready(s))
    c.setblocking(True)
    ask("data", "a")
    print("data:", c.recv(10))
    print("its state:", c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1))
    print("listen on it:", tried(c.listen, 5))
    print("accept on it:", tried(c.accept))
    ask("close", "a")
    print("end:", c.recv(10))
    c.close()

    ask("open", "b", port)
    wait_in(s)
    ask("data", "b")
    ask("close", "b")
    time.sleep(0.05)
    c, who = s.accept()
    print("finished before accept:", c.recv(10), c.recv(10))
    c.close()

    ask("open", "r", port)
    wait_in(s)
    ask("reset", "r")
    time.sleep(0.05)
    print("ready, reset before accept:", ready(s))
    c, who = s.accept()
    print("reset before accept:", who[0], tried(c.recv, 10), tried(c.recv, 10), tried(c.getpeername))
    c.close()

    ask("open", "k", port)
    wait_in(s)
    print("shutdown, listening:", tried(s.shutdown, socket.SHUT_RD))
    print("accept, after:", tried(s.accept))
    print("ready, after:", ready(s))
    print("the waiting one is reset:", ask("read", "k"))
    print("nobody listens:", ask("refused", "-", port))
    print("name, after:", s.getsockname()[1] == port)
    print("listens again:", tried(s.listen, 5))
    ask("open", "l", port)
    wait_in(s)
    c, who = s.accept()
    print("accepts again:", who[0])
    c.close()
    print("end:", ask("read", "l"))
    print("shutdown of both:", tried(s.shutdown, socket.SHUT_RDWR), tried(s.accept))
    s.close()

    s = listener(port)
    ask("open", "m", port)
    wait_in(s)
    s.close()
    print("closed listener, the waiting one:", ask("read", "m"))
    print("nobody listens:", ask("refused", "-", port))
    addresses(addr, port, ask)
    taken(addr, port)
    threads(addr, port, ask)


def addresses(addr, port, ask):
    s = listener(port, addr)
    print("bound to an address:", s.getsockname())
    ask("open", "n", port)
    c, who = s.accept()
    print("reached:", c.getsockname())
    c.close()
    ask("close", "n")
    s.close()
    print("after an active close:", tried(listener, port, addr).__class__.__name__)


def taken(addr, port):
    port += 1
    for first, second in (("", ""), ("", addr), (addr, ""), (addr, addr)):
        s = listener(port, first)
        t = socket.socket()
        print("port is taken:", first or "any", second or "any", tried(t.bind, (second, port)))
        t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        print("  also with SO_REUSEADDR:", tried(t.bind, (second, port)))
        t.close()
        s.close()
    for flags in ((1, 1), (1, 0), (0, 1)):
        a, b = socket.socket(), socket.socket()
        for s, flag in zip((a, b), flags):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, flag)
        print("SO_REUSEPORT:", flags, tried(a.bind, ("", port)), tried(a.listen), tried(b.bind, ("", port)),
              tried(b.listen))
        a.close()
        b.close()
    for flags in ((1, 1), (1, 0), (0, 1)):
        a, b = socket.socket(), socket.socket()
        for s, flag in zip((a, b), flags):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, flag)
        print("SO_REUSEADDR, two bound:", flags, tried(a.bind, ("", port)), tried(b.bind, ("", port)),
              tried(a.listen), tried(b.listen))
        a.close()
        b.close()


def threads(addr, port, ask):
    import threading
    s = listener(port + 2)
    got = []
    t = threading.Thread(target=lambda: got.append(tried(s.accept)))
    t.start()
    time.sleep(0.1)
    print("shutdown of a listener that is waited for:", tried(s.shutdown, socket.SHUT_RDWR))
    t.join(5)
    print("accept() ends with:", got)
    s.close()
    s = listener(port + 2)
    s.settimeout(0.05)
    try:
        print("time-out:", s.accept())
    except TimeoutError:
        print("time-out: yes")
    s.settimeout(None)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50000))
    print("SO_RCVTIMEO:", tried(s.accept))
    s.close()
    s = socket.socket()
    s.setblocking(False)
    print("connecting:", tried(s.connect, ("10.99.0.77", 9)))
    print("shutdown, connecting:", tried(s.shutdown, socket.SHUT_RDWR), ready(s))
    print("and then:", tried(s.connect, ("10.99.0.77", 9)))
    s.close()


# Every option that can be set to one of these values on a listener: what its child has.
LEVELS = {socket.SOL_SOCKET: range(1, 48), socket.IPPROTO_TCP: range(1, 45), socket.IPPROTO_IP: range(1, 52)}
VALUES = (1, 2, 3, 5000, 100000)
# Set elsewhere or of a kind that is no number: names, filters, times; the peer's; and what shows
# how busy the machine is.
PASSED_OVER = {
    socket.SOL_SOCKET: {4, 17, 25, 26, 27, 28, 29, 31, 33, 35, 37, 38, 39, 40},
    socket.IPPROTO_TCP: {11, 13, 16, 19, 26, 27, 28, 29, 30, 31, 33, 34, 35, 36, 37, 38, 39, 40},
    socket.IPPROTO_IP: {4, 9, 16, 17, 21, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 64, 65},
}


def got(s, level, opt):
    v = tried(s.getsockopt, level, opt, 64)
    return v.hex() if isinstance(v, bytes) else v


def options(addr, port):
    ask = Peer()
    for level, opts in LEVELS.items():
        for opt in opts:
            if opt in PASSED_OVER[level]:
                continue
            option(ask, port, level, opt)


def option(ask, port, level, opt):
    for val in VALUES:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        was = got(s, level, opt)
        res = tried(s.setsockopt, level, opt, val)
        if res == "ok" and got(s, level, opt) != was:
            s.bind(("", port))
            s.listen(5)
            ask("open", "o", port)
            ask("data", "o")   # TCP_DEFER_ACCEPT waits for it
            c, _ = s.accept()
            print(level, opt, val, "listener", got(s, level, opt), "child", got(c, level, opt), flush=True)
            ask("reset", "o")
            c.close()
            s.close()
            return
        s.close()


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve(port):
    server = await asyncio.start_server(echo, "0.0.0.0", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "asyncio":
        asyncio.run(serve(int(sys.argv[2])))
    elif sys.argv[1] == "peer":
        peer(sys.argv[2])
    else:
        globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]))

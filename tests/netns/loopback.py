# SPDX-License-Identifier: BSD-2-Clause
"""What a program sees that connects to itself: loopback.py OWN-ADDRESS [fork].  What it prints over xtcp with
--loopback must be what it prints over the kernel."""
import errno
import os
import select
import socket
import struct
import sys
import threading

OWN = sys.argv[1]


def told(what, f, *args):
    try:
        print(what, f(*args))
    except OSError as e:
        print(what, errno.errorcode[e.errno])


def named(a, names):
    """Ports by what they are, as they differ from run to run."""
    return "%s:%s" % (a[0], names.get(a[1], "?")) if isinstance(a, tuple) else a


def listen(addr, family=socket.AF_INET):
    s = socket.socket(family)
    s.bind((addr, 0))
    s.listen(5)
    return s


def info(s):
    b = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return {"state": b[0], "options": b[5], "scale": b[6], "snd_mss": struct.unpack_from("I", b, 16)[0],
            "advmss": struct.unpack_from("I", b, 84)[0], "pmtu": struct.unpack_from("I", b, 60)[0],
            "maxseg": s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)}


def names():
    for bind, to in (("127.0.0.1", "127.0.0.1"), ("", "127.0.0.1"), ("", "127.0.0.5"), ("127.1.2.3", "127.1.2.3"),
                     ("", "0.0.0.0"), ("", OWN), (OWN, OWN)):
        s = listen(bind)
        c = socket.create_connection((to, s.getsockname()[1]))
        a, peer = s.accept()
        ports = {s.getsockname()[1]: "server", c.getsockname()[1]: "client"}
        print(bind, to, *(named(n, ports) for n in (s.getsockname(), c.getsockname(), c.getpeername(),
                                                     a.getsockname(), a.getpeername(), peer)))
        print(info(c), info(a))
        c.sendall(b"there")
        a.sendall(b"and back")
        print(a.recv(100), c.recv(100))
        c.close()
        print(a.recv(100))
        a.close()
        s.close()


def sources():
    s = listen("")
    to = s.getsockname()[1]
    for frm, addr in (("127.0.0.9", "127.0.0.1"), (OWN, "127.0.0.1"), ("127.0.0.1", OWN), ("127.0.0.1", "0.0.0.0"),
                      (OWN, "0.0.0.0")):
        c = socket.socket()
        c.bind((frm, 0))
        told("from %s to %s:" % (frm, addr), lambda: (c.connect((addr, to)), c.getsockname()[0], c.getpeername()[0])[1:])
        c.close()
    c = socket.socket()
    c.bind(("127.0.0.1", 0))
    told("from 127.0.0.1 to elsewhere:", c.connect, ("192.0.2.1", 80))
    told("to 127.255.255.255:", socket.socket().connect, ("127.255.255.255", 80))
    s.close()


def refusals():
    told("nobody:", socket.socket().connect, ("127.0.0.1", 9))
    told("nobody there:", socket.socket().connect, (OWN, 9))
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    told("bound, not listening:", socket.socket().connect, s.getsockname())
    told("itself:", s.connect, s.getsockname())
    s.sendall(b"me")
    print(s.recv(9), s.getsockname() == s.getpeername(), info(s)["state"])
    s.shutdown(socket.SHUT_WR)
    print(s.recv(9))
    a, b = listen("127.0.0.1"), socket.socket()
    told("the same port:", b.bind, a.getsockname())
    told("the same port, another address:", b.bind, ("127.0.0.2", a.getsockname()[1]))
    told("the same port, all addresses:", socket.socket().bind, ("", a.getsockname()[1]))
    told("not an address:", socket.socket().bind, ("192.0.2.1", 0))


def pair(family=socket.AF_INET):
    s = listen("127.0.0.1")
    c = socket.create_connection(s.getsockname())
    a = s.accept()[0]
    s.close()
    return c, a


def endings():
    c, a = pair()
    a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    a.close()
    told("reset:", c.recv, 9)
    told("after it:", c.recv, 9)
    c, a = pair()
    c.sendall(b"unread")
    a.recv(1, socket.MSG_PEEK)
    a.close()
    told("closed with data unread:", c.recv, 9)
    c, a = pair()
    c.shutdown(socket.SHUT_WR)
    print(a.recv(9), info(c)["state"], info(a)["state"])
    a.sendall(b"half")
    print(c.recv(9))
    a.close()
    print(c.recv(9), info(c)["state"])
    c, a = pair()
    c.sendall(b"abc")
    c.send(b"!", socket.MSG_OOB)
    c.sendall(b"def")
    print(a.recv(9), a.recv(9, socket.MSG_OOB), a.recv(9))


def events():
    s = listen("127.0.0.1")
    p = select.poll()
    p.register(s, select.POLLIN)
    print(p.poll(0))
    c = socket.socket()
    c.setblocking(False)
    print(errno.errorcode.get(c.connect_ex(s.getsockname())))
    q = select.epoll()
    q.register(c, select.EPOLLOUT | select.EPOLLIN | select.EPOLLET)
    print(len(p.poll(5000)), [e for _, e in q.poll(5)], c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    a = s.accept()[0]
    print(q.poll(0))
    a.sendall(b"x")
    print([e for _, e in q.poll(5)], c.recv(9))
    a.close()
    print([e for _, e in q.poll(5)], c.recv(9))
    s.close()


def refused():
    c = socket.socket()
    c.setblocking(False)
    c.connect_ex(("127.0.0.1", 9))
    print(select.select([c], [c], [], 5)[1] == [c], errno.errorcode[c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)])


def six():
    s = listen("::", socket.AF_INET6)
    for addr in ("::ffff:127.0.0.1", "::1"):
        c = socket.socket(socket.AF_INET6)
        c.connect((addr, s.getsockname()[1]))
        a, peer = s.accept()
        print(c.getsockname()[0], c.getpeername()[0], a.getsockname()[0], peer[0], peer[1] == c.getsockname()[1])
        c.sendall(b"six")
        print(a.recv(9))
    c = socket.create_connection(("127.0.0.1", s.getsockname()[1]))
    print(s.accept()[1][0])
    told("localhost:", lambda: socket.getaddrinfo("localhost", 80, socket.AF_INET, socket.SOCK_STREAM))


def bulk():
    """Nagle and delayed ACKs: small writes, answers and a stream, with an end to it."""
    c, a = pair()
    for n in (1, 100, 5000):
        for _ in range(200):
            c.sendall(b"q" * n)
            c.sendall(b"r" * n)
            got = 0
            while got < 2 * n:
                got += len(a.recv(2 * n - got))
            a.sendall(b"s")
            c.recv(1)
    got = []
    t = threading.Thread(target=lambda: got.append(sum(iter(lambda: len(a.recv(1 << 16)), 0))))
    t.start()
    for _ in range(32):
        c.sendall(bytes(1 << 20))
    c.shutdown(socket.SHUT_WR)
    t.join()
    print(got)


def child(f):
    """f in a forked child; what it says is printed."""
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            text = f()
        except OSError as e:
            text = errno.errorcode[e.errno]
        os.write(w, str(text).encode())
        os._exit(0)
    os.close(w)
    return pid, r


def ask(addr):
    c = socket.create_connection(addr, 10)
    names = c.getpeername() == addr, c.getsockname()[0]
    c.sendall(b"hello")
    c.shutdown(socket.SHUT_WR)
    return c.recv(100), names


def answer(s):
    a, peer = s.accept()
    a.sendall(a.recv(100).upper())
    a.close()
    return peer[0]


def fork():
    s = listen("127.0.0.1")
    pid, r = child(lambda: ask(s.getsockname()))          # the parent listens, the child connects
    print(answer(s), os.read(r, 1000))
    os.waitpid(pid, 0)
    pid, r = child(lambda: answer(s))                     # the other way round
    print(ask(s.getsockname()), os.read(r, 1000))
    os.waitpid(pid, 0)
    c = socket.create_connection(s.getsockname())         # one end each
    a = s.accept()[0]
    pid, r = child(lambda: (a.sendall(b"from the child"), a.recv(100))[1])
    a.close()
    print(c.recv(100), c.sendall(b"to the child"), os.read(r, 1000))
    os.waitpid(pid, 0)
    print(c.recv(100))
    p, q = os.pipe()                                      # the child listens

    def serve():
        t = listen("127.0.0.1")
        os.write(q, struct.pack("H", t.getsockname()[1]))
        return answer(t)
    pid, r = child(serve)
    print(ask(("127.0.0.1", struct.unpack("H", os.read(p, 2))[0])), os.read(r, 1000))
    os.waitpid(pid, 0)


def others():
    """A server in another process, and what a socket of its own had before."""
    p, q = os.pipe()

    def serve():
        t = listen("127.0.0.1")
        os.write(q, struct.pack("H", t.getsockname()[1]))
        answer(t)
        a = t.accept()[0]
        return a.recv(1)
    first = listen("127.0.0.1")                           # or they would have nothing to do with each other
    pid, r = child(serve)
    first.close()
    to = "127.0.0.1", struct.unpack("H", os.read(p, 2))[0]
    c = socket.socket()
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
    q = select.epoll()
    q.register(c, select.EPOLLIN)
    c.settimeout(10)
    c.connect(to)
    print(c.getpeername() == to, c.getsockname()[0], [c.getsockopt(*o) for o in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY), (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), (socket.SOL_SOCKET, socket.SO_ERROR),
        (socket.SOL_SOCKET, socket.SO_TYPE))], info(c)["state"])
    told("again:", c.connect, to)
    c.sendall(b"other")
    c.shutdown(socket.SHUT_WR)
    print(q.poll(10)[0][0] == c.fileno(), c.recv(9), c.recv(9))
    c = socket.create_connection(to)
    c.sendall(b"x")
    print(os.read(r, 1000), c.recv(9))
    os.waitpid(pid, 0)


for part in sys.argv[2:]:
    globals()[part]()

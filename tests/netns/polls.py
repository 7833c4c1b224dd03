# SPDX-License-Identifier: BSD-2-Clause
"""poll() and select() of many sockets, among pipes and sockets of the kernel: what they say, a line each.

    polls.py serve PORT             the server, which echoes
    polls.py ADDR PORT COUNT...     so many connections
"""
import os
import resource
import select
import selectors
import socket
import sys
import threading
import time

NAMES = [(select.POLLIN, "IN"), (select.POLLOUT, "OUT"), (select.POLLERR, "ERR"), (select.POLLHUP, "HUP"),
         (select.POLLRDHUP, "RDHUP"), (select.POLLNVAL, "NVAL")]


def words(bits):
    return "|".join(name for bit, name in NAMES if bits & bit)


class Crowd:
    """Connections with a pipe and a pair of the kernel's after each tenth; what is read is named by its place."""

    def __init__(self, to, n):
        self.conns, self.fds, self.names = [], [], {}
        for i in range(n):
            s = socket.create_connection(to)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.conns.append(s)
            self.add(s.fileno(), f"conn {i}")
            if i % 10 == 0:
                self.pipe = os.pipe()
                self.add(self.pipe[0], f"pipe {i}")
                self.pair = socket.socketpair()
                self.add(self.pair[0].fileno(), f"pair {i}")
                self.keep = getattr(self, "keep", []) + [self.pair]

    def add(self, fd, name):
        self.fds.append(fd)
        self.names[fd] = name

    def told(self, ready):
        return [f"{self.names[fd]} {words(bits)}" for fd, bits in ready]

    def poll(self, timeout=0, events=select.POLLIN):
        p = select.poll()
        for fd in self.fds:
            p.register(fd, events)
        return self.told(p.poll(timeout))

    def select(self, timeout=0):
        return [self.names[fd] for fd in select.select(self.fds, [], [], timeout)[0]]

    def until(self, count):
        """What is ready, when so many are."""
        end = time.monotonic() + 20
        while len(ready := self.poll(100)) < count and time.monotonic() < end:
            time.sleep(0.005)
        return ready


def show(what, ready):
    print(what, len(ready), *ready[:8], sep="; ")


def several(c, n):
    places = sorted({0, n // 2, n - 1})
    for some in ([0], [n - 1], places):
        for i in some:
            c.conns[i].send(b"x")
        show(f"{some}", c.until(len(some)))
        if max(c.fds) < 1024:
            show("select", c.select())
        os.write(c.pipe[1], b"p")
        c.pair[1].send(b"u")
        show("and others", c.until(len(some) + 2))
        os.read(c.pipe[0], 1)
        c.pair[0].recv(1)
        for i in some:
            c.conns[i].recv(1)
        show("none", c.poll())


def until_asleep(tid):
    seen = 0
    while seen < 5:
        time.sleep(0.005)
        with open(f"/proc/self/task/{tid}/stat") as f:
            seen = seen + 1 if f.read().rpartition(") ")[2].startswith("S") else 0


def asleep(c, what, act, finish):
    """A poll() that sleeps while another thread acts, and then lets data come."""
    me = threading.get_native_id()

    def other():
        until_asleep(me)
        act()
        time.sleep(0.05)
        finish()
    t = threading.Thread(target=other)
    t.start()
    show(what, c.poll(20000))
    t.join()


def moved(c, to, n):
    """Numbers that are closed, and become others', while poll() sleeps on them."""
    first, last = c.conns[0], c.conns[n - 1]

    def nothing():
        pass
    asleep(c, "data for the last", nothing, lambda: last.send(b"x"))
    last.recv(1)
    if n < 9:
        return
    asleep(c, "one is closed", lambda: os.close(c.conns[n - 2].fileno()), lambda: first.send(b"x"))
    first.recv(1)
    c.fds.remove(c.conns[n - 2].detach())
    with socket.create_connection(to) as new:
        new.send(b"new")
        new.recv(3, socket.MSG_PEEK)
        asleep(c, "one is replaced", lambda: os.dup2(new.fileno(), last.fileno()), lambda: first.send(b"x"))
    first.recv(1)
    show("by what is ready", c.poll())
    show("all can be written to", [r.split()[0] for r in c.poll(0, select.POLLOUT)])


def serve(port):
    """A backlog for all of them: a SYN that is dropped costs a second."""
    listener = socket.create_server(("", port), backlog=2000)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            try:
                data = key.fileobj.recv(1000)
                key.fileobj.sendall(data)
            except OSError:
                data = b""
            if not data:
                selector.unregister(key.fileobj)
                key.fileobj.close()


resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
server = sys.argv[1], int(sys.argv[2])
for number in sys.argv[3:]:
    print(number, "connections")
    crowd = Crowd(server, int(number))
    show("none", crowd.poll())
    several(crowd, int(number))
    moved(crowd, server, int(number))
    for conn in crowd.conns:
        conn.close()

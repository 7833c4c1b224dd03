# SPDX-License-Identifier: BSD-2-Clause
"""What epoll_wait() gives, step by step; printed, so that two TCPs can be compared.

epoll.py serve PORT         does what a connection asks for: "N\\n" sends N bytes in one piece, "0\\n" ends
epoll.py see ADDR PORT STEP...
"""
import os
import select
import socket
import sys
import threading
import time

IN, OUT, RDHUP, HUP, ET, ONESHOT = (select.EPOLLIN, select.EPOLLOUT, select.EPOLLRDHUP, select.EPOLLHUP, select.EPOLLET,
                                    select.EPOLLONESHOT)
NAMES = {IN: "in", OUT: "out", RDHUP: "rdhup", HUP: "hup", select.EPOLLERR: "err"}
LONG, QUIET = 20, 0.05


def serve(port):
    def one(c):
        for line in c.makefile("rb"):
            n = int(line)
            if not n:
                break
            c.sendall(b"x" * n)
        c.close()

    s = socket.create_server(("", port))
    while True:
        threading.Thread(target=one, args=(s.accept()[0],), daemon=True).start()


def conn():
    return socket.create_connection(ADDR)


def ask(s, n):
    s.sendall(b"%d\n" % n)


def see(e, wait=LONG, most=-1):
    got = e.poll(wait, most)
    fds = [fd for fd, _ in got]
    if len(fds) != len(set(fds)):
        print("one fd twice")
    return ["+".join(NAMES[b] for b in sorted(NAMES) if ev & b) for _, ev in got]


def asked(events, n=10):
    s, e = conn(), select.epoll()
    e.register(s, events)
    ask(s, n)
    return s, e


def level():
    s, e = asked(IN)
    for n in (4, 4, 4):
        print(see(e), see(e), len(s.recv(n)))
    print(see(e, QUIET))
    ask(s, 3)
    print(see(e), len(s.recv(10)), see(e, 0))


def edge():
    s, e = asked(IN | OUT | RDHUP | ET)
    while see(e) != ["in+out"]:
        pass
    print(see(e, QUIET), len(s.recv(3)), see(e, QUIET))
    ask(s, 5)
    print(see(e), see(e, QUIET), len(s.recv(20)), see(e, QUIET))
    ask(s, 5)
    print(see(e), len(s.recv(20)))


def modify():
    for events in (IN, IN | ET):
        s, e = asked(events)
        print(see(e), end=" ")
        e.modify(s, IN | OUT | ET)
        print(see(e), see(e, QUIET), end=" ")
        e.unregister(s)
        print(see(e, QUIET))
        e.register(s, events)
        print(see(e), len(s.recv(20)), see(e, QUIET))


def second():
    s, e = asked(IN)
    print(see(e), end=" ")
    other = select.epoll()
    other.register(s, IN)
    print(see(other), see(e), len(s.recv(20)), see(other, QUIET), see(e, QUIET))
    ask(s, 4)
    print(see(e), see(other))


def oneshot():
    s, e = asked(IN | ONESHOT)
    print(see(e), see(e, QUIET), len(s.recv(4)), see(e, QUIET))
    e.modify(s, IN | ONESHOT)
    print(see(e), see(e, QUIET))


def end():
    for events in (IN | RDHUP, IN | RDHUP | ET):
        s, e = asked(events)
        print(see(e), end=" ")
        ask(s, 0)
        while (got := see(e)) == ["in"]:
            time.sleep(.001)
        print(got, len(s.recv(20)), s.recv(20), see(e, QUIET))


def polled():
    s, e = asked(IN)
    print(see(e), end=" ")
    p = select.poll()
    p.register(e, select.POLLIN)
    print(len(p.poll(LONG * 1000)), len(select.select([e], [], [], LONG)[0]), see(e), len(s.recv(20)), len(p.poll(QUIET * 1000)))
    ask(s, 4)
    print(len(p.poll(LONG * 1000)), see(e), len(p.poll(LONG * 1000)), len(s.recv(10)))


def selected():
    s, e = asked(IN)
    print(see(e), len(select.select([e], [], [], LONG)[0]), see(e), len(s.recv(20)))


def nested():
    s, e = asked(IN)
    print(see(e), end=" ")
    outer = select.epoll()
    outer.register(e, IN)
    print(see(outer), see(outer), see(e), len(s.recv(20)), see(outer, QUIET))
    ask(s, 4)
    print(see(outer), see(e), see(outer), len(s.recv(20)))


def nested_before():
    outer, e, s = select.epoll(), select.epoll(), conn()
    outer.register(e, IN)
    e.register(s, IN)
    for _ in range(2):
        ask(s, 4)
        print(see(outer), see(e), see(outer), len(s.recv(20)), see(outer, QUIET))


def forked():
    s, e = asked(IN)
    print(see(e), flush=True)
    if not os.fork():
        print("child", see(e), flush=True)
        os._exit(0)
    os.wait()
    print(see(e), len(s.recv(20)))


def asleep():
    """A thread that sleeps since before there was a TCP socket, and one that comes later."""
    e, got = select.epoll(), []
    t = threading.Thread(target=lambda: got.append(see(e)))
    t.start()
    time.sleep(QUIET)
    s = conn()
    e.register(s, IN | OUT | ET)
    t.join()
    print(got, see(e, QUIET))
    ask(s, 3)
    print(see(e), len(s.recv(10)))
    other = conn()
    t = threading.Thread(target=lambda: got.append(see(e)))
    t.start()
    time.sleep(QUIET)
    e.register(other, OUT)
    t.join()
    print(got, see(e))


def many():
    e, of, seen = select.epoll(), {}, set()
    for i in range(50):
        s = conn()
        of[s.fileno()] = s
        e.register(s, IN | (ET if i % 2 else 0))
    for s in of.values():
        ask(s, 10)
    while len(seen) < len(of):
        got = e.poll(LONG, 8)
        if not got or len({fd for fd, _ in got}) != len(got):
            print("wrong:", got)
        for fd, ev in got:
            if ev != IN or len(of[fd].recv(100)) != 10:
                print("wrong event", ev)
            seen.add(fd)
    print(len(seen), see(e, QUIET))


def fair():
    s, e = asked(IN, 1)
    r, w = os.pipe()
    os.write(w, b"x")
    e.register(r, IN)
    for _ in range(200):
        fd = e.poll(LONG, 1)[0][0]
        if fd == r:
            print("the pipe was seen")
            return
        s.recv(10)
        ask(s, 1)
    print("the pipe starves")


ADDR = sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0
if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
for step in sys.argv[4:]:
    print(step)
    globals()[step]()

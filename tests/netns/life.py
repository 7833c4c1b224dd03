# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of sockets when processes fork, exec and end, as a program sees it: for life.sh, which runs each step
over the kernel and over xtcp and compares what is printed.

    life.py STEP ADDRESS PORT OWN     an echo server's address and port, and this host's address
"""
import array
import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time

END = 20


def say(*words):
    print(*words, flush=True)


def tried(what, *args):
    """The result, or the name of the error."""
    try:
        return what(*args)
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def connect(to):
    s = socket.create_connection(to, END)
    s.settimeout(None)
    return s


def take(s, n):
    got = b""
    while len(got) < n:
        part = s.recv(n - len(got))
        if not part:
            break
        got += part
    return got


def echo(s, word):
    s.sendall(word)
    return take(s, len(word))


def child(work):
    """Runs it in a child; the process id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    except BaseException as e:
        say("child:", repr(e))
    finally:
        sys.stdout.flush()
        os._exit(status)


def wait(pid):
    say("child ended with", os.waitpid(pid, 0)[1])


def within(work):
    wait(child(work))


class Gate:
    """One process waits for the other."""

    def __init__(self):
        self.r, self.w = os.pipe()

    def open(self):
        os.write(self.w, b"x")

    def wait(self):
        assert select.select([self.r], [], [], END)[0], "nobody opened"
        os.read(self.r, 1)


# ---- neither connected nor listening at the fork ----


def bits(events):
    names = ("POLLIN", "POLLOUT", "POLLERR", "POLLHUP", "POLLRDHUP")
    return [n for n in names if events & getattr(select, n)]


def polled(s, wanted=select.POLLIN | select.POLLOUT | select.POLLRDHUP):
    p = select.poll()
    p.register(s, wanted)
    return [bits(e) for _, e in p.poll(END * 1000)]


def fresh_connects(to, own):
    """A socket made before the fork connects in the child, another in the parent, a third in both."""
    a, b, c = (socket.socket() for _ in range(3))
    a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def work():
        say("options", a.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
            a.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        say("names", a.getsockname(), tried(a.getpeername))
        say("connect", a.connect(to), a.getpeername() == to, echo(a, b"in the child"))
        say("again", tried(a.connect, to), tried(a.listen, 5), tried(a.bind, ("", 0)))
        c.connect(to)
        say("one for both", echo(c, b"first"))

    within(work)
    say("parent's", b.connect(to), echo(b, b"in the parent"))
    say("one for both", echo(c, b"second"), c.getpeername() == to)
    say("the child's", echo(a, b"parent, too"), a.getpeername() == to)


def fresh_nonblocking(to, own):
    s = socket.socket()
    s.setblocking(False)

    def work():
        say("begun", errno.errorcode[s.connect_ex(to)])
        p = select.poll()
        p.register(s, select.POLLOUT)
        say("ready", [e for _, e in p.poll(END * 1000)], s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        say("again", tried(s.connect, to))
        s.setblocking(True)
        say(echo(s, b"nonblocking" * 1000) == b"nonblocking" * 1000)

    within(work)


def fresh_fastopen(to, own):
    """sendto() and sendmsg() that connect, in the child."""
    a, b, c, d, e = (socket.socket() for _ in range(5))
    c.setblocking(False)
    e.setsockopt(socket.IPPROTO_TCP, 30, 1)        # TCP_FASTOPEN_CONNECT

    def work():
        say("sendto", a.sendto(b"hello", socket.MSG_FASTOPEN, to), take(a, 5), a.getpeername() == to)
        say("again", tried(a.sendto, b"hello", socket.MSG_FASTOPEN, to))
        b.getsockname()
        say("sendmsg", b.sendmsg([b"hello"], [], socket.MSG_FASTOPEN, to), take(b, 5))
        say("begun", tried(c.sendto, b"hello", socket.MSG_FASTOPEN, to), bool(select.select([], [c], [], END)[1]))
        c.setblocking(True)
        say("then", c.send(b"world"), take(c, 5))
        say("refused", tried(d.sendto, b"hello", socket.MSG_FASTOPEN, (to[0], 1)))
        say("put off", e.connect(to), e.send(b"hello"), take(e, 5))

    within(work)
    say("parent", echo(a, b"here"), echo(b, b"here"), echo(e, b"here"))


def refused(to, own):
    """To a port where nobody listens."""
    to = to[0], 1
    a, b = socket.socket(), socket.socket()
    b.setblocking(False)

    def work():
        say("blocking", tried(a.connect, to))
        say("begun", errno.errorcode[b.connect_ex(to)])
        p = select.poll()
        p.register(b, select.POLLOUT)
        events = [e for _, e in p.poll(END * 1000)]
        say("told", bool(events[0] & select.POLLOUT), bool(events[0] & select.POLLERR), bool(events[0] & select.POLLHUP))
        say("error", errno.errorcode[b.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)],
            b.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    within(work)


def connecting(to, own):
    """An attempt under way at the fork ends in the child."""
    s = socket.socket()
    s.setblocking(False)
    say("begun", errno.errorcode[s.connect_ex(to)])

    def work():
        say("ready", bool(select.select([], [s], [], END)[1]), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        s.setblocking(True)
        say(echo(s, b"x"), s.getpeername() == to)

    within(work)
    s.setblocking(True)
    say(echo(s, b"y"))


def bound(to, own):
    """Bound by the parent; the child connects from there, or asks."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", 7777))

    def work():
        say(s.getsockname(), tried(s.bind, ("", 7778)))
        say(s.connect(to), s.getsockname()[1], echo(s, b"bound"))

    within(work)
    say("parent", s.getsockname()[1], echo(s, b"bound"))


def local(to, own):
    """To the host itself, by the child, with a socket of before."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    s = socket.socket()
    t = socket.socket()

    def work():
        s.connect(listener.getsockname())
        say(s.send(b"hello"), s.getpeername() == listener.getsockname())
        say(tried(t.bind, ("127.0.0.1", 0)), t.getsockname()[0])

    pid = child(work)
    c = listener.accept()[0]
    wait(pid)
    say(take(c, 5))


def fresh_idle(to, own):
    """What one that isn't connected says in the child, before and after it has been asked for other things."""
    signals = []
    signal.signal(signal.SIGPIPE, lambda *_: signals.append("SIGPIPE"))

    def look(s):
        e = select.epoll()
        e.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP)
        n = array.array("i", [7])
        say([m for _, m in e.poll(END)], polled(s), polled(s, select.POLLIN),
            [len(x) for x in select.select([s], [s], [s], END)], tried(s.recv, 5), tried(os.read, s.fileno(), 5),
            tried(s.recv, 5, socket.MSG_PEEK | socket.MSG_DONTWAIT), tried(s.send, b"x"),
            tried(os.write, s.fileno(), b"x"), tried(s.send, b"x", socket.MSG_NOSIGNAL), signals,
            tried(s.getpeername), tried(s.accept),
            tried(fcntl.ioctl, s, termios.FIONREAD, n), n[0])
        e.close()

    def work(s):
        look(s)
        say(s.getsockname(), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
            s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0])
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        look(s)
        s.bind(("", 7779))
        say(s.getsockname(), tried(s.bind, ("", 7780)))
        look(s)
        say(s.connect(to), s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), echo(s, b"x"), s.getsockname()[1],
            s.getpeername() == to)

    s, t = socket.socket(), socket.socket()
    within(lambda: work(s))
    say("parent", echo(s, b"y"), s.getsockname()[1])
    within(lambda: say(tried(t.shutdown, socket.SHUT_WR)))


def fresh_listener(to, own):
    """Options that the child sets before it listens are those of the connections, by the kernel's part as well."""
    s = socket.socket()

    def work():
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x20)
        s.bind(("", 0))
        s.listen(5)
        c = connect(("127.0.0.1", s.getsockname()[1]))
        a = s.accept()[0]
        say(a.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), a.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
            a.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), a.getsockopt(socket.IPPROTO_IP, socket.IP_TOS))
        c.close()

    within(work)


# ---- connections ----


def both(to, own):
    s = connect(to)

    def work():
        say("child", echo(s, b"one"), s.getsockname()[0] == own, s.getpeername() == to)

    within(work)
    say("parent", echo(s, b"two"), s.getsockname()[0] == own, s.getpeername() == to)
    s.shutdown(socket.SHUT_WR)
    say("end", s.recv(1))


def many_children(to, own):
    """Each writes its piece in turn, the parent as well."""
    s = connect(to)
    for i in range(5):
        within(lambda: say(echo(s, b"child %d" % i)))
        say(echo(s, b"parent %d" % i))


def grandchild(to, own):
    s = connect(to)

    def work():
        within(lambda: say(echo(s, b"grandchild")))
        say(echo(s, b"child"))

    within(work)
    say(echo(s, b"parent"))


def unread(to, own):
    """Bytes that came before the fork, half of them read."""
    s = connect(to)
    s.sendall(b"0123456789")
    while len(s.recv(10, socket.MSG_PEEK)) < 10:
        pass
    say(s.recv(3))
    within(lambda: say(take(s, 4)))
    say(take(s, 3))


def closed_by_parent(to, own):
    """The connection stays as long as the child has it, and ends when that ends."""
    s = connect(to)
    gate = Gate()

    def work():
        gate.wait()
        say("child", echo(s, b"still here"))

    pid = child(work)
    s.close()
    gate.open()
    wait(pid)


def closed_by_child(to, own):
    s = connect(to)
    within(s.close)
    say("parent", echo(s, b"still here"))


def watched(to, own):
    """Registered before the fork, used after, by either."""
    s = connect(to)
    s.setblocking(False)
    e = select.epoll()
    e.register(s, select.EPOLLIN | select.EPOLLRDHUP)
    say(e.poll(0))

    def work():
        say("child sends", s.send(b"a"))
        say("child sees", [m for _, m in e.poll(END)], s.recv(10))

    within(work)
    say("parent", e.poll(0))
    s.send(b"b")
    say("parent sees", [m for _, m in e.poll(END)], s.recv(10))
    new = select.epoll()
    new.register(s, select.EPOLLOUT | select.EPOLLIN)
    say("new set", [m for _, m in new.poll(END)])
    s.shutdown(socket.SHUT_WR)
    end = time.monotonic() + END
    while time.monotonic() < end and not any(m & select.EPOLLRDHUP for _, m in e.poll(END)):
        pass
    say("end", s.recv(10), [m for _, m in e.poll(0)])


def sleeping(to, own):
    """A thread sleeps in recv() or poll() while another forks, and the child uses the socket."""
    for how in ("recv", "poll"):
        s = connect(to)
        got = []

        def sleeper():
            if how == "poll":
                p = select.poll()
                p.register(s, select.POLLIN)
                got.append([m for _, m in p.poll(END * 1000)])
            got.append(s.recv(100))

        t = threading.Thread(target=sleeper)
        t.start()
        time.sleep(0.1)
        within(lambda: s.send(b"wake up"))
        t.join(END)
        say(how, got)


def exec_flags(to, own):
    """Only what isn't close-on-exec is there after an exec; a shell reads and writes it."""
    s, t = connect(to), connect(to)
    s.set_inheritable(True)

    def work():
        os.dup2(s.fileno(), 7)
        os.dup2(t.fileno(), 8, inheritable=False)
        os.execv("/bin/sh", ["sh", "-c", "echo exec >&7; read x <&7; echo got $x; (: >&8) 2>/dev/null || echo no 8"])

    within(work)
    say(echo(s, b"parent"), echo(t, b"other"))


def helpers(to, own):
    """system(), popen() and subprocess with connections open, which go on as before."""
    conns = [connect(to) for _ in range(20)]
    for s in conns[:10]:
        s.set_inheritable(True)
    say(os.system("exit 3") >> 8, os.popen("echo popen").read(), subprocess.run(["true"]).returncode,
        subprocess.run(["true"], close_fds=False).returncode)
    say([echo(s, b"x%d" % i) for i, s in enumerate(conns)])


def leaked(to, own):
    """A helper that inherited a connection keeps it open when its parent has closed it."""
    s = connect(to)
    s.set_inheritable(True)
    p = subprocess.Popen(["sh", "-c", "read x; echo hello >&%d; head -c 6 <&%d" % (s.fileno(), s.fileno())],
                         close_fds=False, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    s.close()
    say(p.communicate(b"\n", END))


def static_children(to, own):
    """Statically linked programs have what they inherit: by fork and exec, by vfork, and from a shell."""
    program = os.environ.get("STATIC")
    if not program:
        return
    s = connect(to)
    s.set_inheritable(True)
    within(lambda: os.execv(program, [program, str(s.fileno())]))
    say("parent", echo(s, b"parent"))
    for through_shell in (False, True):
        t = connect(to)
        t.set_inheritable(True)
        command = [program, str(t.fileno())]
        if through_shell:
            command = ["sh", "-c", " ".join(command) + "; exit 0"]
        say(subprocess.run(command, close_fds=False, capture_output=True).stdout)


def stdio(to, own):
    """libc's own streams on what close() and dup() have made standard input and output."""
    libc = ctypes.CDLL(None)
    libc.fgets.restype = ctypes.c_char_p
    s = connect(to)

    def work():
        os.close(0)
        os.dup(s.fileno())
        os.dup2(s.fileno(), 1)
        libc.puts(b"line")
        libc.fflush(None)
        buf = ctypes.create_string_buffer(100)
        got = libc.fgets(buf, 100, ctypes.c_void_p.in_dll(libc, "stdin"))
        os._exit(0 if got == b"line\n" else 1)

    within(work)
    say("parent", echo(s, b"parent"))


def in_flight(to, own):
    """What a child wrote last arrives, however it ends."""
    def abort():
        os.kill(os.getpid(), signal.SIGABRT)

    for leave in (lambda: None, abort, lambda: os.execv("/bin/true", ["true"])):
        s = connect(to)

        def work():
            s.sendall(b"z" * 100000)
            leave()

        within(work)
        say(len(take(s, 100000)))


def child_killed(to, own):
    s = connect(to)
    gate = Gate()

    def work():
        echo(s, b"hello")
        gate.open()
        time.sleep(END)

    pid = child(work)
    gate.wait()
    os.kill(pid, signal.SIGKILL)
    wait(pid)
    say("parent", echo(s, b"still here"))


# ---- connections that fail ----


def error_of(s):
    return errno.errorcode.get(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)


def written(s):
    """send() with the signal that comes with it."""
    got = []
    signal.signal(signal.SIGPIPE, lambda *_: got.append("SIGPIPE"))
    return tried(s.send, b"x", socket.MSG_NOSIGNAL), got[:], tried(s.send, b"x"), got[:], \
        tried(s.send, b"x", socket.MSG_NOSIGNAL)


def failed(s):
    """Until it is seen."""
    p = select.poll()
    p.register(s, 0)
    return bool(p.poll(END * 1000))


def states(s):
    """What TCP_INFO and others tell of one that has failed."""
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
    return info[0], tried(s.getpeername), s.getsockname()[0], tried(s.getsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY), \
        tried(s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), \
        tried(s.getsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY), tried(s.shutdown, socket.SHUT_WR)


WAYS = {
    "read": lambda s: (tried(s.recv, 10), tried(s.recv, 10), error_of(s), written(s)),
    "read only": lambda s: (tried(os.read, s.fileno(), 10), tried(os.read, s.fileno(), 10)),
    "poll": lambda s: (polled(s), tried(s.recv, 10), polled(s), error_of(s)),
    "error": lambda s: (error_of(s), error_of(s), tried(s.recv, 10), polled(s)),
    "written": lambda s: (written(s), tried(s.recv, 10), error_of(s)),
    "read, written": lambda s: (tried(s.recv, 10), written(s)),
    "readv": lambda s: (tried(s.recv_into, bytearray(3)), tried(s.recvmsg, 10)),
    "states": lambda s: (states(s), error_of(s), states(s)),
}


def reset(to, own):
    """By the peer, of a connection that the child uses, or that it hasn't touched yet, in each way to see it."""
    for touched in (True, False):
        for name, way in WAYS.items():
            s = connect(to)

            def work():
                if touched:
                    echo(s, b"hello")
                s.send(b"RESET")
                failed(s)
                say(name, touched, way(s))

            within(work)


def reset_with_data(to, own):
    """What came before the reset is read first."""
    s = connect(to)

    def work():
        s.sendall(b"12345")
        while len(s.recv(5, socket.MSG_PEEK)) < 5:
            pass
        s.send(b"RESET")
        failed(s)
        say(polled(s), s.recv(3), s.recv(9), tried(s.recv, 9), tried(s.recv, 9))

    within(work)


def reset_after_end(to, own):
    """A reset that follows the peer's end is EPIPE for who writes and nothing for who reads."""
    s = connect(to)

    def work():
        echo(s, b"hello")
        s.send(b"FIN-RESET")
        say(s.recv(10))
        s.send(b"x")
        failed(s)
        say(tried(s.recv, 10), tried(s.recv, 10), written(s), error_of(s))

    within(work)


def reset_before_fork(to, own):
    for name, way in WAYS.items():
        s = connect(to)
        s.send(b"RESET")
        failed(s)
        within(lambda: say(name, way(s)))


def reset_sleeper(to, own):
    """Who sleeps in recv() or poll() is woken by it."""
    for how in ("recv", "poll", "epoll"):
        s = connect(to)

        def work():
            echo(s, b"hello")
            t = threading.Timer(0.1, s.send, (b"RESET",))
            t.start()
            if how == "poll":
                say(how, polled(s, select.POLLIN))
            if how == "epoll":
                e = select.epoll()
                e.register(s, select.EPOLLIN)
                say(how, [bits(m) for _, m in e.poll(END)])
            say(how, tried(s.recv, 10))
            t.join()

        within(work)


def until_queued(s, n):
    """Until that many bytes can be read."""
    while array.array("i", fcntl.ioctl(s, termios.FIONREAD, b"\0" * 4))[0] < n:
        time.sleep(0.001)


def at_mark(s):
    return array.array("i", fcntl.ioctl(s, 0x8905, b"\0" * 4))[0]


def urgent(to, own):
    """Urgent data, both ways, in a child."""
    s = connect(to)

    def out_of_band():
        got = []
        signal.signal(signal.SIGURG, lambda *_: got.append("SIGURG"))
        fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
        s.send(b"URGENT")
        p = select.poll()
        p.register(s, select.POLLPRI)
        say([m for _, m in p.poll(END * 1000)], len(select.select([], [], [s], END)[2]))
        while s.recv(1, socket.MSG_OOB | socket.MSG_PEEK) != b"u":
            pass
        say(at_mark(s), s.recv(1, socket.MSG_OOB), tried(s.recv, 1, socket.MSG_OOB), s.recv(10), at_mark(s), take(s, 2), at_mark(s))
        say(got, tried(s.recv, 1, socket.MSG_OOB), p.poll(0))

    def inline():
        say(s.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        s.send(b"URGENT")
        until_queued(s, 5)
        say(s.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE), tried(s.recv, 1, socket.MSG_OOB), s.recv(10), at_mark(s), take(s, 3), at_mark(s))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 0)

    def sent():
        s.send(b"TELL")
        say(take(s, 2), s.send(b"xyz", socket.MSG_OOB), s.send(b"rest"))
        say(take(s, 20))

    for work in (out_of_band, inline, sent, out_of_band):
        within(work)
    say(echo(s, b"parent"))


def small_buffer(to, own):
    """A small SO_SNDBUF that the child sets doesn't stop it."""
    s = connect(to)

    def work():
        echo(s, b"hello")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        say(s.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))
        for i in range(20):
            say(polled(s, select.POLLOUT), len(echo(s, b"x" * 3000)))

    within(work)


def discarded(to, own):
    """MSG_TRUNC, in a child."""
    s = connect(to)

    def work():
        s.sendall(b"0123456789" * 1000)
        until_queued(s, 10000)
        say(s.recv_into(bytearray(10), 4, socket.MSG_TRUNC), s.recv(3), s.recvfrom_into(bytearray(9000), 9000, socket.MSG_TRUNC)[0])
        say(take(s, 993)[:5], tried(s.recv, 5, socket.MSG_TRUNC | socket.MSG_DONTWAIT))

    within(work)


def ended(to, own):
    """Options of a connection that both sides have ended."""
    s = connect(to)

    def work():
        echo(s, b"hello")
        s.shutdown(socket.SHUT_WR)
        say(take(s, 10))
        say(error_of(s), polled(s)[0], tried(s.getsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY),
            s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0] in (6, 7))

    within(work)


# ---- the parent goes first ----


def orphan(to, own, work, leave=lambda: os._exit(0)):
    """Runs `work` in a child of a process that has gone, whose end it waits for."""
    gate, done = Gate(), Gate()

    def first():
        made = work_prepare(work)

        def second():
            gate.wait()
            try:
                made()
            except BaseException as e:
                say("orphan:", repr(e))
            done.open()

        child(second)
        leave()

    pid = child(first)
    say("first ended with", os.waitpid(pid, 0)[1])
    gate.open()
    done.wait()


def work_prepare(work):
    return work()


def parent_leaves(to, own):
    def prepare():
        s = connect(to)
        fresh = socket.socket()

        def work():
            say("connection", echo(s, b"orphan"), s.getpeername() == to)
            say("fresh", fresh.connect(to), echo(fresh, b"orphan"))
            say("new", echo(connect(to), b"orphan"))

        return work

    orphan(to, own, prepare)


def parent_execs(to, own):
    def prepare():
        s = connect(to)
        return lambda: say("connection", echo(s, b"orphan"))

    orphan(to, own, prepare, lambda: os.execv("/bin/true", ["true"]))


def parent_aborts(to, own):
    def prepare():
        s = connect(to)
        return lambda: say("connection", echo(s, b"orphan"))

    orphan(to, own, prepare, lambda: os.kill(os.getpid(), signal.SIGSEGV))


# ---- servers; the clients are children over the same stack's peer: see life.sh ----


def loops(to, own):
    """Every way to close all fds, in a child and in the parent, with connections before and after."""
    libc = ctypes.CDLL(None, use_errno=True)

    def each():
        for fd in range(3, 1024):
            tried(os.close, fd)

    def listed():
        for fd in [int(x) for x in os.listdir("/proc/self/fd")]:
            if fd > 2:
                tried(os.close, fd)

    ways = {"close": each, "close_range": lambda: libc.close_range(3, 0xffffffff, 0),
            "closefrom": lambda: libc.closefrom(3), "proc": listed,
            "cloexec": lambda: libc.close_range(3, 0xffffffff, 4)}
    for name, way in ways.items():
        s = connect(to)

        def work():
            way()
            t = connect(to)
            say(name, "child", echo(t, b"after"))
            s.detach()

        within(work)
        say(name, "parent", echo(s, b"before"))
    for name, way in ways.items():
        def work():
            before = connect(to)
            way()
            before.detach()
            say(name, "itself", echo(connect(to), b"after"))

        within(work)


def truncated(to, own):
    """recv() flags on a connection that two processes have."""
    s = connect(to)
    within(lambda: say(echo(s, b"x")))
    s.sendall(b"0123456789")
    while len(s.recv(10, socket.MSG_PEEK)) < 10:
        pass
    say("peek", s.recv(4, socket.MSG_PEEK), s.recv(20, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    say("waitall", s.recv(10, socket.MSG_WAITALL), tried(s.recv, 1, socket.MSG_DONTWAIT))


# ---- the end of the only thread, by number ----

NUMBERS = {"x86_64": (56, 60), "aarch64": (220, 93)}[os.uname().machine]


def by_number(which, *args):
    return ctypes.PyDLL(None).syscall(*map(ctypes.c_long, (NUMBERS[which], *args)))


def last_thread(to, own):
    """Of a child made by number or by fork(), which uses a socket of before, one of its own, both, or none."""
    for make in os.fork, lambda: by_number(0, signal.SIGCHLD, 0, 0, 0, 0):
        for uses_old, opens in (False, False), (True, False), (False, True), (True, True):
            s = connect(to)
            sys.stdout.flush()
            pid = make()
            if pid == 0:
                try:
                    if uses_old:
                        assert echo(s, b"old") == b"old"
                    if opens:
                        t = connect(to)
                        assert echo(t, b"new") == b"new"
                    by_number(1, 3)
                finally:
                    os._exit(9)
            for _ in range(END * 20):
                ended = os.waitpid(pid, os.WNOHANG)
                if ended[0]:
                    break
                time.sleep(0.05)
            say(uses_old, opens, ended[1] if ended[0] else "it doesn't end")
            if not ended[0]:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            say(echo(s, b"here"))
            s.close()


def last_of_two(to, own):
    """The first thread ends by number, the other goes on with the connection."""
    sys.stdout.flush()
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        s = connect(to)

        def work():
            time.sleep(0.2)
            os.write(w, echo(s, b"goes on"))
            os.write(w, b" delivered")
            s.sendall(b"x" * 100000)
            by_number(1, 0)

        threading.Thread(target=work).start()
        ctypes.CDLL(None).syscall(ctypes.c_long(NUMBERS[1]), ctypes.c_long(5))
    os.close(w)
    ended = select.select([r], [], [], END)[0]
    time.sleep(0.3)
    say(os.read(r, 100) if ended else "nothing")
    for _ in range(END * 20):
        ended = os.waitpid(pid, os.WNOHANG)
        if ended[0]:
            break
        time.sleep(0.05)
    say("ended" if ended[0] else "it doesn't end", ended[1])
    if not ended[0]:
        os.kill(pid, signal.SIGKILL)


# ---- in another network namespace ----

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    if getattr(libc, name)(*args):
        raise OSError(ctypes.get_errno(), name)


def by_unshare(work):
    def moved():
        call("unshare", CLONE_NEWNET)
        work()

    within(moved)


def by_setns(work):
    """There and back, and there again."""
    here, there, found = os.open("/proc/self/ns/net", os.O_RDONLY), Gate(), Gate()

    def other():
        call("unshare", CLONE_NEWNET)
        there.open()
        found.wait()

    pid = child(other)
    there.wait()
    ns = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    found.open()
    wait(pid)

    def moved():
        call("setns", ns, CLONE_NEWNET)
        call("setns", here, CLONE_NEWNET)
        call("setns", ns, CLONE_NEWNET)
        work()

    within(moved)


def by_clone(work):
    sys.stdout.flush()
    pid = by_number(0, CLONE_NEWNET | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        try:
            work()
        except BaseException as e:
            say("child:", repr(e))
            os._exit(1)
        os._exit(0)
    wait(pid)


def uses(s, to, own, word):
    """All that a program may ask of a connection."""
    say(s.getsockname()[0] == own, s.getpeername() == to, echo(s, word))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    say(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN),
        s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0])


def elsewhere(to, own):
    """What was opened before works in a child that has moved."""
    for by in by_unshare, by_setns, by_clone:
        s, t, fresh, lis = connect(to), connect(to), socket.socket(), socket.create_server(("127.0.0.1", 0))
        fresh.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        c = connect(lis.getsockname())

        def work():
            uses(s, to, own, b"moved")
            t.close()
            a, peer = lis.accept()
            say(peer == c.getsockname(), a.getpeername() == peer, a.getsockname() == lis.getsockname(), a.send(b"accepted"))
            say(fresh.getsockname(), fresh.bind(("", 0)), fresh.getsockname()[1] > 0)
            fresh.connect(to)
            uses(fresh, to, own, b"begun there")

        by(work)
        say(by.__name__, take(c, 8), echo(s, b"here"), s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), echo(t, b"as well"),
            echo(fresh, b"both"))


def sent_elsewhere(to, own):
    """A socket that is opened later is passed on to one that has moved."""
    a, b = socket.socketpair()
    moved, s = Gate(), connect(to)

    def work():
        call("unshare", CLONE_NEWNET)
        moved.open()
        fds = array.array("i", b.recvmsg(1, 100)[1][0][2])
        uses(socket.socket(fileno=fds[0]), to, own, b"passed on")

    pid = child(work)
    moved.wait()
    t = connect(to)
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [t.fileno()]))])
    wait(pid)
    say(echo(t, b"here"), echo(s, b"here"))


def listener_elsewhere(to, own):
    """A server whose worker has moved."""
    lis = socket.create_server(("", 0))

    def work():
        call("unshare", CLONE_NEWNET)
        said = []
        for _ in range(2):
            a, peer = lis.accept()
            a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            said += a.getpeername() == peer, a.getsockname()[1] == lis.getsockname()[1], a.sendall(take(a, 5))
            a.close()
        say(said)

    pid = child(work)
    got = [echo(connect(("127.0.0.1", lis.getsockname()[1])), b"hello") for _ in range(2)]
    wait(pid)
    say(got)


def moves_itself(to, own):
    """Without a fork: what is there stays, what is new is of the other namespace."""
    s, lis = connect(to), socket.create_server(("127.0.0.1", 0))
    c = connect(lis.getsockname())
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    call("unshare", CLONE_NEWNET)
    uses(s, to, own, b"stays")
    a = lis.accept()[0]
    say(a.send(b"x"), c.recv(1), tried(socket.socket().connect, to))
    within(lambda: uses(s, to, own, b"in a child"))
    call("setns", here, CLONE_NEWNET)
    t = connect(to)
    uses(t, to, own, b"back")


STEPS = {f.__name__: f for f in (
    fresh_connects, fresh_nonblocking, fresh_fastopen, fresh_idle, fresh_listener, refused, connecting, bound, local, both, many_children, grandchild, unread,
    closed_by_parent, closed_by_child, watched, sleeping, exec_flags, helpers, leaked, static_children, stdio, in_flight, child_killed,
    reset, reset_with_data, reset_after_end, reset_before_fork, reset_sleeper, urgent,
    small_buffer, discarded, ended, parent_leaves, parent_execs, parent_aborts, loops, truncated,
    last_thread, last_of_two, elsewhere, sent_elsewhere, listener_elsewhere, moves_itself)}

if __name__ == "__main__":
    if sys.argv[1] == "steps":
        print(*STEPS)
    else:
        STEPS[sys.argv[1]]((sys.argv[2], int(sys.argv[3])), sys.argv[4])

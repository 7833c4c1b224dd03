# SPDX-License-Identifier: BSD-2-Clause
"""What programs do with sockets and processes, for fork.sh: one step an argument.

    forker.py STEP ADDRESS PORT     a client of an echo server; prints ok, or what differed
    forker.py serve-HOW PORT        an echo server that forks: each, clone, prefork or daemon
"""
import array
import ctypes
import errno
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading

BIG = 400000


def connect(to):
    s = socket.create_connection(to, 20)
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


def echo(s, n=1000):
    """Sends n random bytes and takes as many back."""
    blob = os.urandom(n)
    sender = threading.Thread(target=s.sendall, args=(blob,))
    sender.start()
    got = take(s, n)
    sender.join()
    assert got == blob, f"{len(got)} of {n} bytes back"


def clone():
    """By number, as by programs that want namespaces with it: libc's handlers of fork() aren't called."""
    libc = ctypes.PyDLL(None)
    number = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
    return libc.syscall(*map(ctypes.c_long, (number, signal.SIGCHLD, 0, 0, 0, 0)))


def in_child(work, make=os.fork):
    pid = make()
    if pid == 0:
        try:
            work()
        except BaseException as e:
            print(f"child: {e!r}")
            sys.stdout.flush()
            os._exit(1)
        os._exit(0)
    return pid


def wait(pid):
    status = os.waitpid(pid, 0)[1]
    assert status == 0, f"the child ended with {status}"


def both(to):
    """Parent and child use one connection, one after the other."""
    s = connect(to)
    echo(s)
    wait(in_child(lambda: echo(s, BIG)))
    echo(s, BIG)
    s.shutdown(socket.SHUT_WR)
    assert s.recv(1) == b"", "no end"


def cloned(to):
    """The same, and the parent closes while the child goes on."""
    s = connect(to)
    wait(in_child(lambda: echo(s, BIG), clone))
    echo(s, BIG)
    pid = in_child(lambda: (echo(s, BIG), echo(connect(to))), clone)
    s.close()
    wait(pid)


def child(to):
    """The parent closes at once; the child also opens one of its own."""
    s = connect(to)

    def work():
        echo(s, BIG)
        echo(connect(to))

    pid = in_child(work)
    s.close()
    wait(pid)


def options(to):
    s = connect(to)
    names = s.getsockname(), s.getpeername()

    def work():
        assert (s.getsockname(), s.getpeername()) == names, s.getpeername()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_INET
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == socket.IPPROTO_TCP
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0

    def as_nobody():
        os.setuid(65534)
        work()

    wait(in_child(work))
    wait(in_child(as_nobody))


def epoll(to):
    """What was registered before fork() is told after it."""
    s = connect(to)
    s.setblocking(False)
    e = selectors.EpollSelector()
    e.register(s, selectors.EVENT_READ)
    assert e.select(0) == [], "readable too early"
    wait(in_child(lambda: None))
    s.send(b"x")
    assert e.select(10), "not readable"
    assert s.recv(1) == b"x"


def shell(s, command):
    def work():
        os.dup2(s.fileno(), 0)
        os.dup2(s.fileno(), 1)
        os.execv("/bin/sh", ["sh", "-c", command])

    return in_child(work)


def exec_(to):
    """Shells whose standard input and output are the connection; only one process reads at a time."""
    s = connect(to)
    wait(shell(s, "echo out"))
    assert take(s, 4) == b"out\n"
    s.sendall(b"in\n")
    wait(shell(s, '[ "$(head -n 1)" = in ]'))


def spawn(to):
    """Children that no fork handler of libc's sees."""
    s = connect(to)
    subprocess.run(["sh", "-c", "echo vfork"], stdin=s, stdout=s, check=True)
    assert take(s, 6) == b"vfork\n"
    s = connect(to)
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "echo spawn"], os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, s.fileno(), 1)])
    wait(pid)
    assert take(s, 6) == b"spawn\n"
    s = connect(to)
    s.set_inheritable(True)
    assert os.system(f"echo system >&{s.fileno()}") == 0
    assert take(s, 7) == b"system\n"
    echo(s, BIG)
    kept = connect(to)
    assert os.system("true") == 0
    echo(kept, BIG)


def pass_(to):
    """SCM_RIGHTS."""
    a, b = socket.socketpair()
    s = connect(to)

    def work():
        fds = array.array("i")
        fds.frombytes(b.recvmsg(1, 100)[1][0][2])
        echo(socket.socket(fileno=fds[0]), BIG)

    pid = in_child(work)
    t = connect(to)
    fd = array.array("i", [t.fileno()])
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fd)])
    t.close()
    wait(pid)
    echo(s)


def splice(to):
    """From a pipe to the connection."""
    s = connect(to)
    r, w = os.pipe()
    os.write(w, b"spliced")
    assert os.splice(r, s.fileno(), 7) == 7
    assert take(s, 7) == b"spliced"


def bridged():
    """How many connections go by way of the kernel's objects in this namespace."""
    with open("/proc/net/unix") as f:
        return sum("@xtcp:" in line and ":c:" in line for line in f)


def helper(to):
    """Children that use none of the connections cost them nothing; one that uses one costs that one."""
    conns = [connect(to) for _ in range(50)]
    wait(in_child(lambda: None))
    subprocess.run(["true"], check=True)
    for s in conns:
        echo(s)
    assert bridged() == 0, f"{bridged()} are bridged"
    wait(in_child(lambda: echo(conns[0])))
    assert bridged() == 1, f"{bridged()} are bridged"
    for s in conns:
        echo(s)


def killed(to):
    """A connection whose first process was killed is reset for the others."""
    (gone, tell_gone), (told, tell) = os.pipe(), os.pipe()

    def first():
        s = connect(to)

        def second():
            os.read(gone, 1)
            try:
                word = s.recv(1) or b"end"
            except ConnectionResetError:
                word = b"reset"
            os.write(tell, word)

        in_child(second)
        os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(in_child(first), 0)
    os.write(tell_gone, b"x")
    word = os.read(told, 10)
    assert word == b"reset", word


def killed_sender(to):
    """One that has just been passed on is reset, too, when the process that opened it is killed."""
    a, b = socket.socketpair()
    r, w = os.pipe()

    def sender():
        s = connect(to)
        echo(s)
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])
        os.kill(os.getpid(), signal.SIGKILL)

    def word(what, *args):
        try:
            return what(*args) or "end"
        except OSError as e:
            return errno.errorcode[e.errno]

    def receiver():
        fds = array.array("i", b.recvmsg(1, 100)[1][0][2])
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=fds[0])
        os.waitpid(pid, 0)
        found = [word(s.getpeername), word(s.recv, 1), word(s.recv, 1), word(s.send, b"x", socket.MSG_NOSIGNAL)]
        assert found == ["ENOTCONN", "ECONNRESET", "end", "EPIPE"], found

    pid = in_child(sender)
    receiver()


def many(to):
    """A client: 20 connections at once."""
    def one():
        try:
            s = connect(to)
            echo(s, BIG)
            done.append(1)
        except Exception as e:
            print(f"one of many: {e!r}")

    done = []
    threads = [threading.Thread(target=one) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(done) == 20, f"{len(done)} of 20"


# ---- servers ----


def answer(s):
    while True:
        part = s.recv(65536)
        if not part:
            s.close()
            return
        s.sendall(part)


def serve_each(listener):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        s, peer = listener.accept()
        assert s.getpeername() == peer
        in_child(lambda: (listener.close(), answer(s)))
        s.close()


def serve_clone(listener):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        s = listener.accept()[0]
        in_child(lambda: (listener.close(), answer(s)), clone)
        s.close()


def serve_prefork(listener):
    def work():
        while True:
            answer(listener.accept()[0])

    for _ in range(3):
        in_child(work)
    os.wait()


def serve_daemon(listener):
    for _ in range(2):
        if os.fork():
            os._exit(0)
        os.setsid()
    selector = selectors.DefaultSelector()
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    while True:
        selector.select()
        try:
            s = listener.accept()[0]
        except BlockingIOError:
            continue
        s.setblocking(True)
        threading.Thread(target=answer, args=(s,), daemon=True).start()


def serve(how, port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(64)
    {"each": serve_each, "clone": serve_clone, "prefork": serve_prefork, "daemon": serve_daemon}[how](listener)


STEPS = {"both": both, "cloned": cloned, "child": child, "options": options, "epoll": epoll, "exec": exec_, "spawn": spawn,
         "pass": pass_, "splice": splice, "helper": helper, "killed": killed, "killed_sender": killed_sender, "many": many}

if sys.argv[1].startswith("serve-"):
    serve(sys.argv[1][6:], int(sys.argv[2]))
elif sys.argv[1] == "splice" and not hasattr(os, "splice"):
    print("ok")
else:
    try:
        STEPS[sys.argv[1]]((sys.argv[2], int(sys.argv[3])))
        print("ok")
    except AssertionError as e:
        print(f"{sys.argv[1]}: {e}")

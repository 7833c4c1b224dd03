# SPDX-License-Identifier: BSD-2-Clause
"""Independent processes and one port, for beside.sh: what each call says, and who is reached.

    beside.py drive FIRST SECOND PEER HOST ADDRESS PORT SCENE...   the first four: what is before a process's command line
    beside.py worker                                               does what it is told, a line a step
"""
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import time

SOL = socket.SOL_SOCKET
SETTLE = 0.3


# ---- a process that is told what to do ----

class Worker:
    def __init__(self):
        self.s = {}

    def new(self, name, *opts):
        s = self.s[name] = socket.socket()
        s.settimeout(3)
        for o in opts:
            s.setsockopt(SOL, getattr(socket, o), 1)

    def bind(self, name, port, addr=""):
        self.s[name].bind((addr, port))

    def listen(self, name):
        self.s[name].listen(20)

    def serve(self, name, port, *opts):
        self.new(name, *opts)
        self.bind(name, port)
        self.listen(name)

    def accept(self, name, conn):
        self.s[conn] = self.s[name].accept()[0]
        self.s[conn].settimeout(3)

    def connect(self, name, addr, port):
        """A new one, where a bound one hasn't this name."""
        if name not in self.s:
            self.new(name)
        self.s[name].connect((addr, port))

    def refused(self, addr, port):
        with socket.create_connection((addr, port), 3):
            pass

    def port(self, name):
        return self.s[name].getsockname()[1]

    def send(self, name, text):
        return self.s[name].send(text.encode())

    def recv(self, name):
        return self.s[name].recv(100).decode()

    def ready(self, name):
        return bool(select.select([self.s[name]], [], [], 3)[0])

    def close(self, name):
        self.s.pop(name).close()

    def keep(self, name):
        """It stays open, under a name of its own."""
        self.s[f"{name}{len(self.s)} kept"] = self.s.pop(name)

    def drop(self, name):
        if name in self.s:
            self.close(name)

    def fork(self, *steps):
        """What a child says that does these steps, with the sockets closed that it has from its parent."""
        r, w = os.pipe()
        if os.fork() == 0:
            for s in self.s.values():
                s.close()
            self.s = {}
            os.write(w, repr([self.told(*step) for step in steps]).encode())
            os._exit(0)
        os.close(w)
        os.wait()
        return eval(os.read(r, 4000))

    def exit(self):
        sys.exit(0)

    def told(self, verb, *args):
        try:
            r = getattr(self, verb)(*args)
            return "ok" if r is None else r
        except TimeoutError:
            return "time-out"
        except OSError as e:
            return errno.errorcode.get(e.errno, str(e))


def worker():
    w = Worker()
    for line in sys.stdin:
        print(repr(w.told(*eval(line))), flush=True)


# ---- those who tell ----

class Process:
    def __init__(self, start):
        self.p = subprocess.Popen(start.split() + ["python3", __file__, "worker"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, *step):
        self.p.stdin.write(repr(step) + "\n")
        self.p.stdin.flush()
        line = self.p.stdout.readline()
        return eval(line) if line else "gone"

    def end(self, how):
        """By a signal to the program, not to what has started it (timeout, ip); by exit() where it is 0."""
        if how:
            os.kill(self.pid(), how)
        else:
            self.p.stdin.write("('exit',)\n")
            self.p.stdin.flush()
        self.p.stdout.read()
        self.p.wait()

    def pid(self):
        pid = self.p.pid
        while True:
            with open(f"/proc/{pid}/task/{pid}/children") as f:
                children = f.read().split()
            if not children:
                return pid
            pid = int(children[0])


class Scene:
    def __init__(self, first, second, peer, host, addr, port):
        self.starts = {"a": first, "b": second, "p": peer, "q": host}
        self.addr, self.port = addr, port
        self.procs = {}

    def __getattr__(self, name):
        """a and b: the processes; p: the peer's; q: one of the kernel on their own host."""
        if name not in self.starts:
            raise AttributeError(name)
        if name not in self.procs:
            self.procs[name] = Process(self.starts[name])
        return self.procs[name]

    def say(self, what, *told):
        print(f"{what}:", *told, flush=True)

    def over(self):
        for p in self.procs.values():
            if p.p.poll() is None:
                p.end(0)
        self.procs = {}

    def meets(self, who, name, client=None):
        """A client, of the peer's if no other, gets through to the listener `name` of process `who`, both ways."""
        client = client or self.p
        c, s = "c" + name, "s" + name
        client.do("drop", c)
        r = [client.do("connect", c, self.addr, self.port)]
        if r[0] == "ok":
            r += [who.do("accept", name, s), client.do("send", c, "hello"), who.do("recv", s),
                  who.do("send", s, "there"), client.do("recv", c)]
        return r


R = "SO_REUSEADDR"


def both_bind(x):
    """Both may bind; who listens first has it, until he closes."""
    x.say("bind", x.a.do("new", "l", R), x.a.do("bind", "l", x.port), x.b.do("new", "l", R), x.b.do("bind", "l", x.port))
    x.say("listen", x.a.do("listen", "l"), x.b.do("listen", "l"))
    x.say("a client", x.meets(x.a, "l"))
    x.b.do("new", "m", R)
    x.say("bind while the other listens", x.b.do("bind", "m", x.port))
    x.say("closed", x.a.do("close", "l"), x.b.do("listen", "l"))
    x.say("the first one's connection", x.p.do("send", "cl", "again"), x.a.do("recv", "sl"))
    x.say("a client", x.meets(x.b, "l"))


def one_without(x):
    """One of two without SO_REUSEADDR."""
    for first, second in ((R,), ()), ((), (R,)), ((), ()):
        x.say(f"{first} beside {second}", x.a.do("new", "l", *first), x.a.do("bind", "l", x.port),
              x.b.do("new", "l", *second), x.b.do("bind", "l", x.port))
        x.a.do("close", "l")
        x.b.do("close", "l")


def left_connection(x):
    """The first has closed its listener and has a connection yet, open, then in FIN-WAIT-2, then in TIME-WAIT."""
    x.a.do("serve", "l", x.port, R)
    x.say("a client", x.meets(x.a, "l"))
    x.a.do("close", "l")
    for state in "open", "FIN-WAIT-2", "TIME-WAIT":
        if state == "FIN-WAIT-2":
            x.a.do("close", "sl")
        elif state == "TIME-WAIT":
            x.p.do("close", "cl")
        time.sleep(SETTLE)
        x.b.do("new", "n")
        x.say(state, "without", x.b.do("bind", "n", x.port), end(x.b, "n"))
        x.b.do("new", "m", R)
        x.say(state, "with", x.b.do("bind", "m", x.port), x.b.do("listen", "m"))
        x.say("a new client", x.meets(x.b, "m"))
        if state == "open":
            x.say("the old one", x.p.do("send", "cl", "again"), x.a.do("recv", "sl"), x.a.do("send", "sl", "back"),
                  x.p.do("recv", "cl"))
        x.p.do("close", "cm")
        x.say("which ends", x.b.do("recv", "sm"), x.b.do("close", "sm"), x.b.do("close", "m"))
        x.say("nobody listens", x.p.do("refused", x.addr, x.port))


def end(who, name):
    return who.do("close", name)


def connects(x):
    """Both bind and connect from the port."""
    x.p.do("serve", "l", x.port + 1, R)
    x.p.do("serve", "m", x.port + 2, R)
    for who, name in (x.a, "a"), (x.b, "b"):
        x.say(name, who.do("new", "c", R), who.do("bind", "c", x.port))
    to = "10.99.0.2"
    x.say("the first connects", x.a.do("connect", "c", to, x.port + 1), x.p.do("accept", "l", "s"))
    x.say("the second, to the same", x.b.do("connect", "c", to, x.port + 1))
    x.b.do("new", "d", R)
    x.say("to another", x.b.do("bind", "d", x.port), x.b.do("connect", "d", to, x.port + 2), x.p.do("accept", "m", "t"))
    x.say("data", x.p.do("send", "s", "one"), x.a.do("recv", "c"), x.p.do("send", "t", "two"), x.b.do("recv", "d"))


def children(x):
    """A child takes the port that its parent has just used and closed, the TIME-WAIT being the parent's."""
    x.a.do("serve", "l", x.port, R)
    x.say("a client", x.meets(x.a, "l"))
    x.say("closed", x.a.do("close", "l"), x.a.do("close", "sl"), x.p.do("close", "cl"))
    time.sleep(SETTLE)
    x.say("child without", x.a.do("fork", ("new", "n"), ("bind", "n", x.port)))
    x.say("child with", x.a.do("fork", ("new", "n", R), ("bind", "n", x.port), ("listen", "n")))
    x.say("its parent", x.a.do("serve", "l", x.port, R))


def restart(x, how, clients=4):
    """The server ends with clients connected, there and here; another one starts at once."""
    x.a.do("serve", "l", x.port, R)
    for where in x.p, x.q:
        for i in range(clients):
            x.say("a client", where.do("connect", f"c{i}", x.addr, x.port), x.a.do("accept", "l", "s"),
                  where.do("send", f"c{i}", "hello"), x.a.do("recv", "s"))
            x.a.do(*("keep", "s") if i else ("close", "s"))
        where.do("close", "c0")
    x.a.end(how)
    x.say("the next", x.b.do("new", "l", R), x.b.do("bind", "l", x.port), x.b.do("listen", "l"))
    x.say("a new client", x.meets(x.b, "l"))
    x.say("one of its own host", x.meets(x.b, "l", x.q))
    if how != signal.SIGKILL:
        x.say("the old ones", [where.do("recv", f"c{i}") for where in (x.p, x.q) for i in range(1, clients)])


def restart_exit(x):
    restart(x, 0)


def restart_term(x):
    restart(x, signal.SIGTERM)


def restart_kill(x):
    restart(x, signal.SIGKILL)


def restart_pending(x):
    """One that has much to deliver yet: what goes on delivering isn't in the way."""
    x.a.do("serve", "l", x.port, R)
    x.say("a client", x.p.do("connect", "c", x.addr, x.port), x.a.do("accept", "l", "s"))
    while x.a.do("send", "s", "x" * 65536) == 65536:
        pass
    x.a.end(signal.SIGTERM)
    x.b.do("new", "n")
    x.say("without", x.b.do("bind", "n", x.port), end(x.b, "n"))
    x.say("the next", x.b.do("new", "l", R), x.b.do("bind", "l", x.port), x.b.do("listen", "l"))
    x.say("a new client", x.meets(x.b, "l"))
    n = 1
    while n and n != "ECONNRESET":
        r = x.p.do("recv", "c")
        n = r if r == "ECONNRESET" else len(r)
    x.say("the old one's end", n)


def drive(first, second, peer, host, addr, port, *scenes):
    port = int(port)
    for name in scenes:
        print(f"# {name}", flush=True)
        x = Scene(first, second, peer, host, addr, port)
        globals()[name](x)
        x.over()
        port += 10


if sys.argv[1] == "worker":
    worker()
else:
    drive(*sys.argv[2:])

# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of each way to connect and to listen under the rules of policy.sh.

    policies.py serve PORT...              echo servers on every address
    policies.py connect SERVER PORT...     each way to connect to that server: its name and, for each port, whose it was
                                           ("kernel" or "xtcp") or the error
    policies.py own                        the same of 127.0.0.1 and ::1
    policies.py listen ADDRESS PORT...     each way to listen
    policies.py heirs SERVER PORT...       connecting by another process than the one that made the socket, with what was
                                           set on it
    policies.py heirs-listen PORT...       and listening
"""
import array
import errno
import os
import socket
import struct
import sys
import threading

DATA = b"some bytes"
TCP_FASTOPEN_CONNECT = 30


def kernel_has(port, states):
    """Does the kernel's TCP have a socket of this local port in one of these states?"""
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(name) as f:
            for line in list(f)[1:]:
                word = line.split()
                if int(word[1].rpartition(":")[2], 16) == port and word[3] in states:
                    return True
    return False


def error(e):
    return errno.errorcode.get(e.errno, str(e))


def outcome(make, addr, how):
    with make() as s:
        try:
            s.settimeout(10)
            how(s, addr)
            got = b""
            while len(got) < len(DATA):
                piece = s.recv(100)
                if not piece:
                    return "closed"
                got += piece
            return "kernel" if kernel_has(s.getsockname()[1], ("01",)) else "xtcp"
        except OSError as e:
            return error(e)


def inet():
    return socket.socket()


def inet6():
    return socket.socket(socket.AF_INET6)


def bound(family, addr, port=0):
    def make():
        s = socket.socket(family)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((addr, port))
        return s
    return make


def plain(s, addr):
    s.connect(addr)
    s.sendall(DATA)


def nonblocking(s, addr):
    s.setblocking(False)
    e = s.connect_ex(addr)
    if e not in (0, errno.EINPROGRESS):
        raise OSError(e, "")
    s.settimeout(10)
    s.sendall(DATA)


def fast_sendto(s, addr):
    s.settimeout(None)
    s.sendto(DATA, socket.MSG_FASTOPEN, addr)


def fast_sendmsg(s, addr):
    s.settimeout(None)
    s.sendmsg([DATA], [], socket.MSG_FASTOPEN, addr)


def fast_connect(s, addr):
    s.settimeout(None)
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    s.connect(addr)
    s.sendall(DATA)


def again(s, addr):
    """After an attempt elsewhere that no rule is about."""
    s.settimeout(None)
    s.connect_ex((addr[0], 9) if addr[0] != "::1" else ("::1", 9))
    plain(s, addr)


def connect(server, ports):
    mapped = "::ffff:" + server
    for name, make, host, how in (
            ("AF_INET", inet, server, plain), ("AF_INET6", inet6, mapped, plain),
            ("not blocking", inet, server, nonblocking), ("bound to any address", bound(socket.AF_INET, ""), server, plain),
            ("MSG_FASTOPEN by sendto()", inet, server, fast_sendto),
            ("MSG_FASTOPEN by sendmsg(), AF_INET6", inet6, mapped, fast_sendmsg),
            ("TCP_FASTOPEN_CONNECT", inet, server, fast_connect), ("a second attempt", inet, server, again)):
        print(name + ":", *(outcome(make, (host, port), how) for port in ports))
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        for port in ports:
            s.sendto(DATA, (server, port))
            s.connect((server, port))
    print("datagrams: sent")


def own():
    for name, make, host, how in (
            ("127.0.0.1", inet, "127.0.0.1", plain), ("mapped", inet6, "::ffff:127.0.0.1", plain),
            ("bound to 127.0.0.1", bound(socket.AF_INET, "127.0.0.1"), "127.0.0.1", plain),
            ("bound to 127.0.0.1, MSG_FASTOPEN", bound(socket.AF_INET, "127.0.0.1"), "127.0.0.1", fast_sendto),
            ("bound to 127.0.0.1, MSG_FASTOPEN by sendmsg()", bound(socket.AF_INET, "127.0.0.1"), "127.0.0.1", fast_sendmsg),
            ("bound where no listener may be", bound(socket.AF_INET, "127.0.0.1", 7105), "127.0.0.1", plain),
            ("a second attempt", inet, "127.0.0.1", again), ("IPv6", inet6, "::1", plain),
            ("bound to ::1", bound(socket.AF_INET6, "::1"), "::1", plain)):
        print(name + ":", *(outcome(make, (host, port), how) for port in (7101, 7102, 7103, 7106)))


def listener(make):
    try:
        with make() as s:
            try:
                s.listen()
            except OSError as e:
                return error(e)
            return "kernel" if kernel_has(s.getsockname()[1], ("0A",)) else "xtcp"
    except OSError as e:
        return "bind: " + error(e)


def v6only(port):
    s = inet6()
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(("::", port))
    return s


def listen(addr, ports):
    for name, make in (
            ("on every address", lambda p: bound(socket.AF_INET, "", p)), ("on one", lambda p: bound(socket.AF_INET, addr, p)),
            ("on ::", lambda p: bound(socket.AF_INET6, "::", p)), ("on :: alone", lambda p: lambda: v6only(p)),
            ("on 127.0.0.1", lambda p: bound(socket.AF_INET, "127.0.0.1", p)),
            ("on ::1", lambda p: bound(socket.AF_INET6, "::1", p))):
        print(name + ":", *(listener(make(port)) for port in ports))
    print("not bound:", listener(inet))


# ---- sockets that another process has made ----

SET = ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
       (socket.IPPROTO_IP, socket.IP_TOS, 0x10), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77),
       (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1), (socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1))
TIMEO = struct.pack("ll", 20, 0)


def set_up(s):
    for level, name, value in SET:
        s.setsockopt(level, name, value)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, TIMEO)


def lost(s):
    """The options that aren't as they were set."""
    found = [str(name) for level, name, value in SET if s.getsockopt(level, name) != value]
    if s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, len(TIMEO)) != TIMEO:
        found.append("SO_RCVTIMEO")
    return "" if not found else " without " + " ".join(found)


def whose(s, states):
    return "kernel" if kernel_has(s.getsockname()[1], states) else "xtcp"


def take_over(s, to):
    """The heir's part: connects, or listens where there is no address."""
    try:
        port = s.getsockname()[1]
        if to:
            plain(s, to)
            got = b""
            while len(got) < len(DATA):
                got += s.recv(100) or b"?" * 100
            if got != DATA:
                return "closed"
        else:
            s.listen()
        said = whose(s, ("01",) if to else ("0A",)) + lost(s)
        return said if not port or s.getsockname()[1] == port else said + " from another port"
    except OSError as e:
        return error(e)


def forked(work, meanwhile=lambda: None):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(w, work().encode())
        os._exit(0)
    os.close(w)
    meanwhile()
    with open(r) as f:
        said = f.read()
    os.waitpid(pid, 0)
    return said


def by_fork(make, to):
    """The parent's is the same socket."""
    with make() as s:
        said = forked(lambda: take_over(s, to))
        try:
            here = whose(s, ("01",) if to else ("0A",))
            if to:
                s.getpeername()
        except OSError as e:
            here = error(e)
        return said if said.startswith((here, "E")) else f"{said}, here {here}"


def by_message(make, to):
    a, b = socket.socketpair()

    def work():
        fds = array.array("i", b.recvmsg(1, 100)[1][0][2])
        with socket.socket(fileno=fds[0]) as s:
            return take_over(s, to)

    def send():
        with make() as s:
            a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])

    sender = threading.Thread(target=send)
    with a, b:
        said = forked(work, sender.start)
        sender.join()
        return said


def by_exec(make, to):
    """Under another name."""
    def work():
        os.dup2(w, 1)
        s.set_inheritable(True)
        os.execv(sys.executable, ["heir", __file__, "heir", str(s.fileno()), *(map(str, to[:2]) if to else ())])

    with make() as s:
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            work()
        os.close(w)
        with open(r) as f:
            said = f.read()
        os.waitpid(pid, 0)
        return said.strip()


WAYS = (("fork()", by_fork), ("a message", by_message), ("exec", by_exec))


def prepared(family, host=None, port=0):
    def make():
        s = socket.socket(family)
        set_up(s)
        if host is not None:
            s.bind((host, port))
        return s
    return make


def heirs(server, ports):
    for way, by in WAYS:
        for name, make, host in (
                ("AF_INET", prepared(socket.AF_INET), server),
                ("AF_INET6", prepared(socket.AF_INET6), "::ffff:" + server),
                ("bound", prepared(socket.AF_INET, ""), server),
                ("to this host", prepared(socket.AF_INET), "127.0.0.1"),
                ("IPv6", prepared(socket.AF_INET6), "::1")):
            print(f"{way}, {name}:", *(by(make, (host, port)) for port in ports))


def heirs_listen(ports):
    for way, by in WAYS:
        for name, family, host in (("bound", socket.AF_INET, ""), ("bound to ::", socket.AF_INET6, "::")):
            print(f"{way}, {name}:", *(by(prepared(family, host, port), None) for port in ports))


def echo(s):
    while data := s.recv(1000):
        s.sendall(data)
    s.close()


def serve(port):
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as s:
        while True:
            threading.Thread(target=echo, args=(s.accept()[0],), daemon=True).start()


if sys.argv[1] == "serve":
    threads = [threading.Thread(target=serve, args=(int(port),)) for port in sys.argv[2:]]
    [t.start() for t in threads]
elif sys.argv[1] == "connect":
    connect(sys.argv[2], [int(port) for port in sys.argv[3:]])
elif sys.argv[1] == "own":
    own()
elif sys.argv[1] == "heirs":
    heirs(sys.argv[2], [int(port) for port in sys.argv[3:]])
elif sys.argv[1] == "heirs-listen":
    heirs_listen([int(port) for port in sys.argv[2:]])
elif sys.argv[1] == "heir":
    print(take_over(socket.socket(fileno=int(sys.argv[2])), (sys.argv[3], int(sys.argv[4])) if sys.argv[3:] else None))
else:
    listen(sys.argv[2], [int(port) for port in sys.argv[3:]])

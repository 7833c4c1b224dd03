# SPDX-License-Identifier: BSD-2-Clause
"""What the namespace tests run over xtcp in python; each prints one line, a sha256 or "ok"."""
import asyncio
import errno
import hashlib
import os
import resource
import select
import socket
import sys
import threading
import time
import urllib.parse
import urllib.request

SIZE = 8 << 20
CHUNK = 65536


def digest(data):
    return hashlib.sha256(data).hexdigest()


def urllib_get(url):
    with urllib.request.urlopen(url, timeout=30) as r:
        return digest(r.read())


def asyncio_get(url):
    u = urllib.parse.urlsplit(url)

    async def get():
        r, w = await asyncio.open_connection(u.hostname, u.port or 80)
        w.write(f"GET {u.path} HTTP/1.0\r\n\r\n".encode())
        await w.drain()
        body = (await r.read()).split(b"\r\n\r\n", 1)[1]
        w.close()
        await w.wait_closed()
        return digest(body)

    async def twice():
        a, b = await asyncio.gather(get(), get())
        return a if a == b else f"{a} != {b}"

    return asyncio.run(twice())


def threads_get(url):
    found = []
    ts = [threading.Thread(target=lambda: found.append(urllib_get(url))) for _ in range(4)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    return found[0] if len(found) == 4 and len(set(found)) == 1 else str(found)


def put(url, path):
    with open(path, "rb") as f:
        size = os.fstat(f.fileno()).st_size
        req = urllib.request.Request(url, data=f, method="PUT",
                                     headers={"Content-Length": str(size)})
        with urllib.request.urlopen(req, timeout=30) as r:
            return str(r.status)


def echo_asyncio(host, port):
    data = os.urandom(SIZE)

    async def run():
        r, w = await asyncio.open_connection(host, port)

        async def feed():
            for i in range(0, SIZE, CHUNK):
                w.write(data[i:i + CHUNK])
                await w.drain()
            w.write_eof()

        _, got = await asyncio.gather(feed(), r.read())
        w.close()
        return got

    return "ok" if asyncio.run(asyncio.wait_for(run(), 40)) == data else "differs"


def waiter(kind, s):
    """A function (want_write) -> (readable, writable) by select, poll or epoll."""
    if kind == "select":
        return lambda w: tuple(map(bool, select.select([s], [s] if w else [], [], 20)[:2]))
    p = select.poll() if kind == "poll" else select.epoll()
    rd, wr = select.POLLIN, select.POLLOUT   # the same values as EPOLLIN, EPOLLOUT
    p.register(s, rd)

    def wait(w):
        p.modify(s, rd | wr if w else rd)
        ev = p.poll(20000 if kind == "poll" else 20)
        mask = ev[0][1] if ev else 0
        return bool(mask & (rd | select.POLLHUP)), bool(mask & wr)

    return wait


def echo_by(kind, host, port):
    data, got, sent = os.urandom(SIZE), bytearray(), 0
    with socket.create_connection((host, port)) as s:
        s.setblocking(False)
        wait = waiter(kind, s)
        while True:
            rd, wr = wait(sent < SIZE)
            if not rd and not wr:
                return f"stuck at {sent} sent, {len(got)} received"
            if wr and sent < SIZE:
                sent += s.send(data[sent:sent + CHUNK])
                if sent == SIZE:
                    s.shutdown(socket.SHUT_WR)
            if rd:
                part = s.recv(CHUNK)
                if not part:
                    break
                got += part
    return "ok" if got == data else "differs"


def refused(host, port):
    s = socket.socket()
    if s.connect_ex((host, port + 1)) != errno.ECONNREFUSED:
        return "blocking connect"
    # The socket can be used again (inet_stream_connect leaves it unconnected).
    if s.connect_ex((host, port)) != 0:
        return "second connect"
    s.close()
    s = socket.socket()
    s.setblocking(False)
    if s.connect_ex((host, port + 1)) != errno.EINPROGRESS:
        return "non-blocking connect"
    p = select.poll()
    p.register(s, select.POLLOUT)
    ev = p.poll(10000)
    if not ev or not ev[0][1] & select.POLLERR or not ev[0][1] & select.POLLOUT:
        return f"poll {ev}"
    if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != errno.ECONNREFUSED:
        return "SO_ERROR"
    return "ok" if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 else "SO_ERROR stays"


def timeout(host, port):
    s = socket.create_connection((host, port))
    s.settimeout(0.2)
    start = time.monotonic()
    try:
        s.recv(1)
        return "received"
    except TimeoutError:
        pass
    if not 0.15 < time.monotonic() - start < 2:
        return "settimeout"
    s.settimeout(None)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes.fromhex(
        "0000000000000000400d030000000000"))   # 200 ms
    start = time.monotonic()
    try:
        s.recv(1)
        return "received"
    except BlockingIOError:
        pass
    return "ok" if 0.15 < time.monotonic() - start < 2 else "SO_RCVTIMEO"


def expect(what, wanted, call, *args):
    try:
        r = call(*args)
    except OSError as e:
        return [] if e.errno == wanted else [f"{what}: {errno.errorcode[e.errno]}"]
    return [f"{what}: {r}"]


def errors(host, port):
    bad = []
    s = socket.socket()
    bad += expect("recv unconnected", errno.ENOTCONN, s.recv, 1)
    bad += expect("send unconnected", errno.EPIPE, s.send, b"x")
    bad += expect("getpeername", errno.ENOTCONN, s.getpeername)
    bad += expect("shutdown", errno.ENOTCONN, socket.socket().shutdown, socket.SHUT_WR)
    bad += expect("foreign address", errno.EADDRNOTAVAIL, s.bind, ("10.1.2.3", 0))
    s.connect((host, port))
    bad += expect("connect twice", errno.EISCONN, s.connect, (host, port))
    bad += expect("bind after connect", errno.EINVAL, s.bind, ("", 4322))
    s.setblocking(False)
    bad += expect("nothing there", errno.EAGAIN, s.recv, 1)
    s.setblocking(True)
    s.send(b"abc")
    if s.recv(3, socket.MSG_PEEK | socket.MSG_WAITALL) != b"abc" or s.recv(2) != b"ab":
        bad.append("MSG_PEEK")
    s.shutdown(socket.SHUT_WR)
    bad += expect("send after shutdown", errno.EPIPE, s.send, b"x")
    if s.recv(10, socket.MSG_WAITALL) != b"c" or s.recv(1) != b"":
        bad.append("half-close")
    s.close()
    s = socket.socket()
    bad += expect("multicast", errno.ENETUNREACH, s.connect, ("224.0.0.1", port))
    s.close()
    return "ok" if not bad else "; ".join(bad)


def idle(host, port):
    """Waiting costs no CPU, whoever waits and however."""
    s = socket.create_connection((host, port))
    ep = select.epoll()
    ep.register(s, select.EPOLLIN)
    before = resource.getrusage(resource.RUSAGE_SELF)
    ep.poll(0.5)
    s.settimeout(0.5)
    try:
        s.recv(1)
    except TimeoutError:
        pass
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return "ok" if used < 0.05 else f"used {used:.3f} s of 1"


def main():
    what, args = sys.argv[1], sys.argv[2:]
    if what.startswith("echo") or what in ("refused", "timeout", "errors", "idle"):
        args[1] = int(args[1])
    if what in ("echo-select", "echo-poll", "echo-epoll"):
        print(echo_by(what[5:], *args))
        return
    names = {"urllib": urllib_get, "asyncio": asyncio_get, "threads": threads_get}
    print(names.get(what, globals().get(what.replace("-", "_")))(*args))


main()

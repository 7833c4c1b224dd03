# SPDX-License-Identifier: BSD-2-Clause
"""Echo servers for local.sh, and what a server's program sees of clients on its own host.

    echoer.py HOW PORT      blocking, poll, epoll, dual (an AF_INET6 socket for both), reuseport, prefork
    echoer.py names ADDR    prints ok, or what differed
    echoer.py life ADDR
"""
import errno
import os
import selectors
import socket
import sys
import threading


def listen(port, family=socket.AF_INET, addr="0.0.0.0", is_sharing=False):
    s = socket.socket(family)
    if is_sharing:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind((addr, port))
    s.listen(16)
    return s


def echo(s):
    s.setblocking(True)
    while data := s.recv(65536):
        s.sendall(data)
    s.close()


def accept_for_ever(s):
    while True:
        threading.Thread(target=echo, args=(s.accept()[0],), daemon=True).start()


def by_selector(s, selector):
    s.setblocking(False)
    selector.register(s, selectors.EVENT_READ)
    while True:
        selector.select()
        try:
            while True:
                threading.Thread(target=echo, args=(s.accept()[0],), daemon=True).start()
        except BlockingIOError:
            pass


def prefork(s):
    for _ in range(2):
        if os.fork() == 0:
            accept_for_ever(s)
    os.wait()


SERVERS = {
    "blocking": lambda p: accept_for_ever(listen(p)),
    "poll": lambda p: by_selector(listen(p), selectors.PollSelector()),
    "epoll": lambda p: by_selector(listen(p), selectors.EpollSelector()),
    "dual": lambda p: accept_for_ever(listen(p, socket.AF_INET6, "::")),
    "reuseport": lambda p: accept_for_ever(listen(p, is_sharing=True)),
    "prefork": lambda p: prefork(listen(p)),
}


def same(what, found, wanted):
    assert found == wanted, f"{what}: {found}, not {wanted}"


def one(listener, family, to):
    """What accept() says of one client, and what it is."""
    client = socket.create_connection(to, 5)
    conn, peer = listener.accept()
    same("family", conn.family, family)
    name = "::ffff:" + client.getsockname()[0] if family == socket.AF_INET6 and ":" not in to[0] \
        else client.getsockname()[0]
    same("peer", peer[:2], (name, client.getsockname()[1]))
    same("getpeername", conn.getpeername()[:2], peer[:2])
    same("local port", conn.getsockname()[1], to[1])
    client.sendall(b"x")
    same("data", conn.recv(9), b"x")
    client.close()
    same("end", conn.recv(9), b"")
    conn.close()


def names(addr):
    s = listen(0)
    port = s.getsockname()[1]
    for to in ("127.0.0.1", addr):
        one(s, socket.AF_INET, (to, port))
    s.close()
    s = listen(0, socket.AF_INET6, "::")
    port = s.getsockname()[1]
    for to in ("127.0.0.1", addr, "::1"):
        one(s, socket.AF_INET6, (to, port))
    s.close()
    s = listen(0, addr=addr)
    port = s.getsockname()[1]
    one(s, socket.AF_INET, (addr, port))
    refused("an address that isn't bound", ("127.0.0.1", port))


def refused(what, to):
    try:
        socket.create_connection(to, 5)
    except ConnectionRefusedError:
        return
    raise AssertionError(f"{what}: not refused")


def life(addr):
    s = socket.socket()
    for value in (1, 0):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, value)
    s.bind(("0.0.0.0", 0))
    s.listen(16)
    port = s.getsockname()[1]
    waiting = socket.create_connection((addr, port), 5)
    conn, _ = s.accept()
    same("SO_OOBINLINE, set and taken back", conn.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE), 0)
    conn.close()
    waiting.close()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    waiting = socket.create_connection((addr, port), 5)
    conn, _ = s.accept()
    same("SO_KEEPALIVE", conn.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
    same("TCP_NODELAY", conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 1)
    conn.close()
    waiting = socket.create_connection((addr, port), 5)
    s.shutdown(socket.SHUT_RDWR)
    try:
        waiting.settimeout(5)
        waiting.recv(1)
        raise AssertionError("not reset")
    except ConnectionResetError:
        pass
    refused("after shutdown()", (addr, port))
    s.listen(5)
    port = s.getsockname()[1]    # one that was not named is chosen anew
    one(s, socket.AF_INET, (addr, port))
    s.setblocking(False)
    try:
        s.accept()
        raise AssertionError("accepted nobody")
    except OSError as e:
        same("errno", e.errno, errno.EAGAIN)
    s.close()
    refused("after close()", (addr, port))
    one(listen(port), socket.AF_INET, (addr, port))


if sys.argv[1] in SERVERS:
    SERVERS[sys.argv[1]](int(sys.argv[2]))
else:
    try:
        {"names": names, "life": life}[sys.argv[1]](sys.argv[2])
        print("ok")
    except (AssertionError, OSError) as e:
        print(f"{sys.argv[1]}: {e!r}")

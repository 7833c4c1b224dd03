# SPDX-License-Identifier: BSD-2-Clause
"""bench.sh's measurements that curl doesn't make; prints one number a second."""
import select
import socket
import sys
import time


def round_trips(host, port, count):
    with socket.create_connection((host, port)) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.perf_counter()
        for _ in range(count):
            s.send(b"x")
            s.recv(1)
        return count / (time.perf_counter() - start)


def epoll_trips(host, port, count):
    with socket.create_connection((host, port)) as s, select.epoll() as ep:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.setblocking(False)
        ep.register(s, select.EPOLLIN)
        start = time.perf_counter()
        for _ in range(count):
            s.send(b"x")
            ep.poll()
            s.recv(1)
        return count / (time.perf_counter() - start)


def connections(host, port, count):
    start = time.perf_counter()
    for _ in range(count):
        socket.create_connection((host, port)).close()
    return count / (time.perf_counter() - start)


print(globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))

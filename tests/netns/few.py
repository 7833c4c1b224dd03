# SPDX-License-Identifier: BSD-2-Clause
"""A program that may have few descriptors, and has taken all of them: what its calls say, a line each.

    few.py LIMIT HARD
"""
import os
import resource
import select
import socket
import threading

import sys


def said(what, call):
    try:
        print(what, call(), flush=True)
    except OSError as e:
        print(what, e.strerror, flush=True)


def fill():
    """Takes what is left."""
    taken = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        return taken


def polled(*socks):
    p = select.poll()
    for s in socks:
        p.register(s, select.POLLIN | select.POLLOUT)
    return [bits for _, bits in p.poll(5000)]


def in_thread(call):
    """In a thread that has made no call before."""
    result = []
    t = threading.Thread(target=lambda: result.append(call()))
    t.start()
    t.join()
    return result


limit, hard = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
listener = socket.socket()
said("bind", lambda: listener.bind(("127.0.0.1", 0)))
said("listen", lambda: listener.listen(8))
client = socket.socket()
said("connect", lambda: client.connect(listener.getsockname()))
server = listener.accept()[0]
said("send", lambda: server.send(b"hello"))
said("limit", lambda: resource.getrlimit(resource.RLIMIT_NOFILE))
taken = fill()
said("socket", socket.socket)
said("dup", client.dup)
said("poll", lambda: polled(client, server, listener))
said("poll in a thread", lambda: in_thread(lambda: polled(client, server, listener)))
said("select", lambda: len(select.select([client], [client], [], 5)[0]))
said("recv", lambda: client.recv(100))
said("wait", lambda: in_thread(lambda: (threading.Timer(0.2, server.send, (b"more",)).start(), polled(client))[1]))
said("limit", lambda: resource.getrlimit(resource.RLIMIT_NOFILE))
for fd in taken[:2]:
    os.close(fd)
other = socket.socket()
said("a second connect", lambda: other.connect(listener.getsockname()))
said("accept", lambda: listener.accept()[0] and "ok")

# SPDX-License-Identifier: BSD-2-Clause
"""A plain TCP server for the namespace tests, over the kernel's TCP.

peer.py PORT send FILE   each connection gets the file, then the end
peer.py PORT recv FILE   what each connection sends up to its end is appended to FILE,
                         then "done" is sent
peer.py PORT echo        what comes in goes back; "RESET" is answered by a reset, "FIN-RESET" by an end, and what follows by
                         a reset, "URGENT" by urgent data, "TELL" by what it sees of the urgent data that follows,
                         "CALL PORT" by a connection to that port, which gets "hi", "LATE" by the five digits of a port that takes
                         no connection until "GO", and echoes then; after "HOLD" nothing is read until another connection says
                         "LET"
peer.py PORT hold        connections are accepted and left alone
peer.py PORT slow FILE   as recv, but reads nothing until FILE.go exists, and says nothing
"""
import os
import select
import socket
import struct
import sys
import threading
import time

CHUNK = 65536
let = threading.Event()


def send(conn, path):
    with open(path, "rb") as f:
        conn.sendfile(f)
    conn.shutdown(socket.SHUT_WR)
    while conn.recv(CHUNK):
        pass


def take(conn, path):
    with open(path, "ab") as f:
        while data := conn.recv(CHUNK):
            f.write(data)


def recv(conn, path):
    take(conn, path)
    conn.sendall(b"done")


def slow(conn, path):
    while not os.path.exists(path + ".go"):
        time.sleep(0.01)
    take(conn, path)


def late(conn):
    """A SYN is dropped while the backlog is full."""
    with socket.create_server(("", 0), backlog=0) as s, socket.create_connection(s.getsockname()):
        conn.sendall(b"%05d" % s.getsockname()[1])
        while conn.recv(CHUNK) == b"GO":
            threading.Thread(target=serve, args=(echo, s.accept()[0], None), daemon=True).start()


def echo(conn, _):
    while data := conn.recv(CHUNK):
        if data in (b"RESET", b"FIN-RESET"):
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if data == b"FIN-RESET":
            conn.shutdown(socket.SHUT_WR)
            conn.recv(CHUNK)
        if data in (b"RESET", b"FIN-RESET"):
            return
        if data == b"URGENT":
            conn.sendall(b"ab")
            conn.send(b"u", socket.MSG_OOB)
            conn.sendall(b"cd")
        elif data.startswith(b"CALL "):
            with socket.create_connection((conn.getpeername()[0], int(data[5:])), 10) as s:
                s.sendall(b"hi")
        elif data == b"HOLD":
            let.clear()
            conn.sendall(b"held")
            let.wait()
        elif data == b"LET":
            let.set()
        elif data == b"LATE":
            late(conn)
        elif data == b"TELL":
            conn.sendall(b"go")
            select.select([], [], [conn])
            urgent, before, after = conn.recv(1, socket.MSG_OOB), conn.recv(CHUNK), conn.recv(CHUNK)
            conn.sendall(b"%s then %s, then %s" % (before, urgent, after))
        else:
            conn.sendall(data)


def hold(conn, _):
    conn.recv(1, socket.MSG_PEEK)
    threading.Event().wait()


def serve(verb, conn, path):
    try:
        with conn:
            verb(conn, path)
    except OSError as e:
        print(f"peer: {e}", flush=True)


def main():
    port, verb = int(sys.argv[1]), globals()[sys.argv[2]]
    path = sys.argv[3] if len(sys.argv) > 3 else None
    with socket.create_server(("", port), backlog=64) as s:
        while True:
            conn, _ = s.accept()
            threading.Thread(target=serve, args=(verb, conn, path), daemon=True).start()


main()

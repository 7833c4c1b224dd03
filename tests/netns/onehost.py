# SPDX-License-Identifier: BSD-2-Clause
"""Clients and servers of one host, for onehost.sh.

    onehost.py serve ADDRESS PORT          an echo server; says "listens"
    onehost.py try ADDRESS PORT            the same, and ends
    onehost.py ask ADDRESS PORT [BIND]     some bytes there and back: "ok", or the error; with "fast" for BIND the first of
                                           them by MSG_FASTOPEN
    onehost.py later PORT                  asks the addresses that come by lines of its input, one after the other
    onehost.py asks ADDRESS:PORT...        the same, one after the other
    onehost.py ping ADDRESS                an ICMP echo: fails without an answer
    onehost.py self ADDRESS                the same of a thread of its own, at a port that is free
    onehost.py programs INTERFACE [ADDRESS PORT]
                                           how many BPF programs look at what it sends (TCX); -1: the kernel has none; and
                                           before that, asks
"""
import ctypes
import errno
import os
import socket
import sys
import threading

DATA = bytes(range(256)) * 4096


def echo(s):
    while data := s.recv(65536):
        s.sendall(data)
    s.close()


def serve(addr, port, stays):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind((addr, port))
        s.listen()
    except OSError as e:
        print(errno.errorcode[e.errno], flush=True)
        return
    print("listens", flush=True)
    while stays:
        threading.Thread(target=echo, args=(s.accept()[0],), daemon=True).start()


def ask(addr, port, bound=None):
    with socket.socket() as s:
        s.settimeout(10)
        try:
            sent = 0
            if bound == "fast":
                s.settimeout(None)
                sent = s.sendto(DATA[:100], socket.MSG_FASTOPEN, (addr, port))
            else:
                if bound:
                    s.bind((bound, 0))
                s.connect((addr, port))
            feed = threading.Thread(target=lambda: (s.sendall(DATA[sent:]), s.shutdown(socket.SHUT_WR)))
            feed.start()
            got = b""
            while data := s.recv(65536):
                got += data
            feed.join()
        except OSError as e:
            return errno.errorcode.get(e.errno, str(e))
        return "ok" if got == DATA else "differs"


def ask_self(addr):
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        threading.Thread(target=lambda: echo(listener.accept()[0]), daemon=True).start()
        return ask(addr, listener.getsockname()[1])


def ping(addr):
    """An echo request of nothing but a header, and who answers it."""
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.settimeout(5)
    s.sendto(b"\x08\x00\xf7\xff" + bytes(4), (addr, 0))
    while (answer := s.recv(1500))[20] != 0:
        pass
    return answer[12:16] == socket.inet_aton(addr)


def programs(name):
    """bpf(BPF_PROG_QUERY) of the ones attached by BPF_TCX_EGRESS."""
    class Query(ctypes.Structure):
        _fields_ = [("ifindex", ctypes.c_uint32), ("attach_type", ctypes.c_uint32), ("query_flags", ctypes.c_uint32),
                    ("attach_flags", ctypes.c_uint32), ("ids", ctypes.c_uint64), ("count", ctypes.c_uint32),
                    ("rest", ctypes.c_uint8 * 60)]

    libc = ctypes.CDLL(None, use_errno=True)
    number = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    q = Query(ifindex=socket.if_nametoindex(name), attach_type=47)
    if libc.syscall(number, 16, ctypes.byref(q), ctypes.sizeof(q)) < 0:
        return 0 if ctypes.get_errno() == errno.ENOENT else -1
    return q.count


if sys.argv[1] in ("serve", "try"):
    serve(sys.argv[2], int(sys.argv[3]), sys.argv[1] == "serve")
elif sys.argv[1] == "ask":
    print(ask(sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
elif sys.argv[1] == "asks":
    print(*(ask(addr, int(port)) for addr, port in (a.split(":") for a in sys.argv[2:])))
elif sys.argv[1] == "self":
    print(ask_self(sys.argv[2]))
elif sys.argv[1] == "ping":
    sys.exit(not ping(sys.argv[2]))
elif sys.argv[1] == "programs":
    print(*([ask(sys.argv[3], int(sys.argv[4]))] if sys.argv[3:] else []), programs(sys.argv[2]))
else:
    for line in sys.stdin:
        print(ask(line.strip(), int(sys.argv[2])), flush=True)

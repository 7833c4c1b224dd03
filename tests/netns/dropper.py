# SPDX-License-Identifier: BSD-2-Clause
"""Programs that give privileges up: dropper.py HOW DO ARGS...

HOW: setuid, setresuid, seteuid, chroot, capset.  DO: get ADDR PORT (prints the answer to "hello"), serve PORT (echoes),
nothing.
"""
import ctypes
import os
import socket
import struct
import sys
import tempfile

NOBODY = 65534
how, do, *args = sys.argv[1:]

if how == "chroot":
    os.chroot(tempfile.mkdtemp(dir=os.environ.get("T")))
    os.setuid(NOBODY)
elif how == "capset":
    # _LINUX_CAPABILITY_VERSION_3, this thread; no capability of any kind.
    assert ctypes.CDLL(None).capset(struct.pack("Ii", 0x20080522, 0), bytes(24)) == 0
elif how == "setresuid":
    os.setresuid(NOBODY, NOBODY, NOBODY)
else:
    getattr(os, how)(NOBODY)

if do == "get":
    # Nothing that would have to be imported now.
    with socket.socket() as s:
        s.connect((args[0], int(args[1])))
        s.sendall(b"hello")
        s.shutdown(socket.SHUT_WR)
        print(s.recv(100, socket.MSG_WAITALL).decode("ascii"))
elif do == "serve":
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", int(args[0])))
    listener.listen()
    while True:
        s, _ = listener.accept()
        while data := s.recv(65536):
            s.sendall(data)
        s.close()

# SPDX-License-Identifier: BSD-2-Clause
"""splice(), tee(), vmsplice(), copy_file_range() and sendfile() with TCP sockets on either side: what they give, over
whatever TCP it runs, one line each.

    splice.py ADDRESS ECHO-PORT HOLD-PORT
"""
import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import sys
import tempfile
import termios
import time

libc = ctypes.CDLL(None, use_errno=True)
for name in ("splice", "tee", "vmsplice", "sendfile", "copy_file_range"):
    getattr(libc, name).restype = ctypes.c_ssize_t
MOVE, NONBLOCK, MORE = 1, 2, 4
PATTERN = bytes(i * 31 % 251 for i in range(1 << 16))
TO_ECHO, TO_HOLD = (sys.argv[1], int(sys.argv[2])), (sys.argv[1], int(sys.argv[3]))


class Offset:
    def __init__(self, at):
        self.v = ctypes.c_int64(at)

    def ref(self):
        return ctypes.byref(self.v)


def size(n):
    return ctypes.c_size_t(n)


def result(r):
    return r if r >= 0 else errno.errorcode.get(ctypes.get_errno(), ctypes.get_errno())


def splice(a, at_a, b, at_b, n, flags=0):
    return result(libc.splice(a, at_a and at_a.ref(), b, at_b and at_b.ref(), size(n), flags))


def sendfile(out, fd, at, n):
    return result(libc.sendfile(out, fd, at and at.ref(), size(n)))


def tee(a, b, n, flags=0):
    return result(libc.tee(a, b, size(n), flags))


def copy(a, at_a, b, at_b, n):
    return result(libc.copy_file_range(a, at_a and at_a.ref(), b, at_b and at_b.ref(), size(n), 0))


def vmsplice(fd, data, flags=0):
    iov = struct.pack("PN", ctypes.addressof(ctypes.create_string_buffer(data)), len(data))
    return result(libc.vmsplice(fd, ctypes.create_string_buffer(iov), size(1), flags))


def say(what, *found):
    print(what + ":", *found, flush=True)


def some(n):
    """A number whose size is the buffers' business."""
    return "some" if isinstance(n, int) and n > 0 else n


def connected(to, blocks=True):
    s = socket.create_connection(to, 10)
    s.settimeout(None)
    s.setblocking(blocks)
    return s


def readable(fd, n):
    """Waits until so many bytes can be read."""
    buf = bytearray(4)
    for _ in range(2000):
        fcntl.ioctl(fd, termios.FIONREAD, buf)
        if struct.unpack("i", buf)[0] >= n:
            return
        time.sleep(0.005)
    say("not readable", n)


def echoed(n, blocks=True):
    """A socket with n bytes to read."""
    s = connected(TO_ECHO)
    s.sendall(PATTERN[:n])
    readable(s.fileno(), n)
    s.setblocking(blocks)
    return s


def pipe(flags=0):
    return os.pipe2(flags)


def fill(w):
    os.set_blocking(w, False)
    try:
        while True:
            os.write(w, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(w, True)


def drain(r):
    was = os.get_blocking(r)
    os.set_blocking(r, False)
    try:
        while os.read(r, 65536):
            pass
    except BlockingIOError:
        pass
    os.set_blocking(r, was)


def taken(s, n):
    """The next n bytes, or fewer at the end."""
    s.setblocking(True)
    s.settimeout(10)
    got = b""
    while len(got) < n:
        piece = s.recv(n - len(got))
        if not piece:
            break
        got += piece
    return got


def seconds(f):
    begin = time.monotonic()
    r = f()
    return r, time.monotonic() - begin >= 0.19


def from_socket(blocks, pipe_flags):
    how = f"{'blocking' if blocks else 'nonblocking'}, pipe {'nonblocking' if pipe_flags else 'blocking'}, "
    r, w = pipe(pipe_flags)
    s = echoed(10000, blocks)
    say(how + "a part", splice(s.fileno(), None, w, None, 3000), os.read(r, 9999) == PATTERN[:3000])
    say(how + "nothing", splice(s.fileno(), None, w, None, 0))
    say(how + "the rest, asked for more", splice(s.fileno(), None, w, None, 60000, MOVE | MORE),
        os.read(r, 60000) == PATTERN[3000:10000])
    if not blocks:
        say(how + "no data", splice(s.fileno(), None, w, None, 10), splice(s.fileno(), None, w, None, 10, NONBLOCK))
    else:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 0, 200000))
        say(how + "no data in time", *seconds(lambda: splice(s.fileno(), None, w, None, 10)))
        say(how + "likewise, with the flag", *seconds(lambda: splice(s.fileno(), None, w, None, 10, NONBLOCK)))
    say(how + "an offset of the socket", splice(s.fileno(), Offset(0), w, None, 10))
    say(how + "an offset of the pipe", splice(s.fileno(), None, w, Offset(0), 10))
    say(how + "a flag that is none", splice(s.fileno(), None, w, None, 10, 0x100))
    say(how + "the pipe's other end", splice(s.fileno(), None, r, None, 10))
    s.sendall(PATTERN[:100])
    readable(s.fileno(), 100)
    fill(w)
    os.set_blocking(w, not pipe_flags)
    say(how + "a full pipe", splice(s.fileno(), None, w, None, 100, NONBLOCK))
    drain(r)
    say(how + "afterwards", splice(s.fileno(), None, w, None, 100, NONBLOCK), os.read(r, 100) == PATTERN[:100])
    s.shutdown(socket.SHUT_WR)
    s.setblocking(True)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 10, 0))
    say(how + "the end", splice(s.fileno(), None, w, None, 10), splice(s.fileno(), None, w, None, 10))
    os.close(r)
    s2 = echoed(10, blocks)
    say(how + "nobody reads the pipe", splice(s2.fileno(), None, w, None, 10))
    os.close(w)


def to_socket(blocks, pipe_flags):
    how = f"to a {'blocking' if blocks else 'nonblocking'} one, pipe {'nonblocking' if pipe_flags else 'blocking'}, "
    r, w = pipe(pipe_flags)
    s = connected(TO_ECHO, blocks)
    os.write(w, PATTERN[:10000])
    say(how + "a part", splice(r, None, s.fileno(), None, 3000), splice(r, None, s.fileno(), None, 0))
    say(how + "the rest, asked for more", splice(r, None, s.fileno(), None, 60000, MORE | NONBLOCK))
    say(how + "comes back", taken(s, 10000) == PATTERN[:10000])
    s.setblocking(blocks)
    say(how + "an empty pipe, with the flag", splice(r, None, s.fileno(), None, 10, NONBLOCK))
    if pipe_flags:
        say(how + "an empty pipe", splice(r, None, s.fileno(), None, 10))
    say(how + "an offset of the pipe", splice(r, Offset(0), s.fileno(), None, 10))
    say(how + "an offset of the socket", splice(r, None, s.fileno(), Offset(0), 10))
    say(how + "the pipe's other end", splice(w, None, s.fileno(), None, 10))
    os.write(w, b"last")
    os.close(w)
    say(how + "what is left", splice(r, None, s.fileno(), None, 10), taken(s, 4))
    say(how + "nobody writes the pipe", splice(r, None, s.fileno(), None, 10))
    os.close(r)
    r, w = pipe()
    os.write(w, b"late")
    s.shutdown(socket.SHUT_WR)
    say(how + "after shutdown()", splice(r, None, s.fileno(), None, 4))
    held = connected(TO_HOLD, False)
    fill(w)
    n = total = 0
    while isinstance(n := splice(r, None, held.fileno(), None, 1 << 20, NONBLOCK), int):
        total += n
        fill(w)
    say(how + "no room", some(total), n)
    os.close(r)
    os.close(w)


def sends_file(blocks, path, data):
    how = f"sendfile to a {'blocking' if blocks else 'nonblocking'} one, "
    s = connected(TO_ECHO, blocks)
    fd = os.open(path, os.O_RDONLY)
    at = Offset(100)
    say(how + "from an offset", sendfile(s.fileno(), fd, at, 5000), at.v.value, os.lseek(fd, 0, 1))
    say(how + "comes back", taken(s, 5000) == data[100:5100])
    s.setblocking(blocks)
    say(how + "from the file's", sendfile(s.fileno(), fd, None, 700), os.lseek(fd, 0, 1), taken(s, 700) == data[:700])
    s.setblocking(blocks)
    at = Offset(len(data) - 50)
    say(how + "up to its end", sendfile(s.fileno(), fd, at, 999), at.v.value - len(data), taken(s, 50) == data[-50:])
    s.setblocking(blocks)
    say(how + "at its end", sendfile(s.fileno(), fd, at, 999), at.v.value - len(data))
    say(how + "nothing", sendfile(s.fileno(), fd, at, 0))
    say(how + "before its beginning", sendfile(s.fileno(), fd, Offset(-1), 10))
    w_only = os.open(path, os.O_WRONLY)
    say(how + "one that can't be read", sendfile(s.fileno(), w_only, None, 10))
    os.close(w_only)
    d = os.open("/tmp", os.O_RDONLY)
    say(how + "a directory", sendfile(s.fileno(), d, None, 10))
    os.close(d)
    r, w = pipe()
    os.write(w, b"piped")
    say(how + "an offset of a pipe", sendfile(s.fileno(), r, Offset(0), 5))
    say(how + "a pipe", sendfile(s.fileno(), r, None, 5))
    os.close(r)
    os.close(w)
    say(how + "a socket", sendfile(s.fileno(), s.fileno(), None, 5))
    say(how + "no fd", sendfile(s.fileno(), 999, None, 5), sendfile(999, fd, None, 5))
    s.shutdown(socket.SHUT_WR)
    say(how + "after shutdown()", sendfile(s.fileno(), fd, None, 10))
    held = connected(TO_HOLD, blocks)
    if blocks:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("qq", 0, 200000))
    total = 0
    while isinstance(n := sendfile(held.fileno(), fd, Offset(0), len(data)), int) and total < 1 << 28:
        total += n
    say(how + "no room", some(total), n)
    os.close(fd)


def odd(path):
    s, other = connected(TO_ECHO), connected(TO_ECHO)
    fd = os.open(path, os.O_RDWR)
    r, w = pipe()
    os.write(w, b"data")
    fresh = socket.socket()
    fresh.setblocking(False)
    listening = socket.socket()
    listening.bind((s.getsockname()[0], 0))
    listening.listen()
    listening.setblocking(False)
    say("splice from socket to file", splice(s.fileno(), None, fd, None, 4), splice(s.fileno(), None, fd, Offset(0), 4))
    say("splice from file to socket", splice(fd, None, s.fileno(), None, 4), splice(fd, Offset(0), s.fileno(), None, 4))
    say("splice from socket to socket", splice(s.fileno(), None, other.fileno(), None, 4),
        splice(s.fileno(), None, s.fileno(), None, 4))
    say("splice from a fresh socket", splice(fresh.fileno(), None, w, None, 4))
    say("splice to a fresh socket", splice(r, None, fresh.fileno(), None, 4))
    say("splice from a listening socket", splice(listening.fileno(), None, w, None, 4))
    say("splice to a listening socket", splice(r, None, listening.fileno(), None, 4))
    say("splice and no fd", splice(999, None, w, None, 4), splice(s.fileno(), None, 999, None, 4))
    say("sendfile to a fresh socket", sendfile(fresh.fileno(), fd, None, 4), os.lseek(fd, 0, 1))
    say("sendfile to a listening socket", sendfile(listening.fileno(), fd, None, 4))
    say("sendfile from a socket to a file", sendfile(fd, s.fileno(), None, 4), sendfile(fd, s.fileno(), Offset(0), 4))
    third = echoed(9)
    say("sendfile from a socket to a pipe", sendfile(w, third.fileno(), None, 4), sendfile(w, third.fileno(), Offset(0), 4),
        os.read(r, 9))
    os.write(w, b"data")
    say("sendfile from socket to socket", sendfile(other.fileno(), s.fileno(), None, 4))
    say("tee from a socket", tee(s.fileno(), w, 4), tee(s.fileno(), w, 4, NONBLOCK), tee(s.fileno(), w, 0))
    say("tee to a socket", tee(r, s.fileno(), 4), tee(r, s.fileno(), 0))
    say("tee with a bad flag", tee(s.fileno(), w, 4, 0x100))
    say("vmsplice on a socket", vmsplice(s.fileno(), b"data"), vmsplice(s.fileno(), b""))
    say("copy_file_range from a socket", copy(s.fileno(), None, fd, None, 4), copy(s.fileno(), Offset(0), fd, None, 4))
    say("copy_file_range to a socket", copy(fd, None, s.fileno(), None, 4), copy(fd, None, s.fileno(), Offset(0), 4))
    say("copy_file_range of nothing", copy(s.fileno(), None, fd, None, 0), copy(fd, None, s.fileno(), None, 0))
    s.sendall(b"still")
    say("and the socket works", taken(s, 5))


signal.signal(signal.SIGPIPE, signal.SIG_IGN)
with tempfile.NamedTemporaryFile() as f:
    content = PATTERN * 4
    f.write(content)
    f.flush()
    for sock_blocks in (True, False):
        for flags in (0, os.O_NONBLOCK):
            from_socket(sock_blocks, flags)
            to_socket(sock_blocks, flags)
        sends_file(sock_blocks, f.name, content)
    odd(f.name)

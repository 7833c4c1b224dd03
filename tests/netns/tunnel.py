# SPDX-License-Identifier: BSD-2-Clause
"""A wire between two tun interfaces: tunnel.py NETNS1 IF1 NETNS2 IF2."""
import ctypes
import fcntl
import os
import select
import struct
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000


def tun(netns, name):
    with open(f"/run/netns/{netns}", "rb") as f:
        if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def main():
    a, b = tun(sys.argv[1], sys.argv[2]), tun(sys.argv[3], sys.argv[4])
    print("up", flush=True)
    while True:
        for fd in select.select([a, b], [], [])[0]:
            try:
                os.write(b if fd == a else a, os.read(fd, 65536))
            except OSError:
                pass   # the other end isn't up yet


main()

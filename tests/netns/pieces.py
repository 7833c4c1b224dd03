# SPDX-License-Identifier: BSD-2-Clause
"""Writes small pieces in a loop, without Nagle.

pieces.py HOST PORT COUNT BYTES: prints how many segments with data were sent, how many of them
again, the round-trip time in us, and TCPAutoCorking as XTCP_CONTROL's socket or, without it, the
kernel tells.
"""
import os
import socket
import struct
import subprocess
import sys

TCP_INFO_RTT, TCP_INFO_TOTAL_RETRANS, TCP_INFO_DATA_SEGS_OUT = 68, 100, 156


def counter(name):
    path = "/proc/net/netstat"
    if "XTCP_CONTROL" in os.environ:
        text = subprocess.run([os.environ["XTCP_CTL"], f"{os.environ['XTCP_CONTROL']}/{os.getpid()}", "snmp"],
                              stdout=subprocess.PIPE, check=True).stdout.decode()
    else:
        with open(path) as f:
            text = f.read()
    lines = [line.split() for line in text.splitlines()]
    for names, values in zip(lines, lines[1:]):
        if names and values and names[0] == values[0] and name in names:
            return int(values[names.index(name)])
    return -1


def main():
    host, port, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_TCP, 13, b"cubic")   # TCP_CONGESTION
    s.connect((host, port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(count):
        s.sendall(b"x" * size)
    s.shutdown(socket.SHUT_WR)
    while s.recv(4096):
        pass
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 280)
    print(*(struct.unpack_from("=I", info, at)[0]
            for at in (TCP_INFO_DATA_SEGS_OUT, TCP_INFO_TOTAL_RETRANS, TCP_INFO_RTT)), counter("TCPAutoCorking"))


main()

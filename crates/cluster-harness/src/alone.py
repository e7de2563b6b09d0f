"""Runs a program where only the loopback device is: unshare --net python3 alone.py PROGRAM ARGUMENT...

Ray listens on every interface, whatever address it is given, and runs what it is told by anyone who connects.
"""

import fcntl
import os
import socket
import struct
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
REQUEST = "16sH14x"

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack(REQUEST, b"lo", 0))
    flags = struct.unpack(REQUEST, answer)[1]
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack(REQUEST, b"lo", flags | IFF_UP))
os.execvp(sys.argv[1], sys.argv[1:])

"""Runs a program where only the loopback device is, and shared memory of its own, if this machine lets one:
python3 alone.py PROGRAM ARGUMENT...

Ray listens on every interface, whatever address it is given, and runs what it is told by anyone who connects. And when
Python's processes are killed, as tests do, their semaphores stay in /dev/shm: here they go with the last process.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
REQUEST = "16sH14x"


libc = ctypes.CDLL(None)


def leave():
    """Goes where no other device is. Root may; others may where users may be root of a namespace of their own."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNET | CLONE_NEWNS) == 0:
        return True
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0:
        return False
    for name, text in [("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")]:
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    return True


def wake_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack(REQUEST, b"lo", 0))
        flags = struct.unpack(REQUEST, answer)[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack(REQUEST, b"lo", flags | IFF_UP))


def hide_shared_memory():
    """What is mounted here is seen by nobody else. Where it may not be, all is as it was."""
    if libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0:
        libc.mount(b"none", b"/dev/shm", b"tmpfs", 0, b"mode=1777")


if leave():
    wake_loopback()
    hide_shared_memory()
else:
    print(
        "This machine makes no network namespaces (unshare): meanwhile everybody who can connect to it can use "
        "the Ray clusters of these tests.", file=sys.stderr)
os.execvp(sys.argv[1], sys.argv[1:])

"""Runs one program of a cluster, as if on a machine of its own: keeper.py PROGRAM ARGUMENT...

The program gets a folder, which is its home, its place for temporary files and where it is. When standard
input ends, which it does at the latest when the tests do, everything that was started here is killed, however
it was started, and the folder is removed.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile

PR_SET_CHILD_SUBREAPER = 36


def children():
    """The processes whose parent this one is."""
    mine = os.getpid()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stat:
                    after_name = stat.read().rpartition(b")")[2].split()
            except OSError:
                continue  # It has just gone.
            if int(after_name[1]) == mine:
                yield int(name)


def kill_all():
    # A process that loses its parent becomes a child of this one, so none is left in the end.
    while True:
        for pid in children():
            os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def main():
    # As Ctrl-C in a terminal reaches this one as well; it goes with the tests.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot adopt orphans")
    # A short name: Ray puts sockets below it, whose paths may have 107 bytes.
    folder = tempfile.mkdtemp(prefix="cl-")
    try:
        environment = dict(os.environ, HOME=folder, TMPDIR=folder)
        child = subprocess.Popen(
            sys.argv[1:], stdin=subprocess.DEVNULL, cwd=folder, env=environment, start_new_session=True
        )
        print(f"keeper: process {child.pid} in {folder}", flush=True)
        sys.stdin.buffer.read()
    finally:
        kill_all()
        shutil.rmtree(folder, ignore_errors=True)


main()

"""The Python peers on clusters, as `peers.py` has those on one machine. Where the cluster is says `CLUSTER`."""

import os
import signal
import subprocess
import sys
import time

from timing import answers, each

ADDRESS = os.environ["CLUSTER"]
PATIENCE = 30
SLOTS = int(os.environ["SLOTS"])


def task(i, seconds):
    if seconds:
        time.sleep(seconds)
    return i


# So it travels by value: workers do not have this module.
task.__module__ = "__main__"


class DaskMap:
    """Dask's own way: `client.map`, and the results."""

    def __init__(self, n, seconds):
        from distributed import Client

        self.n, self.seconds = int(n), seconds
        self.client = Client(ADDRESS)
        self.client.gather(self.client.map(task, range(SLOTS), seconds=0, pure=False))

    def round(self):
        return each(self.n, lambda: self.client.gather(
            self.client.map(task, range(self.n), seconds=self.seconds, pure=False)))


class DaskJoblib:
    def __init__(self, n, seconds):
        import joblib
        from distributed import Client

        self.n, self.seconds = int(n), seconds
        self.client = Client(ADDRESS)
        self.joblib = joblib
        self.run(SLOTS, 0)

    def run(self, n, seconds):
        with self.joblib.parallel_config(backend=self.backend()):
            return self.joblib.Parallel(n_jobs=SLOTS)(self.joblib.delayed(task)(i, seconds) for i in range(n))

    def backend(self):
        return "dask"

    def round(self):
        return each(self.n, lambda: self.run(self.n, self.seconds))


def init_ray():
    import ray

    # On a node of the cluster, which is Ray's own quickest way.
    ray.init(ADDRESS, log_to_driver=False, logging_level="error", _node_ip_address="127.0.0.2")
    return ray


class RayTasks:
    """Ray's own way: a remote function, and the results."""

    def __init__(self, n, seconds):
        self.n, self.seconds = int(n), seconds
        self.ray = init_ray()
        self.task = self.ray.remote(task)
        self.ray.get([self.task.remote(i, 0) for i in range(SLOTS)])

    def round(self):
        return each(self.n, lambda: self.ray.get(
            [self.task.remote(i, self.seconds) for i in range(self.n)]))


class RayJoblib(DaskJoblib):
    def __init__(self, n, seconds):
        import joblib

        self.n, self.seconds = int(n), seconds
        init_ray()
        from ray.util.joblib import register_ray

        register_ray()
        self.joblib = joblib
        self.run(SLOTS, 0)

    def backend(self):
        return "ray"


class DaskFirst:
    """A program that has not even begun: to its first result."""

    program = f"""
from distributed import Client
client = Client({ADDRESS!r})
print(client.submit(int, 1).result())
"""

    def round(self):
        return each(1, lambda: subprocess.run(
            [sys.executable, "-c", self.program], check=True, stdout=subprocess.DEVNULL))


class RayFirst(DaskFirst):
    program = f"""
import ray
ray.init({ADDRESS!r}, log_to_driver=False, logging_level="error", _node_ip_address="127.0.0.2")
print(ray.get(ray.remote(lambda: 1).remote()))
"""


class RayClientFirst(DaskFirst):
    program = f"""
import ray
ray.init({os.environ["CLUSTER_FOR_CLIENTS"]!r}, log_to_driver=False, logging_level="error")
print(ray.get(ray.remote(lambda: 1).remote()))
"""


def main():
    figures = answers()
    # Some of them wait for ever for a cluster that does not answer; then this process ends.
    signal.alarm(PATIENCE)
    peer = globals()[sys.argv[1]](*map(float, sys.argv[2:]))
    signal.alarm(0)
    print("ready", file=figures, flush=True)
    for _ in sys.stdin:
        signal.alarm(PATIENCE)
        print(peer.round(), file=figures, flush=True)
    # Whatever threads the engine's client has left.
    figures.flush()
    os._exit(0)

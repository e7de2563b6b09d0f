"""The Python peers: a class each, made with numbers, whose method `round` gives a figure in seconds.

`python -c 'import peers; peers.main()' CLASS NUMBER…` makes one, says "ready", and plays a round for each
line that it reads. It is a module and not a script so that functions travel by name and not by value.
"""

import concurrent.futures
import gc
import multiprocessing
import multiprocessing.pool
import sys
import time

import numpy
from joblib import Parallel, delayed
from joblib.externals import loky

from timing import each

JOBS = 2


def noop(i):
    return i


def echo(value):
    return value


def total(array):
    return float(array[0] + array[-1])


def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


class Joblib:
    """No-op tasks in one warm call of joblib, on a backend of its."""

    backend = "loky"

    def __init__(self, n):
        self.n = int(n)
        self.parallel = Parallel(n_jobs=JOBS, backend=self.backend).__enter__()

    def round(self):
        return each(self.n, lambda: self.parallel(delayed(noop)(i) for i in range(self.n)))


class JoblibThreading(Joblib):
    backend = "threading"


class JoblibMultiprocessing(Joblib):
    backend = "multiprocessing"


class Pool:
    """No-op tasks in one `Pool.map`."""

    def __init__(self, n):
        self.n = int(n)
        self.pool = multiprocessing.Pool(JOBS)

    def round(self):
        return each(self.n, lambda: self.pool.map(noop, range(self.n)))


class Futures:
    """No-op tasks in one `ProcessPoolExecutor.map`, with the chunks that one asks for who wants speed."""

    def __init__(self, n):
        self.n = int(n)
        self.pool = concurrent.futures.ProcessPoolExecutor(JOBS)

    def round(self):
        chunk = max(self.n // 64, 1)
        return each(self.n, lambda: list(self.pool.map(noop, range(self.n), chunksize=chunk)))


class LokyOneByOne:
    """One task at a time: submitted, and its result waited for."""

    def __init__(self, n):
        self.n = int(n)
        self.pool = loky.ProcessPoolExecutor(1)
        self.pool.submit(noop, 1).result()

    def round(self):
        def calls():
            for i in range(self.n):
                self.pool.submit(noop, i).result()

        return each(self.n, calls)


class FuturesOneByOne(LokyOneByOne):
    def __init__(self, n):
        self.n = int(n)
        self.pool = concurrent.futures.ProcessPoolExecutor(1)
        self.pool.submit(noop, 1).result()


class PoolOneByOne:
    def __init__(self, n):
        self.n = int(n)
        self.pool = multiprocessing.Pool(1)

    def round(self):
        def calls():
            for i in range(self.n):
                self.pool.apply(noop, (i,))

        return each(self.n, calls)


class LokyCold:
    """From nothing to the first results."""

    def round(self):
        loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)
        return each(1, lambda: Parallel(n_jobs=JOBS)(delayed(noop)(i) for i in range(JOBS)))


class PoolCold:
    def round(self):
        start = time.perf_counter()
        pool = multiprocessing.Pool(JOBS)
        pool.map(noop, range(JOBS))
        took = time.perf_counter() - start
        pool.terminate()
        pool.join()
        return took


class JoblibCalls:
    """Warm calls of one task each, made alike for all: the workers are kept by joblib."""

    def __init__(self, n):
        self.n = int(n)
        self.parallel = Parallel(n_jobs=JOBS).__enter__()

    def round(self):
        def calls():
            for i in range(self.n):
                self.parallel([delayed(noop)(i)])

        return each(self.n, calls)


class Generator:
    """A stream in order, with a source and a consumer that take so many seconds for each task."""

    backend = "loky"

    def __init__(self, n, source, consumer):
        self.n, self.source, self.consumer = int(n), source, consumer
        self.parallel = Parallel(n_jobs=JOBS, backend=self.backend, return_as="generator")

    def tasks(self):
        for i in range(self.n):
            spin(self.source)
            yield delayed(noop)(i)

    def round(self):
        def stream():
            for _ in self.parallel(self.tasks()):
                spin(self.consumer)

        return each(self.n, stream)


class GeneratorThreading(Generator):
    backend = "threading"


class LokyLarge:
    """An array there and back. A fresh one each time: joblib would not write the same one twice."""

    def __init__(self, size, width):
        kind = numpy.uint8 if width == 1 else numpy.float64
        self.array = numpy.ones(int(size) // int(width), kind)
        self.parallel = Parallel(n_jobs=JOBS).__enter__()
        self.parallel([delayed(noop)(1), delayed(noop)(2)])

    def round(self):
        array = self.array.copy()
        took = each(1, lambda: self.parallel([delayed(echo)(array)]))
        del array
        gc.collect()
        return took


class LokyShared:
    """An array that many tasks read. The first call maps it, which no round counts."""

    def __init__(self, size, n):
        self.n = int(n)
        self.array = numpy.ones(int(size) // 8)
        self.parallel = Parallel(n_jobs=JOBS).__enter__()
        self.round()

    def round(self):
        return each(1, lambda: self.parallel(delayed(total)(self.array) for _ in range(self.n)))


class LokyIdle:
    """What an idle worker has for itself, in bytes."""

    def __init__(self):
        self.pool = loky.get_reusable_executor(JOBS)
        list(self.pool.map(noop, range(100)))

    def round(self):
        workers = list(self.pool._processes)
        return sum(private(pid) for pid in workers) / len(workers)


class PoolIdle:
    def __init__(self):
        self.pool = multiprocessing.Pool(JOBS)
        self.pool.map(noop, range(100))

    def round(self):
        return sum(private(process.pid) for process in self.pool._pool) / JOBS


def private(pid):
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        rows = (line.split() for line in lines)
        return sum(int(row[1]) * 1024 for row in rows if row[0].startswith("Private_"))


def main():
    peer = globals()[sys.argv[1]](*map(float, sys.argv[2:]))
    print("ready", flush=True)
    for _ in sys.stdin:
        print(peer.round(), flush=True)
    # What is left to the interpreter's end is warned about, or waited for.
    if isinstance(getattr(peer, "parallel", None), Parallel):
        peer.parallel.__exit__(None, None, None)
    pool = getattr(peer, "pool", None)
    if isinstance(pool, multiprocessing.pool.Pool):
        pool.terminate()
    elif pool is not None:
        pool.shutdown()
    if getattr(peer, "backend", "loky") == "loky" and "Pool" not in sys.argv[1]:
        loky.get_reusable_executor().shutdown(kill_workers=True)

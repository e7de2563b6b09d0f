"""What all peers in Python measure with."""

import time


def each(n, call):
    """The seconds that one of `n` takes, done all together."""
    start = time.perf_counter()
    result = call()
    took = time.perf_counter() - start
    del result
    return took / n

"""What all peers in Python measure with."""

import os
import time


def each(n, call):
    """The seconds that one of `n` takes, done all together."""
    start = time.perf_counter()
    result = call()
    took = time.perf_counter() - start
    del result
    return took / n


def answers():
    """Where figures go. What else is printed, as Ray does, goes to standard error from now on."""
    figures = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return figures

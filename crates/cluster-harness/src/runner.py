"""What cargo runs tests with, so that those on clusters are alone: python3 runner.py TEST ARGUMENT..."""

import os
import sys

program = sys.argv[1:]
# As cargo names what it builds of tests/cluster.
if os.path.basename(program[0]).startswith(("cluster-", "cluster_heads-")):
    # They wait most of the time, for processes to start and for each other.
    os.environ.setdefault("RUST_TEST_THREADS", "4")
    program = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "alone.py"), *program]
os.execvp(program[0], program)

"""Stands in for an engine: slots that only wait as long as their tasks would run. All else is what is measured:
the program, its frames and the bridge. Started in place of Python, as `PARALLEL_PYTHON`."""

import asyncio
import os
import struct
import sys

SLOTS = int(os.environ["SIMULATED_SLOTS"])
# Seconds.
TASK = float(os.environ["SIMULATED_TASK"])
LATENCY = float(os.environ["SIMULATED_LATENCY"])
# What the engine's own client and scheduler take for each batch, one after the other.
COST = float(os.environ["SIMULATED_COST"])
DONE = 17


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at


# What a user sets for workers, when nothing is set.
SETUP = bytes(9)


def tasks_of(payload):
    """The index of the first task and how many there are."""
    (terms,) = struct.unpack_from("<I", payload)
    assert payload[4:4 + len(SETUP)] == SETUP
    first, _ = read_varint(payload, 4 + len(SETUP))
    at, count = 4 + terms, 0
    while at < len(payload):
        (word,) = struct.unpack_from("<Q", payload, at)
        at += 16 + (word >> 24)
        count += 1
    return first, count


def answer(first, count, seconds):
    """Each task has returned nothing at all."""
    whole = int(seconds)
    host = b"nowhere"
    report = varint(len(host)) + host + varint(count) + varint(whole) + varint(int((seconds - whole) * 1e9))
    # Nobody has cancelled it, there is no error, and nothing happened: four fields, none of which is longer.
    report += bytes(4)
    outcomes = b"".join(struct.pack("<QQ", DONE, first + i) for i in range(count))
    return struct.pack("<I", len(report)) + report + outcomes


class Engine:
    def __init__(self, options, runtime, tell_slots, lost, told):
        self.loop = asyncio.get_running_loop()
        self.free = 0.0
        self.busy = self.batches = self.tasks = 0

    async def connect(self):
        return SLOTS, "simulated"

    async def ship(self, executable, digest):
        pass

    async def run(self, batch, payload, arrays, once, ended):
        first, count = tasks_of(payload)
        # The engine takes batches one after the other.
        now = self.loop.time()
        self.free = max(self.free, now) + COST
        seconds = TASK * count
        await asyncio.sleep(self.free - now + LATENCY + seconds)
        self.busy += seconds
        self.batches += 1
        self.tasks += count
        return answer(first, count, seconds)

    async def cancel(self, batches):
        return set()

    async def kill(self, batches):
        pass

    async def renew(self):
        pass

    async def close(self):
        times = os.times()
        with open("/proc/self/status") as status:
            peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
        with open(os.environ["SIMULATED_TOLD"], "w") as told:
            told.write(f"{self.batches} {self.busy} {times.user + times.system} {peak}")


if __name__ == "__main__":
    # Started as the bridge: its loader, with this engine in place of the real one.
    here = os.path.abspath(__file__)
    loader = sys.argv[2].replace(
        "bridge = types.ModuleType", f"texts['engine'] = open({here!r}).read()\nbridge = types.ModuleType")
    exec(compile(loader, "loader.py", "exec"), {"__name__": "loader"})

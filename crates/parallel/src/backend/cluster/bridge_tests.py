"""Has the bridge work with engines that do not do what they should."""

import asyncio
import io
import os
import struct
import sys
import threading
import types

bridge = types.ModuleType("bridge")
exec(compile(sys.argv[1], "bridge.py", "exec"), bridge.__dict__)
bridge.RENEW = 0.01


class Silent:
    """An engine of which one node never answers."""

    def __init__(self):
        self.asked = 0
        self.often = asyncio.Event()

    async def renew(self):
        self.asked += 1
        if self.asked == 3:
            self.often.set()
        await asyncio.Event().wait()


async def the_lease_is_renewed_by_the_clock():
    here = bridge.Bridge(io.BytesIO(), {})
    here.engine = Silent()
    here.chore(here.renew())
    await asyncio.wait_for(here.engine.often.wait(), 10)


class Late:
    """An engine that has not got the executable everywhere before it was shipped twice."""

    def __init__(self):
        self.shipped = 0

    async def ship(self, executable, digest):
        self.shipped += 1
        return self.shipped < 2

    async def run(self, *_):
        if self.shipped < 2:
            raise EOFError("it is not there")
        return b"answer"


async def a_batch_runs_again_where_the_executable_comes_late():
    here = bridge.Bridge(io.BytesIO(), {})
    here.engine = Late()
    here.frame(bridge.SHIP, 0, b"/dev/null")
    # May be run once only, and has not been so yet.
    here.frame(bridge.SUBMIT, 1, struct.pack("<QQQQ", 7, 1, 0, 0))
    _, task = here.batches[1]
    await asyncio.wait_for(task, 10)
    assert here.writer.getvalue()[16:] == b"answer" + bridge.DONE, here.writer.getvalue()


class Full:
    """An engine whose nodes have no room for the executable at first."""

    def __init__(self):
        self.full = True

    async def ship(self, executable, digest):
        if self.full:
            raise OSError("there is no room")

    async def run(self, *_):
        return b"answer"


async def what_could_not_be_shipped_is_shipped_for_the_next_batch():
    here = bridge.Bridge(io.BytesIO(), {})
    here.engine = Full()
    here.frame(bridge.SHIP, 0, b"/dev/null")
    for batch, answer in (1, b"there is no room" + bridge.FAILED), (2, b"answer" + bridge.DONE):
        here.frame(bridge.SUBMIT, batch, struct.pack("<QQQQ", 7, 1, 0, 0))
        _, task = here.batches[batch]
        await asyncio.wait_for(task, 10)
        assert here.writer.getvalue().endswith(answer), here.writer.getvalue()
        here.engine.full = False


class NoRoom:
    """An engine that has no room for an array at first, and loses it later."""

    def __init__(self):
        self.stored = 0
        self.dropped = []
        # So often more.
        self.loses = 0

    async def ship(self, executable, digest):
        pass

    async def store(self, name, content):
        self.stored += 1
        if self.stored == 1:
            raise OSError("there is no room")

    async def run(self, *_):
        if self.loses:
            self.loses -= 1
            raise LookupError("it is gone")
        return b"answer"

    async def drop(self, names):
        self.dropped += names


async def an_array_that_could_not_be_stored_is_stored_for_the_next_batch():
    here = bridge.Bridge(io.BytesIO(), {})
    here.engine = engine = NoRoom()
    here.frame(bridge.SHIP, 0, b"/dev/null")
    with open("/dev/null", "rb") as file:
        status = os.fstat(file.fileno())
    name = bytes(range(16))
    here.frame(bridge.GIVE, 0, name + struct.pack("<QQQ", 0, status.st_dev, status.st_ino) + b"/dev/null")

    async def answer(batch):
        here.frame(bridge.SUBMIT, batch, struct.pack("<QQQQ", 7, 1, 0, 1) + name)
        _, task = here.batches[batch]
        await asyncio.wait_for(task, 10)
        return here.writer.getvalue()

    assert (await answer(1)).endswith(b"there is no room" + bridge.FAILED)
    for batch, stored in (2, 2), (3, 2), (4, 3):
        engine.loses = int(batch == 4)
        assert (await answer(batch)).endswith(b"answer" + bridge.DONE)
        assert engine.stored == stored, (batch, engine.stored)
    # One that is lost again and again is let go nevertheless.
    engine.loses = 100
    assert (await answer(5)).endswith(b"it is gone" + bridge.LOST)
    here.frame(bridge.FORGET, 0, name)
    await asyncio.wait_for(here.forgetting, 10)
    assert engine.dropped == [name.hex()]


class Deaf:
    """Dask's client, where one worker says nothing until it wakes."""

    def __init__(self):
        self.told = []
        self.outstanding = 0
        self.wakes = asyncio.Event()

    async def run(self, _eval, _text, names, workers, on_error):
        if workers == ["awake"]:
            return {"awake": None}
        self.told.append((workers, names["order"], *names["arguments"]))
        self.outstanding += 1
        await self.wakes.wait()
        self.outstanding -= 1


async def a_silent_worker_of_dask_is_told_one_thing_at_a_time():
    module = types.ModuleType("engine")
    exec(compile(sys.argv[3], "dask_engine.py", "exec"), module.__dict__)
    module.PATIENCE = 0.01
    engine = module.Engine({"address": ""}, "", None, None, None)
    engine.client = client = Deaf()

    async def workers():
        return ["awake"], ["silent"]

    engine.workers = workers
    # Nobody knows yet that it is silent.
    await engine.order("touch")
    for _ in range(50):
        await engine.order("touch")
    await engine.order("cancel", [1, 2])
    await engine.order("drop", ["array"])
    assert client.outstanding == 2, client.outstanding
    client.wakes.set()
    while engine.unanswered:
        await asyncio.wait(engine.unanswered)
    assert client.told == [
        (None, "touch"), (["silent"], "obey", [("touch",)]),
        (["silent"], "obey", [("cancel", [1, 2]), ("drop", ["array"])])], client.told
    assert not engine.missed


class Slow:
    """Ray, where large values take for ever and all else no time."""

    def __init__(self):
        self.end = threading.Event()
        self.begun = threading.Semaphore(0)

    def put(self, content):
        self.begun.release()
        self.end.wait()

    def cluster_resources(self):
        return {"CPU": 2}


async def ray_is_heard_of_while_many_arrays_are_on_their_way():
    module = types.ModuleType("engine")
    exec(compile(sys.argv[2], "ray_engine.py", "exec"), module.__dict__)
    module.PATIENCE = 2.0
    said = []
    engine = module.Engine({"address": ""}, "", said.append, said.append, None)
    engine.ray = Slow()
    storing = [asyncio.create_task(engine.store(str(number), b"")) for number in range(100)]
    await asyncio.get_running_loop().run_in_executor(engine.control, engine.ray.begun.acquire)
    try:
        await engine.renew()
        assert said == [2], said
    finally:
        engine.ray.end.set()
        await asyncio.wait(storing)


async def an_array_that_could_not_be_stored_keeps_no_other():
    for text in sys.argv[2:]:
        module = types.ModuleType("engine")
        exec(compile(text, "engine.py", "exec"), module.__dict__)
        engine = module.Engine({"address": ""}, "", None, None, None)
        engine.arrays = {"there": types.SimpleNamespace(release=lambda: None)}
        told = []

        async def order(*what):
            told.append(what)

        engine.order = order
        await engine.drop(["failed", "there"])
        assert (engine.arrays, told) == ({}, [("drop", ["failed", "there"])])


asyncio.run(the_lease_is_renewed_by_the_clock())
asyncio.run(a_batch_runs_again_where_the_executable_comes_late())
asyncio.run(what_could_not_be_shipped_is_shipped_for_the_next_batch())
asyncio.run(an_array_that_could_not_be_stored_is_stored_for_the_next_batch())
asyncio.run(a_silent_worker_of_dask_is_told_one_thing_at_a_time())
asyncio.run(ray_is_heard_of_while_many_arrays_are_on_their_way())
asyncio.run(an_array_that_could_not_be_stored_keeps_no_other())

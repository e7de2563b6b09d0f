"""Carries batches between a Rust program and an engine, by frames on two pipes.

    program --Hello, Ship, Submit, Cancel, Give, Forget, Shutdown--> bridge --the engine's client--> scheduler
            <--Ready | Fatal, Answer, Slots, Told-------------------

One thread reads frames; everything else happens in one asyncio loop. A batch is opaque bytes here. Each one
that was submitted gets exactly one answer. At the end of the input the program is gone: what runs is
cancelled, what was left at the engine is taken away, and the bridge leaves.
"""

import asyncio
import hashlib
import os
import signal
import struct
import sys
import threading
import types

VERSION = 2
TEXT, HELLO, SHIP, SUBMIT, CANCEL, SHUTDOWN, GIVE, FORGET = range(1, 9)
READY, FATAL, ANSWER, SLOTS, TOLD = range(17, 22)
DONE, CANCELLED, LOST, FAILED = (bytes([status]) for status in range(4))

# How long a slot may take to end a batch that nobody wants any more, before it is killed, and an answer to come.
GRACE = 3.0
# Nodes end what they run for a program that has not been heard of for four times as long.
RENEW = 10.0
# So often more an array may be lost before a batch could begin.
TRIES = 3


class Fatal(Exception):
    """The engine cannot be used; the text says why, and what to do."""


class Lost(Exception):
    """The engine has given a batch up; the text says why."""


class Array:
    """One that the program has given: its memory there, which is read when the engine is to have it."""

    def __init__(self, place):
        self.name = place[:16].hex()
        # The task that has the engine keep it, and the one that was in vain, as the engine has lost it since.
        self.storing = self.lost = None
        self.file = self.why = None
        try:
            _, device, inode = struct.unpack_from("<QQQ", place, 16)
            self.file = open(place[40:], "rb")
            status = os.fstat(self.file.fileno())
            if (status.st_dev, status.st_ino) != (device, inode):
                raise OSError("the program has let go of it")
        except OSError as error:
            self.why = str(error)

    def read(self):
        if self.why:
            raise OSError(f"a `Shared` array cannot be read from the program: {self.why}")
        self.file.seek(0)
        return self.file.read()

    def close(self):
        if self.file:
            self.file.close()


class Bridge:
    def __init__(self, writer, texts):
        self.writer = writer
        self.texts = texts
        self.loop = asyncio.get_running_loop()
        self.engine = None
        # Where the executable is and what it was when it was first read, and the task that ships it.
        self.executable = self.digest = self.shipped = None
        # Those that have no answer: the call and the asyncio task of each.
        self.batches = {}
        # When each of these has run, though its answer may be on its way yet.
        self.ended = {}
        self.cancelled = set()
        # By id.
        self.arrays = {}
        self.forgotten = []
        self.forgetting = None
        self.leaving = asyncio.Event()
        self.chores = set()

    def send(self, kind, word=0, *payload):
        size = sum(len(part) for part in payload)
        self.writer.write(struct.pack("<QQ", kind | size << 8, word))
        for part in payload:
            self.writer.write(part)
        self.writer.flush()

    def chore(self, coroutine):
        task = self.loop.create_task(coroutine)
        self.chores.add(task)
        task.add_done_callback(self.chores.discard)
        return task

    def fatal(self, why):
        """Says that nothing goes on here, and leaves."""
        if not self.leaving.is_set():
            # First: the program may be gone, as where both are told to end.
            self.leaving.set()
            self.send(FATAL, 0, why.encode())

    def frame(self, kind, word, payload):
        if self.leaving.is_set():
            return
        if kind == HELLO:
            self.chore(self.hello(word, payload))
        elif kind == SHIP:
            self.executable, self.digest, self.shipped = os.fsdecode(payload), None, None
        elif kind == SUBMIT and len(payload) >= 32:
            call, tries, after, count = struct.unpack_from("<QQQQ", payload)
            ids, payload = payload[32:32 + 16 * count], payload[32 + 16 * count:]
            arrays = [self.arrays[ids[at:at + 16]] for at in range(0, len(ids), 16)]
            task = self.loop.create_task(self.run(word, call, tries, after, arrays, payload))
            self.batches[word] = (call, task)
            self.ended[word] = asyncio.Event()
        elif kind == CANCEL:
            self.chore(self.cancel(word))
        elif kind == GIVE and len(payload) > 40:
            self.arrays[payload[:16]] = Array(payload)
        elif kind == FORGET:
            self.forgotten.append(self.arrays.pop(payload))
            if not self.forgetting:
                self.forgetting = self.chore(self.forget())
        elif kind == SHUTDOWN:
            self.leaving.set()
        else:
            self.fatal(f"its bridge was sent what it does not know, kind {kind}")

    async def hello(self, version, payload):
        if version != VERSION:
            return self.fatal(f"the program speaks version {version} and its bridge {VERSION}")
        options = dict(item.split("=", 1) for item in payload.decode().split("\0"))
        module = types.ModuleType("parallel_engine")
        module.Fatal, module.Lost = Fatal, Lost
        try:
            exec(compile(self.texts["engine"], f"{options['engine']}_engine.py", "exec"), module.__dict__)
            tell_slots = lambda slots: self.send(SLOTS, slots)
            told = lambda batch, payload: self.send(TOLD, batch, payload)
            self.engine = module.Engine(options, self.texts["runtime"], tell_slots, self.fatal, told)
            slots, versions = await self.engine.connect()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            return self.fatal(text_of(error))
        self.send(READY, slots, versions.encode())
        self.chore(self.renew())

    async def renew(self):
        """Has the nodes hear of the program by the clock: one that does not answer keeps the others from nothing."""
        while True:
            await asyncio.sleep(RENEW)
            self.chore(self.renew_once())

    async def renew_once(self):
        try:
            await self.engine.renew()
        except Exception as error:
            print(f"cannot renew the lease: {text_of(error)}", file=sys.stderr)

    async def ship(self, path):
        """Ships the executable; whether some nodes get it later."""
        def read():
            with open(path, "rb") as file:
                executable = file.read()
            return executable, hashlib.sha256(executable).hexdigest()

        try:
            executable, digest = await self.loop.run_in_executor(None, read)
        except OSError as error:
            raise Fatal(f"the executable to ship cannot be read: {error}") from None
        if self.digest not in (None, digest):
            raise Fatal(f"the executable to ship, {path}, has changed since it was shipped first")
        self.digest = digest
        return await self.engine.ship(executable, digest)

    def ship_again(self, shipped):
        # Others may have noticed before.
        if self.shipped is shipped:
            self.shipped = None

    def storing(self, array):
        """What has the engine keep an array for the nodes: anew if it has lost it, or could not, as somebody may have made
        room meanwhile."""
        before = array.storing
        if not before or before is array.lost or before.done() and before.exception():
            array.storing = self.chore(self.store(array))
        return array.storing

    async def store(self, array):
        content = await self.loop.run_in_executor(None, array.read)
        await self.engine.store(array.name, content)

    async def forget(self):
        """Has the engine and the nodes let go of arrays, of all together that there are meanwhile."""
        while self.forgotten:
            arrays, self.forgotten = self.forgotten, []
            stored = [array for array in arrays if array.storing]
            try:
                if stored:
                    await asyncio.wait([array.storing for array in stored])
                    await self.engine.drop([array.name for array in stored])
            except Exception as error:
                print(f"cannot free arrays: {text_of(error)}", file=sys.stderr)
            for array in arrays:
                array.close()
        self.forgetting = None

    async def run(self, batch, call, tries, after, arrays, payload):
        """Has a batch run, and answers for it, once."""
        try:
            answer = [await self.outcome(batch, call, tries, after, arrays, payload), DONE]
        except asyncio.CancelledError:
            answer = [CANCELLED]
        except Lost as error:
            answer = [text_of(error).encode(), LOST]
        except Exception as error:
            answer = [text_of(error).encode(), FAILED]
        del self.batches[batch]
        self.ended.pop(batch).set()
        self.send(ANSWER, batch, *answer)

    async def outcome(self, batch, call, tries, after, arrays, payload):
        if call in self.cancelled:
            raise asyncio.CancelledError
        if after in self.ended:
            await self.ended[after].wait()
            if call in self.cancelled:
                raise asyncio.CancelledError
        once = tries == 1
        while True:
            tries -= 1
            shipped = self.shipped = self.shipped or self.chore(self.ship(self.executable))
            try:
                late = await asyncio.shield(shipped)
            except Exception:
                # Somebody may have made room meanwhile.
                self.ship_again(shipped)
                raise
            stored = [self.storing(array) for array in arrays]
            for storing in stored:
                await asyncio.shield(storing)
            # Never cancelled itself: an engine's client may have several wait for one message.
            names = [array.name for array in arrays]
            running = self.loop.create_task(
                self.engine.run(batch, payload, names, once, self.ended[batch].set))
            running.add_done_callback(lambda task: task.cancelled() or task.exception())
            try:
                return await asyncio.shield(running)
            except ChildProcessError as error:
                if tries <= 0 or call in self.cancelled:
                    raise Lost(text_of(error)) from None
            except EOFError as error:
                # The executable is not there; nothing of the batch was run.
                if call in self.cancelled or not late and tries <= -TRIES:
                    raise OSError(str(error)) from None
                # As long as it is on its way to some nodes, it may be so to that one.
                tries += bool(late)
                self.ship_again(shipped)
            except LookupError as error:
                # An array went with the node that had it; nothing of the batch was run.
                if tries <= -TRIES or call in self.cancelled:
                    raise Lost(text_of(error)) from None
                for array, storing in zip(arrays, stored):
                    # Others may have noticed before.
                    if array.storing is storing:
                        array.lost = storing

    async def cancel(self, call):
        """Ends what runs of a call, and sees to it that the rest does not start."""
        self.cancelled.add(call)
        await self.end({batch: task for batch, (of, task) in self.batches.items() if of == call})

    async def end(self, tasks):
        if not tasks:
            return
        try:
            # What has run is not taken away, though it may not be here yet.
            begun = await self.engine.cancel(list(tasks))
            for batch, task in tasks.items():
                if batch not in begun:
                    task.cancel()
            ending = [task for batch, task in tasks.items() if batch in begun]
            if ending:
                _, late = await asyncio.wait(ending, timeout=GRACE)
                if late:
                    await self.engine.kill([batch for batch, task in tasks.items() if task in late])
        except Exception as error:
            print(f"cannot cancel: {text_of(error)}", file=sys.stderr)
        for task in tasks.values():
            task.cancel()

    async def leave(self):
        await self.leaving.wait()
        if self.engine:
            tasks = {batch: task for batch, (_, task) in self.batches.items()}
            for chore in (self.end(tasks), self.engine.close()):
                try:
                    await asyncio.wait_for(chore, 8)
                except Exception as error:
                    print(f"while leaving: {text_of(error)}", file=sys.stderr)


def text_of(error):
    """The text of an error, whatever it is: some have none."""
    text = str(error) or type(error).__name__
    if isinstance(error, (OSError, Fatal, Lost)):
        return text
    return f"{type(error).__name__}: {text}"


def read(reader, loop, bridge):
    """Reads frames until there will be none: the program is gone then, or wants this to end."""
    try:
        while header := reader.read(16):
            first, word = struct.unpack("<QQ", header)
            payload = reader.read(first >> 8)
            if len(payload) < first >> 8:
                break
            loop.call_soon_threadsafe(bridge.frame, first & 0xFF, word, payload)
    except (OSError, struct.error):
        pass
    loop.call_soon_threadsafe(bridge.leaving.set)


async def run(reader, writer, texts):
    bridge = Bridge(writer, texts)
    # As who ends all processes of a job sends to each of them.
    why = "its bridge, a Python process, was told to end by SIGTERM"
    bridge.loop.add_signal_handler(signal.SIGTERM, bridge.fatal, why)
    thread = threading.Thread(target=read, args=(reader, bridge.loop, bridge), daemon=True)
    thread.start()
    await bridge.leave()


def main(reader, writer, texts):
    # The program says when to leave.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asyncio.run(run(reader, writer, texts))
    except (BrokenPipeError, KeyboardInterrupt):
        pass
    # Whatever threads the engine's client has left.
    try:
        sys.stderr.flush()
        writer.flush()
    except OSError:
        pass
    os._exit(0)

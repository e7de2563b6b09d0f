"""Runs on the nodes, inside the engine's own workers: keeps slots and hands them batches.

    engine's worker (a thread for each batch) --batch--> slot: the program's executable, a process
                                              <-answer--

`copy.py` and `arrays.py` are parts of it. Standard library only, for whatever Python the cluster has. Shipped as
text. Only builtin exceptions leave it. All of one program is a session: its executable, its slots, what was cancelled. A slot ends when its input
does, so with the engine's worker. A session ends when its program says so, or has not been heard of for a
while, however it went.
"""

import errno
import fcntl
import hashlib
import itertools
import os
import selectors
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import traceback

SUBMIT, CANCEL, GIVE, FORGET, ANSWER, TOLD = 4, 5, 7, 8, 19, 21
VERSION = 2
# A program that has not been heard of for so many seconds is gone.
LEASE = 40.0
# So many batches are remembered that were cancelled and may come yet, of which one more would run in vain; and so many
# that have run, whose answers may be on their way.
REMEMBERED = 10_000
# To start a process takes some milliseconds, also where many are started.
PROBE = 60.0

sessions = {}
sessions_lock = threading.Lock()


class Session:
    def __init__(self, name):
        self.name = name
        self.lock = threading.Lock()
        self.idle = []
        # By batch.
        self.running = {}
        # Those that may come yet, and those that have run, each in the order in which they came.
        self.cancelled = {}
        self.ran = {}
        self.arrays = None
        self.copy = None
        self.executable = None
        self.ended = threading.Event()
        self.heard = time.monotonic()

    def touch(self):
        self.heard = time.monotonic()

    def watch(self):
        """Ends the session when its program is gone and could not say so."""
        left = LEASE
        while not self.ended.wait(max(left, 0.1)):
            left = self.heard + LEASE - time.monotonic()
            if left <= 0:
                forget(self.name)

    def prepare(self, digest, executable, folder):
        """Puts the executable where it can be started, once."""
        with self.lock:
            if not self.executable:
                self.copy = Copy(digest, executable, folder)
                self.executable = self.copy.path

    def receive(self, arrays, fetch):
        """The arrays that a batch refers to, by name."""
        with self.lock:
            if not self.arrays and not self.ended.is_set():
                self.arrays = Arrays(self.name, self.forget)
        try:
            return {name: self.arrays.get(name, lambda: fetch(what)) for name, what in arrays}
        except OSError as error:
            raise OSError(f"a `Shared` array cannot be put into memory here: {error}") from None
        except BaseException as error:
            # What tells of a cancellation is no `Exception`.
            raise LookupError(f"a `Shared` array cannot be had: {type(error).__name__}: {error}") from None

    def forget(self, name):
        with self.lock:
            slots = self.idle + list(self.running.values())
        for slot in slots:
            slot.forget(name)

    def acquire(self, batch, slots):
        with self.lock:
            if self.ended.is_set() or batch in self.cancelled:
                self.cancelled.pop(batch, None)
                return None
            slot = self.idle.pop() if self.idle else None
            while slot and slot.process.poll() is not None:
                slot = self.idle.pop() if self.idle else None
            if not slot:
                slot = Slot(self.name, self.executable, slots)
            self.running[batch] = slot
            return slot

    def release(self, batch, slot, well):
        with self.lock:
            self.running.pop(batch, None)
            # From now on it is nobody's news that it was cancelled.
            self.cancelled.pop(batch, None)
            if well:
                remember(self.ran, batch)
            if well and not self.ended.is_set():
                self.idle.append(slot)
                return
        slot.end()

    def clean(self):
        if self.arrays:
            self.arrays.close()
        if self.copy:
            self.copy.leave()


class Slot:
    """A process of the program's executable."""

    def __init__(self, session, executable, slots):
        number, self.sign = number_of(session)
        self.process = subprocess.Popen(
            [executable],
            env=environment(f"{number}/{slots}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.writing = threading.Lock()
        self.arrays = {}
        # The batch that was sent last, and the one that was cancelled last.
        self.sent = self.cancelled = None

    def write(self, kind, word, payload=b""):
        self.process.stdin.write(struct.pack("<QQ", kind | len(payload) << 8, word) + payload)

    def give(self, arrays):
        """Tells it where these are, unless it knows."""
        with self.writing:
            for name, array in arrays.items():
                if self.arrays.get(name) is not array:
                    self.arrays[name] = array
                    self.write(GIVE, 0, array.place(name))

    def forget(self, name):
        with self.writing:
            if self.arrays.pop(name, None):
                try:
                    self.write(FORGET, 0, bytes.fromhex(name))
                    self.process.stdin.flush()
                except (OSError, ValueError):
                    pass

    def submit(self, batch, payload):
        with self.writing:
            self.write(SUBMIT, batch, payload)
            if self.cancelled == batch:
                self.write(CANCEL, batch)
            self.sent = batch
            self.process.stdin.flush()

    def cancel(self, batch):
        """Has a batch end soon, which may be about to be sent: before that nobody there knows it."""
        with self.writing:
            self.cancelled = batch
            if self.sent == batch:
                self.write(CANCEL, batch)
                self.process.stdin.flush()

    def run(self, batch, payload, arrays, tell):
        self.give(arrays)
        self.submit(batch, payload)
        while True:
            header = self.process.stdout.read(16)
            first, word = struct.unpack("<QQ", header) if len(header) == 16 else (0, 0)
            answer = self.process.stdout.read(first >> 8)
            if word != batch or len(answer) < first >> 8:
                raise EOFError
            if first & 0xFF == ANSWER:
                return answer
            if first & 0xFF != TOLD:
                raise EOFError
            try:
                tell(batch, answer)
            except Exception:
                # The answer has it all.
                pass

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except OSError:
            pass

    def end(self):
        """Ends it with all that it started, and says how it ended."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except OSError:
                pass
        code = self.process.wait()
        self.sign.close()
        return how(code)


def number_of(session):
    """The lowest number that no slot of the session has on this node, whichever of the engine's processes it belongs to;
    and what keeps it: a socket without a file, which goes with its process, however that ends."""
    for number in itertools.count():
        sign = socket.socket(socket.AF_UNIX)
        try:
            sign.bind(f"\0parallel-{session}-{number}")
            return number, sign
        except OSError as error:
            sign.close()
            if error.errno != errno.EADDRINUSE:
                raise


def remember(batches, batch):
    batches[batch] = None
    while len(batches) > REMEMBERED:
        del batches[next(iter(batches))]


def environment(mark):
    # Calls inside of tasks run on their node, whatever the cluster's workers were started with.
    kept = {name: value for name, value in os.environ.items() if name not in ("PARALLEL_BACKEND", "PARALLEL_N_JOBS")}
    return dict(kept, PARALLEL_SLOT=mark)


def how(code):
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def session_of(name, make=True):
    with sessions_lock:
        session = sessions.get(name)
        if not session and make:
            session = sessions[name] = Session(name)
            threading.Thread(target=session.watch, name="parallel-lease", daemon=True).start()
        return session


def run(session, digest, executable, folder, slots, batch, payload, tell, arrays=(), fetch=None, may=None):
    """What a slot here makes of a batch; nothing if it was cancelled before it began, and true if it may not run.

    What happens before it has ended is told the program meanwhile, if it takes its time. It refers to arrays, each a
    name, and what `fetch` finds it by.
    """
    host = socket.gethostname()
    session = session_of(session)
    session.touch()
    try:
        session.prepare(digest, executable, folder)
        arrays = session.receive(arrays, fetch) if arrays else {}
        if may and not may():
            return True
        slot = session.acquire(batch, slots)
    except OSError as error:
        raise OSError(f"{error} (on {host})") from None
    except LookupError as error:
        raise LookupError(f"{error} (on {host})") from None
    except EOFError as error:
        raise EOFError(f"{error} (on {host})") from None
    if not slot:
        return b""
    answer = None
    try:
        answer = slot.run(batch, payload, arrays, tell)
        return answer
    except (OSError, EOFError, ValueError):
        raise ChildProcessError(f"the process that ran it on {host} ended with {slot.end()}") from None
    finally:
        session.touch()
        session.release(batch, slot, answer is not None)


def cancel(session, batches):
    """Has the batches end soon that run here, and those that have not begun here not start; which have begun."""
    session = session_of(session)
    running, begun = {}, []
    with session.lock:
        for batch in batches:
            if batch in session.running:
                running[batch] = session.running[batch]
                begun.append(batch)
            elif batch in session.ran:
                begun.append(batch)
            else:
                # Most of them never come here.
                remember(session.cancelled, batch)
    for batch, slot in running.items():
        try:
            slot.cancel(batch)
        except (OSError, ValueError):
            pass
    return begun


def kill(session, batches):
    """Ends the slots that run these batches."""
    session = session_of(session, make=False)
    if session:
        with session.lock:
            slots = [session.running[batch] for batch in batches if batch in session.running]
        for slot in slots:
            slot.kill()


def obey(session, orders):
    """Does what was ordered, each a name and what goes along with it, whatever becomes of those before."""
    for order, *arguments in orders:
        try:
            globals()[order](session, *arguments)
        except Exception:
            traceback.print_exc()


def touch(session):
    session = session_of(session, make=False)
    if session:
        session.touch()


def forget(session):
    """Ends the session and all that is left of it here."""
    with sessions_lock:
        session = sessions.pop(session, None)
    if session:
        session.ended.set()
        with session.lock:
            idle, session.idle = session.idle, []
            running = list(session.running.values())
        for slot in running:
            slot.kill()
        for slot in idle:
            slot.end()
        session.clean()

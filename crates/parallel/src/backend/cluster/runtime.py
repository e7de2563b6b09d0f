"""Runs on the nodes, inside the engine's own workers: keeps slots and hands them batches.

    engine's worker (a thread for each batch) --batch--> slot: the program's executable, a process
                                              <-answer--

Standard library only, for whatever Python the cluster has. Shipped as text. Only builtin exceptions leave it.
All of one program is a session: its executable, its slots, what was cancelled. A slot ends when its input
does, so with the engine's worker. A session ends when its program says so, or has not been heard of for a
while, however it went.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

SUBMIT, CANCEL, ANSWER = 4, 5, 19
VERSION = 1
# A program that has not been heard of for so many seconds is gone.
LEASE = 40.0
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
        self.cancelled = set()
        self.numbers = 0
        self.copy = None
        self.executable = None
        self.refused = None
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
            if self.refused:
                raise OSError(self.refused)
            if self.executable:
                return
            try:
                self.copy = Copy(digest, executable, folder)
                self.executable = self.copy.path
            except OSError as error:
                self.refused = str(error)
                self.clean()
                raise

    def acquire(self, batch, slots):
        with self.lock:
            if self.ended.is_set() or batch in self.cancelled:
                self.cancelled.discard(batch)
                return None
            slot = self.idle.pop() if self.idle else None
            while slot and slot.process.poll() is not None:
                slot = self.idle.pop() if self.idle else None
            if not slot:
                slot = Slot(self.executable, self.numbers, slots)
                self.numbers += 1
            self.running[batch] = slot
            return slot

    def release(self, batch, slot, well):
        with self.lock:
            self.running.pop(batch, None)
            # From now on it is nobody's news that it was cancelled.
            self.cancelled.discard(batch)
            if well and not self.ended.is_set():
                self.idle.append(slot)
                return
        slot.end()

    def clean(self):
        if self.copy:
            self.copy.leave()


class Copy:
    """The executable on this node, one file for all sessions and all of the engine's processes that use it.

        folder/parallel-UID/    of mode 0700; locked while something is made or removed
            DIGEST              locked by each process that uses it, and shared: who can have it alone may remove it

    A process of the executable itself waits for that, however the others end.
    """

    def __init__(self, digest, executable, folder):
        os.makedirs(folder, exist_ok=True)
        self.store = os.path.join(folder, f"parallel-{os.getuid()}")
        self.path = os.path.join(self.store, digest)
        self.lock = None
        while self.lock is None:
            store = self.open_store()
            try:
                fcntl.flock(store, fcntl.LOCK_EX)
                is_new = not os.path.exists(self.path)
                if is_new:
                    self.make_room()
                    self.write(digest, executable)
                self.use()
                if is_new:
                    # Not before it is used, or it would be removed at once.
                    tidy = dict(env=environment("tidy"), stdin=subprocess.DEVNULL)
                    busy_retried(lambda: subprocess.run([self.path], **tidy))
            except FileNotFoundError:
                # Whoever was last has removed it meanwhile, with the folder.
                pass
            finally:
                os.close(store)

    def use(self):
        lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_SH)
        if os.fstat(lock).st_nlink:
            self.lock = lock
        else:
            os.close(lock)

    def open_store(self):
        try:
            os.mkdir(self.store, 0o700)
        except FileExistsError:
            pass
        store = os.open(self.store, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        status = os.fstat(store)
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            os.close(store)
            raise OSError(f"{self.store} belongs to somebody else, or others may write to it: remove it")
        return store

    def make_room(self):
        """Removes what was left by those who could not."""
        for name in os.listdir(self.store):
            remove_unused(os.path.join(self.store, name))

    def write(self, digest, executable):
        new = self.path + ".new"
        if callable(executable):
            executable = executable()
        try:
            if isinstance(executable, str):
                if not os.path.exists(executable):
                    raise OSError(f"the program's executable is not at {executable}, where it was shipped to")
                shutil.copyfile(executable, new)
            else:
                with open(new, "wb") as file:
                    file.write(executable)
            with open(new, "rb") as file:
                found = hashlib.sha256(file.read()).hexdigest()
            if found != digest:
                raise OSError(f"the executable arrived damaged at {new}: {found} instead of {digest}")
            os.chmod(new, 0o700)
            probe(new)
            os.rename(new, self.path)
        except BaseException:
            remove_unused(new)
            raise

    def leave(self):
        os.close(self.lock)


def remove_unused(path):
    """Removes a copy that nobody uses."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    except OSError:
        pass
    finally:
        os.close(file)


def probe(path):
    """Finds out whether the executable can be a slot on this node."""
    folder = os.path.dirname(path)
    system = f"{os.uname().sysname} on {os.uname().machine}"
    try:
        command = dict(args=[path], env=environment("probe"), stdin=subprocess.DEVNULL, timeout=PROBE)
        probe = busy_retried(lambda: subprocess.run(capture_output=True, **command))
    except subprocess.TimeoutExpired:
        raise OSError(f"the program's executable did not start as a slot within {PROBE:.0f} s") from None
    except PermissionError as error:
        if os.statvfs(folder).f_flag & os.ST_NOEXEC:
            raise OSError(
                f"nothing can be executed in {folder}: its file system is mounted with noexec. Give the "
                f"cluster's workers another folder, as with `dask worker --local-directory` or `TMPDIR`"
            ) from None
        raise OSError(f"the program's executable cannot be started: {error}") from None
    except OSError as error:
        raise OSError(
            f"the program's executable cannot be started on this node, which is {system}: {error.strerror}. "
            f"Build the program for the target that all nodes can run, as x86_64-unknown-linux-musl"
        ) from None
    if probe.stdout.strip() != f"parallel {VERSION}".encode():
        said = probe.stderr.decode(errors="replace").strip()[-2000:]
        raise OSError(
            f"the program's executable cannot be a slot on this node, which is {system}: it ended with "
            f"{how(probe.returncode)}{': ' if said else ''}{said}"
        )


class Slot:
    """A process of the program's executable."""

    def __init__(self, executable, number, slots):
        start = lambda: subprocess.Popen(
            [executable],
            env=environment(f"{number}/{slots}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.process = busy_retried(start)
        self.writing = threading.Lock()

    def send(self, kind, batch, payload=b""):
        with self.writing:
            self.process.stdin.write(struct.pack("<QQ", kind | len(payload) << 8, batch) + payload)
            self.process.stdin.flush()

    def run(self, batch, payload):
        self.send(SUBMIT, batch, payload)
        header = self.process.stdout.read(16)
        first, word = struct.unpack("<QQ", header) if len(header) == 16 else (0, 0)
        answer = self.process.stdout.read(first >> 8)
        if first & 0xFF != ANSWER or word != batch or len(answer) < first >> 8:
            raise EOFError
        return answer

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
        return how(self.process.wait())


def environment(mark):
    # Calls inside of tasks run on their node, whatever the cluster's workers were started with.
    kept = {name: value for name, value in os.environ.items() if name not in ("PARALLEL_BACKEND", "PARALLEL_N_JOBS")}
    return dict(kept, PARALLEL_SLOT=mark)


def how(code):
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def busy_retried(start):
    """A file that was just written may be open in a child that another thread has just forked, until it executes."""
    for again in range(50):
        try:
            return start()
        except OSError as error:
            if error.errno != errno.ETXTBSY or again == 49:
                raise
            time.sleep(0.02)


def session_of(name, make=True):
    with sessions_lock:
        session = sessions.get(name)
        if not session and make:
            session = sessions[name] = Session(name)
            threading.Thread(target=session.watch, name="parallel-lease", daemon=True).start()
        return session


def run(session, digest, executable, folder, slots, batch, payload):
    """What a slot here makes of a batch; nothing if it was cancelled before it began."""
    host = socket.gethostname()
    session = session_of(session)
    session.touch()
    try:
        session.prepare(digest, executable, folder)
        slot = session.acquire(batch, slots)
    except OSError as error:
        raise OSError(f"{error} (on {host})") from None
    if not slot:
        return b""
    answer = None
    try:
        answer = slot.run(batch, payload)
        return answer
    except (OSError, EOFError, ValueError):
        raise ChildProcessError(f"the process that ran it on {host} ended with {slot.end()}") from None
    finally:
        session.touch()
        session.release(batch, slot, answer is not None)


def cancel(session, batches):
    """Has the batches end soon that run here, and the others not start; which run."""
    session = session_of(session)
    running = []
    with session.lock:
        for batch in batches:
            slot = session.running.get(batch)
            if slot:
                running.append(batch)
            else:
                session.cancelled.add(batch)
        slots = [(batch, session.running[batch]) for batch in running]
    for batch, slot in slots:
        try:
            slot.send(CANCEL, batch)
        except (OSError, ValueError):
            pass
    return running


def kill(session, batches):
    """Ends the slots that run these batches."""
    session = session_of(session, make=False)
    if session:
        with session.lock:
            slots = [session.running[batch] for batch in batches if batch in session.running]
        for slot in slots:
            slot.kill()


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

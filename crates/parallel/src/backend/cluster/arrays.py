

# Arrays that tasks have in common: once on each node, for all of the engine's processes there.
#
#   engine's process ──door──► engine's process     each with slots, which map what it has
#     │ has fetched it           │ was given its descriptor, and keeps the line
#     └──────── the array: memory without a name ─────────┘
#
# Who needs one first fetches it, and gives it to the others at a door: a socket without a file, which only one
# can have, and which goes with its process, however that ends. Who is told at the door that the array is needed
# no more shuts it and lets go; those at the other ends of the lines see that, and do the same.


class Array:
    """The memory of one, as long as anything here holds it."""

    def __init__(self, memory):
        self.memory = memory
        self.sockets = []

    def place(self, name):
        """Where it lies, for another process."""
        status = os.fstat(self.memory)
        numbers = struct.pack("<QQQ", status.st_size, status.st_dev, status.st_ino)
        return bytes.fromhex(name) + numbers + f"/proc/{os.getpid()}/fd/{self.memory}".encode()

    def __del__(self):
        os.close(self.memory)


class Arrays:
    """Those of a session that this process has."""

    def __init__(self, session, forget):
        self.session = session
        # Is told when one is let go.
        self.forget = forget
        self.fetching = threading.Lock()
        self.lock = threading.Lock()
        self.here = {}
        self.selector = selectors.DefaultSelector()
        self.end, ended = socket.socketpair()
        self.selector.register(ended, selectors.EVENT_READ, None)
        threading.Thread(target=self.listen, args=(ended,), name="parallel-arrays", daemon=True).start()

    def get(self, name, fetch):
        """An array: as it is here, as another process of this node has it, or as it is fetched."""
        with self.fetching:
            while name not in self.here:
                array = self.fetch(name, fetch) or self.ask(name)
                if array:
                    return array
            return self.here[name]

    def fetch(self, name, fetch):
        door = socket.socket(socket.AF_UNIX)
        try:
            door.bind(door_of(self.session, name))
            door.listen(128)
        except OSError as error:
            door.close()
            if error.errno == errno.EADDRINUSE:
                return None
            raise
        try:
            array = Array(memory_with(fetch()))
        except BaseException:
            door.close()
            raise
        return self.keep(name, array, door, self.answer)

    def ask(self, name):
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(door_of(self.session, name))
            check_peer(line)
            # It comes when it is there.
            _, [memory], _, _ = socket.recv_fds(line, 1, 1, socket.MSG_CMSG_CLOEXEC)
        except (ConnectionError, ValueError):
            # Who had it has ended.
            line.close()
            return None
        except BaseException:
            line.close()
            raise
        return self.keep(name, Array(memory), line, self.hear)

    def keep(self, name, array, end, heard):
        with self.lock:
            self.here[name] = array
            self.watch(name, array, end, heard)
        return array

    def watch(self, name, array, end, heard):
        array.sockets.append(end)
        self.selector.register(end, selectors.EVENT_READ, (heard, name, array))

    def listen(self, ended):
        """Hears at doors and on lines, until the session ends."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is ended:
                    for name in list(self.here):
                        self.drop(name)
                    self.selector.close()
                    return ended.close()
                heard, name, array = key.data
                # Not if it was let go just now.
                if self.here.get(name) is array:
                    heard(name, array, key.fileobj)
                # Or its memory would stay until something else is heard.
                del key, heard, name, array

    def answer(self, name, array, door):
        guest, _ = door.accept()
        try:
            check_peer(guest)
            socket.send_fds(guest, [b"!"], [array.memory])
        except ConnectionError:
            # It may have left word.
            pass
        except OSError:
            return guest.close()
        with self.lock:
            self.watch(name, array, guest, self.hear_guest)

    def hear_guest(self, name, array, guest):
        if said(guest):
            return self.drop(name)
        with self.lock:
            self.unwatch(array, guest)

    def hear(self, name, array, line):
        self.drop(name)

    def unwatch(self, array, end):
        self.selector.unregister(end)
        array.sockets.remove(end)
        end.close()

    def drop(self, name):
        with self.lock:
            array = self.here.pop(name)
            for end in list(array.sockets):
                self.unwatch(array, end)
        self.forget(name)

    def close(self):
        self.end.close()


def drop(session, names):
    """Has all processes of this node let go of arrays."""
    for name in names:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(door_of(session, name))
            line.send(b"!")
        except ConnectionError:
            # Nobody has it.
            pass
        finally:
            line.close()


def door_of(session, name):
    return f"\0parallel-{session}-{name}"


def said(line):
    try:
        return line.recv(1)
    except ConnectionError:
        return b""


def check_peer(line):
    """A name like this one can be taken by anybody."""
    _, user, _ = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if user != os.getuid():
        raise PermissionError(f"user {user} has a socket that is called as those of this session")


def memory_with(content):
    """Memory without a name, which nobody can change any more."""
    try:
        memory = os.memfd_create("parallel-shared", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except AttributeError:
        # A Python that was built for older systems. As an open file it is as nameless.
        with tempfile.TemporaryFile(dir="/dev/shm") as file:
            memory = os.dup(file.fileno())
    try:
        rest = memoryview(content).cast("B")
        while rest:
            rest = rest[os.write(memory, rest):]
        try:
            seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
        except (AttributeError, OSError):
            # What is only a file, or a Python that cannot. Slots map it as they map files.
            pass
    except BaseException:
        os.close(memory)
        raise
    return memory

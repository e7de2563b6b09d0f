

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
                    subprocess.run([self.path], env=environment("tidy"), stdin=subprocess.DEVNULL)
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
        """It is an `EOFError` if the executable is not here, or not all of it: it may be on its way."""
        new = self.path + ".new"
        if callable(executable):
            executable = executable()
        try:
            if isinstance(executable, str):
                if not os.path.exists(executable):
                    raise EOFError(f"the program's executable is not at {executable}, where it was shipped to")
                with open(executable, "rb") as file:
                    write(new, stdin=file)
            else:
                write(new, input=executable)
            with open(new, "rb") as file:
                found = hashlib.sha256(file.read()).hexdigest()
            if found != digest:
                raise EOFError(f"the executable arrived damaged at {new}: {found} instead of {digest}")
            os.chmod(new, 0o700)
            probe(new)
            os.rename(new, self.path)
        except BaseException:
            remove_unused(new)
            raise

    def leave(self):
        os.close(self.lock)


def write(path, **content):
    """Writes a file that will be executed, by a process of its own. What is open for writing here would be so in each
    child that another thread forks meanwhile, until that executes something, and could not be executed itself."""
    written = subprocess.run(["sh", "-c", 'cat > "$0"', path], stderr=subprocess.PIPE, **content)
    if written.returncode:
        said = written.stderr.decode(errors="replace").strip()
        raise OSError(
            f"the executable cannot be written to {os.path.dirname(path)}: {said or how(written.returncode)}. Make "
            f"room there, or give the cluster's workers another folder, as with `dask worker --local-directory` or `TMPDIR`"
        )


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
        probe = subprocess.run(
            [path], env=environment("probe"), stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE)
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

"""Ray, as the bridge needs it. Each batch is a Ray task, so it runs in one of Ray's own worker processes, which
has one slot. Ray repeats nothing by itself: what it loses the bridge submits again."""

import asyncio
import concurrent.futures
import functools
import logging
import os
import shutil
import sys
import tempfile
import traceback
import uuid

# Of Ray's client, read when it is imported. So long it tries to reach a head that is there and does not answer,
# and to come back to one that it has lost; the head keeps what runs for a lost client for as long.
CLIENT = {
    "RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S": "2",
    "RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S": "8",
    "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "10",
    # Of its core: it tries that often, a second apart, to reach a head that is there.
    "RAY_NUM_REDIS_GET_RETRIES": "5",
    # When it has lost its head for so long, it ends the process that it is in.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "20",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
# A head that does not say within so many seconds what there is has gone.
PATIENCE = 20.0
# A head starts a process for each client, which now and then fails, and says one of these.
TRIES = 4
RACES = ("Starting Ray client server failed", "in start_specific_server", "Initialization failure from server")
# So long the order to cancel may be on its way to the board, behind the values that share its connection.
ON_ITS_WAY = 3.0
# So many workers may read the board at the same time.
READERS = 100_000
# So many orders it keeps, for workers that come late: who misses one runs a batch in vain. And so much of what happens.
LIMITS = {"orders": 1000, "told": 100}


def runner(name, text):
    """The function that Ray's workers run. It travels by value, and nothing of this module with it."""

    def run(executable, session, digest, batch, payload, arrays):
        import queue
        import sys
        import tempfile
        import threading
        import types

        import ray

        def listen():
            """Hears of all orders, those from before included: a batch may have waited at Ray meanwhile."""
            answers = queue.SimpleQueue()
            seen = 0
            while True:
                try:
                    board = ray.get_actor(session)
                    # Not by `ray.get`: while that waits, Ray gives another batch this worker's place.
                    board.read.remote("orders", seen).future().add_done_callback(answers.put)
                    seen, orders = answers.get().result()
                except Exception:
                    # The program is gone.
                    return
                runtime.obey(session, orders)

        runtime = sys.modules.get(name)
        if not runtime:
            runtime = types.ModuleType(name)
            exec(compile(text, "runtime.py", "exec"), runtime.__dict__)
            # Ray itself ends its workers when their program is gone.
            runtime.LEASE = 1e9
            here = ray.get_runtime_context().get_node_id()
            runtime.slots = sum(
                int(node["Resources"].get("CPU", 1)) for node in ray.nodes() if node["NodeID"] == here)
            sys.modules[name] = runtime
            threading.Thread(target=listen, name="parallel-orders", daemon=True).start()

        def tell(*told):
            ray.get_actor(session).write.remote("told", *told)

        return runtime.run(
            session, digest, lambda: ray.get(executable[0]), tempfile.gettempdir(), max(runtime.slots, 1), batch,
            payload, tell, arrays, lambda refs: ray.get(refs[0]))

    return run


def board():
    """Where all workers read what shall happen to batches and arrays, and write what happens in batches that take their
    time, for the program. It does what `ray.cancel` is for: by that the head's process for this client may end, and all
    that runs for it, when a task is just through. https://github.com/ray-project/ray/pull/54798 has the race, which 2.60
    still has where a task succeeds."""
    limits = LIMITS

    class Board:
        def __init__(self):
            import asyncio
            import collections
            import time

            # Started anew, it goes on with more than it had.
            self.written = dict.fromkeys(limits, time.time_ns())
            self.last = {page: collections.deque(maxlen=limit) for page, limit in limits.items()}
            self.news = {page: asyncio.Condition() for page in limits}

        async def write(self, page, *what):
            async with self.news[page]:
                self.written[page] += 1
                self.last[page].append(what)
                self.news[page].notify_all()

        async def read(self, page, seen):
            async with self.news[page]:
                await self.news[page].wait_for(lambda: self.written[page] > seen)
                return self.written[page], list(self.last[page])[seen - self.written[page]:]

    return Board


class NoLog:
    """In place of what brings the log of Ray's head, to which nobody here listens: it takes 40 s to end when a
    connection could not be made."""

    def __init__(self, *_):
        pass

    def __getattr__(self, _):
        return lambda *_: None


class Engine:
    def __init__(self, options, runtime, tell_slots, lost, told):
        self.address = options["address"]
        self.local = int(options.get("local", 0))
        self.timeout = float(options.get("connect_timeout", 10))
        self.tell_slots = tell_slots
        self.told = told
        self.lost = lost
        self.loop = asyncio.get_running_loop()
        self.session = uuid.uuid4().hex
        self.function = runner(f"parallel_runtime_{self.session}", runtime)
        self.control = concurrent.futures.ThreadPoolExecutor()
        self.arrays = {}
        self.folder = self.near = self.far = self.board = self.executable = self.digest = None
        # How many batches Ray has, and how many it can run.
        self.batches = self.count = 0

    def aside(self, function, *arguments, **named):
        """Calls what may take its time, in a thread; but for large values, which would have all of them for long."""
        return self.loop.run_in_executor(self.control, functools.partial(function, *arguments, **named))

    async def connect(self):
        if not self.local:
            await self.check_address()
        for name, value in CLIENT.items():
            os.environ.setdefault(name, value)
        try:
            self.ray = await self.aside(__import__, "ray")
            if self.address.startswith("ray://"):
                import grpc  # Part of `ray[client]` only.
                from ray.util.client import worker

                worker.LogstreamClient = NoLog
        except ImportError as error:
            raise Fatal(
                f"{sys.executable} has no Ray ({error}): install it with `{sys.executable} -m pip install "
                f"'ray[client]'`, in the version of the cluster, or name another Python in PARALLEL_PYTHON"
            ) from None
        await self.init()
        # None of Ray's own repetitions: the bridge counts them.
        batches = self.ray.remote(self.function)
        options = dict(max_retries=0, num_cpus=1, name="parallel", runtime_env=None)
        # Few batches stay on few nodes, which have the executable then; many go to all in turn. Otherwise Ray sends
        # one to a node of which it has not heard yet that it is busy, and another idles.
        self.near = batches.options(**options)
        self.far = batches.options(scheduling_strategy="SPREAD", **options)
        actor = self.ray.remote(board()).options(
            name=self.session, num_cpus=0, max_restarts=-1, max_task_retries=-1, max_concurrency=READERS,
            runtime_env=None)
        # Before the first batch, which looks for it.
        self.board = await self.aside(actor.remote)
        self.hearing = asyncio.ensure_future(self.hear())
        return await self.slots(), f"ray {self.ray.__version__}"

    async def check_address(self):
        """Finds out what Ray says late, or by ending this process."""
        _, is_client, place = self.address.rpartition("://")
        host, _, port = place.partition("/")[0].rpartition(":")
        if not host or not port.isdigit():
            raise Fatal("an address is ray://HOST:10001, or HOST:6379 on a node of the cluster")
        try:
            opening = asyncio.open_connection(host.strip("[]"), int(port))
            _, writer = await asyncio.wait_for(opening, self.timeout)
            writer.close()
        except (OSError, asyncio.TimeoutError) as error:
            raise Fatal(
                f"nobody answers there ({error or 'within %g s' % self.timeout}). Is the head running, and is it the "
                f"port of `ray start --ray-client-server-port`, 10001 unless said otherwise?"
            ) from None
        if not is_client and port not in ports_of_nodes_here():
            raise Fatal(
                f"no node of this cluster runs on this machine, and only from there it can be reached by {place}. "
                f"From elsewhere it is ray://{host}:10001"
            )

    async def init(self):
        refused = self.loop.create_future()
        listen_to_client(lambda why: self.loop.call_soon_threadsafe(
            lambda: refused.done() or refused.set_exception(Fatal(why))))
        quiet = dict(log_to_driver=False, logging_level=logging.ERROR)
        if self.local:
            self.folder = tempfile.mkdtemp(prefix="parallel-ray-")
            how = dict(quiet, num_cpus=self.local, include_dashboard=False, _temp_dir=self.folder,
                       _node_ip_address="127.0.0.1")
        else:
            how = dict(quiet, address=self.address)
        for again in range(TRIES):
            ready = self.aside(self.ray.init, **how)
            await asyncio.wait([ready, refused], return_when=asyncio.FIRST_COMPLETED)
            if refused.done():
                raise refused.exception()
            try:
                return ready.result()
            except Exception as error:
                why = "".join(traceback.format_exception(type(error), error, error.__traceback__))
                what_to_do = advice(why)
                if not what_to_do and again < TRIES - 1 and any(words in why for words in RACES):
                    continue
                raise Fatal(what_to_do or f"{type(error).__name__}: {error}") from None

    async def slots(self):
        resources = await self.aside(self.ray.cluster_resources)
        self.count = int(resources.get("CPU", 0))
        return self.count

    async def recount(self):
        self.tell_slots(await self.slots())

    async def ship(self, executable, digest):
        self.executable = await asyncio.to_thread(self.ray.put, executable)
        self.digest = digest

    async def hear(self):
        """Hears what happens in batches that have not ended."""
        seen = 0
        while True:
            news = await self.outcome(self.board.read.remote("told", seen))
            if isinstance(news, BaseException):
                # `renew` sees that too.
                return
            seen, told = news
            for batch, payload in told:
                self.told(batch, payload)

    async def store(self, name, content):
        self.arrays[name] = await asyncio.to_thread(self.ray.put, content)

    async def drop(self, names):
        for name in names:
            self.arrays.pop(name, None)
        await self.order("drop", names)

    async def order(self, order, what):
        return await self.aside(self.board.write.remote, "orders", order, what)

    async def outcome(self, ref):
        """What becomes of a reference, or what goes wrong."""
        done = self.loop.create_future()

        def tell(future):
            outcome = future.exception() or future.result()
            self.loop.call_soon_threadsafe(lambda: done.done() or done.set_result(outcome))

        # Not `wrap_future`: Ray does not expect that somebody cancels its futures.
        ref.future().add_done_callback(tell)
        return await done

    async def run(self, batch, payload, arrays, _once, _ended):
        # Ray runs nothing twice by itself, whatever is asked for. In a list it stays a reference: a worker
        # fetches it only if it has it not.
        arrays = [(name, [self.arrays[name]]) for name in arrays]
        self.batches += 1
        task = self.far if 2 * self.batches >= self.count else self.near
        try:
            outcome = await self.outcome(task.remote(
                [self.executable], self.session, self.digest, batch, payload, arrays))
        finally:
            self.batches -= 1
        if isinstance(outcome, BaseException):
            raise self.meant_by(outcome)
        if not outcome:
            raise asyncio.CancelledError
        return outcome

    def meant_by(self, error):
        known = self.ray.exceptions
        if isinstance(error, known.RayTaskError):
            return error.cause if isinstance(error.cause, Exception) else Lost(str(error.cause))
        if isinstance(error, known.RayError):
            asyncio.ensure_future(self.recount())
            first = str(error).strip().partition("\n")[0]
            return ChildProcessError(f"Ray lost it: {type(error).__name__}: {first}")
        if isinstance(error, ConnectionError):
            self.lost(f"the connection to its head is gone: {error}")
            return Lost("its head is gone")
        return error

    async def cancel(self, batches):
        written = await self.order("cancel", batches)
        # How long a batch takes to end counts from when the board has the order.
        await asyncio.wait([asyncio.ensure_future(self.outcome(written))], timeout=ON_ITS_WAY)
        # Whoever begins with one that waits yet is told of it, and returns at once.
        return set(batches)

    async def kill(self, batches):
        await self.order("kill", batches)

    async def renew(self):
        try:
            await asyncio.wait_for(self.recount(), PATIENCE)
        except asyncio.TimeoutError:
            self.lost(f"its head has said nothing for {PATIENCE:g} s")
        except ConnectionError as error:
            self.lost(f"the connection to its head is gone: {error}")

    async def close(self):
        try:
            if self.near:
                await self.aside(self.ray.shutdown)
        finally:
            if self.folder:
                shutil.rmtree(self.folder, ignore_errors=True)


def ports_of_nodes_here():
    """The ports of the heads to which nodes on this machine belong."""
    ports = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                arguments = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if os.path.basename(arguments[0]) == "raylet":
            ports.update(
                word.rpartition(":")[2] for word in arguments if word.startswith(("--gcs-address=", "--gcs_address=")))
    return ports


def listen_to_client(refused):
    """Hears why a head refuses this client, of which Ray tells its debug log alone, and tries on."""

    class Ear(logging.Handler):
        def emit(self, record):
            message = record.getMessage()
            why = advice(message)
            if why:
                refused(why)
            elif record.levelno >= logging.WARNING:
                print(message, file=sys.stderr)

    logger = logging.getLogger("ray.util.client.worker")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(Ear())


def advice(why):
    """What to do, if it is known."""
    if any(word in why for word in ("InvalidAuthToken", "missing authentication token", "AuthenticationError")):
        return (
            "its head refused the token, or the lack of one (InvalidAuthToken). Set RAY_AUTH_MODE=token, and the "
            "cluster's token in RAY_AUTH_TOKEN, in the file that RAY_AUTH_TOKEN_PATH names or in ~/.ray/auth_token"
        )
    if "Version mismatch" in why:
        _, _, lines = why.partition("Version mismatch:")
        ray, python = [
            [line.partition(":")[2].strip() for line in lines.splitlines() if line.strip().startswith(f"{name}:")]
            for name in ("Ray", "Python")
        ]
        if len(ray) > 1 and len(python) > 1:
            return (
                f"it has Ray {ray[0]} on Python {python[0]}, and {sys.executable} here is Python {python[1]} with Ray "
                f"{ray[1]}. They must be the same: use a Python {python[0]}, by PARALLEL_PYTHON, and "
                f"`-m pip install 'ray[client]=={ray[0]}'`"
            )
    return None

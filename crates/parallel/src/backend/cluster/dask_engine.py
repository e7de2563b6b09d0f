"""Dask, as the bridge needs it. Only text and `eval` go to its workers, never functions or plugins by value: a
value pickled by another version of Python can end a worker, and the scheduler sends it to the next one."""

import asyncio
import collections
import hashlib
import os
import sys
import uuid
import zlib

# Gets the runtime, or makes it of its text. Workers evaluate this for each batch and each order.
STUB = """(lambda modules: (modules.get(name) or (lambda module: (
    exec(compile(__import__('zlib').decompress(text), 'runtime.py', 'exec'), module.__dict__), modules.setdefault(name, module))[1])(
        type(modules['sys'])(name))))(__import__('sys').modules)"""
# Where nothing may run twice, who begins with a batch says so at the scheduler, if nobody has before.
MAY = """(not once or (lambda begun: not begun.is_set() and (begun.set(), True)[1])(
    __import__('distributed').Event(begun)))"""
# From whichever worker has the array. As an argument it would draw all batches to that one.
FETCH = """(lambda distributed, client: client.gather(distributed.Future(key, client, state="memory"), direct=True))(
    __import__('distributed'), __import__('distributed').get_client())"""
# What happens meanwhile, through the scheduler, which keeps nothing that was taken from it.
TELL = """(lambda queue: (queue.put(told, timeout='5s'), queue.close()))(
    __import__('distributed').Queue(session, maxsize=most_told))"""
# On the node: its other workers have their part of the CPUs.
SLOTS = "crowded.get(__import__('distributed').comm.get_address_host(worker.address), worker.state.nthreads)"
RUN = f"""(lambda runtime, worker: runtime.run(session, digest, __import__('os').path.join(
    worker.local_directory, filename), worker.local_directory, {SLOTS}, batch, payload,
    lambda *told: {TELL}, arrays, lambda key: {FETCH}, lambda: {MAY}))({STUB}, __import__('distributed').get_worker())"""
ORDER = f"getattr({STUB}, order)(session, *arguments)"
# What the plugin put there.
CLEAN = f"""(ORDER, [__import__('os').path.exists(path) and __import__('os').remove(path) for path in [
    __import__('os').path.join(worker.local_directory, filename)
    for worker in __import__('distributed.worker').worker._global_workers]], None)[2]""".replace("ORDER", ORDER)
# So much of what happens waits at the scheduler at most for this program to take it.
MOST_TOLD = 100
# So many orders at most wait for a worker that is silent: who misses one runs a batch in vain.
MOST_MISSED = 1000
# So often something is sent to workers.
TRIES = 3
# A worker that says nothing for so many seconds, as it is stopped or a task holds its interpreter, holds up nobody.
PATIENCE = 5.0


class Engine:
    def __init__(self, options, runtime, tell_slots, lost, told):
        self.address = options["address"]
        self.local = int(options.get("local", 0))
        self.timeout = float(options.get("connect_timeout", 10))
        self.tell_slots = tell_slots
        self.told = told
        self.loop = asyncio.get_running_loop()
        self.lost = lost
        self.session = uuid.uuid4().hex
        name = "parallel_runtime_" + hashlib.sha256(runtime.encode()).hexdigest()[:16]
        self.names = {"name": name, "text": zlib.compress(runtime.encode()), "session": self.session}
        self.client = self.cluster = self.digest = self.shipping = self.queue = None
        self.futures = {}
        # How many slots there are on each host that has several workers.
        self.crowded = {}
        # What the scheduler may have been told of batches that may begin once.
        self.begun = set()
        # What has been sent to workers, as long as not all of them have answered.
        self.unanswered = set()
        # By worker that was told something while it was silent, and has not answered: what it is to be told then.
        self.missed = {}
        # By name, what keeps an array with some worker.
        self.arrays = {}
        self.plugin = f"parallel-{self.session}"

    async def connect(self):
        try:
            import distributed
        except ImportError as error:
            raise Fatal(
                f"{sys.executable} has no Dask ({error}): install it with `{sys.executable} -m pip install "
                f"distributed`, in the version of the cluster, or name another Python in PARALLEL_PYTHON"
            ) from None
        import dask

        self.distributed = distributed
        # It would keep the last thousand messages, each with its batches.
        dask.config.set({"distributed.admin.low-level-log-length": 0})
        try:
            if self.local:
                self.cluster = await distributed.LocalCluster(
                    n_workers=self.local, threads_per_worker=1, processes=True, memory_limit=0,
                    dashboard_address=None, host="127.0.0.1", asynchronous=True)
            self.client = await distributed.Client(
                self.cluster or self.address, asynchronous=True, timeout=self.timeout, set_as_default=False)
        except (OSError, ValueError, asyncio.TimeoutError) as error:
            raise Fatal(
                f"{error or type(error).__name__}. Is its scheduler at this address, and of version "
                f"{distributed.__version__}, as the client here is?"
            ) from None
        except TypeError as error:
            if "ssl_context" not in str(error):
                raise
            raise Fatal(
                f"{error}. For an address that begins with tls:// Dask's own configuration has to name the certificates, "
                f"as by DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and "
                f"DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY in the environment"
            ) from None
        # Between two messages to the scheduler, of which the first one often only lets go of a result. It is 10 ms
        # unless it is said otherwise, as long as a batch takes to travel.
        self.client.scheduler_comm.interval = 0.001
        versions = await self.check_versions()
        self.client.subscribe_topic("all", self.news)
        self.queue = await self.distributed.Queue(self.session, self.client, MOST_TOLD)
        self.hearing = asyncio.ensure_future(self.hear())
        self.watching = asyncio.ensure_future(self.watch())
        return await self.slots(), versions

    async def check_versions(self):
        ours = self.distributed.__version__
        scheduler = self.client.scheduler
        awake, _ = await self.workers()
        # As `get_versions` does, which waits for all.
        question = {"op": "versions", "packages": []}
        workers = await self.in_time(scheduler.broadcast(msg=question, workers=awake, on_error="ignore"))
        there = {"the scheduler": await scheduler.versions(packages=[]), **(workers or {})}
        for where, what in there.items():
            theirs = (what or {}).get("packages", {}).get("distributed")
            if theirs != ours:
                raise Fatal(
                    f"{where} has version {theirs} of `distributed`, and {sys.executable} here has {ours}: make them "
                    f"the same with `{sys.executable} -m pip install distributed=={theirs}`"
                )
        return f"distributed {ours}"

    async def workers(self):
        """Those of whom the scheduler hears, and those that say nothing."""
        info = await self.client.scheduler.identity(n_workers=-1)
        heard = {address: worker["last_seen"] for address, worker in info["workers"].items()}
        # By the scheduler's own clock.
        since = max(heard.values(), default=0) - PATIENCE
        return ([address for address in heard if heard[address] > since],
                [address for address in heard if heard[address] <= since])

    def send(self, message):
        """Sends something to workers, of which some may never answer."""
        task = self.loop.create_task(message)
        self.unanswered.add(task)

        def answered(task):
            self.unanswered.discard(task)
            # Nobody may have waited for it.
            task.cancelled() or task.exception()

        task.add_done_callback(answered)
        return task

    async def in_time(self, message):
        """Sends something to workers, and returns what all answer; nothing if one is late, which may hear of it yet."""
        task = self.send(message)
        done, _ = await asyncio.wait([task], timeout=PATIENCE)
        return task.result() if done else None

    async def slots(self):
        info = await self.client.scheduler.identity(n_workers=-1)
        hosts = collections.defaultdict(list)
        for worker in info["workers"].values():
            hosts[worker["host"]].append(worker["nthreads"])
        self.crowded = {host: sum(slots) for host, slots in hosts.items() if len(slots) > 1}
        return sum(map(sum, hosts.values()))

    def news(self, event):
        """A worker has come or gone, perhaps."""
        if isinstance(event, tuple):
            event = event[1]
        if isinstance(event, dict) and event.get("action") in ("add-worker", "remove-worker"):
            asyncio.ensure_future(self.recount())

    async def recount(self):
        try:
            self.tell_slots(await self.slots())
        except (OSError, AttributeError):
            pass

    async def watch(self):
        """Tells when the scheduler is gone: the client would wait for it to come back."""
        security = self.client.security.get_connection_args("client")
        try:
            comm = await self.distributed.comm.connect(self.client.scheduler.address, **security)
            # Nothing is sent on it.
            await comm.read()
        except OSError:
            pass
        self.lost("its scheduler is gone")

    async def hear(self):
        """Hears what happens in batches that have not ended."""
        try:
            while told := await self.queue.get():
                self.told(*told)
        except OSError:
            # `watch` sees that too.
            pass

    async def ship(self, executable, digest):
        """Whether there are workers that get it later, since they are silent now."""
        if digest != self.digest or self.shipping.done():
            self.digest = digest
            self.filename = f"{self.plugin}-{digest[:16]}"
            # By reference: the class is Dask's own.
            plugin = self.distributed.diagnostics.plugin.UploadFile(os.devnull, load=False)
            plugin.filename, plugin.data = self.filename, executable
            self.shipping = self.send(self.sure(lambda: self.client.register_plugin(plugin, name=self.plugin)))
        while True:
            done, _ = await asyncio.wait([self.shipping], timeout=PATIENCE)
            if done:
                break
            # If all are awake it only takes its time.
            _, silent = await self.workers()
            if silent:
                return True
        try:
            self.shipping.result()
        except OSError as error:
            raise OSError(
                f"a worker cannot take in the executable: {error}. Is there room in the folders of all workers, which "
                f"are those of `dask worker --local-directory`?"
            ) from None
        return False

    async def store(self, name, content):
        [self.arrays[name]] = await self.sure(lambda: self.client.scatter([content], hash=False))

    async def sure(self, send):
        """Sends something to workers, of which one may be killed in the midst of that: others can have it."""
        tries = TRIES
        while True:
            try:
                return await send()
            except asyncio.TimeoutError:
                # There is no worker now, for which batches wait as well.
                pass
            except OSError:
                tries -= 1
                if not tries:
                    raise

    async def drop(self, names):
        for name in names:
            # One that could not be stored is not there.
            if name in self.arrays:
                self.arrays.pop(name).release()
        await self.order("drop", names)

    async def run(self, batch, payload, arrays, once, ended):
        arrays = [(name, self.arrays[name].key) for name in arrays]
        key = f"{self.plugin}-{batch}-{uuid.uuid4().hex[:8]}"
        names = dict(self.names, digest=self.digest, filename=self.filename, batch=batch, payload=payload,
                     once=once, begun=key, arrays=arrays, most_told=MOST_TOLD, crowded=self.crowded)
        future = self.client.submit(eval, RUN, names, key=key, pure=False)
        self.futures[batch] = future
        if once:
            self.begun.add(key)
        future.add_done_callback(
            lambda future: future.status == "finished" and self.loop.call_soon_threadsafe(ended))
        try:
            answer = await future
        except self.distributed.scheduler.KilledWorker as error:
            raise Lost(str(error)) from None
        except self.distributed.client.FutureCancelledError as error:
            raise Lost(str(error)) from None
        finally:
            self.futures.pop(batch, None)
            future.release()
            if once:
                self.send(self.forget_begun(key))
        if answer is True:
            raise Lost("a worker of the cluster that had it is gone, and nothing shall run twice")
        if not answer:
            raise asyncio.CancelledError
        return answer

    async def forget_begun(self, begun):
        """Has the scheduler forget that a batch has begun: it keeps nothing of an event that is cleared."""
        await self.distributed.Event(begun, self.client).clear()
        self.begun.discard(begun)

    async def order(self, order, *arguments):
        """Has each worker do something; what they answer, if it comes in time."""
        awake = None
        if self.unanswered:
            # All answers come together, so not with those of whoever is silent.
            awake, silent = await self.workers()
            for worker in silent:
                self.tell_silent(worker, order, *arguments)
        return await self.in_time(self.tell(awake, order, *arguments)) or {}

    def tell(self, workers, order, *arguments):
        names = dict(self.names, order=order, arguments=arguments, filename=getattr(self, "filename", ""))
        text = CLEAN if order == "forget" else ORDER
        return self.client.run(eval, text, names, workers=workers, on_error="ignore")

    def tell_silent(self, worker, order, *arguments):
        """Tells one thing at a time, or it would all wait at the scheduler; then together what was missed meanwhile."""
        if order == "forget":
            # Nobody will be here then.
            self.send(self.tell([worker], order, *arguments))
        elif worker not in self.missed:
            self.missed[worker] = collections.deque([(order, *arguments)], MOST_MISSED)
            self.send(self.tell_missed(worker))
        elif order != "touch":
            self.missed[worker].append((order, *arguments))

    async def tell_missed(self, worker):
        missed = self.missed[worker]
        try:
            while missed:
                orders = list(missed)
                missed.clear()
                await self.tell([worker], "obey", orders)
        finally:
            del self.missed[worker]

    async def cancel(self, batches):
        answers = await self.order("cancel", batches)
        begun = {batch for answer in answers.values() for batch in answer or ()}
        await self.take_back([batch for batch in batches if batch not in begun])
        return begun

    async def kill(self, batches):
        await self.order("kill", batches)
        # One that has run may be about to run again: Dask may have lost what came of it.
        await self.take_back(batches)

    async def take_back(self, batches):
        futures = [self.futures[batch] for batch in batches if batch in self.futures]
        if futures:
            await self.client.cancel(futures, force=True)

    async def renew(self):
        await self.order("touch")

    async def close(self):
        steps = []
        if self.digest:
            steps += [self.in_time(self.client.unregister_worker_plugin(self.plugin)), self.order("forget")]
        steps += [self.in_time(self.forget_begun(event)) for event in self.begun]
        if self.queue:
            steps.append(self.in_time(self.hear_no_more()))
        try:
            # What one of them cannot do shall keep no other from it.
            for outcome in await asyncio.gather(*steps, return_exceptions=True):
                if isinstance(outcome, Exception):
                    print(f"while leaving: {outcome}", file=sys.stderr)
        finally:
            if self.client:
                await self.client.close()
            if self.cluster:
                await self.cluster.close()

    async def hear_no_more(self):
        # The scheduler would wait for ever for whom it can give the next word to.
        await self.queue.put(None)
        await self.hearing
        # To await a queue has it made twice.
        self.queue.close()
        self.queue.close()

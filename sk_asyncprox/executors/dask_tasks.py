"""One run on a Dask cluster: who is there, what is in flight, which part lies where."""

import threading
import time
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from .._blas_limit import one_blas_thread
from .._interrupts import Deferred, Stop
from .._kept_memory import KEPT_MEMORY
from .base import WorkersLost

LOOK_ROUND = 0.25
"""Seconds between two looks at who is there, when nothing arrives."""

PATIENCE = 60.0
"""Seconds to wait for a first or a new worker where none is left."""

LARGE = 1_000_000
"""Bytes of a task beyond which it goes to its worker by itself, beside the scheduler's graph."""

WORTH = 0.15
"""Idle time between two tasks, relative to the work of one, above which a worker has its next task queued
already. A queued task's iterate is older by the time of a task, so that it does not pay for long ones."""

GONE = ("cancelled", "lost")


class Lying(NamedTuple):
    """A part that lies on the cluster already, and the worker that holds it."""

    future: object
    address: str | None


def raise_if_lost(client, error):
    """Say what an error of the connection means; another one may be the user's own, raised by a signal."""
    from distributed.comm import CommClosedError

    if client.status != "running" or isinstance(error, CommClosedError):
        raise WorkersLost(f"The Dask scheduler cannot be reached any more: {error}") from error


class RollCall:
    """Who is there, and since when nobody has been."""

    def __init__(self, client):
        self._client, self._manned = client, time.monotonic()

    def slots(self):
        """Addresses of the workers, one for each of their threads; neighbours are different workers."""
        if self._client.status != "running":
            raise WorkersLost(f"The Dask scheduler cannot be reached (the client is {self._client.status}).")
        try:
            threads = self._client.nthreads()
        except OSError as error:
            raise_if_lost(self._client, error)
            raise
        now = time.monotonic()
        if threads:
            self._manned = now
        elif now - self._manned > PATIENCE:
            raise WorkersLost(f"The Dask cluster has had no worker for {PATIENCE:.0f} seconds.")
        rounds = range(max(threads.values(), default=0))
        return [address for turn in rounds for address in sorted(threads) if threads[address] > turn]


def wait_for_slots(client):
    """The same, once there is a worker."""
    roll, call = RollCall(client), None
    try:
        while not (slots := roll.slots()):
            # Where nothing is to be done, an adaptive cluster starts no worker.
            call = call or client.submit(keep, None, pure=False)
            time.sleep(LOOK_ROUND)
    finally:
        if call is not None:
            call.release()
    return slots


def next_batch(arrived):
    """What has come to an ``as_completed``; nothing when nothing has for a while."""
    with arrived.thread_condition:
        if not arrived.has_ready():
            arrived.thread_condition.wait(LOOK_ROUND)
    return arrived.next_batch(block=False)


def do(work, part, task, payload):
    """The work of one task, on its worker, and the seconds that it took."""
    begin = time.perf_counter()
    # The arrays of the next visit are as large.
    KEPT_MEMORY.add(part)
    with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
        result = work(part, task._replace(payload=payload))
    return result, time.perf_counter() - begin


def keep(part):
    """The same part: a copy where this runs."""
    return part


def place(client, data, address):
    """Future of data that are brought to a worker. What a signal raises waits until they are there: broken
    off, the scheduler would keep for the client what the client knows nothing of."""
    with Deferred(Stop()):
        return client.scatter(data, workers=[address], hash=False)


class Held(NamedTuple):
    """A task in flight, and whether its worker had nothing else to do when it was submitted."""

    task: object
    part: object
    begin: float
    alone: bool


class Pace:
    """How long a worker's tasks take, and how long it waits between two when none is queued."""

    waits, work = (), np.inf

    def took(self, turn, work, alone):
        """Take the time of a task from submission to arrival into account, and that of its work."""
        self.work = work
        if alone:
            # The first task of a worker also loads what it needs; so the least of two counts at first.
            self.waits = (*self.waits[-4:], turn - work)

    @property
    def depth(self):
        """Tasks that the worker should have, the running one included."""
        return 2 if len(self.waits) > 1 and min(self.waits) > WORTH * self.work else 1


class Crew:
    """One run."""

    def __init__(self, client, solver, on_events):
        from distributed import as_completed

        self.client, self.solver, self.on_events = client, solver, on_events
        slots = wait_for_slots(client)
        # Only solvers whose workers may come and go take several tasks of one of them in any order.
        most = solver.most_workers
        self._deep, self._most = most is not None, most or solver.n_workers
        self._slots = [address for number, address in enumerate(slots) if number < self._most]
        self.held, self._copies = {}, {}
        self._queues, self._paces = defaultdict(list), defaultdict(Pace)
        self._arrived = as_completed(loop=client.loop, with_results=True, raise_errors=False)
        self._roll, self._begin = RollCall(client), time.perf_counter()
        self._seen = self._begin

    def drive(self):
        """Submit, wait, tell, until the stop."""
        while True:
            self._hand_out()
            batch = next_batch(self._arrived)
            arrivals = [pair for pair in map(self._unpack, batch) if pair is not None]
            now = time.perf_counter()
            self.solver.now = now - self._begin
            events = self.solver.tell(arrivals) if arrivals else []
            if self.on_events(events, self.solver.now):
                return
            if not batch or now - self._seen > LOOK_ROUND:
                self._look_round()

    def _unpack(self, answer):
        """Task and result; None where the task was dropped or lost."""
        future, result = answer
        if future not in self.held:
            return None
        held = self.held[future]
        if future.status == "error":
            raise result[1].with_traceback(result[2])
        if future.status != "finished":
            self.solver.drop(self._forget(future))
            if isinstance(held.part, Lying) and held.part.future.status in GONE:
                self._look_round()
                raise WorkersLost("The data of a shard are lost with its worker and cannot be computed anew.")
            return None
        self._forget(future)
        answer, work = result
        self._paces[held.task.worker].took(time.perf_counter() - held.begin, work, held.alone)
        return held.task, answer

    def _look_round(self):
        """Give the slots of workers that have gone to new ones; tell the solver what is lost."""
        present = self._roll.slots()
        self._seen = time.perf_counter()
        for number, address in enumerate(self._slots):
            if address in present:
                present.remove(address)
            else:
                self._slots[number] = None
                self._paces.pop(number, None)
                for future in list(self._queues[number]):
                    self.solver.drop(self._forget(future))
        for address in present:
            if None in self._slots:
                self._slots[self._slots.index(None)] = address
            elif len(self._slots) < self._most:
                self._slots.append(address)

    def _hand_out(self):
        idle = True
        # Nobody has a second task before everybody has a first.
        for depth in (1, 2) if self._deep else (1,):
            for number, address in enumerate(self._slots):
                wanted = address is not None and len(self._queues[number]) < depth
                if wanted and depth <= self._paces[number].depth:
                    task = self.solver.ask(number)
                    if task is not None:
                        # Where its worker has just gone the task is held by nobody, and asked for again.
                        idle = False
                        self._submit(task, address)
        if idle and not self.held and any(self._slots):
            raise RuntimeError("The solver has nothing to do and nothing is in flight.")

    def _submit(self, task, address):
        part, payload = self.solver.part(task), task.payload
        try:
            shipped = self._ship(part, address)
            if _size(payload) > LARGE:
                payload = place(self.client, payload, address)
        except (KeyError, OSError):
            self.solver.drop(task)
            self._look_round()
            if address in self._slots:
                raise
            return
        bare = task._replace(payload=None)
        where = {"workers": [address], "pure": False}
        future = self.client.submit(do, self.solver.work, shipped, bare, payload, **where)
        self.held[future] = Held(task, part, time.perf_counter(), not self._queues[task.worker])
        self._queues[task.worker].append(future)
        self._arrived.add(future)

    def _ship(self, part, address):
        """Future of the part on the worker; shipped when it is not there."""
        lying = isinstance(part, Lying)
        if lying and part.address == address:
            return part.future
        _, places = self._copies.setdefault(id(part), (part, {}))
        if address not in places or places[address].status in GONE:
            if lying:
                # A copy is made of the first place, which stays; of the others only the newest is kept.
                places.clear()
                places[address] = self.client.submit(keep, part.future, workers=[address], pure=False)
            else:
                places[address] = place(self.client, part, address)
        return places[address]

    def _forget(self, future):
        task = self.held.pop(future).task
        self._queues[task.worker].remove(future)
        # Left to the end of its life it would do the same, where what a signal raises is lost.
        future.release()
        return task

    def disband(self):
        """Let go of what is in flight and of what was shipped, also where an error holds on to it."""
        self._arrived.clear()
        release(self.held)
        for _, places in self._copies.values():
            release(places.values())
        self._copies.clear()


def release(futures):
    """Give up one's own interest in what was submitted.

    To cancel by force would do more: it goes from key to key up to what others asked for, and in a scheduler
    that finds a key there which nobody wants it ends the client's stream, with all the data that it has
    persisted.
    """
    for future in futures:
        future.release()


def tell_released(client):
    """Wait until the scheduler is told what has been released: what is submitted next may make the same keys
    in another way, and must not overtake that."""
    if client.status == "running":
        told, loop = threading.Event(), client.loop
        # Futures are let go in the first turn of the loop, and messages about it leave in the second.
        loop.add_callback(loop.add_callback, told.set)
        told.wait(1.0)


def _size(payload):
    if isinstance(payload, tuple):
        return sum(map(_size, payload))
    return getattr(payload, "nbytes", 0)

"""One run on a Dask cluster: who is there, what is in flight, which part lies where."""

import time
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from .._compat import fast_calls, one_blas_thread
from .pace import Pace
from .plan import WorkersLost

LOOK_ROUND = 0.25
"""Seconds between two looks at who is there, when nothing arrives."""

PATIENCE = 60.0
"""Seconds to wait for a first or a new worker where none is left."""

LARGE = 1_000_000
"""Bytes of a task beyond which it goes to its worker by itself, beside the scheduler's graph."""


GONE = ("cancelled", "lost")
NOBODY = f"The Dask cluster has had no worker for {PATIENCE:.0f} seconds."


class Lying(NamedTuple):
    """A part that lies on the cluster already."""

    future: object
    address: str | None
    """Worker that holds it."""


def slots_of(client):
    """Addresses of the workers, one for each of their threads; neighbours are different workers."""
    if client.status != "running":
        raise WorkersLost(f"The Dask scheduler cannot be reached (the client is {client.status}).")
    threads = client.nthreads()
    rounds = range(max(threads.values(), default=0))
    return [address for turn in rounds for address in sorted(threads) if threads[address] > turn]


def wait_for_slots(client):
    """The same, once there is a worker."""
    deadline = time.monotonic() + PATIENCE
    while not (slots := slots_of(client)):
        if time.monotonic() > deadline:
            raise WorkersLost(NOBODY)
        time.sleep(LOOK_ROUND)
    return slots


def do(work, part, task, payload):
    """The work of one task, on its worker, and the seconds that it took."""
    begin = time.perf_counter()
    with fast_calls(), one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
        result = work(part, task._replace(payload=payload))
    return result, time.perf_counter() - begin


def keep(part):
    """The same part: a copy where this runs."""
    return part


class Held(NamedTuple):
    """A task in flight."""

    task: object
    part: object
    begin: float
    alone: bool
    """Whether its worker had nothing else to do when it was submitted."""


class Crew:
    """One run.

    Parameters
    ----------
    client : distributed.Client
    solver : solver
    on_events : callable
    """

    def __init__(self, client, solver, on_events):
        from distributed import as_completed

        self.client, self.solver, self.on_events = client, solver, on_events
        slots = wait_for_slots(client)
        grows = getattr(solver, "grows", False) and solver.n_workers >= len(slots)
        self._slots, self._most = slots[: None if grows else solver.n_workers], np.inf
        if not grows:
            self._most = len(self._slots)
        # Only solvers whose workers may come and go take several tasks of one of them in any order.
        self._deep = getattr(solver, "grows", False)
        self.held, self._copies = {}, {}
        self._queues, self._paces = defaultdict(list), defaultdict(Pace)
        self._arrived = as_completed(loop=client.loop, with_results=True, raise_errors=False)
        self._begin = self._seen = self._alive = time.perf_counter()

    def drive(self):
        """Submit, wait, tell, until the stop."""
        while True:
            self._hand_out()
            batch = self._wait()
            arrivals = [pair for pair in map(self._unpack, batch) if pair is not None]
            now = time.perf_counter()
            self.solver.now = now - self._begin
            events = self.solver.tell(arrivals) if arrivals else []
            if self.on_events(events, self.solver.now):
                return
            if not batch or now - self._seen > LOOK_ROUND:
                self._look_round()

    def _wait(self):
        """What has arrived; nothing when nothing has for a while."""
        arrived = self._arrived
        with arrived.thread_condition:
            if not arrived.has_ready():
                arrived.thread_condition.wait(LOOK_ROUND)
        return arrived.next_batch(block=False)

    def _unpack(self, answer):
        """Task and result; None where the task was dropped or lost."""
        future, result = answer
        if future not in self.held:
            return None
        held = self.held[future]
        if future.status == "error":
            raise result[1].with_traceback(result[2])
        if future.status != "finished":
            self._drop(future)
            if isinstance(held.part, Lying) and held.part.future.status in GONE:
                self._look_round()
                raise WorkersLost("The data of a shard are lost with its worker and cannot be computed anew.")
            return None
        self._forget(future)
        answer, work = result
        self._paces[held.task.worker].took(time.perf_counter() - held.begin, work, held.alone)
        return held.task, answer

    # -- who is there ------------------------------------------------------------------------------

    def _look_round(self):
        """Give the slots of workers that have gone to new ones; tell the solver what is lost."""
        try:
            present = slots_of(self.client)
        except OSError as error:
            raise WorkersLost(f"The Dask scheduler cannot be reached any more: {error}") from error
        self._seen = time.perf_counter()
        if present:
            self._alive = self._seen
        elif self._seen - self._alive > PATIENCE:
            raise WorkersLost(NOBODY)
        for number, address in enumerate(self._slots):
            if address in present:
                present.remove(address)
            else:
                self._slots[number] = None
                self._paces.pop(number, None)
                for future in list(self._queues[number]):
                    self._drop(future)
        for address in present:
            if None in self._slots:
                self._slots[self._slots.index(None)] = address
            elif len(self._slots) < self._most:
                self._slots.append(address)

    # -- tasks -------------------------------------------------------------------------------------

    def _hand_out(self):
        # Nobody has a second task before everybody has a first.
        for depth in (1, 2) if self._deep else (1,):
            for number, address in enumerate(self._slots):
                wanted = address is not None and len(self._queues[number]) < depth
                if wanted and (depth == 1 or depth <= self._paces[number].depth):
                    task = self.solver.ask(number)
                    if task is not None:
                        self._submit(task, address)
        if not self.held and any(self._slots):
            raise RuntimeError("The solver has nothing to do and nothing is in flight.")

    def _submit(self, task, address):
        part, payload, where = self.solver.part(task), task.payload, [address]
        try:
            shipped = self._ship(part, address)
            if _size(payload) > LARGE:
                payload = self.client.scatter(payload, workers=where, hash=False)
        except (KeyError, OSError, TimeoutError):
            self.solver.drop(task)
            self._look_round()
            if address in self._slots:
                raise
            return
        bare = task._replace(payload=None)
        future = self.client.submit(do, self.solver.work, shipped, bare, payload, workers=where, pure=False)
        queue = self._queues[task.worker]
        self.held[future] = Held(task, part, time.perf_counter(), not queue)
        queue.append(future)
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
                places[address] = self.client.scatter(part, workers=[address], hash=False)
        return places[address]

    def _drop(self, future):
        self.solver.drop(self._forget(future))
        if self.client.status == "running":
            self.client.cancel([future], force=True)

    def _forget(self, future):
        task = self.held.pop(future).task
        self._queues[task.worker].remove(future)
        return task

    def disband(self):
        """Cancel what is in flight and let go of what was shipped."""
        self._arrived.clear()
        self._copies.clear()
        if self.held and self.client.status == "running":
            self.client.cancel(list(self.held), force=True)


def _size(payload):
    """Bytes of a payload's arrays."""
    if isinstance(payload, tuple):
        return sum(map(_size, payload))
    return getattr(payload, "nbytes", 0)

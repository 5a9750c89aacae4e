"""The contract between solvers and executors: ask, work, tell.

A **solver** is a plain state machine. It holds no lock, thread, clock or client:

``ask(worker) -> Task | None``
    Cheap. A stamped piece of work, or None: nothing to do until the next tell.
``part(task) -> part``
    All of the data that the task needs. Tasks that need the same data get the same object, so that it is
    shipped to a worker once.
``work(part, task) -> result``
    Heavy; changes nothing that others see; may run anywhere (threads, processes, machines). Parts,
    tasks and results pickle.
``tell(arrivals) -> list of events``
    Takes a list of ``(task, result)``, measures the delays, asks the policy for the step, writes.
    Returns what happened: an :class:`Update` per write and a :class:`Certified` per certificate.
``drop(task)``
    A task will never be told (its worker is gone); its block is free again.

Three more attributes may be there. ``head_start``: seconds for which the first worker may work alone, since
starting threads costs tens of milliseconds, which a short run never gains back. ``certifies_afresh``:
whether the last certificate was computed from the coefficients alone, and so is as good as one made after
the run. ``most_workers``: where workers may come and go, how many there may be at a time.

``ask``, ``tell`` and ``drop`` are exclusive: an executor never runs two of them at once. Tasks come in
kinds, and only the solver knows them; so phases of an algorithm (block steps, certificates) live in one
run of one executor. Before each tell the executor may set ``now``, its clock's seconds: a solver that
measures how long its tasks take reads them there, so that a replay measures the same.
"""

from typing import Any, NamedTuple

import numpy as np

from ..certificate import duality_gap
from ..delays import Stamp


class Task(NamedTuple):
    """A piece of work and what was read for it; a snapshot, never a view of what is written to."""

    kind: str
    worker: int
    stamp: Stamp
    asked: int
    """Position in the order of asks and tells. A tell takes one, and then one for each of its arrivals: so
    neighbours were told together."""

    block: int
    """Block or shard; -1 when the task is about all of the data."""

    payload: Any


class Arrival(NamedTuple):
    """A result as it went into an update."""

    worker: int
    block: int
    stamp: int
    asked: int
    told: int


class Update(NamedTuple):
    """One write."""

    index: int
    delay: int
    step: float
    phase: str
    arrivals: tuple[Arrival, ...]
    error: float = 0.0
    """Measured error of the oldest model that was replaced, where there are models."""


class Shared(NamedTuple):
    """A share of work that led to no write and no certificate of its own."""

    kind: str
    arrival: Arrival


class Certified(NamedTuple):
    """One certificate."""

    certificate: Any
    dual: float
    """The best lower bound on the optimum so far."""

    update: int
    """Writes before the certified iterate."""

    worker: int
    asked: int
    told: int

    @property
    def gap(self):
        """Gap of the certified iterate against the best lower bound."""
        return duality_gap(self.certificate.objective, self.dual)


class Snapshot(NamedTuple):
    """Coefficients and intercept of the centred design."""

    w: np.ndarray
    b: float


def certify(part, task):
    """Work of the kind ``"certificate"``: the same for every solver."""
    return part.problem.certify(*task.payload)

"""The contract between solvers and executors: ask, work, tell."""

from typing import Any, NamedTuple

import numpy as np

from .ledger import Arrival, Certified, Ledger, Shared, Task, Update

__all__ = ["Arrival", "Certified", "Ledger", "Shared", "Snapshot", "Solver", "Task", "Update"]


class Snapshot(NamedTuple):
    """Coefficients and intercept of the centred design."""

    w: np.ndarray
    b: float


class Solver:
    """A plain state machine, and all that executors and ``solve`` may ask of it.

    It holds no lock, thread, clock or client. ``ask``, ``tell`` and ``drop`` are exclusive: an executor never
    runs two of them at once. Tasks come in kinds, and only the solver knows them.

    A subclass takes ``(problem, step_size, *, n_workers, start)`` and what its :class:`Family` hands it.
    """

    resumes = False
    """Whether ``resume`` goes on with another penalty of the same data."""

    head_start = 0.0
    """Seconds for which the first worker may work alone: a short run never gains back what threads cost."""

    most_workers = None
    """How many workers there may be at a time, where they may come and go; else None."""

    certifies_afresh = False
    """Whether the last certificate was computed from the coefficients alone, as one made after the run is."""

    working_set = False
    """Whether only the columns that certificates call for are visited."""

    pending = ()
    """Arrivals that are in no update yet."""

    now = 0.0
    """The clock's seconds, which the executor says before each tell, so that a replay measures the same."""

    problem: Any
    step_size: Any
    n_workers: int
    n_blocks: int
    """Blocks of columns or shards of rows."""

    step_unit: float
    """``gamma'``, the largest step that is safe without delays."""

    touched: int
    """Stored entries that have been read."""

    ledger: Ledger

    plain = ()
    """Metrics in which steps of policies of delays need no more of a penalty than its ``prox``; all others
    are made for the elastic net."""

    needs_bound = True
    """Whether exact steps in the Gram metric need a bound of the loss's curvature, too; all others do."""

    @property
    def n_updates(self):
        """Writes so far, zero steps included."""
        return self.ledger.update

    @property
    def over_bound(self):
        """Updates whose delay was above the bound that the policy was given."""
        return self.ledger.over_bound

    @property
    def lower_bound(self):
        """Best lower bound on the optimum so far."""
        return self.ledger.lower_bound

    def ask(self, worker):
        """A stamped piece of work for the worker, or None: nothing to do until the next tell. Cheap."""
        raise NotImplementedError

    def part(self, task):
        """All of the data that the task needs; the same object for the same data, so that it is shipped to a
        worker once."""
        raise NotImplementedError

    works = {}
    """What is done for a task of every kind: functions of its part and its payload."""

    @classmethod
    def work(cls, part, task):
        """The result. Heavy; changes nothing that others see; may run anywhere (threads, processes,
        machines). Parts, tasks and results pickle."""
        return cls.works[task.kind](part, task.payload)

    def tell(self, arrivals):
        """Take a list of ``(task, result)``, measure the delays, ask the policy for the step, write. Return
        what happened: an :class:`Update` per write and a :class:`Certified` per certificate."""
        raise NotImplementedError

    def drop(self, task):
        """Forget a task that will never be told (its worker is gone): its block is free again."""
        raise NotImplementedError

    def snapshot(self):
        """The iterate now, as a :class:`Snapshot`."""
        raise NotImplementedError

    def rest(self):
        """At the end of a run: let go what would keep the data alive."""

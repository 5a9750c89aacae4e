"""What every solver keeps of a run: its asks and tells in order, the writes, their delays and the best bound;
and the tasks and events that are made of these."""

from typing import Any, NamedTuple

import numpy as np

from ..delays import DelayTracker, Stamp
from ..problem.certificate import duality_gap


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
    complete: bool = True
    """Whether every block was written since the last one that was: while a worker is late, the others have
    soon done all that they can."""

    @property
    def gap(self):
        """Gap of the certified iterate against the best lower bound."""
        return duality_gap(self.certificate.objective, self.dual)


class Ledger(DelayTracker):
    """Makes the tasks and the events of a run, whose steps are those of a ``policy`` started for a
    ``setting``.

    A tell takes a place in the order of asks and tells, and then one for each of its arrivals: ``arrival`` is
    the one being told, ``events`` what has happened since the last report. ``over_bound`` counts updates with
    a delay above the bound that the policy was given; ``lower_bound`` is the best one on the optimum so far.
    """

    def __init__(self, policy, setting):
        super().__init__()
        self.clock, self.arrival, self.events = 0, None, []
        self._rule, bound = policy.start(setting), policy.delay_bound(setting)
        self._bound = np.inf if bound is None else bound
        self.over_bound, self.lower_bound = 0, -np.inf

    def task(self, kind, worker, block, payload, stamp=None):
        """A task to be handed out, of a read now if no stamp of another is given."""
        self.clock += 1
        return Task(kind, worker, stamp or self.stamp(), self.clock, block, payload)

    def told(self, arrivals):
        """What was told together, one after the other: tasks and their results."""
        self.clock += 1
        for task, result in arrivals:
            self.clock += 1
            self.arrival = Arrival(task.worker, task.block, task.stamp.update, task.asked, self.clock)
            yield task, result

    def measure(self, *stamps):
        """Delay of a write that rests on reads with these stamps; and its step, in units of the largest."""
        delay, window = super().measure(*stamps)
        self.over_bound += delay > self._bound
        return delay, self._rule(delay, window)

    def written(self, delay, step, length, phase, arrivals=None, error=0.0):
        """A write, of such a step, of that ``length``; what is being told has led to it, or some arrivals."""
        arrivals = (self.arrival,) if arrivals is None else arrivals
        self.events.append(Update(self.update, delay, length, phase, arrivals, error))
        self.advance(step)

    def shared(self, kind):
        """What is being told has led to no write and no certificate of its own."""
        self.events.append(Shared(kind, self.arrival))

    def certified(self, certificate, update=None, worker=-1, asked=-1, complete=True):
        """A certificate, of the iterate after so many writes (all there are), and who was asked for it when,
        if it was one task."""
        self.lower_bound = max(self.lower_bound, certificate.dual)
        update = self.update if update is None else update
        event = Certified(certificate, self.lower_bound, update, worker, asked, self.clock, complete)
        self.events.append(event)
        return event

    def report(self):
        """What has happened since the last report, in order."""
        events, self.events = self.events, []
        return events

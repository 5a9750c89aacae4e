"""PIAG of second order: models by shards.

In place of every shard's newest gradient the server keeps its newest second-order *model*, and goes to the
minimiser of their sum with the penalty. What a delay costs is then not the step length but the change of
curvature since the read: nothing at all for the squared loss, and of second order near the optimum else. No
step size and no smoothness constant is needed.

Far from the optimum models can promise too much. So where a certificate finds the objective risen, the run
goes back to the best certified point and waits until every shard has been read there; curvatures are raised
to the secants that the step has met, and to a share of a majorant's, more of it every time. With all of it
the sum of the models lies above the objective and touches it at that point, so the next step lowers it,
whatever the data.
"""

from typing import NamedTuple

import numpy as np

from ..delays import Stamp
from ..kernels.model_sum import ModelSum
from ..kernels.shard_models import Care
from .base import Arrival, Shared, Update
from .piag import PIAG
from .piag_work import minimised

WAIT = 20
"""Passes between two certificates, at most."""

PROMISED = 20.0
"""Gap that the models promise, relative to the one wanted, from which on a certificate is worth its cost."""

ENOUGH = 0.01
"""Share of the gap wanted to which the models' sum is minimised, and by which a point moves that counts."""

ROUNDING = 4 * np.finfo(float).eps
"""Gap, relative to the objective, that nobody can tell from zero."""

RISE, FALL = 1e-9, 1e-3
"""Relative rise of the objective that is no rounding; and its fall, relative to the gap, that is too little
when every shard has been read since."""

STUCK = 2
"""Certificates in a row with too little of a fall from which on it is no chance: close to the optimum of a
weak penalty a gap may be large as its bound is bad, and then comes down by itself."""

DOUBTFUL = 1.2
"""Factor above its least by which the shards' mean objective may rise before a certificate has to say."""

FIRST_SHARE, MORE, LESS = 1e-3, 10.0, 0.1
"""Share of the majorant after a rise, beside the secants; its growth after another, and its fall after a
certificate without one, down to nothing below the first."""


class Batch(NamedTuple):
    """What has arrived since the models' sum was minimised last."""

    arrivals: tuple
    oldest: Stamp
    """Of all the models."""

    error: float
    """Measured error of the oldest model that was replaced."""


class Point(NamedTuple):
    """A point and its objective."""

    w: np.ndarray
    b: float
    objective: float


class ModelPIAG(PIAG):
    """Aggregated second-order models as a state machine of ask, work and tell.

    Parameters are those of :class:`PIAG`, and ``target``, the gap that is wanted. Where workers share memory
    and certificates are tasks, minimising the sum is a task as well; else the server does it when it is told.
    """

    kinds, plain = ("model", "model look"), ()

    def __init__(self, problem, step_size, *, target=0.0, inline=False, **options):
        super().__init__(problem, step_size, inline=inline, **options)
        self._wanted, self._solves = target, inline or self.most_workers is not None
        self._due, self._wait = self._by_shards, WAIT

    def _unit(self):
        return 1.0

    def _lay_table(self):
        m = self.n_blocks
        self._free = self.problem.free_intercept
        self._penalty = self._own_penalty = self.problem.penalty
        self._shares = np.array([fact.share for fact in self._facts])
        self._sum = self._empty_sum()
        self._known, self._values, self._changes = [None] * m, np.zeros(m), np.zeros(m)
        self._promised = np.full(m, np.inf)
        self._moved = np.full(m, np.inf)
        self._care, self._best, self._stuck = Care(1.0) if self.problem.loss.jumps else None, None, 0
        self._ceiling, self._least, self._certified_at = np.inf, np.inf, 0
        self._barrier, self._waiting = 0, set(range(m))
        self._ready, self._solving, self._due_after = False, None, False

    def _empty_sum(self):
        return ModelSum(self._shares, len(self.w), self._free * np.size(self.b))

    # -- ask ---------------------------------------------------------------------------------------

    def ask(self, worker):
        """Hand out the minimisation where it is due, else what PIAG hands out."""
        if not self._ready or self._solving is not None:
            return super().ask(worker)
        self._ready, self._solving = False, self._batch()
        return self._task("solve", worker, -1, self._tracker.stamp(), self._minimisation())

    def part(self, task):
        """As PIAG's; a minimisation needs nothing but its payload."""
        return None if task.kind == "solve" else super().part(task)

    def drop(self, task):
        """Forget a task that will never be told."""
        if task.kind != "solve":
            super().drop(task)
            self._moved[max(0, task.block)] = np.inf
        else:
            self._fresh = [*self._solving.arrivals, *self._fresh]
            self._solving, self._ready = None, task.asked > self._barrier

    @property
    def pending(self):
        """Arrivals that are in no update yet."""
        return (*(self._solving.arrivals if self._solving else ()), *self._fresh)

    def _useful(self, worker):
        """Shards whose point is no longer the one they were read at, as far as that counts; and those that a
        certificate needs."""
        useful = self._moved > ENOUGH * self._wanted
        if self._round is not None:
            useful[[shard for shard in range(self.n_blocks) if shard not in self._round.looks]] = True
        idle = not (self._placement.is_busy or self._certifying or self._solving)
        # Who else would be asked may not ask soon: somebody has to go on.
        return useful if not idle or useful[self._placement.homes == worker].any() else True

    def _payload(self, shard, w, b):
        self._moved[shard] = 0.0 if w is self.w else np.inf
        known = self._known[shard]
        return w, b, None if known is None or known[1] is not self._care else known[0], self._care

    # -- tell --------------------------------------------------------------------------------------

    def _take(self, task, result):
        """Renew a model, or go to the minimiser of their sum."""
        if task.kind != "solve":
            return super()._take(task, result)
        arrival = Arrival(task.worker, task.block, task.stamp.update, task.asked, self._clock)
        batch, self._solving = self._solving, None
        # What was found before a retreat is of no use after it.
        event = self._write(batch, *result) if task.asked > self._barrier else self._counted(batch, 0.0)
        return [event, Shared("solve", arrival)]

    def _renew(self, task, result):
        shard, share = task.block, self._facts[task.block].effort
        self.touched += max(1, int(0.5 * result.reads * self.problem.pass_size * share))
        self._since += share
        arrival = Arrival(task.worker, shard, task.stamp.update, task.asked, self._clock)
        old = self._stamps[shard]
        late = old is not None and task.stamp < old
        if late or (task.asked <= self._barrier and shard not in self._waiting):
            return [Shared("late", arrival)]
        w, b, _, care, *_ = task.payload
        x, gradient = self._joint(w, b), self._joint(*result.gradient)
        self._sum.renew(shard, x, gradient, result.curvature, result.size)
        if result.curvature is not None:
            self._known[shard] = (w, b), care
        self._changes[shard] = result.change
        self._values[shard] = result.value + self._own_penalty.value(w)
        self._stamps[shard] = task.stamp
        self._fresh.append(arrival)
        if task.asked > self._barrier:
            self._waiting.discard(shard)
        self._missing = len(self._waiting)
        return []

    def _joint(self, w, b):
        """Coefficients, and the intercepts where they are free."""
        return np.append(w, b) if self._free else w

    def _some(self, w):
        """Those of all coefficients that the server keeps."""
        return w

    def _move(self):
        if self._solves:
            return super()._move()
        self._ready = True
        return []

    def _batch(self):
        arrivals, self._fresh = tuple(self._fresh), []
        oldest = min(arrivals, key=lambda arrival: arrival.stamp)
        return Batch(arrivals, min(self._stamps), -np.expm1(-self._changes[oldest.block]))

    def _step(self):
        return self._write(self._batch(), *minimised(*self._minimisation()))

    def _minimisation(self):
        """What a minimisation needs to know."""
        return self._sum.quadratic(), self.w, self._own_penalty, ENOUGH * self._wanted

    def _begin(self):
        """Before the first write: the objective of the start, which every shard has been read at."""
        if self._best is None:
            self._ceiling = self._mixture()
            self._best = Point(self._whole(self.w), self.b, self._ceiling)
            self._wanted = max(self._wanted, ROUNDING * abs(self._ceiling))

    def _write(self, batch, gap, w, b, step=1.0):
        """Go to the minimiser ``(w, b)``, when ``gap`` is what the models made of the point before it."""
        self._begin()
        self.w = w
        if self._free:
            self.b = b if np.ndim(self.b) else float(b[0])
        gap = self._promise(max(0.0, gap) if gap < np.inf else np.inf, step)
        self._moved += gap
        blocks = [arrival.block for arrival in batch.arrivals]
        self._promised[blocks] = gap / len(blocks)
        self._heed_promise()
        return self._counted(batch, step)

    def _promise(self, gap, step):
        """Gap that is to be expected of the point before a step, when its models had that ``gap``."""
        return 0.0 if self.problem.loss.quadratic and self._tracker.update == 0 else gap

    def _counted(self, batch, step):
        delay, _ = self._tracker.measure(batch.oldest)
        length, error = step * self.step_unit, float(batch.error)
        update = Update(self._tracker.update, delay, length, "models", batch.arrivals, error)
        self._tracker.advance(step)
        return update

    # -- certificates --------------------------------------------------------------------------------

    def _heed_promise(self):
        """Ask for a certificate where the models promise that it is good enough, and every shard was read
        since the last one that they promised too much for; or where the objective may have risen."""
        renewed = min(self._stamps).update >= self._certified_at
        promised = renewed and self._promised.sum() <= PROMISED * self._wanted
        mixture = self._mixture()
        self._least = min(self._least, mixture)
        rising = self._since >= 1.0 and mixture > min(self._ceiling, DOUBTFUL * self._least)
        self._due = self._due or promised or rising or self._due_after or self._since >= self._wait
        self._due_after = False

    def _mixture(self):
        """Mean of the objectives of the shards, each where it was read."""
        return float(self._shares @ self._values)

    def _digest(self, certificate, update, worker=-1, asked=-1):
        event = super()._digest(certificate, update, worker, asked)
        if not self.problem.loss.quadratic and self._best is not None:
            self._guard(certificate, event.gap)
        if self.problem.loss.jumps and event.gap > self._wanted:
            self._moved[:] = np.inf  # Majorants lead there by moves too short to count, but not for bounds.
        self._wait, self._certified_at = WAIT, update
        self._ceiling = self._least = self._mixture()
        return event

    def _guard(self, certificate, gap):
        """Go back where the objective has risen, or not fallen as it should have."""
        best, objective = self._best, certificate.objective
        risen = not objective <= best.objective + RISE * abs(best.objective)
        self._stuck = self._stuck + 1 if self._is_stuck(certificate, gap) else 0
        share = 0.0 if self._care is None else self._care.share
        if risen:
            share = min(1.0, max(FIRST_SHARE, MORE * share))
            self._care = Care(share, self._some(certificate.w), certificate.b)
        else:
            self._best = Point(certificate.w, certificate.b, objective)
            share *= 1.0 if self.problem.loss.jumps else LESS
            self._care = self._care._replace(share=share) if share >= FIRST_SHARE else None
        if risen or self._stuck == STUCK:
            self._retreat()

    def _is_stuck(self, certificate, gap):
        """Whether the objective has hardly fallen since the last certificate, though all shards were read."""
        objective = certificate.objective
        if self.problem.penalty.is_zero or gap <= max(self._wanted, RISE * abs(objective)):
            return False
        renewed = min(self._stamps).update >= self._certified_at
        return renewed and self._best.objective - objective < FALL * gap

    def _retreat(self):
        """Go back to the best point, and wait until every shard has been read there."""
        self._stuck = 0
        self.w, self.b = self._some(self._best.w), self._best.b
        self._barrier, self._waiting = self._clock, set(range(self.n_blocks))
        self._missing, self._round = len(self._waiting), None
        self._ready, self._due_after = False, True
        self._moved[:] = np.inf
        self._placement.afresh()

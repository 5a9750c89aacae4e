"""PIAG: proximal incremental aggregated gradient, the parameter server.

The master keeps the newest gradient of every shard and the stamp of its read. Each batch of arrivals
renews entries and triggers one proximal step along the aggregate; its delay is the age of the
*oldest* entry, not of the arrivals [1]_.

References
----------
.. [1] X. Wu, S. Magnússon, H. R. Feyzmahdavian, M. Johansson. Delay-adaptive step-sizes for
   asynchronous learning. ICML 2022, Algorithm 1.
"""

import itertools
from typing import NamedTuple

import numpy as np

from ..delays import DelayTracker
from ..step_sizes import Setting
from .base import Arrival, Certified, Snapshot, Task, Update, certify

REFRESH_EVERY = 100
"""Updates after which the aggregate is summed anew, against drift."""

LONGEST_WAIT = 10
"""Passes between two certificates, at most."""


class ShardGradient(NamedTuple):
    """Gradient of one shard's mean loss in the coefficients and the intercept."""

    w: np.ndarray
    b: float


class RowPart:
    """What one worker of PIAG holds: the problem and the row ranges of its shards."""

    def __init__(self, problem, ranges):
        self.problem, self.ranges = problem, ranges

    def gradient(self, shard, w, b):
        """Gradient of a shard's mean loss at ``(w, b)``."""
        problem, (start, stop) = self.problem, self.ranges[shard]
        design, weights = problem.design.rows(start, stop), problem.sample_weights[start:stop]
        z = (design.mul(w).reshape(-1, stop - start) + np.reshape(b, (-1, 1))).ravel()
        slope = problem.loss.gradient(problem.y[start:stop], z).reshape(-1, stop - start)
        slope *= weights / weights.sum()
        sums = slope.sum(axis=1)
        return ShardGradient(design.tmul(slope.ravel()), sums if np.ndim(b) else float(sums[0]))


def shard_gradient(part, task):
    """Work of the kind ``"shard"``."""
    return part.gradient(task.block, *task.payload)


WORK = {"certificate": certify, "shard": shard_gradient}


def work(part, task):
    """Do the task with what the part holds."""
    return WORK[task.kind](part, task)


class PIAG:
    """Proximal incremental aggregated gradient as a state machine of ask, work and tell.

    Parameters are those of :class:`~sk_asyncprox.solvers.bcd.AsyncBCD`; ``n_blocks`` counts the shards
    of rows. Workers serve their shards in turn.
    """

    work = staticmethod(work)

    def __init__(
        self,
        problem,
        step_size,
        *,
        n_workers=1,
        n_blocks="auto",
        start=None,
        inline=False,
        max_delay=None,
    ):
        self.problem, self.step_size, self.inline = problem, step_size, inline
        n = problem.features.shape[0]
        n_shards = min(n, n_workers if n_blocks == "auto" else int(n_blocks))
        self.n_workers = n_workers if inline else min(n_workers, n_shards)
        cuts = np.linspace(0, n, n_shards + 1).astype(int)
        ranges = list(itertools.pairwise(cuts))
        self.n_blocks = n_shards
        self._share = np.array([problem.sample_weights[a:b].sum() for a, b in ranges])
        self._serves = [list(range(i, n_shards, self.n_workers)) for i in range(self.n_workers)]
        self.parts = [RowPart(problem, ranges)] * self.n_workers
        self._turn = [0] * self.n_workers
        smoothness = self._smoothness(ranges)
        setting = Setting("piag", 1.0, n_shards, max_delay)
        self._rule, self._delay_bound = step_size.start(setting), step_size.delay_bound(setting)
        self.step_unit = step_size.h / smoothness

        self._tracker = DelayTracker()
        self.w, self.b = problem.start() if start is None else (start.w.copy(), start.b)
        self._gradients, self._stamps = [None] * n_shards, [None] * n_shards
        self._missing = n_shards
        self._aggregate, self._aggregate_b = np.zeros_like(self.w), 0.0 * self.b
        self.touched, self.over_bound, self._clock = 0, 0, 0
        self._asked_shards, self._fresh = set(), []
        self._certifying, self.lower_bound = False, -np.inf
        self._wait, self._since, self._due = 1, 0, True

    def _smoothness(self, ranges):
        """``sum_i share_i L_i``, and the scale of the intercept's column.

        A free intercept is a column of constants ``c``; ``c^2`` is chosen as the features' constant, so
        that neither slows the other. A shard's constant with that column is at most the largest
        eigenvalue of ``[[L_i, c |m_i|], [c |m_i|, c^2]]``, ``m_i`` the shard's column means.
        """
        problem = self.problem
        curvature = problem.loss.curvature
        designs = [problem.features.rows(a, b) for a, b in ranges]
        shares = [problem.sample_weights[a:b] / problem.sample_weights[a:b].sum() for a, b in ranges]
        constants = np.array([d.smoothness(s) for d, s in zip(designs, shares, strict=True)])
        self._free = problem.fit_intercept and not problem.loss.quadratic
        self._intercept_scale = float(self._share @ constants) or 1.0
        if self._free:
            square = self._intercept_scale
            for i, (design, share) in enumerate(zip(designs, shares, strict=True)):
                cross = np.sqrt(square) * np.linalg.norm(design.tmul(share))
                constants[i] = np.linalg.norm([[constants[i], cross], [cross, square]], 2)
        return curvature * float(self._share @ constants) or 1.0

    @property
    def n_updates(self):
        """Writes so far, zero steps included."""
        return self._tracker.update

    def snapshot(self):
        """The iterate now."""
        return Snapshot(self.w.copy(), self.b)

    # -- ask ---------------------------------------------------------------------------------------

    def ask(self, worker):
        """Hand out a certificate when one is due, else the worker's next shard."""
        if worker >= self.n_workers:
            return None
        if not self.inline and self._due and not self._certifying:
            self._certifying = True
            return self._task("certificate", worker, -1)
        shard = self._next_shard(worker)
        if shard is None:
            return None
        self._asked_shards.add(shard)
        return self._task("shard", worker, shard)

    def _task(self, kind, worker, block):
        self._clock += 1
        payload = (self.w, self.b)
        return Task(kind, worker, self._tracker.stamp(), self._clock, block, payload)

    def _next_shard(self, worker):
        shards = self._serves[worker]
        for _ in shards:
            shard = shards[self._turn[worker] % len(shards)]
            self._turn[worker] += 1
            # While the table fills, no shard is worth a second visit.
            if self._missing == 0 or (self._gradients[shard] is None and shard not in self._asked_shards):
                return shard
        return None

    def drop(self, task):
        """Forget a task that will never be told."""
        if task.kind == "certificate":
            self._certifying = False
        self._asked_shards.discard(task.block)

    # -- tell --------------------------------------------------------------------------------------

    def tell(self, arrivals):
        """Renew the table; one proximal step for all the arrivals together."""
        self._clock += 1
        events = []
        for task, result in arrivals:
            if task.kind == "certificate":
                self._certifying = False
                events.append(self._digest(result, task))
            else:
                self._renew(task, result)
                self._fresh.append(
                    Arrival(task.worker, task.block, task.stamp.update, task.asked, self._clock)
                )
        if self._fresh and self._missing == 0:
            events.append(self._step(tuple(self._fresh)))
            self._fresh = []
            if self.inline and self._due:
                events.append(self._digest(self.problem.certify(self.w, self.b)))
        return events

    def _renew(self, task, gradient):
        shard = task.block
        old, share = self._gradients[shard], self._share[shard]
        self._asked_shards.discard(shard)
        if old is None:
            self._missing -= 1
            self._aggregate += share * gradient.w
            self._aggregate_b = self._aggregate_b + share * gradient.b
        else:
            self._aggregate += share * (gradient.w - old.w)
            self._aggregate_b = self._aggregate_b + share * (gradient.b - old.b)
        self._gradients[shard], self._stamps[shard] = gradient, task.stamp
        start, stop = self.parts[0].ranges[shard]
        rows = self.problem.features.shape[0]
        self.touched += int(self.problem.pass_size * (stop - start) / rows)
        self._since += (stop - start) / rows
        self._due = self._due or self._since >= self._wait

    def _step(self, arrivals):
        delay, window = self._tracker.measure(*self._stamps)
        if self._delay_bound is not None and delay > self._delay_bound:
            self.over_bound += 1
        if self._tracker.update % REFRESH_EVERY == REFRESH_EVERY - 1:
            self._aggregate = sum(s * g.w for s, g in zip(self._share, self._gradients, strict=True))
            self._aggregate_b = sum(s * g.b for s, g in zip(self._share, self._gradients, strict=True))
        step = self._rule(delay, window)
        length = step * self.step_unit
        self.w = self.problem.penalty.prox(self.w - length * self._aggregate, length)
        if self._free:
            self.b = self.b - length * self._intercept_scale * self._aggregate_b
        index = self._tracker.update
        self._tracker.advance(step)
        return Update(index, delay, length, "descent", arrivals)

    def _digest(self, certificate, task=None):
        self.touched += self.problem.pass_size
        self.lower_bound = max(self.lower_bound, certificate.dual)
        self._wait, self._since, self._due = min(2 * self._wait, LONGEST_WAIT), 0.0, False
        worker, asked = (-1, -1) if task is None else (task.worker, task.asked)
        update = self._tracker.update if task is None else task.stamp.update
        return Certified(certificate, self.lower_bound, update, worker, asked, self._clock)

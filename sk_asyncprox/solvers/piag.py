"""PIAG: proximal incremental aggregated gradient, the parameter server.

The master keeps the newest gradient of every shard and the stamp of its read. Each batch of arrivals
renews entries and triggers one proximal step along the aggregate; its delay is the age of the
*oldest* entry, not of the arrivals [1]_.

References
----------
.. [1] X. Wu, S. Magnússon, H. R. Feyzmahdavian, M. Johansson. Delay-adaptive step-sizes for
   asynchronous learning. ICML 2022, Algorithm 1.
"""

from functools import partial
from math import expm1
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from ..delays import Stamp
from ..kernels.server_aggregate import Subproblem, Sums
from ..kernels.shard_surrogate import answer_locally
from ..kernels.shard_taylor_model import answer_gradient, answer_model
from ..shards.shard import cut_rows, joint_smoothness
from ..shards.sharded_certificate import ShardGradient, conclude, thin
from ..shards.worker_placement import Placement
from ..step_sizes import Setting
from .base import Ledger, Snapshot, Solver

LONGEST_WAIT = 10
"""Passes between two certificates, at most."""


class Looking(NamedTuple):
    """A certificate whose shares are being collected."""

    w: np.ndarray
    b: float
    stamp: Stamp
    looks: dict


class Batch(NamedTuple):
    """What has arrived since the last write, the stamps of the table, and where the step leads if a task has
    told it."""

    arrivals: tuple
    stamps: tuple
    error: float
    found: tuple | None = None


class PIAG(Solver):
    """Proximal incremental aggregated gradient as a state machine of ask, work and tell.

    Most parameters are those of :class:`~sk_asyncprox.solvers.bcd.AsyncBCD`; ``n_blocks`` counts the
    shards of rows. Workers serve their shards in turn. A certificate is a task of its own, or
    ``by_shards`` a look of each: the next gradient of every shard is taken at one fixed iterate, and
    brings the shard's share of the certificate with it.

    Parameters
    ----------
    problem : Problem or ShardedProblem
    by_shards : bool
        Whether certificates are made of shares.
    most_workers : int, inf or None
        Where shards may move to other workers, and workers come and go: how many there may be at a time.
    visits : dict or None
        Shards that every worker is to take, in turn, as in a recorded run.

    See Also
    --------
    AsyncBCD : Blocks of columns in place of shards of rows.

    Examples
    --------
    The second step rests on one gradient that is a write old:

    >>> import numpy as np
    >>> from sk_asyncprox.losses import SquaredLoss
    >>> from sk_asyncprox.penalties import ElasticNetPenalty
    >>> from sk_asyncprox.problem import Problem
    >>> from sk_asyncprox.solvers import PIAG
    >>> from sk_asyncprox.step_sizes import Adaptive1
    >>> problem = Problem(np.eye(4), np.arange(4.0), SquaredLoss(), ElasticNetPenalty(l1=0.1), rows=True)
    >>> solver = PIAG(problem, Adaptive1(), n_workers=2, n_blocks=2, inline=True)
    >>> for workers in ([0, 1], [0]):
    ...     tasks = [solver.ask(worker) for worker in workers]
    ...     events = solver.tell([(task, solver.work(solver.part(task), task)) for task in tasks])
    ...     print([(event.delay, round(event.step, 3)) for event in events if hasattr(event, "delay")])
    [(0, 1.747)]
    [(1, 0.175)]
    """

    works = {
        "certificate": lambda problem, payload: problem.certify(*payload),
        "shard": answer_gradient,
        "look": partial(answer_gradient, looking=True),
        "model": answer_model,
        "model look": partial(answer_model, looking=True),
        "local": answer_locally,
        "solve": lambda _, payload: Subproblem.solved(*payload),
    }
    plain = "gram", "lipschitz"
    phase = "descent"
    kinds = "shard", "look"
    """Visits of a shard: plain, and with a share of a certificate."""

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
        by_shards=False,
        most_workers=None,
        visits=None,
    ):
        self.problem, self.step_size, self.inline = problem, step_size, inline
        if problem.shards is not None:
            self._shards, self._facts, homes = problem.shards, problem.facts, problem.homes
            by_shards = True
        else:
            n_shards = min(problem.features.shape[0], n_workers if n_blocks == "auto" else int(n_blocks))
            self._shards, self._facts = cut_rows(problem, n_shards)
            homes = np.arange(n_shards)
        self.n_blocks = n_shards = len(self._shards)
        self.most_workers, movable = most_workers, most_workers is not None
        self.n_workers = n_workers if inline or movable else min(n_workers, n_shards)
        self._placement = Placement(homes % self.n_workers, movable, visits)
        # Looks are made from the coefficients alone.
        self._by_shards = self.certifies_afresh = by_shards
        self._looking = None
        self.ledger = Ledger(step_size, Setting("piag", 1.0, n_shards, max_delay))
        self._free = problem.free_intercept
        self.step_unit = self._unit()
        self.w, self.b = problem.start()
        if start is not None:
            self._begin_at(*start)
        self._stamps, self._fresh = [None] * n_shards, []
        self._shares, self._changes = [fact.share for fact in self._facts], [0.0] * n_shards
        self.touched, self._barrier, self._certifying = 0, 0, False
        self._wait, self._since, self._due = 1, 0, True
        self._lay_table()

    def _lay_table(self):
        zero = ShardGradient(np.zeros_like(self.w), np.zeros(np.shape(self.b)))
        self._sums = Sums(self._shares, zero, [fact.columns for fact in self._facts])

    def _unit(self):
        """Largest safe step, ``gamma' = h / L``."""
        problem = self.problem
        known = problem.constants() if problem.shards is not None else [s.constants() for s in self._shards]
        constant, self._intercept_scale = joint_smoothness(known, self._facts, self._free)
        return self.step_size.h / (problem.loss.curvature * constant or 1.0)

    def _begin_at(self, w, b):
        """Begin at a point that is finite and no worse than the zero model."""
        # Of centred columns that of the zero model is best for the squared loss.
        b = b if self.problem.free_intercept or not self.problem.loss.quadratic else self.b
        if self.problem.objective(w, b) <= self.problem.objective(self.w, self.b):
            self.w, self.b = w.copy(), b

    def snapshot(self):
        return Snapshot(self.w.copy(), self.b)

    def ask(self, worker):
        """Hand out a certificate when one is due, else the worker's next shard."""
        if self._by_shards:
            self._begin_looking()
        elif not self.inline and self._due and not self._certifying:
            self._certifying = True
            return self.ledger.task("certificate", worker, -1, (self.w, self.b))
        shard = self._placement.take(worker, self._useful(worker))
        if shard is None:
            return None
        looking = self._looking
        if looking is not None and shard not in looking.looks:
            payload = self._payload(shard, looking.w, looking.b)
            return self.ledger.task(self.kinds[1], worker, shard, payload, looking.stamp)
        return self.ledger.task(self.kinds[0], worker, shard, self._payload(shard, self.w, self.b))

    def _begin_looking(self):
        """Fix the point of a certificate where one is due."""
        if self._due and not self._certifying and not self.inline:
            self._certifying, self._looking = True, Looking(self.w, self.b, self.ledger.stamp(), {})

    def _useful(self, worker):
        return True

    def _payload(self, shard, w, b):
        return thin(w) if self.problem.as_it_lies else w, b

    def part(self, task):
        """The task's shard, or the problem for a certificate in one piece."""
        return self.problem if task.kind == "certificate" else self._shards[task.block]

    def drop(self, task):
        if task.kind == "certificate":
            self._certifying = False
        else:
            self._placement.dropped(task.worker, task.block)

    @property
    def pending(self):
        return tuple(self._fresh)

    def _batch(self):
        oldest = min(self._fresh, key=attrgetter("stamp"))
        error = -expm1(-self._changes[oldest.block])
        batch, self._fresh = Batch(tuple(self._fresh), tuple(self._stamps), error), []
        return batch

    def tell(self, arrivals):
        """Renew the table; one proximal step for all the arrivals together."""
        for task, result in self.ledger.told(arrivals):
            self._take(task, result)
        if self._fresh and self._placement.complete:
            self._move()
        # Not by the next ask, which may lead to no task, so that no replay knows of it.
        if self._by_shards:
            self._begin_looking()
        return self.ledger.report()

    def _take(self, task, result):
        if task.kind == "certificate":
            self.touched += self.problem.pass_size
            self._digest(result, task.stamp.update, task.worker, task.asked)
            return
        found, answer = result
        if found is not None:
            self._collect(task, found)
        self._renew(task, answer)

    def _move(self):
        self._step(self._batch())
        if self.inline and self._due:
            self.touched += self.problem.pass_size
            self._digest(self.problem.certify(self.w, self.b), self.n_updates)

    def _collect(self, task, result):
        """Take a look; the last one makes the certificate."""
        looking = self._looking
        if looking is None or looking.stamp != task.stamp:
            return
        looking.looks[task.block] = result
        if len(looking.looks) == self.n_blocks:
            self._looking = None
            looks = [looking.looks[shard] for shard in range(self.n_blocks)]
            self._conclude(looking, looks)

    def _conclude(self, looking, looks):
        certificate = conclude(self.problem, looking.w, looking.b, looks, self._facts)
        self._digest(certificate, looking.stamp.update)

    def _renew(self, task, answer):
        shard, effort, old = task.block, self._facts[task.block].effort, self._stamps[task.block]
        self.touched += max(1, int(0.5 * answer.reads * self.problem.pass_size * effort))
        self._since += effort
        self._due = self._due or self._since >= self._wait
        # The run has gone elsewhere since, or another worker has taken the shard over and was faster.
        late = task.asked <= self._barrier or (old is not None and task.stamp < old)
        self._placement.told(task.worker, shard, answer.work, late)
        if late:
            self.ledger.shared("late")
            return
        self._enter(task, answer)
        self._stamps[shard], self._changes[shard] = task.stamp, answer.change
        self._fresh.append(self.ledger.arrival)

    def _enter(self, task, gradient):
        self._sums.renew(task.block, gradient)

    def _step(self, batch):
        delay, step = self.ledger.measure(*batch.stamps)
        length = step * self.step_unit
        self._go(step, length, batch)
        self.ledger.written(delay, step, length, self.phase, batch.arrivals, batch.error)

    def _go(self, step, length, batch):
        total = self._sums.total
        self.w = self.problem.penalty.prox(self.w - length * total.w, length)
        if self._free:
            self.b = self.b - length * self._intercept_scale * total.b

    def _digest(self, certificate, update, worker=-1, asked=-1):
        self._wait, self._since = min(2 * self._wait, LONGEST_WAIT), 0.0
        self._due = self._certifying = False
        return self.ledger.certified(certificate, update, worker, asked)

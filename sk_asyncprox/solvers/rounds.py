"""Async-BCD in rounds: certificate, block steps, one Newton step.

A round looks at the whole problem once (a certificate), chooses the working set from what it saw, lets
every block take one asynchronous exact step, and joins what they have found by a Newton step on the
support. The l1 part is lowered geometrically until it is the wanted one, which keeps the support below
its final size and the Newton steps inside the region where they are good. Where the Gram matrix of the
working set pays, the model is solved on it instead of by block and Newton steps.

The algorithm is a script: a generator of phases, which go on when all of their shares have been told.
"""

import numpy as np

from ..data.array_operations import SHORT
from ..kernels.bcd_iterate import Iterate, Read
from ..kernels.block_steps import direction_to
from ..kernels.column_part import ColumnPart
from ..kernels.path_extrapolation import Trail
from ..kernels.subspace_steps import Beside
from ..kernels.working_set import (
    GROWTH,
    SPARSE_GROWTH,
    dear_columns,
    first_columns,
    is_settled,
    wanted_columns,
)
from ..step_sizes import Setting
from .base import Ledger, Snapshot
from .rounds_all_columns import LARGEST_SWEPT, SLOW, AllColumnSteps, RidgeSteps
from .rounds_gram_steps import GramSteps
from .rounds_looks import Looks
from .rounds_newton_cg import RISE_OF_NEWTON, NewtonSteps
from .rounds_script import Phase, Script
from .rounds_shared_products import Products
from .rounds_worker_tasks import WORK

LOWERED, LOWERED_IN_READS = 0.3, 0.1
"""Factor of the l1 part from round to round; and where each reads the data, which are sparse or have many
more rows than columns."""

CHEAP_GRAM = 5_000_000
"""Products of a Gram matrix so cheap that all columns are taken at once, without working sets; so they are
where few columns of a large matrix lie as they were given, and after sweeps not more than rows, if half are
called for."""

SMALL, SMALL_FULL = 5_000_000, 1_000_000
"""Stored entries of sparse and of full data below which one worker is faster than several."""

LATE, SWEEPS, LATE_SWEEPS = 2e-2, 5, 2
"""Relative gap from which on block steps take fewer sweeps: the support is nearly found."""

NEAR = 0.97
"""Correlation, relative to the l1 part, from which on a column is in the working set where the last solution
is near: it may be needed before the next look."""

MENDS, LONG = 5, 8.0
"""Rounds of few columns that may follow one another where others are long: read so many times the data."""

SPOILT, RISE_OF_DESCENT = 0.8, 0.25
"""Share of a delayed full step below which the step is taken again; and the slope at the full step, relative
to the first, up to which it is written instead of the exact one."""


class RoundsBCD(Script):
    """Async-BCD with exact steps and Newton steps, in rounds, as a state machine of ask, work and tell.

    Parameters
    ----------
    problem : Problem
    step_size : StepSize
        One that measures its steps on the objective.
    n_workers : int
        At most; a small problem is given one.
    start : Snapshot
        First iterate.
    goal, most_passes : float
        The gap that is wanted, and passes over the data that are allowed.

    See Also
    --------
    AsyncBCD : Block steps alone, with every policy and metric.
    PIAG : Shards of rows in place of blocks of columns.

    Examples
    --------
    A round begins with a look at the whole problem:

    >>> import numpy as np
    >>> from sk_asyncprox.losses import SquaredLoss
    >>> from sk_asyncprox.penalties import ElasticNetPenalty
    >>> from sk_asyncprox.problem import Problem
    >>> from sk_asyncprox.solvers import RoundsBCD
    >>> from sk_asyncprox.step_sizes import ExactStep
    >>> problem = Problem(np.eye(4), np.arange(4.0), SquaredLoss(), ElasticNetPenalty(l1=0.1))
    >>> RoundsBCD(problem, ExactStep()).ask(0).kind
    'look'
    """

    works = WORK
    head_start, resumes, needs_bound = 0.1, True, False

    def __init__(self, problem, step_size, *, n_workers=1, start=None, goal=0.0, most_passes=np.inf):
        full, size = problem.is_dense or problem.design.is_full(), problem.size
        n_workers = n_workers if size >= (SMALL_FULL if full else SMALL) else 1
        self.problem, self.n_workers, self.n_blocks = problem, n_workers, n_workers
        self.touched = problem.pass_size // 2
        self.at, self.columns = Iterate(problem, start), ColumnPart(problem, 1.0, True, None)
        self.columns.fills = n_workers == 1
        self.products, self.looks = Products(self.columns, n_workers), Looks(problem)
        self.all_columns, self.newton = AllColumnSteps(problem), NewtonSteps()
        self.gram = GramSteps(problem, self.columns, n_workers)
        self.at.settles = self.at.settles and not self.looks.streamed  # else the next look does it
        self.head_start = 0.0 if full and size > LARGEST_SWEPT else self.head_start
        self.step_size, self.step_unit, self.working_set = step_size, 1.0, True
        self.active, self.generation, self.blocks = np.empty(0, int), 0, []
        self._late, self._resumed, self._doubted, self._mended = False, False, start is not None, 0
        self._known, self._trail, self._spent = None, Trail(), 0
        self.goal, self.most_passes = goal, most_passes
        self._begin(Beside())

    def _begin(self, moves):
        """At the start of the script, without what other penalties have taught."""
        problem = self.problem
        self.begin_script(self._run(), Ledger(self.step_size, Setting("bcd")), self.products.speeds)
        self.gap, self.fall, self.from_zero = np.inf, SLOW, False
        self.penalty = problem.penalty.with_l1(np.inf)
        self.at.learns, self.at.least = not problem.loss.quadratic, None
        self.ridge = RidgeSteps(problem, moves)

    def resume(self, problem):
        """Go on with another penalty of the same data, from where the last run has ended."""
        before = self.problem.penalty
        self._trail.add(before, self.at.w)
        self.problem = self.columns.problem = self.at.problem = problem
        self.touched, self._resumed, self._mended = 0, True, 0
        self._begin(self.ridge.moves)
        # What strays at the first iterate, gone too far, asks for no penalty above the last one.
        self.penalty = problem.penalty.with_l1(max(before.l1, problem.penalty.l1))
        # Under a weaker penalty no iterate gets worse beside the zero model.
        if (problem.penalty.l1 > before.l1 or problem.penalty.l2 > before.l2) and self.at.retreat():
            self._known = None
        expected = self._trail.expected(problem.penalty)
        if expected is not None and (expected != self.at.w).any():
            self._extrapolate(expected)

    def _extrapolate(self, expected):
        part, point, w = self.columns, self.at.point(), self.at.w
        index = np.flatnonzero(expected != w)
        read = Read(None, index, w[index], point, self.problem.penalty.on(index), True)
        touched = self.products.sizes[index].sum()
        image, model = self.image(expected - w), part.model(point)
        direction = direction_to(part, read, expected[index], image, model, touched)
        if self.at.write(index, direction, RISE_OF_NEWTON)[0] > 0.0:
            self._known = None
        self.touched += touched

    def part(self, task):
        return self.columns

    def snapshot(self):
        return Snapshot(self.at.w.copy(), self.at.b)

    def write(self, stamp, phase, index, direction, rise_allowed):
        """Write a step, of exact length or full where that is nearly as good; return it and its delay."""
        step, slope = self.at.write(index, direction, rise_allowed)
        if self.at.settles:
            self.at.settle(1e-2 * step * slope)
        self.touched += max(1, direction.touched)
        return step, self._written(stamp, step, phase)

    def go_to(self, stamp, w, b, touched, **known):
        """Write coefficients, intercept, and what is ``known`` of the margins and gradient that they have."""
        self.at.go_to(w, b, **known)
        self.touched += max(1, touched)
        self._written(stamp, 1.0, "newton")

    def _written(self, stamp, step, phase):
        delay, _ = self.ledger.measure(stamp)
        self.ledger.written(delay, step, step, phase)
        return delay

    def image(self, w):
        """Product of the design: with the active columns, if they are there and others are not needed."""
        columns = self.columns.kept(("blocks", self.generation, 0)) if len(self.blocks) == 1 else None
        some = w[self.active]
        there = columns is not None and np.count_nonzero(some) == np.count_nonzero(w)
        return columns.mul(some) if there else self.problem.design.mul(w)

    # -- the script --------------------------------------------------------------------------------

    def _run(self):
        fresh, found = self._known is None, None
        if fresh and self.goal > 0.0:
            found = yield from self.all_columns.solve(self, self._doubted)
            fresh = found is None
        if found is None and self._doubted:
            self.at.retreat()
        self._doubted = False
        if fresh and self.goal > 0.0:
            yield from self.ridge.descend(self, None)
        while True:
            # Where the last run has ended, all but the penalty is as it was certified.
            certificate, found = found or (yield from self.looks.look(self, self._known)), None
            self._heed(certificate)
            self._known = certificate.correlations
            yield None  # Whether the run goes on is decided before the next ask.
            self._known, first, fresh = None, fresh, False
            if first and (yield from self.all_columns.sweep(self, certificate)):
                continue
            ahead, found = yield from self.all_columns.advance(self, certificate)
            if ahead:
                continue
            n_active = len(self.active)
            self._aim(certificate)
            if not self._mended and (yield from self.gram.solve(self, certificate)):
                continue
            touched = self.touched
            if self.penalty.has_zeros:
                yield Phase("direction", len(self.blocks), self._read, self._write_block)
                if self.penalty.widest is None:
                    yield from self.newton.step(self)
                    if self.is_near():
                        yield Phase("direction", len(self.blocks), self._read, self._write_block)
            else:
                yield from self.ridge.join(self, certificate)
            if self.problem.design.is_sparse and not self._mended:
                size = max(1, self.products.sizes[self.active].sum())
                slow = self.fall > SLOW and self.penalty.l1 == self.problem.penalty.l1
                slow = slow and is_settled(n_active, len(self.active), len(self.at.z))
                self._spent = self.touched - touched
                self.gram.rule.counted(self._spent / size, slow)

    def _heed(self, certificate):
        """Take a certificate into account."""
        told = self.ledger.arrival
        event = self.ledger.certified(certificate, None, told.worker, told.asked)
        gap = event.gap / self.problem.scale
        self.fall = gap / self.gap if 0.0 < self.gap < np.inf else SLOW
        self.gap = gap

    def _aim(self, certificate):
        """Lower the l1 part, and choose the working set and its blocks."""
        problem = self.problem
        wanted, c = problem.penalty, certificate.correlations
        if self.generation and not (self.penalty.has_zeros or self.fall > SLOW):
            return
        full, n, p = problem.design.is_full(), len(self.at.z), len(self.at.w)
        before, active = self.penalty.l1, self.active
        cheap = full and p <= n and n * p * p <= CHEAP_GRAM and not self.all_columns.is_hard
        if problem.loss.quadratic and (self.all_columns.has_swept or self.looks.streamed):
            few = p <= (n if self.all_columns.has_swept else SHORT)
            many = 2 * np.count_nonzero(wanted.pull(c) > wanted.l1) > p
            cheap |= len(active) == p or (few and many)
        if wanted.l1 == 0.0 or cheap:
            self.penalty = wanted
            active = active if len(active) == p else np.arange(p)
        else:
            l1 = min(before, float(wanted.pull(c).max(initial=0.0)))
            lowered = l1 * (LOWERED if full and not self.looks.streamed else LOWERED_IN_READS)
            self.penalty = wanted if self.all_columns.has_swept else wanted.with_l1(max(wanted.l1, lowered))
            near = wanted.with_l1(NEAR * wanted.l1) if self.is_near() else self.penalty
            often = self._spent > LONG * problem.design.size
            mends = self.is_near() and self._mended < (MENDS if often else 1)
            gap = self.gap * problem.scale if mends else np.inf
            few = dear_columns(wanted, self.at.w, c, gap, self.goal, often)
            first, self._mended = first_columns(n, p, full), self._mended + 1 if len(few) else 0
            growth = GROWTH if full else SPARSE_GROWTH
            active = few if len(few) else wanted_columns(near, self.at.w, c, active, first, growth=growth)
        late, same = self.gap < LATE, active is self.active or np.array_equal(active, self.active)
        if self.generation and late == self._late and same:
            if self.fall > SLOW and self.penalty.l1 == before:
                self.gram.matrix.refine()
            return
        self.active, self._late = active, late
        self.generation += 1
        self.blocks = [active] if late and wanted.widest is None else self.products.cut(active)

    def is_itself(self):
        """Whether the model on sparse columns is the problem itself: then a Newton step may end it."""
        itself = self.problem.loss.quadratic and self.penalty.l1 == self.problem.penalty.l1
        return itself and self.problem.design.is_sparse

    def is_near(self):
        """Whether it is, and a solution for a penalty near this one was known."""
        return self._resumed and self.is_itself()

    def _read(self, number):
        index = self.blocks[number]
        effort = LATE_SWEEPS if self._late else SWEEPS
        key, point = ("blocks", self.generation, number), self.at.point()
        alone = len(self.blocks) == 1
        return Read(key, index, self.at.w[index], point, self.penalty.on(index), alone, effort)

    def _write_block(self, task, direction):
        step, delay = self.write(task.stamp, "descent", task.payload.index, direction, RISE_OF_DESCENT)
        if delay and step < SPOILT:
            # What was written since the read has spoilt the step: once more, from the point of now.
            self.phase.again(task.block)

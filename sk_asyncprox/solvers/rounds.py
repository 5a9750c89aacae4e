"""Async-BCD in rounds: certificate, block steps, one Newton step.

A round looks at the whole problem once (a certificate), chooses the working set from what it saw, lets
every block take one asynchronous exact step, and joins what they have found by a Newton step on the
support. The l1 part is lowered geometrically until it is the wanted one, which keeps the support below
its final size and the Newton steps inside the region where they are good. Where the Gram matrix of the
working set pays, the model is solved on it instead of by block and Newton steps.

The algorithm is a script: a generator of phases, which go on when all of their shares have been told.
"""

import numpy as np

from ..data.dataset import NARROW
from ..data.design import COPY_COST
from ..kernels.blocks import describe
from ..kernels.extrapolation import Trail
from ..kernels.step_input import Read
from ..step_sizes import Setting
from .base import Certified
from .gram_steps import LARGEST_SWEPT, GramSolver
from .ridge_steps import RISE_OF_NEWTON
from .rounds_work import work
from .task_queue import Phase
from .working_set import first_columns, wanted_columns

LOWERED = 0.3
"""Factor of the l1 part from round to round."""

CHEAP_GRAM = 5_000_000
"""Products of a Gram matrix so cheap that all columns are taken at once, without working sets; so they are
where few columns of a large matrix lie as they were given, if half are called for."""

SMALL, SMALL_FULL = 5_000_000, 1_000_000
"""Stored entries of sparse and of full data below which one worker is faster than several."""

TINY = 50_000
"""Stored entries up to which a product costs no more than a call."""

LATE, SWEEPS, LATE_SWEEPS = 2e-2, 5, 2
"""Relative gap from which on block steps take fewer sweeps: the support is nearly found."""

FEWEST_PRODUCTS, MOST_PRODUCTS = 40, 1000
SETTLED = 1e-3
"""Products of a Newton step: at most the first number, and twice as many after every round that has not
halved a relative gap below SETTLED: the support is found, and the system too ill-conditioned."""

NEARLY_ALL = 0.9
"""Share of the active columns' entries from which on a Newton step on the support uses all of them: products
with the others cost less than copying the support."""

SPOILT = 0.8
"""Share of a delayed full step below which the step is taken again."""

NEAR = 0.97
"""Correlation, relative to the l1 part, from which on a column is in the working set where the last solution
is near: it may be needed before the next look."""

RISE_OF_DESCENT = 0.25
"""Slope at the full step, relative to the first, up to which it is written instead of the exact one."""


class RoundsBCD(GramSolver):
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
    goal : float
        The gap that is wanted.

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

    work = staticmethod(work)
    head_start, resumes = 0.1, True

    def __init__(self, problem, step_size, *, n_workers=1, start=None, goal=0.0):
        full, size = problem.design.is_full(), problem.design.size
        super().__init__(problem, start, n_workers if size >= (SMALL_FULL if full else SMALL) else 1)
        self.n_blocks = self.n_workers
        self.head_start = 0.0 if full and size > LARGEST_SWEPT else self.head_start
        step_size.start(Setting("bcd"))
        self.step_size, self.step_unit, self.working_set = step_size, 1.0, True
        self._active, self._generation, self._blocks = np.empty(0, int), 0, []
        self._support, self._version = np.empty(0, int), 0
        self._late = self._without_gram = self._resumed = False
        self._known, self._trail, self._goal = None, Trail(), goal
        self._aim_afresh()

    def resume(self, problem):
        """Go on with another penalty of the same data, from where the last run has ended: with its
        iterate and certificate, its working set and columns, and its Gram matrix."""
        before = self.problem.penalty
        self._trail.add(before, self.w)
        self.problem = self._part.problem = problem
        self.touched, self._resumed = 0, True
        self._begin()
        self._aim_afresh()
        # Under a weaker penalty no iterate gets worse beside the zero model.
        if (problem.penalty.l1 > before.l1 or problem.penalty.l2 > before.l2) and self._retreat():
            self._known = None
        self._extrapolate(*self._trail.step(problem.penalty))

    def _extrapolate(self, index, new):
        if len(index) == 0:
            return
        part, point, w = self._part, self.point(), self.w[index]
        read = Read(None, index, w, point, self.problem.penalty.on(index), True)
        move = np.zeros(len(self.w))
        move[index] = new - w
        size = self._products.sizes[index].sum()
        direction = describe(part, read, new, self._image(move), part.model(point), size)
        if self.write(index, direction, RISE_OF_NEWTON)[0] > 0.0:
            self._known = None
        self.touched += direction.touched

    def _aim_afresh(self):
        self.lower_bound, self._gap, self._slow = -np.inf, np.inf, False
        self._penalty, self._effort = self.problem.penalty.with_l1(np.inf), FEWEST_PRODUCTS
        self._join_afresh()
        self._rule.afresh()

    def _run(self):
        fresh = self._known is None
        if fresh and self._is_cheap():
            fresh = not (yield from self._solve_at_once("solution", None))
        elif fresh and self._goal > 0.0:
            yield from self._descend(None)
        while True:
            certificate = yield from self._certify()
            self._known = certificate.correlations
            yield None  # Whether the run goes on is decided before the next ask.
            self._known = None
            kind = self._at_once(certificate) if fresh else None
            fresh = False
            if kind is not None:
                yield from self._solve_at_once(kind, certificate.correlations)
                continue
            if (yield from self._step_all(certificate)) or (yield from self._descend(certificate)):
                continue
            self._aim(certificate)
            self._without_gram = not (yield from self._solve_on_gram(certificate))
            if not self._without_gram:
                continue
            touched = self.touched
            if self._penalty.has_zeros:
                yield Phase("direction", len(self._blocks), self._read, self._write_block)
                if self._penalty.widest is None:
                    yield from self._newton()
                    if self._is_near():
                        yield Phase("direction", len(self._blocks), self._read, self._write_block)
            else:
                yield from self._join(certificate)
            if self.problem.design.is_sparse:
                size = max(1, self._products.sizes[self._active].sum())
                self._rule.counted((self.touched - touched) / size)

    def _certify(self):
        if self._known is not None and not self._streamed:
            # The last run has ended here: all but the penalty is as it was certified.
            theta = self.problem.dual_theta(self.gradient)
            known = self.w.copy(), self.b, self.z, theta, self._known
            [certificate] = yield Phase("conclude", 1, lambda _: known)
        else:
            certificate = yield from self._look()
        self.lower_bound = max(self.lower_bound, certificate.dual)
        gap = (certificate.objective - self.lower_bound) / self.problem.scale
        self._slow = gap > 0.5 * self._gap
        if self._without_gram and self._penalty.l1 == self.problem.penalty.l1:
            self._rule.gained(gap, self._goal / self.problem.scale)
        settled = self._slow and gap < SETTLED
        self._effort = min(MOST_PRODUCTS, 2 * self._effort) if settled else FEWEST_PRODUCTS
        self._gap = gap
        last, update, self._last = self._last, self._tracker.update, None
        told = last.worker, last.asked, last.told
        self._events.append(Certified(certificate, self.lower_bound, update, *told))
        return certificate

    def _look(self):
        problem = self.problem
        if self._streamed:
            self.certifies_afresh = True
            return (yield from self._look_by_rows())
        # From the coefficients alone where their columns are few: then no rounding of past writes is left.
        few = problem.design.size <= TINY or np.count_nonzero(self.w) * COPY_COST < len(self.w)
        self.certifies_afresh = few or (self._from_zero and self._tracker.update == 1)
        known = (None, None) if few else (self.z, self.gradient)
        if few and problem.design.is_sparse:
            known = problem.shifted(self._image(self.w), self.b), None
        start = self.w.copy(), self.b, *known
        if self._products.alone():
            [(z, b, gradient, certificate)] = yield Phase("look", 1, lambda _: start)
        else:
            [(z, b, gradient, theta)] = yield Phase("dual_point", 1, lambda _: start)
            correlations = yield from self._products.correlations(problem.weights * theta)
            [certificate] = yield Phase("conclude", 1, lambda _: (start[0], b, z, theta, correlations))
        self.touched += problem.pass_size // 2
        self.z, self.b, self.gradient = z, b, gradient
        return certificate

    def _aim(self, certificate):
        """Lower the l1 part, and choose the working set and its blocks."""
        problem = self.problem
        wanted, c = problem.penalty, certificate.correlations
        if self._generation and not (self._penalty.has_zeros or self._slow):
            return
        full, p = problem.design.is_full(), len(self.w)
        before, active = self._penalty.l1, self._active
        cheap = full and p <= len(self.z) and len(self.z) * p * p <= CHEAP_GRAM
        many = p <= NARROW and 2 * np.count_nonzero(wanted.pull(c) > wanted.l1) > p
        cheap |= self._streamed and problem.loss.quadratic and (len(active) == p or many)
        if wanted.l1 == 0.0 or cheap:
            self._penalty = wanted
            active = active if self._generation else np.arange(p)
        else:
            l1 = min(before, float(wanted.pull(c).max(initial=0.0)))
            self._penalty = wanted.with_l1(max(wanted.l1, LOWERED * l1))
            near = wanted.with_l1(NEAR * wanted.l1) if self._is_near() else self._penalty
            active = wanted_columns(near, self.w, c, active, first_columns(len(self.z), p, full))
        late, same = self._gap < LATE, active is self._active or np.array_equal(active, self._active)
        if self._generation and late == self._late and same:
            if self._slow and self._penalty.l1 == before:
                self._gram.refine()
            return
        self._active, self._late = active, late
        self._generation += 1
        self._blocks = [active] if late and wanted.widest is None else self._products.cut(active)

    def _is_near(self):
        """Whether a solution for a penalty near this one was known, and the model on sparse columns is the
        problem itself: then the steps may end it."""
        itself = self.problem.loss.quadratic and self._penalty.l1 == self.problem.penalty.l1
        return itself and self.problem.design.is_sparse and self._resumed

    def _read(self, number):
        index = self._blocks[number]
        effort = LATE_SWEEPS if self._late else SWEEPS
        key, point = ("blocks", self._generation, number), self.point()
        return Read(key, index, self.w[index], point, self._penalty.on(index), len(self._blocks) == 1, effort)

    def _columns_of_newton(self):
        """The support, or all active columns where they have few entries more: they are there already."""
        active, sizes = self._active, self._products.sizes
        support = active[self.w[active] != 0]
        if len(self._blocks) == 1 and sizes[support].sum() >= NEARLY_ALL * sizes[active].sum():
            return ("blocks", self._generation, 0), active
        if not np.array_equal(support, self._support):
            self._support, self._version = support, self._version + 1
        return ("support", self._version, 0), support

    def _write_block(self, task, direction):
        step, delay = self._write(task.stamp, "descent", task.payload.index, direction, RISE_OF_DESCENT)
        if delay and step < SPOILT:
            # What was written since the read has spoilt the step: once more, from the point of now.
            self._phase.again(task.block)

    def _newton(self):
        stamp, (key, support) = self._tracker.stamp(), self._columns_of_newton()
        point, penalty = self.point(), self._penalty.on(support)
        enough = self._enough() if self._is_near() else 0.0
        read = Read(key, support, self.w[support], point, penalty, True, self._effort, enough=enough)
        if self._products.pay(support):
            direction = yield from self._products.newton(read)
        else:
            [direction] = yield Phase("newton", 1, lambda _: read)
        self._write(stamp, "newton", support, direction, RISE_OF_NEWTON)

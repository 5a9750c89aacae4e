"""Rounds whose model is solved on the Gram matrix of the working set, and when that pays."""

import numpy as np

from ..data.dataset import CHEAP_SOLUTION
from ..kernels.banded import bands_cost
from ..kernels.blocks import describe
from ..kernels.gram_rows import rows_cost
from ..kernels.logistic_path import Seen
from ..kernels.step_input import Read
from .kept_gram import GramMatrix
from .ridge_steps import RISE_OF_NEWTON
from .row_certificates import SeeingSolver
from .task_queue import Phase

WIDEST_GRAM, WIDEST_GRAM_ONCE = 2500, 128

READS = 32
"""How often a round without a Gram matrix is taken to read its columns before one was counted."""

CALLS = 800_000
"""What such a round costs beyond that, and one with a Gram matrix as well: calls of products and sweeps, in
stored entries read meanwhile."""

SOLVING = 0.03
"""Cost of solving a model of ``k`` columns, relative to ``k^3``, in stored entries read meanwhile."""

BAND = 200
"""How often solving a model of a banded matrix reads as much as its columns."""

UNKNOWN = 0.5
"""What a Gram matrix may cost, relative to a round without, while nothing is known of what that gains."""

SMALL, FAVOUR = 100_000, 4.0
"""Stored entries of data whose fits are short in any case, and what it may cost there: it makes them so."""

LARGE = 500_000
"""Stored entries from which on a matrix that serves one round, as the curvature changes, is left out: it has
cost more than the rounds that it spared."""

LAST, LAST_OF_SMALL = 3, 1
"""Rounds that tell how fast the gap falls."""

LEAST_FALL, DIGITS = 1e-3, 2.0
"""The least digits that a round has gained, and those still to be gained where no gap is wanted."""

CHEAP_STEPS = 6_000_000
"""Products of a Gram matrix of all coefficients so cheap that one Newton step after the other is made on it,
without working sets."""

FINEST = 1e-10
"""Gap, relative to the scale, from which on a squared loss is solved on a Gram matrix exactly enough."""

LARGEST_SWEPT, MANY, MOST = 10_000_000, 0.2, 0.9
"""Entries of full data up to which sweeps over all columns are tried first, and the share of these that the
first certificate has to call for: of few a working set is quicker. Of most of more columns than rows, sweeps
are slow."""

RIGHT, TENTH = 0.5, 0.1
"""Shares of the gap wanted, and of the one there is, that a model of a squared loss is solved to."""

LANDED, CLOSE = 1.0, 3.0
"""Share of the gap wanted that Newton steps near a solution may leave; and up to which gap it is RIGHT."""

ROUNDS = 8.0
"""Rounds on Gram matrices that end a run, as guessed."""

TINY = np.finfo(float).tiny


class GramRule:
    """When a Gram matrix of data with so many stored entries pays: what it costs, against what rounds without
    it have cost and gained. ``bands`` says whether the columns may have a banded matrix: none was found that
    was not."""

    def __init__(self, size):
        small = size < SMALL
        self._patience, self._last = (FAVOUR, LAST_OF_SMALL) if small else (UNKNOWN, LAST)
        self._reads, self.bands = READS, True
        self._gaps = []

    def afresh(self):
        """Gaps begin anew: under another penalty they have risen, which says nothing of rounds."""
        self._gaps = []

    def counted(self, reads):
        """A round without has read its columns so often."""
        self._reads = reads

    def gained(self, gap, goal):
        """The gap after a round without: with those before it says how many would follow."""
        gap = max(gap, TINY)
        self._gaps = [*self._gaps[-self._last :], gap]
        if len(self._gaps) > self._last:
            per_round = np.log10(self._gaps[0] / gap) / self._last
            left = np.log10(gap / goal) if goal > 0.0 else DIGITS
            self._patience = max(self._patience, left / max(per_round, LEAST_FALL) / ROUNDS)

    def choose(self, sizes, n, n_wanted, bands_allowed=True):
        """The form of a Gram matrix that pays of columns with so many stored entries in ``n`` samples, if
        ``n_wanted`` rows of a filled one are not known yet: ``"filled"``, ``"banded"`` or None."""
        k = len(sizes)
        costs = {
            "filled": CALLS + rows_cost(sizes, n, n_wanted) + SOLVING * k**3 if k <= WIDEST_GRAM else np.inf,
            "banded": bands_cost(sizes, n) + BAND * sizes.sum() if bands_allowed and self.bands else np.inf,
        }
        form = min(costs, key=costs.get)
        return form if costs[form] <= self._patience * (self._reads * sizes.sum() + CALLS) else None


class GramSolver(SeeingSolver):
    """Steps of all active columns at once, from the model on their Gram matrix.

    Subclasses set the attributes ``_generation``, ``_blocks`` and ``_goal``, too.
    """

    def __init__(self, problem, start, n_workers):
        super().__init__(problem, start, n_workers)
        self._gram = GramMatrix(self._part, self.n_workers)
        self._rule = GramRule(problem.design.size)
        n, p = len(problem.y), problem.design.shape[1]
        curved = not (problem.loss.quadratic or problem.design.is_sparse) and problem.penalty.widest is None
        self._few = curved and p <= n and n * p * p <= CHEAP_STEPS

    def _at_once(self, certificate):
        """Kind of the task that solves the whole problem at once, where one may."""
        problem, (n, p) = self.problem, self.problem.design.shape
        if self._is_cheap():
            return "solution"
        penalty, swept = problem.penalty, self._may_be_solved()
        swept &= problem.uniform and penalty.alike and n * p <= LARGEST_SWEPT
        if problem.features.is_as_given or not (swept and penalty.l1 > 0.0 and self.n_workers == 1):
            return None
        wanted = np.count_nonzero(penalty.pull(certificate.correlations) > penalty.l1)
        return "columns" if MANY * p < wanted <= (p if p <= n else MOST * p) else None

    def _may_be_solved(self):
        """Whether the problem is a model itself, of full data, and not to be solved more exactly than one."""
        problem = self.problem
        full = problem.loss.quadratic and not problem.design.is_sparse
        return full and self._goal > FINEST * problem.scale and not self._generation

    def _is_cheap(self):
        """Whether it is solved on a Gram matrix of all columns, with no look before."""
        n, p = self.problem.design.shape
        return p <= n and n * p * p <= CHEAP_SOLUTION and self._may_be_solved()

    def _solve_at_once(self, kind, correlations):
        """Solve the whole problem; return whether there was a step."""
        stamp, index = self._tracker.stamp(), np.arange(len(self.w))
        read = Read(None, index, self.w.copy(), self.point(), self.problem.penalty, True)
        [direction] = yield Phase(kind, 1, lambda _: (read, correlations, RIGHT * self._goal))
        if direction is None:
            return False
        self._from_zero = not read.w.any()
        self._write(stamp, "newton", index, direction, RISE_OF_NEWTON)
        return True

    def _step_all(self, certificate):
        """Newton steps of all coefficients of full data that are few; return whether these go well."""
        if not (self._few and self.problem.penalty.has_zeros):
            return False
        stamp = self._tracker.stamp()
        payload = Seen(self.z, self.gradient, certificate), RIGHT * self._goal
        [(seen, touched)] = yield Phase("steps", 1, lambda _: payload)
        self._few = seen is not None and seen.certificate.gap <= TENTH * certificate.gap
        if seen is None:
            self.touched += touched
            return False
        w, b = seen.certificate.w.copy(), seen.certificate.b
        self._go_to(stamp, w, b, seen.z, seen.gradient, touched)
        return True

    def _form_of_gram(self):
        """Form of the Gram matrix that the next model is solved on; None where it is solved on none."""
        problem, index = self.problem, self._active
        k, full = len(index), problem.design.is_full(index)
        # A matrix of all columns that serves for one Newton step costs more than the step's products.
        widest = WIDEST_GRAM_ONCE if self._once() else WIDEST_GRAM
        if self._penalty.widest is not None:
            return "filled" if k <= self._penalty.widest else None
        if full:
            return "filled" if k <= min(widest, max(256, 2 * problem.design.shape[0])) else None
        lasting = problem.loss.quadratic
        if (self._once() and k > widest) or not (lasting or problem.design.size < LARGE):
            return None
        wanted = self._gram.missing(index) if lasting else k
        bands = problem.loss.n_outputs == 1 and self._penalty.alike
        return self._rule.choose(self._products.sizes[index], len(problem.sample_weights), wanted, bands)

    def _image(self, w):
        """Product of the design: with the active columns, if they are there and others are not needed."""
        columns = self._part.kept(("blocks", self._generation, 0)) if len(self._blocks) == 1 else None
        some = w[self._active]
        there = columns is not None and np.count_nonzero(some) == np.count_nonzero(w)
        return columns.mul(some) if there else self.problem.design.mul(w)

    def _enough(self):
        """Slope, in every coefficient, that leaves about the gap wanted."""
        share = LANDED if self._gap * self.problem.scale > CLOSE * self._goal else RIGHT
        return share * self._goal / max(np.abs(self.w).sum(), TINY)

    def _once(self):
        """Whether a Gram matrix serves for one step only: no zeros are made, and the curvature changes."""
        return not (self._penalty.has_zeros or self.problem.loss.quadratic)

    def _solve_on_gram(self, certificate):
        """A step to the solution of the model on a Gram matrix, if one pays; return whether it does."""
        form = self._form_of_gram()
        if form is None:
            return False
        stamp, index, point = self._tracker.stamp(), self._active, self.point()
        key = "blocks" if len(self._blocks) == 1 else "gram", self._generation, 0
        Q, model = yield from self._matrix(form, key, index, self._part.model(point))
        if Q is None:
            return False
        beside = self._beside(certificate.w) if self._once() else None
        read = Read(key, index, self.w[index], point, self._penalty.on(index), True, beside=beside)
        # Nothing but the next start depends on the solution of a penalty that will be lowered.
        roughly, enough = self._penalty.l1 > self.problem.penalty.l1, 0.0
        if self.problem.loss.quadratic and not roughly:
            # The model is the problem itself: its gap is the one that is wanted.
            enough = min(RIGHT * self._goal, TENTH * self._gap * self.problem.scale)
        payload = read, Q, model, certificate.correlations[index], roughly, enough
        if self._streamed:
            direction = yield from self._ahead_of(stamp, payload)
        else:
            [direction] = yield Phase("model", 1, lambda _: payload)
        if direction is not None:
            self._write(stamp, "newton", index, direction, RISE_OF_NEWTON)
        if beside is not None:
            self._remember(direction)
        return True

    def _ahead_of(self, stamp, payload):
        """The step to where the model is solved; None where what is seen there tells that it is good, and it
        has been taken."""
        [(new, calls)] = yield Phase("minimum", 1, lambda _: payload)
        read, Q, model, *_ = payload
        w, shift = self.w.copy(), self._gram.shift(new - read.w)
        w[read.index] = new
        sight = yield from self._see(w, self.b + shift)
        change, ridge = read.penalty.difference(read.w, new)
        slope, rise = -sight.slopes[0] - change, sight.slopes[1] + change + ridge
        good = rise <= (RISE_OF_NEWTON * slope if self.problem.loss.quadratic else 0.0)
        if good and slope > 0.0 and self._least is None:
            self._go_to(stamp, w.copy(), sight.b, sight.z, sight.gradient, calls * Q.size)
            return None
        shift = sight.b - self.b
        v = sight.z - read.point.z - shift
        return describe(self._part, read, new, v, model, calls * Q.size, shift)

    def _matrix(self, form, key, index, model):
        """The Gram matrix of the columns in that form, and the model that it was computed in."""
        gram = self._gram
        if form == "banded":
            [(Q, touched)] = yield Phase("bands", 1, lambda _: (key, index, model))
            self.touched += touched
            if Q is not None:
                return Q, model
            self._rule.bands = False
            form = self._form_of_gram()
        if form is None:
            return None, None
        yield from gram.renew(key, index, model)
        self.touched, gram.touched = self.touched + gram.touched, 0
        return gram.Q, gram.model

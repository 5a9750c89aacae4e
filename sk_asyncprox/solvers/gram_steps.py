"""Steps to the solution of the model on the Gram matrix of the working set, kept from round to round."""

import numpy as np

from ..data.dataset import CHEAP_SOLUTION
from ..kernels.blocks import describe
from ..kernels.gram_cost import WIDEST_GRAM, GramRule
from ..kernels.gram_rows import LARGE, LEAST, RIDGE, count_heavy
from ..kernels.logistic_path import Seen
from ..kernels.step_input import Read
from .ridge_steps import RISE_OF_NEWTON
from .row_certificates import SeeingSolver
from .shared_products import PIECES
from .task_queue import Phase
from .working_set import among

REBUILD_ABOVE = 1e-4
"""Relative change of any curvature beyond which the matrix is computed anew. The exact step is safe for any
metric; but where classes are nearly separable, a matrix a hundredth off took twenty times as many rounds."""

NARROW = 1000
"""Rows up to which a matrix is made in more pieces than there are workers: who is late holds up one."""

WIDEST_GRAM_ONCE = 128
"""Columns of a Gram matrix that serves one step, at most: beyond, it costs more than the step's products."""

LARGE_ONCE = 500_000
"""Stored entries from which on a matrix that serves one round, as the curvature changes, is left out: it has
cost more than the rounds that it spared."""

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

TINY = np.finfo(float).tiny


class GramMatrix:
    """``X' M X`` of the columns ``index`` in a model ``M``, centred where an intercept follows: ``Q``,
    computed by ``n_shares`` workers; ``touched`` counts the stored entries."""

    def __init__(self, part, n_shares):
        self._part, self._n_shares = part, n_shares
        self.Q, self.index, self.model, self.touched = None, np.empty(0, int), None, 0
        self._dtype = "float32"

    def refine(self):
        """Double precision from now on: the system is too ill-conditioned for less."""
        if self._dtype == "float32":
            self._dtype, self.model = "float64", None

    def shift(self, move):
        """How the intercept of one output follows a move of the coefficients."""
        return -float(self._follow[:, 0] @ move) if self._part.follows else 0.0

    def missing(self, index):
        """How many rows are to be computed for the columns ``index``, if the model stays."""
        known = np.count_nonzero(among(index, self.index)[0])
        return len(index) if 2 * known < len(index) else len(index) - known

    def renew(self, key, index, model):
        """Make it that of the columns ``index``; a generator of phases."""
        if self.model is model and np.array_equal(index, self.index):
            return
        near = self.model is not None and model.is_near(self.model, REBUILD_ABOVE)
        known, at = among(index, self.index if near else self.index[:0])
        at = at[known]
        if known.all():
            self.Q, self.index = self.Q[np.ix_(at, at)] if len(at) < len(self.index) else self.Q, index
            self._follow = self._follow[at]
            return
        # Rows of the new columns only, unless they are most.
        fresh = None if 2 * known.sum() < len(index) else np.flatnonzero(~known)
        if fresh is not None:
            model = self.model
        rows = yield from self._rows(key, index, fresh, model)
        if fresh is not None:
            old = np.flatnonzero(known)
            Q = np.empty((len(index), len(index)))
            Q[np.ix_(old, old)] = self.Q[np.ix_(at, at)]
            Q[fresh], Q[:, fresh] = rows, rows.T
            rows = Q
        self.Q, self.index, self.model = rows, index, model

    def _rows(self, key, index, fresh, model):
        n, at = model.n_samples, np.arange(len(index)) if fresh is None else fresh
        design = self._part.problem.design
        full = design.is_full(index)
        filled = len(index) if full else count_heavy(design.column_sizes()[index], n)
        dtype = self._dtype if n * filled * len(at) >= LARGE else "float64"
        many = PIECES if self._n_shares > 1 and len(at) <= NARROW else 1
        shares = many * self._n_shares if full else 1
        cuts = [n * i // shares for i in range(shares + 1)]

        def payload(i):
            return key, index, fresh, model, dtype, cuts[i], cuts[i + 1]

        answers = yield Phase("gram", shares, payload, dynamic=True)
        rows, sums, touched = (sum(column) for column in zip(*answers, strict=True))
        self.touched += touched
        diagonal = np.arange(len(at)), at
        if dtype == "float32" and not (np.isfinite(rows).all() and rows[diagonal].min() > LEAST):
            self._dtype = "float64"
            return (yield from self._rows(key, index, fresh, model))
        self._follow = model.follow(sums)
        if self._part.follows or (not full and self._part.problem.fit_intercept):
            rows -= sums[at] @ self._follow.T
        if dtype == "float32":
            rows[diagonal] *= 1.0 + RIDGE
        return rows


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
        if (self._once() and k > widest) or not (lasting or problem.design.size < LARGE_ONCE):
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

"""Rounds whose model is solved on the Gram matrix of the working set, and when that pays."""

import numpy as np

from .covariance import GramMatrix
from .gram_rows import rows_cost
from .joining import RISE_OF_NEWTON, JoiningSolver
from .phases import Phase
from .reads import Read

WIDEST_GRAM, WIDEST_GRAM_ONCE = 2500, 128

READS = 32
"""How often a round without a Gram matrix is taken to read its columns before one was counted."""

CALLS = 800_000
"""What such a round costs beyond that: calls of products and sweeps, in stored entries read meanwhile."""

SOLVING = 0.02
"""Cost of solving a model of ``k`` columns, relative to ``k^3``, in stored entries read meanwhile."""

SMALL, FAVOUR = 500_000, 4.0
"""Stored entries of data whose fits are short in any case, and how many times more a Gram matrix may cost
there: it makes sure that they are."""

DIGITS, ROUNDS_ON_GRAM, LEAST_FALL = 2.0, 4.0, 1e-3
"""Digits that a gap has still to fall by, as guessed; the rounds on Gram matrices that this takes; and the
least that a round is taken to have gained."""

TINY = np.finfo(float).tiny


class GramRule:
    """When a Gram matrix pays: what it costs, against what rounds without it have cost and gained.

    Parameters
    ----------
    size : int
        Stored entries of the data.
    """

    def __init__(self, size):
        self._reads, self._patience = READS, FAVOUR if size < SMALL else 1.0

    def counted(self, reads):
        """A round without has read its columns so often."""
        self._reads = reads

    def gained(self, before, gap):
        """A round without has lowered the gap."""
        digits = np.log10(max(before, TINY) / max(gap, TINY))
        self._patience = max(self._patience, DIGITS / ROUNDS_ON_GRAM / max(digits, LEAST_FALL))

    def pays(self, sizes, n, n_wanted):
        """Whether a Gram matrix pays of columns with so many stored entries in ``n`` samples, if ``n_wanted``
        rows of it are not known yet."""
        cost = rows_cost(sizes, n, n_wanted) + SOLVING * len(sizes) ** 3
        return cost <= self._patience * (self._reads * sizes.sum() + CALLS)


class GramSolver(JoiningSolver):
    """Steps of all active columns at once, from the model on their Gram matrix.

    Subclasses set the attributes ``_generation`` and ``_blocks``, too.
    """

    def __init__(self, problem, start, n_workers):
        super().__init__(problem, start, n_workers)
        self._gram, self._rule = GramMatrix(self._part, self.n_workers), GramRule(problem.design.size)

    def _on_gram(self):
        """Whether the next model is solved on a Gram matrix."""
        problem, k = self.problem, len(self._active)
        # A matrix of all columns that serves for one Newton step costs more than the step's products.
        widest = WIDEST_GRAM_ONCE if self._once() else WIDEST_GRAM
        if problem.design.is_full(self._active):
            return k <= min(widest, max(256, 2 * problem.design.shape[0]))
        quadratic = problem.loss.quadratic
        if not (quadratic or problem.design.size < SMALL):
            # Of large data a matrix that serves one round has cost more than the rounds that it spares.
            return False
        wanted = self._gram.missing(self._active) if quadratic else k
        return k <= widest and self._rule.pays(self._sizes[self._active], len(problem.sample_weights), wanted)

    def _once(self):
        """Whether a Gram matrix serves for one step only: no zeros are made, and the curvature changes."""
        return not (self._penalty.has_zeros or self.problem.loss.quadratic)

    def _solve_on_gram(self, certificate):
        stamp, index, point = self._tracker.stamp(), self._active, self.point(self._least)
        gram, key = self._gram, ("blocks" if len(self._blocks) == 1 else "gram", self._generation, 0)
        yield from gram.renew(key, index, self._part.model(point))
        self.touched, gram.touched = self.touched + gram.touched, 0
        beside = self._beside(certificate.w) if self._once() else None
        read = Read(key, index, self.w[index], point, self._penalty, True, beside=beside)
        # Nothing but the next start depends on the solution of a penalty that will be lowered.
        roughly = self._penalty.l1 > self.problem.penalty.l1
        payload = read, gram.Q, gram.model, certificate.correlations[index], roughly
        [direction] = yield Phase("model", 1, lambda _: payload)
        self._write(stamp, "newton", index, direction, RISE_OF_NEWTON)
        if beside is not None:
            self._remember(direction)

"""The Gram matrix of the working set in a model of the loss, kept from round to round.

Where the curvature changes from point to point, the model is no better than what is left of that change, and
the matrix of a sample will do. The workers' shares are samples of their own then, and what these differ by
is the matrix's error: the more there is still to go, the more of that is allowed, and the fewer samples are
multiplied (sub-sampled Newton steps: Byrd, Chin, Neveitt and Nocedal, 2011).
"""

from itertools import pairwise

import numpy as np

from ..kernels.gram_matrix import LARGE, LEAST, RIDGE
from ..kernels.working_set import among
from .rounds_script import Phase
from .rounds_shared_products import PIECES

REBUILD_ABOVE = 1e-4
"""Relative change of any curvature beyond which the matrix is computed anew. The exact step is safe for any
metric; but where classes are nearly separable, a matrix a hundredth off took twenty times as many rounds."""

NARROW = 1000
"""Rows up to which a matrix is made in more pieces than there are workers: who is late holds up one."""

LARGE_IN_SINGLE = 20_000_000
"""Products of a matrix, or of its new rows, from which on they are made in single precision where the columns
are there in it."""

GATHERED = 128
"""Products of an entry of the columns, at least, that taking it out of its row costs as much as."""

NOISE, ROUGHEST = 1.5, 0.15
"""Error of the matrix of as many samples as it has columns, relative to that of all, which falls with the
root of their number; and the error that is allowed, at most."""


class GramMatrix:
    """``X' M X`` of the columns ``index`` in a model ``M``, centred where an intercept follows: ``Q``,
    computed by ``n_shares`` workers; ``ridge`` is what was added to its diagonal, and ``touched`` counts the
    stored entries."""

    def __init__(self, part, n_shares):
        self._part, self._n_shares = part, n_shares
        self.Q, self.index, self.model, self.touched = None, np.empty(0, int), None, 0
        self.ridge, self._follow = np.empty(0), np.empty((0, 1))
        self._dtype, self._stride, self._error, self._roughest = "float32", 1, 0.0, ROUGHEST

    def refine(self):
        """All samples from now on, or, where they are there, double precision, if there is a matrix: its
        steps are slow."""
        if self.model is not None and self._stride > 1:
            self._roughest, self.model = 0.0, None
        elif self.model is not None and self._dtype == "float32":
            self._dtype, self.model = "float64", None

    def shift(self, move):
        """How the intercept of one output follows a move of the coefficients."""
        return -float(self._follow[:, 0] @ move) if self._part.follows else 0.0

    def missing(self, index):
        """How many rows are to be computed for the columns ``index``, if the model stays."""
        known = np.count_nonzero(among(index, self.index)[0])
        return len(index) if 2 * known < len(index) else len(index) - known

    def renew(self, key, index, model, error):
        """Make it that of the columns ``index``, where such an error of the whole matters little; a generator
        of phases."""
        if self.model is model and np.array_equal(index, self.index):
            return
        near = self._stride == 1 and self.model is not None and model.is_near(self.model, REBUILD_ABOVE)
        known, at = among(index, self.index if near else self.index[:0])
        at = at[known]
        if known.all():
            self.Q, self.index = self.Q[np.ix_(at, at)] if len(at) < len(self.index) else self.Q, index
            self._follow, self.ridge = self._follow[at], self.ridge[at]
            return
        # Rows of the new columns only, unless they are most.
        fresh = None if 2 * known.sum() < len(index) else np.flatnonzero(~known)
        if fresh is None:
            self._error = min(error, self._roughest)
            self._stride = self._stride_for(len(index), model)
            rows, ridge = yield from self._rows(key, index, None, model)
        else:
            model = self.model
            added, of_added = yield from self._rows(key, index, fresh, model)
            old = np.flatnonzero(known)
            rows, ridge = np.empty((len(index), len(index))), np.empty(len(index))
            rows[np.ix_(old, old)], ridge[old] = self.Q[np.ix_(at, at)], self.ridge[at]
            rows[fresh], rows[:, fresh], ridge[fresh] = added, added.T, of_added
        self.Q, self.ridge, self.index, self.model = rows, ridge, index, model

    def _stride_for(self, k, model):
        """One of how many samples is taken: an odd number, as what recurs mostly does so at even ones."""
        n, weights, problem = model.n_samples, model.diagonal, self._part.problem
        cheap = n * k * max(k, GATHERED) < LARGE
        if cheap or problem.loss.quadratic or not (self._error and problem.is_dense):
            return 1
        # As many as count, where weights and curvatures differ.
        n *= weights.sum() ** 2 / (len(weights) * (weights @ weights))
        return max(1, int(n / k * (self._error / NOISE) ** 2) - 1 | 1)

    def _rows(self, key, index, fresh, model):
        at = np.arange(len(index)) if fresh is None else fresh
        full = self._part.problem.design.is_full(index)
        large = LARGE_IN_SINGLE if self._part.in_single is not None else LARGE
        dtype = self._dtype if full and model.n_samples * len(index) * len(at) >= large else "float64"
        shares = self._shares(model, full, len(at), self._part.keeps(index))
        answers = yield Phase(
            "gram", len(shares), lambda i: (key, index, fresh, dtype, *shares[i]), dynamic=True
        )
        parts, sums, touched = zip(*answers, strict=True)
        self.touched += sum(touched)
        rows, sums, diagonal = sum(parts), sum(sums), (np.arange(len(at)), at)
        if dtype == "float32" and not (np.isfinite(rows).all() and rows[diagonal].min() > LEAST):
            self._dtype = "float64"
            return (yield from self._rows(key, index, fresh, model))
        if self._stride > 1:
            rows, sums = rows / len(shares), sums / len(shares)
            if self._differ([part[diagonal] for part in parts]):
                self._stride, self._roughest = 1, 0.0
                return (yield from self._rows(key, index, fresh, model))
        self._follow = model.follow(sums)
        if self._part.follows or (not full and self._part.problem.fit_intercept):
            rows -= sums[at] @ self._follow.T
        ridge = (RIDGE if dtype == "float32" else 0.0) * rows[diagonal]
        rows[diagonal] += ridge
        return rows, ridge

    def _shares(self, model, full, n_rows, kept):
        """Rows of the data (slices) that tasks are to multiply, and the model of each; those that are kept
        are the runs of the looks."""
        n, n_shares = model.n_samples, self._n_shares if full else 1
        if self._stride > 1:
            n_shares *= PIECES
            every = self._stride * n_shares
            runs = [slice(i * self._stride, n, every) for i in range(n_shares)]
            return [(model.sample(rows), rows) for rows in runs]
        n_shares *= PIECES if n_rows <= NARROW and (n_shares > 1 or kept) else 1
        cuts = [n * i // n_shares for i in range(n_shares + 1)]
        return [(model.rows(a, b), slice(a, b)) for a, b in pairwise(cuts)]

    def _differ(self, diagonals):
        """Whether those of the samples differ by more than chance would have it."""
        spread = np.std(diagonals, axis=0) / np.sqrt(len(diagonals) - 1)
        return not (spread <= self._error * np.mean(diagonals, axis=0)).all()

"""The Gram matrix of the working set, kept from round to round and extended as the set grows."""

import numpy as np

from ..kernels.gram_rows import LARGE, LEAST, RIDGE, count_heavy
from .sharing import PIECES
from .task_queue import Phase
from .working_set import among

REBUILD_ABOVE = 1e-4
"""Relative change of any curvature beyond which the matrix is computed anew. The exact step is safe for any
metric; but where classes are nearly separable, a matrix a hundredth off took twenty times as many rounds."""

NARROW = 1000
"""Rows up to which a matrix is made in more pieces than there are workers: who is late holds up one."""


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

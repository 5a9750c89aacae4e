"""Columns of full data in use along penalties, with their Gram matrix, and looks at all columns.

Either the second moments of all columns are known, or looks are products with the data.
"""

import numpy as np

from ..data.moments import EPS

MANY = 0.15
"""Share of the columns from which on the moments of all are cheaper, where there are no more than rows."""

WIDEST = 256
"""Columns that are all used from the start."""

MOST = 512
"""Columns that may be used of data with few rows, at least."""


class Known:
    """Columns ``index`` of a problem that are in use, whose second moments are known: ``Q`` and ``q`` are
    their Gram matrix and their products with the target, ``pull`` those of all columns, ``square`` the
    squared norm of the target, and ``most`` columns may be used."""

    def __init__(self, problem, index=()):
        self._all = problem.quadratic
        self.pull, self.square, self.index = self._all.q, self._all.square, np.empty(0, int)
        self.Q, self.q, self.most = np.empty((0, 0)), np.empty(0), len(self.pull)
        self._rows = np.empty((0, self.most))
        if len(index):
            self.use(index)

    def use(self, new):
        """Take more columns into use."""
        k, rows = len(self.index), self._all.Q[new]
        self._rows = _with_rows(self._rows, k, rows)
        self.Q = _grown(self.Q, rows[:, self.index], rows[:, new])
        self.index = np.concatenate([self.index, new])
        self.q = self.pull[self.index]

    def followed(self, k):
        """What serves better where ``k`` columns are in use."""
        return self

    def look(self, W):
        """What certificates of coefficients, a row each, need: squared norms of the residuals, their products
        with the target and with all columns, and a bound on the rounding; and the entries touched."""
        images = W @ self._rows[: W.shape[1]]
        pulls = W @ self.q
        squares = self.square - 2.0 * pulls + np.einsum("ij,ij->i", W, images[:, self.index])
        size = np.abs(W) @ np.sqrt(self.Q.diagonal()) + np.sqrt(self.square)
        rounding = 2.0 * self._all.error * size**2
        return squares, self.square - pulls, self.pull - images, rounding, images.size


class Kept:
    """Columns of a problem of full data, kept with their Gram matrix; as :class:`Known`."""

    def __init__(self, problem):
        self._X, self._weights = problem.design.filled().X, problem.weights
        self._y = problem.y - intercept_of(problem)
        weighted = self._weights * self._y
        self.pull, self.square, self.index = weighted @ self._X, float(weighted @ self._y), np.empty(0, int)
        n, p = self._X.shape
        self._problem, self._many = problem, MANY * p if p <= n else np.inf
        self._rows, self.Q, self.q = np.empty((0, n)), np.empty((0, 0)), np.empty(0)
        self.most = min(p, max(MOST, 2 * n))

    def use(self, new):
        k, rows = len(self.index), self._X.T[new]
        self._rows = _with_rows(self._rows, k, rows)
        weighted = (rows * self._weights).T
        self.Q = _grown(self.Q, (self._rows[:k] @ weighted).T, rows @ weighted)
        self.index = np.concatenate([self.index, new])
        self.q = self.pull[self.index]

    def followed(self, k):
        """What serves better where ``k`` columns are in use."""
        return Known(self._problem, self.index) if k > self._many else self

    def look(self, W):
        residuals = self._y - W @ self._rows[: W.shape[1]]
        weighted = self._weights * residuals
        squares = np.einsum("ij,ij->i", weighted, residuals)
        correlations = np.dot(weighted, self._X)
        rounding = np.full(len(W), len(self._y) * EPS * self.square)
        return squares, weighted @ self._y, correlations, rounding, len(W) * self._X.size


def intercept_of(problem):
    """Intercept of the centred design, which is the same for all coefficients."""
    return problem.loss.best_intercept(problem.y, problem.weights) if problem.fit_intercept else 0.0


def _with_rows(kept, k, rows):
    """Array with more rows behind the first ``k`` that are kept, and room for others."""
    if k + len(rows) > len(kept):
        longer = np.empty((max(2 * len(kept), k + len(rows)), rows.shape[1]))
        longer[:k], kept = kept[:k], longer
    kept[k : k + len(rows)] = rows
    return kept


def _grown(Q, beside, fresh):
    """Gram matrix with rows for more columns: their products with the old ones, and with one another."""
    k, m = len(Q), len(fresh)
    out = np.empty((k + m, k + m))
    out[:k, :k], out[k:, :k], out[:k, k:], out[k:, k:] = Q, beside, beside.T, fresh
    return out

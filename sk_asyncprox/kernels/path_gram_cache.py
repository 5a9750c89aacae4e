"""The working set along a path: columns of full data, with their Gram matrix, and looks at all columns.

Either the second moments of all columns are known, or looks are products with the data.
"""

import numpy as np

from .._precision import EPS

MANY = 0.15
"""Share of the columns from which on the moments of all are cheaper, where there are no more than rows."""

WIDEST = 256
"""Columns that are all used from the start."""

MOST = 512
"""Columns that may be used of data with few rows, at least."""


class InUse:
    """Columns ``index`` that are in use: ``Q`` and ``q`` are their Gram matrix and their products with the
    target, ``pull`` those of all columns, ``square`` the squared norm of the target; ``most`` columns may be
    used, or ``all_at_once``. Of each a row of ``length`` numbers is kept."""

    all_at_once = False

    def __init__(self, pull, square, most, length):
        self.pull, self.square, self.most, self.index = pull, square, most, np.empty(0, int)
        self._rows, self.Q, self.q = np.empty((0, length)), np.empty((0, 0)), np.empty(0)

    def use(self, new):
        """Take more columns into use."""
        old, n = len(self.index), len(self.index) + len(new)
        rows, beside, fresh = self._products(new)
        if n > len(self._rows):
            longer = np.empty((max(2 * len(self._rows), n), rows.shape[1]))
            longer[:old], self._rows = self._rows[:old], longer
        self._rows[old:n] = rows
        Q = np.empty((n, n))
        Q[:old, :old], Q[old:, :old], Q[:old, old:], Q[old:, old:] = self.Q, beside, beside.T, fresh
        self.Q, self.index = Q, np.concatenate([self.index, new])
        self.q = self.pull[self.index]

    def followed(self, k):
        """What serves better where ``k`` columns are in use."""
        return self


class Known(InUse):
    """Columns of a problem whose second moments are known."""

    def __init__(self, problem, index=()):
        self._all = problem.quadratic
        p = len(self._all.q)
        super().__init__(self._all.q, self._all.square, p, p)
        self.all_at_once = p <= WIDEST
        if len(index):
            self.use(index)

    def _products(self, new):
        rows = self._all.Q[new]
        return rows, rows[:, self.index], rows[:, new]

    def look(self, W):
        """What certificates of coefficients, a row each, need: squared norms of the residuals, their products
        with the target and with all columns, and a bound on the rounding; and the entries touched."""
        images = W @ self._rows[: W.shape[1]]
        pulls = W @ self.q
        squares = self.square - 2.0 * pulls + np.einsum("ij,ij->i", W, images[:, self.index])
        size = np.abs(W) @ np.sqrt(self.Q.diagonal()) + np.sqrt(self.square)
        rounding = 2.0 * self._all.error * size**2
        return squares, self.square - pulls, self.pull - images, rounding, images.size


class Kept(InUse):
    """Columns of a problem of full data, kept with their Gram matrix."""

    def __init__(self, problem):
        self._X, self._weights = problem.design.filled().X, problem.weights
        self._y = problem.y - intercept_of(problem)
        weighted, (n, p) = self._weights * self._y, self._X.shape
        super().__init__(weighted @ self._X, float(weighted @ self._y), min(p, max(MOST, 2 * n)), n)
        self._problem, self._many = problem, MANY * p if p <= n else np.inf

    def _products(self, new):
        rows = self._X.T[new]
        weighted = (rows * self._weights).T
        return rows, (self._rows[: len(self.index)] @ weighted).T, rows @ weighted

    def followed(self, k):
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

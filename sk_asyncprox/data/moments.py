"""Second moments of rows: all that a squared loss needs to know of data with more rows than columns.

    minimise  w'Qw/2 - q'w + square/2 + R(w)

has the objective, the correlations ``q - Qw`` and the duality gap of the data, at a cost of ``p^2``. The
moments of all rows less those of some are those of the rest; so the folds of a cross-validation read the
data once.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpstrf

from .._precision import EPS
from .array_operations import runs

FAR, ROWS_LOOKED_AT = 100.0, 100
"""Squared mean of a column, relative to its variance, from which on moments are taken about the mean; rows
that this is decided by."""

CANCELLED = 1e-4
"""Share of a moment, or an error, below which what others leave of it is computed from the rows."""

CONSTANT = 1e-10
"""Share of its second moment about its mean below which a column's variance is rounding."""

ENTRIES_AT_ONCE, SQUARE = 50_000, 10
"""Entries that are multiplied at a time: they stay in the cache; and rows, relative to the columns, of which
products without a copy have more, as short ones are slow."""


class Quadratic(NamedTuple):
    """A squared loss, weights summing to one, as a quadratic in the coefficients; centred or not."""

    Q: np.ndarray
    q: np.ndarray
    square: float
    """Twice the loss of the coefficients zero."""

    means: np.ndarray
    mean_y: float
    """What was taken out of the columns and the target; zero where there is no intercept."""

    error: float
    """Bound on the rounding of every entry, relative to the norms of the two that it is the product of."""

    def rounding(self, W):
        """Bound on what rounding does to the objective and the gap at the rows of ``W``."""
        return 2.0 * self.error * self._size(W) ** 2

    def rounded(self, w):
        """Bounds on what it does to the correlations at ``w``."""
        return self.error * self._size(w) * np.sqrt(self.Q.diagonal())

    def _size(self, W):
        return np.abs(W) @ np.sqrt(self.Q.diagonal()) + np.sqrt(self.square)


class Moments(NamedTuple):
    """Weighted sums of products over rows, about a point: of columns, target and ones, in this order."""

    about: np.ndarray
    """The point, of the columns and the target."""

    G: np.ndarray
    """The products; the last row are the sums of all, and of the weights."""

    error: float
    """As in :class:`Quadratic`."""

    @property
    def total(self):
        """Sum of the weights."""
        return float(self.G[-1, -1])

    def less(self, some):
        """Moments of the other rows, where these are ``some``, about the same point; None where little is
        left of a column or the target."""
        G = self.G - some.G
        if G[-1, -1] <= CANCELLED * self.G[-1, -1] or G[-2, -2] < CANCELLED * self.G[-2, -2]:
            return None
        own, whole = G.diagonal()[:-1].copy(), self.G.diagonal()[:-1]
        own[:-1] -= G[-1, :-2] ** 2 / G[-1, -1]
        share = np.divide(own, whole, out=np.ones_like(own), where=whole > 0.0).min(initial=1.0)
        return None if share < CANCELLED else Moments(self.about, G, 2.0 * self.error / share)

    @property
    def squares(self):
        """Those of the columns that have entries, about the point; where they are too small for numbers, as
        well, other sums are not zero."""
        squares, others = self.G.diagonal()[:-2], self.G[-2:, :-2]
        return squares[(squares != 0.0) | others.any(axis=0)]

    @property
    def centre(self):
        """Weighted means of the columns and of the target."""
        return self.about + self.G[-1, :-1] / self.G[-1, -1]

    def moved(self, about):
        """The same about another point."""
        if np.array_equal(about, self.about):
            return self
        move = np.append(self.about - about, 0.0)
        across = np.outer(self.G[-1], move)
        return Moments(about, self.G + across + across.T + self.total * np.outer(move, move), self.error)

    def quadratic(self, centred):
        """The squared loss on these rows, with an intercept of its own or none."""
        total, p = self.total, len(self.about) - 1
        Q, q, square = self.G[:p, :p] / total, self.G[:p, p] / total, float(self.G[p, p]) / total
        if not centred:
            return Quadratic(Q, q, square, np.zeros(p), 0.0, self.error)
        moved = self.G[-1, :-1] / total
        centre, means, mean_y = self.about + moved, moved[:p], float(moved[p])
        own = Q.diagonal()
        whole = own.copy()
        Q -= means[:, None] * means
        q -= mean_y * means
        # About their means, constant columns have left what the means were rounded by.
        constant = own <= CONSTANT * whole + self.error * EPS * centre[:p] ** 2
        if constant.any():
            Q[constant], Q[:, constant], q[constant] = 0.0, 0.0, 0.0
        far = np.divide(whole, own, out=np.ones_like(own), where=~constant).max(initial=1.0)
        centred_square = max(0.0, square - mean_y * mean_y)
        if centred_square > 0.0:
            far = max(far, square / centred_square)
        return Quadratic(Q, q, centred_square, centre[:p], float(centre[p]), self.error * far)


def joined(parts, times=None):
    """Moments of the rows of several parts together, each as often as ``times`` says: about the means of all,
    where those of each are about its own, so that nothing cancels; about the same point, where all are."""
    times = np.ones(len(parts)) if times is None else np.asarray(times, dtype=float)
    about = parts[0].about
    if not all(np.array_equal(part.about, about) for part in parts):
        shares = [m * part.total for m, part in zip(times, parts, strict=True)]
        about = sum(share / sum(shares) * part.centre for share, part in zip(shares, parts, strict=True))
    G = sum(m * part.moved(about).G for m, part in zip(times, parts, strict=True))
    return Moments(about, G, max(part.error for part in parts))


def few_rows(quadratic):
    """Data ``X, y`` of few rows, at most one more than columns, all of the same weight, with the same squared
    loss, centred as it is."""
    G = np.block([[quadratic.Q, quadratic.q[:, None]], [quadratic.q, quadratic.square]])
    scale = np.sqrt(np.maximum(G.diagonal(), 0.0))
    scale[scale == 0.0] = 1.0
    # Columns of unit length: what is rounded then is no more of one than of another.
    factor, order, rank, _ = dpstrf(G / np.outer(scale, scale))
    rows = np.zeros((max(1, rank), len(G)))
    rows[:rank, order - 1] = np.triu(factor[:rank])
    rows *= np.sqrt(len(rows)) * scale
    return rows[:, :-1].copy(), rows[:, -1].copy()


def is_far_in_some(X, weights):
    """Whether some column lies far from zero in the weights of some of the rows, without in these."""
    some = slice(None, None, 1 + len(X) // ROWS_LOOKED_AT)
    X = X[some]
    return is_far(X, np.ones(len(X)) if weights is None else weights[some])


def is_far(X, weights):
    """Whether some column lies far from zero in weights."""
    sums, squares = 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for some in _runs(X):
            rows, each = X[some], weights[some]
            sums = sums + each @ rows
            squares = squares + each @ np.square(rows, dtype=np.float64)
        return not ((1.0 + FAR) * sums**2 <= FAR * weights.sum() * squares).all()


def point_of(X, y, weights, centred):
    """Point that moments of the rows are taken about, of columns and target: their means where columns
    lie far from zero."""
    point = np.zeros(X.shape[1] + 1)
    if not centred:
        return point
    point[-1] = y.sum() / len(y) if weights is None else weights @ y / weights.sum()
    if is_far_in_some(X, None) if weights is None else is_far(X, weights):
        each = np.ones(len(X)) if weights is None else weights
        point[:-1] = sum(each[some] @ X[some] for some in _runs(X)) / each.sum()
    return point


def _runs(X, least=1):
    """Runs of rows that stay in the cache, each of ``least`` rows or more."""
    return runs(len(X), max(ENTRIES_AT_ONCE // max(1, X.shape[1]), least))


def moments_of(X, y, weights, about):
    """Moments of the rows about a point; ``weights=None`` stands for ones."""
    (n, p), moved = X.shape, about[:-1].any()
    as_they_are = weights is None and X.dtype == np.float64 and not moved
    roots, G = np.ones(n) if weights is None else np.sqrt(weights), np.zeros((p + 2, p + 2))
    pull, Q, q, sums = roots * (y - about[-1]), G[:p, :p], G[p, :p], G[-1, :p]
    for some in _runs(X, SQUARE * p if as_they_are else 1):
        rows = X[some]
        if not as_they_are:
            rows = rows - about[:-1] if moved else rows.astype(np.float64)
            if weights is not None:
                rows *= roots[some, None]
        sums += roots[some] @ rows
        q += pull[some] @ rows
        Q += rows.T @ rows
    G[p, p], G[-1, p], G[-1, -1] = pull @ pull, roots @ pull, roots @ roots
    G[:-1, p:] = G[p:, :-1].T
    return Moments(about, G, (n + p + 10) * EPS)

"""A problem whose rows lie elsewhere, in shards."""

from typing import NamedTuple

import numpy as np

from .shards import Facts, conclude


class Extent(NamedTuple):
    """What is known of a design that is not here."""

    shape: tuple[int, int]
    size: int
    is_sparse: bool


class Count(NamedTuple):
    """Numbers of a shard, before its columns are centred."""

    rows: int
    size: int
    weight: float
    """Sum of the sample weights."""

    means: np.ndarray
    """Weighted column means."""

    y: np.ndarray
    y_weights: np.ndarray
    """A few targets and weights with the same mean and variance as the shard's; for labels, the labels."""


def count(X, y, weights, quadratic):
    """Numbers of a shard's rows, whose weights are positive."""
    total = weights.sum()
    if quadratic:
        mean = np.average(y, weights=weights)
        spread = np.sqrt(np.average((y - mean) ** 2, weights=weights))
        values, masses = np.array([mean - spread, mean + spread]), np.array([0.5, 0.5])
    else:
        values, codes = np.unique(y, return_inverse=True)
        masses = np.bincount(codes, weights) / total
    size = X.nnz if hasattr(X, "nnz") else X.size
    return Count(X.shape[0], size, float(total), np.asarray(X.T @ (weights / total)), values, masses)


class ShardedProblem:
    """Loss and penalty over shards of rows that only workers see; stands in for a ``Problem``.

    Parameters
    ----------
    shards : list
        Handles of the shards, for executors.
    each : callable
        ``each(name, *args)`` calls that method of every :class:`~sk_asyncprox.shards.RowShard` where it
        lies, and returns their answers.
    counts : list of Count
    homes : ndarray of int
        Number of the worker that holds each shard.
    loss, penalty, fit_intercept
        As in ``Problem``.
    """

    def __init__(self, shards, each, counts, homes, loss, penalty, fit_intercept):
        self.shards, self._each, self.homes = shards, each, homes
        self.loss, self.penalty, self.fit_intercept = loss, penalty, fit_intercept
        rows, size = (sum(getattr(c, name) for c in counts) for name in ("rows", "size"))
        n_features = len(counts[0].means)
        self.design = Extent((rows, n_features), size, size < rows * n_features)
        shares = np.array([c.weight for c in counts])
        shares /= shares.sum()
        self.offset = centre(counts) if fit_intercept else np.zeros(n_features)
        self._y = np.concatenate([c.y for c in counts])
        self._weights = np.concatenate([share * c.y_weights for share, c in zip(shares, counts, strict=True)])
        self.facts = [
            Facts(share, c.rows / rows, *constants)
            for share, c, constants in zip(shares.tolist(), counts, each("constants"), strict=True)
        ]

    @property
    def pass_size(self):
        """Stored entries touched in one pass: a product with the data and one with its transpose."""
        return 2 * max(1, self.design.size)

    @property
    def scale(self):
        """What the tolerance is relative to; a constant target has scale 0 and counts as 1."""
        return self.loss.scale(self._y, self._weights, self.fit_intercept) or 1.0

    def start(self, coef=None, intercept=0.0):
        """Coefficients and intercept to begin with, in the centred design."""
        if coef is not None:
            w = np.array(coef, dtype=np.float64)
            return w, float(intercept + self.offset @ w) if self.fit_intercept else 0.0
        w = np.zeros(self.design.shape[1])
        return w, self.loss.best_intercept(self._y, self._weights) if self.fit_intercept else 0.0

    def canonical(self, w):
        """The coefficients, as they are with one output."""
        return w

    def intercept(self, w, b):
        """Intercept for the data as they were given."""
        return b - float(self.offset @ w) if self.fit_intercept else 0.0

    def objective(self, w, b):
        """Value at ``(w, b)``."""
        shares = np.array([fact.share for fact in self.facts])
        return float(shares @ self._each("value", w, b)) + float(self.penalty.value(w))

    def certify(self, w, b):
        """Certificate of ``(w, b)``, shard by shard."""
        return conclude(self, w, b, self._each("look", w, b), self.facts)


def centre(counts):
    """Column means of all rows."""
    weights = np.array([c.weight for c in counts])
    return weights @ np.array([c.means for c in counts]) / weights.sum()

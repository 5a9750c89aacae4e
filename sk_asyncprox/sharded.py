"""A problem whose rows lie elsewhere, in shards."""

from copy import copy
from typing import NamedTuple

import numpy as np

from .centred import Centred
from .shards import Facts, conclude


class Extent(NamedTuple):
    """What is known of a design that is not here, its size that of all outputs together."""

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


def count(Xs, y, weights, quadratic):
    """Numbers of a shard's rows, whose weights are positive; of `X` as runs of them."""
    total = weights.sum()
    if quadratic:
        mean = np.average(y, weights=weights)
        spread = np.sqrt(np.average((y - mean) ** 2, weights=weights))
        values, masses = np.array([mean - spread, mean + spread]), np.array([0.5, 0.5])
    else:
        values, codes = np.unique(y, return_inverse=True)
        masses = np.bincount(codes, weights) / total
    size = sum(X.nnz if hasattr(X, "nnz") else X.size for X in Xs)
    each = np.split(weights / total, np.cumsum([X.shape[0] for X in Xs])[:-1])
    means = sum(np.asarray(X.T @ shares) for X, shares in zip(Xs, each, strict=True))
    return Count(len(y), size, float(total), means, values, masses)


class ShardedProblem(Centred):
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
        outputs = loss.n_outputs
        self.design = Extent((outputs * rows, outputs * n_features), outputs * size, size < rows * n_features)
        shares = np.array([c.weight for c in counts])
        shares /= shares.sum()
        self.offset = centre(counts) if fit_intercept else np.zeros(n_features)
        self.y = np.concatenate([c.y for c in counts])
        weights = [share * c.y_weights for share, c in zip(shares, counts, strict=True)]
        self.sample_weights = self.weights = np.concatenate(weights)
        self.facts = [Facts(share, c.rows / rows) for share, c in zip(shares.tolist(), counts, strict=True)]

    def with_penalty(self, penalty):
        """The same problem, shards shared, with another penalty."""
        self.null, self.scale  # noqa: B018 (once for all penalties)
        other = copy(self)
        other.penalty = penalty
        return other

    def constants(self):
        """What first-order steps need to know of every shard."""
        return self._each("constants")

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

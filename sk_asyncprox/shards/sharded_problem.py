"""A problem whose rows lie elsewhere, in shards, and their counts, made before their columns are centred."""

from typing import NamedTuple

import numpy as np

from ..problem.base import Centred
from .sharded_certificate import Facts, add_up, conclude, thin

SURELY = 1.0 - 1e-9
"""Share of the penalty that rounding lets no correlation reach, where sums of absolute values do not."""

TARGETS = 1e-145, 1e145
"""Sizes of targets between which their squares, and gaps beside these, are in range."""


class Count(NamedTuple):
    """Numbers of a shard, before its columns are centred: ``weight`` is the sum of the sample weights;
    ``columns`` are all, or the numbers of those with entries; ``means`` are theirs, where wanted."""

    rows: int
    size: int
    weight: float
    columns: slice | np.ndarray
    means: np.ndarray | None
    sizes: np.ndarray | None
    """Weighted means of their absolute values times the steepest slope of the loss, where there is one: no
    correlation is larger."""

    y: np.ndarray
    y_weights: np.ndarray
    """A few targets and weights that stand for the shard's in the losses of constant models."""


def count(Xs, y, weights, loss, columns=slice(None), means=True):
    """Numbers of a shard's rows, whose weights are positive; of `X` as runs of them."""
    total = weights.sum()
    values, masses = loss.outline(y, weights)
    size = sum(X.nnz if hasattr(X, "nnz") else X.size for X in Xs)
    each = np.split(weights / total, np.cumsum([X.shape[0] for X in Xs])[:-1])

    def mean(of):
        return sum(np.asarray(of(X).T @ shares) for X, shares in zip(Xs, each, strict=True))

    means = mean(lambda X: X) if means else None
    told = isinstance(columns, slice) or loss.steepest == np.inf
    sizes = None if told else loss.steepest * mean(abs)
    return Count(len(y), size, float(total), columns, means, sizes, values, masses)


def check_targets(counts):
    size = max(np.abs(c.y).max() for c in counts)
    if size != 0.0 and not TARGETS[0] <= size <= TARGETS[1]:
        raise ValueError(
            "The squares of y are too large or too small: scale y, and alpha, or give X in memory."
        )


def without_idle(counts, n_features, l1s):
    """The same counts, without the columns that no slope of the loss lets out of zero."""
    if counts[0].sizes is None or not np.any(l1s):
        return counts
    sizes = add_up(n_features, facts_of(counts, n_features), [c.sizes for c in counts])
    limits = SURELY * np.resize(l1s, n_features)  # all outputs have the same
    busy = [sizes[c.columns] > limits[c.columns] for c in counts]
    return [c._replace(columns=c.columns[some], sizes=None) for c, some in zip(counts, busy, strict=True)]


def facts_of(counts, n_features, outputs=1):
    """What the master knows of the shards."""
    weights = np.array([c.weight for c in counts])
    rows, shares, facts = sum(c.rows for c in counts), (weights / weights.sum()).tolist(), []
    for share, c in zip(shares, counts, strict=True):
        columns = c.columns
        if outputs > 1 and not isinstance(columns, slice):
            columns = (n_features * np.arange(outputs)[:, None] + columns).ravel()
        facts.append(Facts(share, c.rows / rows, columns))
    return facts


def centre(counts, n_features):
    """Column means of all rows."""
    return add_up(n_features, facts_of(counts, n_features), [c.means for c in counts])


class Extent(NamedTuple):
    """What is known of a design that is not here, its size that of all outputs together."""

    shape: tuple[int, int]
    size: int
    is_sparse: bool


class ShardedProblem(Centred):
    """Loss and penalty over shards of rows that only workers see; stands in for a ``Problem``.

    ``shards`` are their handles, for executors, and ``homes`` the numbers of the workers that hold them.
    ``each(name, *args)`` calls that method of every :class:`.shard.RowShard` where it lies, and returns their
    answers. ``as_it_lies`` says whether shards know of the columns with entries only, which
    keep their means; ``means`` are these, where a certificate needs them.
    """

    def __init__(self, shards, each, counts, homes, n_features, loss, penalty, fit_intercept):
        self.shards, self._each, self.homes = shards, each, homes
        self.loss, self.penalty, self.fit_intercept = loss, penalty, fit_intercept
        rows, size = (sum(getattr(c, name) for c in counts) for name in ("rows", "size"))
        outputs = loss.n_outputs
        self.design = Extent((outputs * rows, outputs * n_features), outputs * size, size < rows * n_features)
        self.facts = facts_of(counts, n_features, outputs)
        self.as_it_lies = not isinstance(counts[0].columns, slice)
        self.means = None if counts[0].means is None else centre(counts, n_features)
        self.offset = np.zeros(n_features) if self.as_it_lies or self.means is None else self.means
        self.y = np.concatenate([c.y for c in counts])
        weights = [fact.share * c.y_weights for fact, c in zip(self.facts, counts, strict=True)]
        self.sample_weights = np.concatenate(weights)
        self.weights = np.tile(self.sample_weights, outputs)

    def constants(self):
        return self._each("constants")

    def _reached(self, w):
        if self.as_it_lies:
            reached = np.zeros(len(w), bool)
            for fact in self.facts:
                reached[fact.columns] = True
            w[~reached] = 0.0
        return w

    def _sent(self, w):
        return thin(w) if self.as_it_lies else w

    def objective(self, w, b):
        shares = np.array([fact.share for fact in self.facts])
        return float(shares @ self._each("value", self._sent(w), b)) + float(self.penalty.value(w))

    def certify(self, w, b):
        return conclude(self, w, b, self._each("look", self._sent(w), b), self.facts)

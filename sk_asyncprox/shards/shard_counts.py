"""What shards count of their rows before columns are centred, and what is known of all of them by that."""

from typing import NamedTuple

import numpy as np

from .sharded_certificate import Facts, add_up

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

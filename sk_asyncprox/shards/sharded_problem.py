"""A problem whose rows lie elsewhere, in shards."""

from typing import NamedTuple

import numpy as np

from ..problem.base import BaseProblem
from .shard_counts import centre, facts_of
from .sharded_certificate import conclude, thin


class Extent(NamedTuple):
    """What is known of a design that is not here, its size that of all outputs together."""

    shape: tuple[int, int]
    size: int
    is_sparse: bool


class ShardedProblem(BaseProblem):
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

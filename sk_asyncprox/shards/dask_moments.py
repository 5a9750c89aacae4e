"""Second moments of the rows of a dask collection, part by part, summed where its chunks lie."""

import math

import numpy as np

from .._blas_limit import one_blas_thread
from .._precision import TINY
from ..data.moments import EPS, Moments, joined
from ..data.preprocessing import design_of
from ..problem.scaling import LEAST, MOST
from .dask_shards import Rows

AT_ONCE = 4
"""Sums that are added up by one task."""


class SummedRows(Rows):
    """Rows of a dask collection that are wanted by their second moments alone."""

    def read(self, X, y, sample_weight):
        """Compute the chunks and validate them, as :meth:`Rows.read`."""
        super().read(X, y, sample_weight)
        self._exponent = math.frexp(max(each.largest for each in self._surveys))[1]

    def moments(self, parts, centred):
        """Moments of the parts of the rows, by part, where it has rows whose weight is not zero. ``parts``
        says which part each row belongs to; ``centred`` whether they are taken about their means, which costs
        no accuracy wherever these are."""
        sums = self._submit(_moments, self._chunks(parts), self._exponent, centred)
        while len(sums) > 1:
            sums = self._submit(_added, [sums[a : a + AT_ONCE] for a in range(0, len(sums), AT_ONCE)])
        return self._gather(sums)[0]

    def total(self, moments):
        """Sum of the sample weights of moments, as they were given."""
        return float(np.ldexp(moments.total, self._exponent))

    def squares(self, parts, wanted, W, means, mean_y):
        """Weighted sums of squared residuals in the ``wanted`` parts, by part, of models whose coefficients
        are the rows of ``W`` and which go through the point ``(means, mean_y)``."""
        found = {}
        for sums in self._gather(
            self._submit(_squares, self._chunks(parts), self._exponent, wanted, W, means, mean_y)
        ):
            for part, squares in sums.items():
                found[part] = found.get(part, 0.0) + squares
        return found

    def _chunks(self, parts):
        """Chunks and the parts of their rows, in groups: those that lie on one worker by its threads."""
        ends = np.cumsum([each.rows for each in self._surveys])[:-1]
        parts = np.split(parts.astype(np.min_scalar_type(parts.max())), ends)
        groups = self._groups(max(1, len(self._roll.slots())))
        return [[(self._pieces[i], parts[i]) for i in group] for group in groups]


# -- on the workers --------------------------------------------------------------------------------


def _by_part(chunks, exponent, wanted=None):
    """Rows of positive weight of some chunks, part by part; weights over a power of two."""
    for (X, y, weights), parts in chunks:
        weights = np.ldexp(weights, -exponent)
        used = weights > TINY if wanted is None else (weights > TINY) & np.isin(parts, wanted)
        for part in np.unique(parts[used]).tolist():
            rows = used & (parts == part)
            yield part, *((X, y, weights) if rows.all() else (X[rows], y[rows], weights[rows]))


def _moments(chunks, exponent, centred):
    sums = {}
    with one_blas_thread():
        for part, *rows in _by_part(chunks, exponent):
            sums = _added([sums, {part: _moments_of(*rows, centred)}])
    return sums


def _squares(chunks, exponent, wanted, W, means, mean_y):
    sums = {}
    with one_blas_thread():
        for part, X, y, weights in _by_part(chunks, exponent, wanted):
            residuals = np.asarray(X @ W.T) - (W @ means - mean_y) - np.asarray(y, dtype=np.float64)[:, None]
            sums[part] = sums.get(part, 0.0) + weights @ residuals**2
    return sums


def _added(several):
    """Moments of several sets of rows together."""
    found = {}
    for sums in several:
        for part, moments in sums.items():
            found.setdefault(part, []).append(moments)
    return {part: each[0] if len(each) == 1 else joined(each) for part, each in found.items()}


def _moments_of(X, y, weights, centred):
    y, total = np.asarray(y, dtype=np.float64), float(weights.sum())
    shares = weights / total
    design, means = design_of(X, shares, rows=True, centred=centred)
    mean_y = float(shares @ y) if centred else 0.0
    y = y - mean_y
    _check_squares(design, y)
    p = len(means)
    G = np.zeros((p + 2, p + 2))
    G[:p, :p], G[p, p], G[-1, -1] = design.gram(shares), shares @ y**2, 1.0
    G[:p, p] = G[p, :p] = design.tmul(shares * y)
    return Moments(np.append(means, mean_y), total * G, (sum(design.shape) + 10) * EPS)


def _check_squares(design, y):
    least, most = design.extremes()
    largest = np.abs(y).max()
    if not (least >= LEAST and most <= MOST and (largest >= LEAST or not largest) and largest <= MOST):
        raise ValueError(
            "The squares of X or y are too large or too small for second moments: scale the features, and y."
        )

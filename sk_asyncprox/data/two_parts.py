"""Sparse columns in two parts: those with entries in many rows, filled in single precision, and the others.

BLAS multiplies a filled column in less time than its entries take one by one; and one small Gram matrix
serves all sweeps over the filled ones.
"""

import numpy as np

from .array_operations import like
from .design_matrix import Design

HEAVY = 0.2
"""Share of the rows from which on a column is kept filled."""

MOST = 1.5
"""Columns that are filled, per entry of a row, at most: they take half the memory of the data."""

PAYS, LARGE = 0.3, 200_000
"""Share of the stored entries of some columns that filled ones hold, and their number, from which on two
parts pay."""

LEAST, RIDGE = 1e-25, 3e-6
"""Weighted square of a column below which, or above whose inverse, single precision runs out of exponents;
and share of the squares that is added to them in a Gram matrix, to cover its rounding."""


class FilledColumns:
    """Columns of a sparse design, filled when they are asked for again, in the order of ``index``; ``double``
    and ``single`` are their designs in these precisions."""

    def __init__(self, design, weights):
        (n, p), self.sizes = design.shape, design.column_sizes()
        self.design, self._weights = design, weights.astype(np.float32)
        self._most = int(MOST * design.size / n)
        self._is_heavy, self._is_known = self.sizes >= HEAVY * n, np.zeros(p, bool)
        self.places, self.index, self._Q = np.full(p, -1), np.empty(0, int), np.empty((0, 0))
        self._room, self.double, self.single = np.empty((n, 0), np.float32, order="F"), None, None

    def columns(self, index):
        """Design of the columns ``index`` (sorted), in two parts where that pays."""
        heavy = index[self._is_heavy[index]]
        if len(heavy) == 0 or len(index) == len(self.sizes) or self.design.is_full(index):
            return self.design.columns(index)
        again = heavy[self._is_known[heavy]]
        self._is_known[heavy] = True
        is_new = self.places[again] < 0
        new = again[is_new][: self._most - len(self.index)]
        n_entries = self.sizes[again[~is_new]].sum() + self.sizes[new].sum()
        pays = n_entries >= max(LARGE, PAYS * self.sizes[index].sum())
        if not pays or (len(new) and not self._fill(new)):
            return self.design.columns(index)
        return TwoParts(self, index)

    def _fill(self, new):
        """Fill these columns too; return whether single precision will do."""
        old, k = len(self.index), len(self.index) + len(new)
        added = self.design.some(new)
        squares = added.column_squares(self._weights)
        if not (squares.min() > LEAST and squares.max() < 1.0 / LEAST):
            self._is_heavy[new] = False
            return False
        if k > self._room.shape[1]:
            room = np.empty((len(self._room), min(self._most, 2 * k)), np.float32, order="F")
            room[:, :old], self._room = self._room[:, :old], room
        self._room[:, old:k] = like(added.X, added.X.data.astype(np.float32)).toarray(order="F")
        self.index, self.places[new] = np.concatenate([self.index, new]), np.arange(old, k)
        self.double = self.design.some(self.index)
        self.single = Design(self._room[:, :k], self.double.centre)
        return True

    def gram(self):
        """Gram matrix of the filled columns in the weights."""
        old, k, centre = len(self._Q), len(self.index), self.double.centre
        if k > old:
            X, Q = self.single.X, np.empty((k, k))
            Q[:old, :old], Q[old:] = self._Q, (X[:, old:] * self._weights[:, None]).T @ X
            Q[np.arange(old, k), np.arange(old, k)] *= 1.0 + RIDGE
            if centre is not None:
                Q[old:] -= np.outer(centre[old:], centre)
            Q[:old, old:] = Q[old:, :old].T
            self._Q = Q
        return self._Q


class TwoParts:
    """The columns ``index`` of a sparse design, of which those numbered ``heavy`` are filled, and the design
    of the ``others``, those numbered ``thin``."""

    is_sparse = True

    def __init__(self, filled, index):
        places, self._filled = filled.places[index], filled
        self.heavy, self.thin = np.flatnonzero(places >= 0), np.flatnonzero(places < 0)
        self._places, self.others = places[self.heavy], filled.design.columns(index[self.thin])
        self.size, self.shape = int(filled.sizes[index].sum()), (filled.design.shape[0], len(index))

    def _parts(self, vector):
        """Designs of all filled columns and of the others, in the precision of the vector."""
        filled = self._filled.single if vector.dtype == np.float32 else self._filled.double
        return filled, self.others.in_precision(vector.dtype)

    def _mul_heavy(self, filled, w):
        whole = np.zeros(filled.shape[1], w.dtype)
        whole[self._places] = w
        return filled.mul(whole)

    def mul(self, w):
        """Product with ``w``, in its precision."""
        filled, others = self._parts(w)
        return self._mul_heavy(filled, w[self.heavy]) + others.mul(w[self.thin])

    def tmul(self, u):
        """Product of the transpose with ``u``, in its precision."""
        out, (filled, others) = np.empty(self.shape[1], u.dtype), self._parts(u)
        out[self.heavy], out[self.thin] = filled.tmul(u)[self._places], others.tmul(u)
        return out

    def in_precision(self, dtype):
        """The same: the precision is that of the vectors."""
        return self

    def is_full(self):
        """Whether the columns are better treated as dense."""
        return False

    def heavy_model(self, pull):
        """Gram matrix of the heavy columns, in single precision, and their products with ``pull``."""
        places, filled = self._places, self._filled
        return filled.gram()[np.ix_(places, places)], filled.double.tmul(pull)[places]

    def heavy_image(self, move):
        """Product of the heavy columns with ``move``, made in single precision."""
        unit = np.abs(move).max(initial=0.0) or 1.0
        image = self._mul_heavy(self._filled.single, (move / unit).astype(np.float32))
        return unit * image.astype(np.float64)

"""The data of a problem, and what is made of them when it is first asked for."""

from copy import copy

import numpy as np
import scipy.sparse as sp

from .design import design_of, rows_of
from .moments import moments_of, point_of

WIDE = 512
"""Columns from which on products by rows of a dense array are as fast as those by columns."""


def is_wide_in_rows(X):
    """Whether the data are a dense array of many columns whose rows lie together."""
    return isinstance(X, np.ndarray) and X.shape[1] >= WIDE and X.flags.c_contiguous


class Data:
    """Rows of ``X``, and what is made of them when it is first asked for.

    Parameters
    ----------
    X : {ndarray, sparse matrix or array} of shape (n, p)
    weights : ndarray of shape (n,)
        Of the rows that count; summing to one.
    uniform, centred, rows, overwrite : bool
        As for :class:`Problem` and :func:`~sk_asyncprox.design.design_of`.
    index : ndarray of int or None
        The rows that count, where they are not all.
    """

    def __init__(self, X, weights, uniform, centred, rows, overwrite, index=None):
        self._X, self._index, self._centred, self._weights = X, index, centred, weights
        self._how = {"rows": rows, "centred": centred, "overwrite": overwrite}
        self._each, self._design = None if uniform else weights, None
        self.shape, self.is_dense = (len(weights), X.shape[1]), not sp.issparse(X)

    def some(self, index, weights, uniform):
        """The data of some of the rows."""
        return Data(self._X, weights, uniform, self._centred, self._how["rows"], True, index)

    def scaled(self, exponent):
        """The data times ``2^exponent``."""
        other, (design, means) = copy(self), self.design()
        other._design = design.scaled(exponent), np.ldexp(means, exponent)
        return other

    @property
    def is_made(self):
        """Whether there is a design."""
        return self._design is not None

    def rows(self):
        """The rows that count."""
        return self._X if self._index is None else rows_of(self._X, self._index)

    def design(self):
        """The design, and the means taken out of its columns."""
        if self._design is None:
            rows, how = self.rows(), self._how
            if self._index is not None and self.is_dense and np.may_share_memory(rows, self._X):
                how = how | {"overwrite": False}  # rows that follow one another are a view of the data
            self._design, self._X = design_of(rows, self._weights, **how), None
        return self._design

    def moments(self, y, about=None, index=None):
        """Moments of the rows that count, or of ``index`` among them, about a point."""
        X, each = self.design()[0].X if self._X is None else self.rows(), self._each
        if about is None:
            about = point_of(X, y, each, self._centred)
        if index is not None:
            X, y, each = rows_of(X, index), y[index], None if each is None else each[index]
        return moments_of(X, y, each, *about)

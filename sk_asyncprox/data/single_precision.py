"""Products in single precision."""

import numpy as np

from .array_operations import runs, times, times_rows
from .design_matrix import IN_CACHE

ENTRIES_AT_ONCE = 65_536
"""Entries of a dense matrix that several outputs are multiplied with at a time: they stay in the cache."""


class Single:
    """Products of a dense design in single precision, which take half the time: for steps that certificates
    are to judge. Of several outputs, whose losses cost more than these, so are the margins (``dtype``)."""

    def __init__(self, design):
        whole = getattr(design, "design", design)
        (n, p), several = whole.shape, design.shape[1] > whole.shape[1]
        self.size, self._shape, self._centre = design.size, (design.shape[1] // p, -1), whole.centre
        self.dtype = np.dtype(np.float32 if several else np.float64)
        given = None if several else whole.given
        if given is None:
            by_rows = several or whole.X.flags.c_contiguous
            self._X = whole.X.astype(np.float32, order="C" if by_rows else "F")
        else:
            by_rows, self._X, self._centre = given.is_by_rows, given.X, given.centre
        self._runs = runs(n, max(1, ENTRIES_AT_ONCE // p) if several else n)
        if several and whole.centre is not None:
            for rows in self._runs:
                self._X[rows] -= whole.centre.astype(np.float32)
            self._centre = None  # of several outputs margins are more than the entries
        self._is_streamed = by_rows and not several and self._X.size > IN_CACHE

    def _outputs(self, vector):
        return vector.reshape(self._shape).astype(np.float32, copy=False)

    def mul(self, w):
        """Margins of the coefficients ``w``."""
        W, out = self._outputs(w), np.empty((self._shape[0], len(self._X)), self.dtype)
        if self._is_streamed:
            out[0] = times(self._X, W[0])
        else:
            V = np.ascontiguousarray(W.T)
            for run in self._runs:
                out[:, run] = (self._X[run] @ V).T
        if self._centre is not None:
            out -= (W @ self._centre)[:, None]
        return out.ravel()

    def tmul(self, u):
        """Product of the transpose with ``u``."""
        U = self._outputs(u)
        if self._is_streamed:
            out = times_rows(U[0], self._X)
        else:
            out = sum(np.dot(U[:, run], self._X[run]) for run in self._runs)
        out = out.astype(np.float64).reshape(len(U), -1)
        if self._centre is not None:
            out -= np.outer(U.sum(axis=1), self._centre)
        return out.ravel()

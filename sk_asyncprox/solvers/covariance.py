"""The Gram matrix of the working set, kept from round to round and extended as the set grows."""

import numpy as np

from .phases import Phase
from .working_set import among

REBUILD_ABOVE = 0.02
"""Relative change of the weights beyond which the matrix is computed anew: the exact step is safe for
any metric, so near ones will do."""


class GramMatrix:
    """``X' diag(omega) X`` of the columns ``index``, centred in ``omega`` where an intercept follows.

    Parameters
    ----------
    part : ColumnPart
    n_shares : int
        Workers that share its computation.

    Attributes
    ----------
    Q : ndarray of shape (k, k)
    index : ndarray of int
    omega : ndarray of shape (n,)
        Weights it was computed in.
    touched : int
        Stored entries touched so far.
    """

    def __init__(self, part, n_shares):
        self._part, self._n_shares = part, n_shares
        self.Q, self.index, self.omega, self.touched = None, np.empty(0, int), None, 0

    def renew(self, key, index, omega):
        """Make it that of the columns ``index``; a generator of phases."""
        if self.omega is omega and np.array_equal(index, self.index):
            return
        near = self.omega is not None and np.abs(omega - self.omega).sum() <= REBUILD_ABOVE * omega.sum()
        known, at = among(index, self.index if near else self.index[:0])
        at = at[known]
        if known.all():
            self.Q, self.index = self.Q[np.ix_(at, at)] if len(at) < len(self.index) else self.Q, index
            return
        # Rows of the new columns only, unless they are most.
        fresh = None if 2 * known.sum() < len(index) else np.flatnonzero(~known)
        if fresh is not None:
            omega = self.omega
        rows = yield from self._rows(key, index, fresh, omega)
        if fresh is not None:
            old = np.flatnonzero(known)
            Q = np.empty((len(index), len(index)))
            Q[np.ix_(old, old)] = self.Q[np.ix_(at, at)]
            Q[fresh], Q[:, fresh] = rows, rows.T
            rows = Q
        self.Q, self.index, self.omega = rows, index, omega

    def _rows(self, key, index, fresh, omega):
        cuts = np.linspace(0, len(omega), self._n_shares + 1).astype(int)

        def payload(i):
            return key, index, fresh, omega, cuts[i], cuts[i + 1]

        shares = yield Phase("gram", self._n_shares, payload)
        rows, sums, touched = (sum(column) for column in zip(*shares, strict=True))
        self.touched += touched
        if self._part.follows:
            rows -= np.outer(sums if fresh is None else sums[fresh], sums / omega.sum())
        return rows

"""Gram matrices of columns each of which meets few others: sparse, and banded in a suitable order."""

import numpy as np
import scipy.sparse as sp
from scipy.linalg.lapack import dpbtrf, dpbtrs, dtbtrs
from scipy.sparse.csgraph import reverse_cuthill_mckee

from .._compat import block_cd
from .gram_matrix import scaled

WIDEST_BAND, MOST_ENTRIES = 0.25, 6_000_000
"""Half the width of a band, relative to all columns, beyond which the matrix is better filled; and the
entries of a band, at most."""

FEWEST_COLUMNS, MOST_MEETINGS = 256, 20_000_000
"""Columns up to which a filled matrix is fast enough; and pairs of entries of one sample, which bound the
memory of the sparse matrix, at most."""


def banded(M, model, centred):
    """The Gram matrix of sparse columns, transposed (CSR), in a model, if it is banded, else None;
    ``centred`` says whether an intercept follows."""
    k, fullest = M.shape[0], M[np.diff(M.indptr).argmax()]
    widest = min(WIDEST_BAND * k, MOST_ENTRIES / k)
    # One column meets at most those on both sides of it in the band.
    if np.count_nonzero(M @ fullest.toarray()[0]) > 2.0 * widest:
        return None
    if (np.bincount(M.indices).astype(float) ** 2).sum() > MOST_MEETINGS:
        return None
    root = np.sqrt(model.diagonal)
    M = scaled(M, root)
    S = (M @ M.T).tocsr()
    rank = np.empty(S.shape[0], int)
    rank[reverse_cuthill_mckee(S, symmetric_mode=True)] = np.arange(len(rank))
    S = S.tocoo()
    width = int(np.abs(rank[S.row] - rank[S.col]).max(initial=0)) + 1
    if width > widest:
        return None
    u = M @ root / np.sqrt(root @ root) if centred else np.zeros(M.shape[0])
    return BandedGram(S.tocsr(), u, u, rank)


class BandedGram:
    """``S - u v'`` with a sparse matrix ``S``, for products, parts and factors as those of an array.

    ``u`` and ``v`` are what an intercept that follows takes; ``rank`` are the places of the columns in an
    order in which ``S`` is banded.
    """

    __array_ufunc__ = None  # An array leaves products with it to it.

    def __init__(self, S, u, v, rank):
        self._S, self._u, self._v, self._rank = S, u, v, rank
        self.shape, self.size = S.shape, S.nnz
        self._root = None

    def __matmul__(self, x):
        return self._S @ x - self._u * (self._v @ x)

    def __rmatmul__(self, rows):
        return rows @ self._S - (rows @ self._u)[..., None] * self._v

    def __getitem__(self, at):
        rows, columns = at if isinstance(at, tuple) else (at, slice(None))
        rows = np.ravel(rows)
        return BandedGram(self._S[rows][:, columns], self._u[rows], self._v[columns], self._rank[columns])

    def diagonal(self):
        return self._S.diagonal() - self._u * self._v

    def factored(self, shift):
        """What solves systems with the matrix and ``shift`` on its diagonal; None where that fails."""
        factor, order, place = self._cholesky(shift)
        if factor is None:
            return None

        def solve(b):
            return dpbtrs(factor, b[order], lower=True)[0][place]

        if not self._u.any():
            return solve
        image = solve(self._u)
        left = 1.0 - self._u @ image
        if not left > 0.0:
            return None
        return lambda b: (x := solve(b)) + np.multiply.outer(image, (self._u @ x) / left)

    def sweep(self, w, q, penalty, sweeps, shift):
        """Coordinate descent, as on an array, on the columns of the factor of ``S``, which are a square root
        of it; where an intercept follows, ``S`` lies above the matrix, so that the step is safe."""
        if self._root is None:
            factor, order, place = self._cholesky(shift)
            columns = None
            if factor is not None:
                columns = sp.dia_matrix((factor, -np.arange(len(factor))), shape=self.shape).T.tocsc()
            self._root = factor, columns, order, place
        factor, columns, order, place = self._root
        if factor is None:
            return w
        target, _ = dtbtrs(factor, (q + self._u * (self._u @ w))[order], uplo="L")
        l1, l2, positive = penalty.l1, penalty.l2, penalty.positive
        return block_cd(w[order], l1, l2, sweeps, X=columns, target=target, positive=positive)[place]

    def _cholesky(self, shift):
        """Factor of ``S`` with ``shift`` on its diagonal, in order and stored by diagonals (None where there
        is none), and that order and its inverse."""
        order = np.argsort(self._rank)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        S = self._S.tocoo()
        below = place[S.row] - place[S.col]
        lower = below >= 0
        band = np.zeros((int(below.max(initial=0)) + 1, len(order)), order="F")
        band[below[lower], place[S.col[lower]]] = S.data[lower]
        band[0] += shift
        factor, failed = dpbtrf(band, lower=True, overwrite_ab=True)
        return None if failed else factor, order, place

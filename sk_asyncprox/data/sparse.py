"""Compressed matrices (CSC, CSR) that share what they can with others, and sums over their entries."""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp

PIECE = 1_000_000
"""Stored entries that are squared at a time."""


def like(X, data):
    """Compressed matrix with the structure of ``X`` and other entries."""
    out = type(X)(X.shape, dtype=data.dtype)
    out.data, out.indices, out.indptr = data, X.indices, X.indptr
    return out


def transpose(X):
    """Transpose that shares the entries; scipy's own copies those of a slice that is small."""
    if not sp.issparse(X):
        return X.T
    kind = sp.csr_matrix if X.format == "csc" else sp.csc_matrix
    out = kind(X.shape[::-1], dtype=X.dtype)
    out.data, out.indices, out.indptr = X.data, X.indices, X.indptr
    return out


def major_slice(X, a, b, shape):
    """Major slices ``a:b`` of a compressed matrix, without copying the entries."""
    start, stop = X.indptr[a], X.indptr[b]
    out = type(X)(shape, dtype=X.dtype)
    out.data, out.indices = X.data[start:stop], X.indices[start:stop]
    out.indptr = X.indptr[a : b + 1] - start
    return out


def row_squares(X, weights):
    """``(X * X) @ weights`` of a compressed matrix, in pieces that bound the memory."""
    if X.format != "csr":
        return like(X, X.data**2) @ weights
    cuts = np.searchsorted(X.indptr, np.arange(0, X.nnz, PIECE))
    cuts = np.unique(np.concatenate([[0], cuts, [X.shape[0]]]))
    out = np.empty(X.shape[0])
    for a, b in pairwise(cuts):
        piece = major_slice(X, a, b, (b - a, X.shape[1]))
        out[a:b] = like(piece, piece.data**2) @ weights
    return out


def kernel_ready(X):
    """The same matrix in float64 and, where they suffice, int32 indices; sharing what it can."""
    small = max(*X.shape, X.nnz) <= np.iinfo(np.int32).max
    out = type(X)(X.shape, dtype=np.float64)
    out.data = np.asarray(X.data, dtype=np.float64)
    out.indices = np.asarray(X.indices, dtype=np.int32 if small else X.indices.dtype)
    out.indptr = np.asarray(X.indptr, dtype=np.int32 if small else X.indptr.dtype)
    return out

"""Arrays as they are stored, dense or compressed (CSC, CSR): copies that share what they can, and products.

Where other threads are at work, a product of all columns with few results is made by ``dot``, here and in
:mod:`.design_matrix`: for results of fewer than 500 entries, however long the sums are, NumPy's ``@`` keeps
the interpreter's lock.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from sklearn.utils.sparsefuncs import inplace_column_scale, min_max_axis

from .._precision import EPS

ROWS_OF_COPY = 1024
"""Rows that are transposed at a time."""

SHORT, SHORT_SUM = 1000, 1600
"""Entries of a short row, at most: products with these are made faster than by BLAS, and as they lie; and of
one where rows are summed: with the sum it stays in the nearest cache."""

RUNS = 8
"""Runs of rows that threads take in turn, always as many: so sums are the same for any number of threads."""

PIECE = 200_000
"""Stored entries that are squared at a time."""


def is_by_rows(X):
    """Whether the data are a dense array whose rows lie together."""
    return isinstance(X, np.ndarray) and X.flags.c_contiguous


def rows_of(X, index):
    """Rows ``index`` of an array or CSR matrix; of an array a view, where they follow one another."""
    if len(index) and index[-1] - index[0] == len(index) - 1 and (np.diff(index) == 1).all():
        return X[index[0] : index[-1] + 1]
    return X[index]


def runs(end, step, begin=0):
    """Slices of so many of the rows ``begin:end``; the last may be shorter."""
    return [slice(a, min(a + step, end)) for a in range(begin, end, step)]


def in_runs(function, n, n_threads=1):
    """What a function of a slice answers for runs of ``n`` rows, in their order."""
    return in_threads(function, runs(n, max(1, -(-n // RUNS))), n_threads)


def in_threads(function, values, n_threads):
    """What a function answers for each of the values, in their order."""

    def quiet(value):
        with np.errstate(over="ignore", invalid="ignore"):
            return function(value)

    if n_threads == 1:
        return list(map(quiet, values))
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(quiet, values))


def less(X, means, order, index=None, n_threads=1, dtype=np.float64):
    """Dense copy of all columns, or of some, in that order and precision, less their means, if there are any;
    in runs of rows that stay in the cache."""
    whole = index is None or (len(index) == X.shape[1] and bool((np.diff(index) == 1).all()))
    if len(X) <= ROWS_OF_COPY and dtype == np.float64:
        out = np.array(X if whole else X.take(index, axis=1, mode="clip"), dtype=dtype, order=order)
        return out if means is None else np.subtract(out, means, out=out)
    out = np.empty((len(X), X.shape[1] if whole else len(index)), dtype, order=order)
    run = len(X) if X.flags.f_contiguous == out.flags.f_contiguous else ROWS_OF_COPY

    def copy(rows):
        for some in runs(rows.stop, run, rows.start):
            part = X[some] if whole else X[some].take(index, axis=1, mode="clip")
            if means is None:
                out[some] = part
            else:
                np.subtract(part, means, out=out[some], casting="same_kind")

    in_threads(copy, runs(len(X), max(1, -(-len(X) // n_threads))), n_threads)
    return out


def times(X, w, n_threads=0):
    """Product of a large array and a vector; short rows are multiplied faster than by BLAS, and by threads in
    runs."""
    if not X.flags.c_contiguous or X.shape[1] > SHORT:
        return np.dot(X, w) if X.flags.forc else X @ w  # the first lets other threads go on, but copies views
    if n_threads:
        return np.concatenate(in_runs(lambda rows: times(X[rows], w), len(X), n_threads))
    return np.einsum("ij,j->i", X, w)


def times_rows(u, X, n_threads=0):
    """The same of the transpose."""
    if X.flags.f_contiguous or X.shape[1] > SHORT_SUM:
        return np.dot(u, X)
    if n_threads:
        return sum(in_runs(lambda rows: times_rows(u[rows], X[rows]), len(X), n_threads))
    return np.einsum("i,ij->j", u, X)


def products_of(vectors, X, step, n_threads=1):
    """Products of several vectors with a large array, one a row: its entries are read once, so many rows at a
    time, which are in the cache from the second vector on."""
    if len(vectors) == 1 and len(X) <= step:
        return [np.dot(vectors[0], X)]
    if not X.flags.c_contiguous or len(X) <= step:
        return np.dot(np.stack(vectors), X)

    def product(rows):
        total = np.zeros((len(vectors), X.shape[1]))
        for some in runs(rows.stop, step, rows.start):
            total[0] += times_rows(vectors[0][some], X[some])
            if len(vectors) > 1:
                total[1:] += np.dot(np.stack([vector[some] for vector in vectors[1:]]), X[some])
        return total

    return sum(in_runs(product, len(X), n_threads))


def compressed(kind, shape, data, indices, indptr):
    """Compressed matrix of these arrays; scipy's constructor would look at all of them, and copy some."""
    out = kind(shape, dtype=data.dtype)
    out.data, out.indices, out.indptr = data, indices, indptr
    return out


def like(X, data):
    """Compressed matrix with the structure of ``X`` and other entries."""
    return compressed(type(X), X.shape, data, X.indices, X.indptr)


def transpose(X):
    """Transpose that shares the entries; scipy's own copies those of a slice that is small."""
    if not sp.issparse(X):
        return X.T
    kind = sp.csr_matrix if X.format == "csc" else sp.csc_matrix
    return compressed(kind, X.shape[::-1], X.data, X.indices, X.indptr)


def major_slice(X, a, b, shape):
    """Major slices ``a:b`` of a compressed matrix, without copying the entries."""
    some = slice(X.indptr[a], X.indptr[b])
    return compressed(type(X), shape, X.data[some], X.indices[some], X.indptr[a : b + 1] - some.start)


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
    places = [np.asarray(a, dtype=np.int32 if small else a.dtype) for a in (X.indices, X.indptr)]
    return compressed(type(X), X.shape, np.asarray(X.data, dtype=np.float64), *places)


def _rounding(n, means):
    """What rounding may leave of constant columns of ``n`` rows when their means are taken out."""
    return EPS * (10.0 + np.sqrt(n)) * np.abs(means)


def clear_constants(centred, means):
    """Set centred columns to zero that were constant. What rounding leaves of them would determine their
    coefficients, where nothing is penalised: by numbers as large as it is small."""
    most = _rounding(len(centred), means)
    some = np.flatnonzero(np.abs(centred[0]) <= most)
    for j in some[most[some] > 0.0]:
        if np.abs(centred[:, j]).max() <= most[j]:
            centred[:, j] = 0.0


def without_constants(X, means):
    """The sparse matrix, and means that centre it; both zero in constant columns."""
    most = _rounding(X.shape[0], means)
    if X.format == "csc":
        some = np.flatnonzero(np.diff(X.indptr) == X.shape[0])
        first = X.data[X.indptr[some]]
    else:
        first, some = X.data[: X.indptr[1]], X.indices[: X.indptr[1]]
    some = some[np.abs(first - means[some]) <= most[some]]
    if len(some):
        low, high = min_max_axis(X[:, some], axis=0)
        some = some[np.maximum(high - means[some], means[some] - low) <= most[some]]
    if len(some) == 0:
        return X, means
    kept = np.ones(X.shape[1])
    kept[some] = 0.0
    X = X.copy()
    inplace_column_scale(X, kept)
    return X, means * kept

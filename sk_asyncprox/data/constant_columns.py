"""Columns that are constant: centred they are to be zero, whatever rounding leaves of them."""

import numpy as np

from .sparse import like


def _rounding(n, means):
    """What rounding may leave of constant columns of ``n`` rows when their means are taken out."""
    return np.finfo(np.float64).eps * (10.0 + np.sqrt(n)) * np.abs(means)


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
    copied, most = False, _rounding(X.shape[0], means)
    for j in _full_columns(X, means, most):
        run = slice(X.indptr[j], X.indptr[j + 1]) if X.format == "csc" else X.indices == j
        if np.abs(X.data[run] - means[j]).max() <= most[j]:
            if not copied:
                X, means, copied = like(X, X.data.copy()), means.copy(), True
            X.data[run], means[j] = 0.0, 0.0
    return X, means


def _full_columns(X, means, most):
    """Columns of a sparse matrix that store an entry in every row; of one stored by rows only those whose
    entries in some of the rows are their means, as finding all entries of a column reads the whole of it."""
    n, columns = X.shape[0], None
    if X.format == "csc":
        return np.flatnonzero(np.diff(X.indptr) == n)
    for i in range(0, n, 1 + n // 16):
        run = slice(X.indptr[i], X.indptr[i + 1])
        index = X.indices[run]
        near = index[np.abs(X.data[run] - means[index]) <= most[index]]
        columns = near if columns is None else np.intersect1d(columns, near)
    return [j for j in columns if np.count_nonzero(X.indices == j) == n]

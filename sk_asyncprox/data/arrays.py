"""Dense arrays: copies by runs of rows, and products with those that lie as they were given.

Where other threads are at work, a product of all columns with few results is made by ``dot``, here and in
:mod:`.design`: for results of fewer than 500 entries, however long the sums are, NumPy's ``@`` keeps the
interpreter's lock.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

ROWS_OF_COPY = 1024
"""Rows that are transposed at a time."""

SHORT = 1000
"""Entries of a short row, at most."""

RUNS = 8
"""Runs of rows that threads take in turn, always as many: so sums are the same for any number of threads."""


def in_runs(function, n, n_threads=1):
    """What a function of a slice answers for runs of ``n`` rows, in their order."""
    step = max(1, -(-n // RUNS))

    def quiet(a):
        with np.errstate(over="ignore", invalid="ignore"):
            return function(slice(a, min(a + step, n)))

    if n_threads == 1:
        return [quiet(a) for a in range(0, n, step)]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(quiet, range(0, n, step)))


def less(X, means, order, index=None, n_threads=1):
    """Dense copy of all columns, or of some, in float64 and that order, less their means; in runs of rows
    that stay in the cache."""
    index = np.arange(X.shape[1]) if index is None else index
    if len(X) <= ROWS_OF_COPY:
        out = np.array(_taken(X, index), dtype=np.float64, order=order)
        return np.subtract(out, means, out=out)
    out = np.empty((len(X), len(index)), order=order)
    run = len(X) if X.flags.f_contiguous == out.flags.f_contiguous else ROWS_OF_COPY

    def copy(rows):
        for a in range(rows.start, rows.stop, run):
            some = slice(a, min(a + run, rows.stop))
            np.subtract(_taken(X[some], index), means, out=out[some])

    in_runs(copy, len(X), n_threads)
    return out


def times(X, w, n_threads=0):
    """Product of a large array and a vector; short rows are multiplied faster than by BLAS, and by threads in
    runs."""
    if not X.flags.c_contiguous or X.shape[1] > SHORT:
        return X @ w
    if n_threads:
        return np.concatenate(in_runs(lambda rows: times(X[rows], w), len(X), n_threads))
    return np.einsum("ij,j->i", X, w)


def times_rows(u, X, n_threads=0):
    """The same of the transpose."""
    if X.flags.f_contiguous or X.shape[1] > SHORT:
        return np.dot(u, X)
    if n_threads:
        return sum(in_runs(lambda rows: times_rows(u[rows], X[rows]), len(X), n_threads))
    return np.einsum("i,ij->j", u, X)


def products_of(vectors, X, step, n_threads=1):
    """Products of several vectors with a large array, one a row: its entries are read once, so many rows at a
    time, which are in the cache from the second vector on."""
    if not X.flags.c_contiguous or len(X) <= step:
        return np.dot(np.stack(vectors), X)

    def product(rows):
        total = np.zeros((len(vectors), X.shape[1]))
        for a in range(rows.start, rows.stop, step):
            some = slice(a, min(a + step, rows.stop))
            total[0] += times_rows(vectors[0][some], X[some])
            if len(vectors) > 1:
                total[1:] += np.dot(np.stack([vector[some] for vector in vectors[1:]]), X[some])
        return total

    return sum(in_runs(product, len(X), n_threads))


def _taken(rows, index):
    """Columns ``index`` of an array, copied unless they are all, in order."""
    whole = len(index) == rows.shape[1] and (np.diff(index) == 1).all()
    return rows if whole else rows.take(index, axis=1, mode="clip")

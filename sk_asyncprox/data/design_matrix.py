"""The design matrix: one linear operator, whether stored dense or sparse, centred or not.

Dense or sparse, and how columns are centred, is decided here and nowhere else. Sparse matrices are
never filled: their column means are subtracted in the products. So they are of dense ones that are large
and have many more rows than columns, which are never copied; others are centred once, in the copy that the
solvers work on.
"""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh_tridiagonal

from .array_operations import less, like, major_slice, row_squares, runs, times, times_rows, transpose

# A sparse block this full is faster, and better conditioned with an intercept, as a dense one.
DENSE_ABOVE = 0.3

NEAR, TINY = 0.5, 1e-250
"""Total variation (times two) of weights for which scales are kept; squared norm that is not exact."""

ENTRIES_OF_SAMPLE, COPY_COST = 10_000, 5
"""Entries whose rows tell how all are spread; cost of copying columns, relative to a product with them."""

LONG = 4096
"""Rows of a dense matrix from which on columns are copied one by one, without memory in between."""

IN_CACHE = 2_000_000
"""Entries that the next product finds in the cache; more of a matrix as it was given are read by rows."""

ENTRIES_OF_RUN, FEWEST_ROWS = 250_000, 256
"""Entries of a dense matrix that are centred, scaled, or multiplied, at a time: they stay in the cache, and
take longer than threads need to take turns; and rows, at least."""


class Design:
    """Matrix ``X - 1 centre'`` of shape (n, p) with its products: ``X`` are the stored entries, an array or
    CSC or CSR matrix in float64; a ``centre`` is subtracted from every row, implicitly, also of a dense
    matrix where it is not copied, ``is_as_given``."""

    def __init__(self, X, centre=None):
        self.X, self.centre = X, centre
        self.shape = X.shape
        self.is_sparse = sp.issparse(X)
        self.is_as_given = not self.is_sparse and centre is not None
        self.is_streamed = self.is_as_given and X.size > IN_CACHE
        self.is_by_rows = not self.is_sparse and X.flags.c_contiguous
        self._transposed, self._squares, self._single, self.n_threads = transpose(X), None, None, 1

    balance, products, is_finite, given = None, (), False, None
    """Weights in which the columns are centred, products made when the entries were first read, and whether
    these are finite: where these are known; and the same design of the entries as they were given, in single
    precision, where no columns are far from zero."""

    def __reduce__(self):
        # Without the transpose, whose entries would be pickled a second time.
        return type(self), (self.X, self.centre)

    @property
    def size(self):
        """Number of stored entries, the unit of work."""
        return self.X.nnz if self.is_sparse else self.X.size

    def mul(self, w):
        """Product ``(X - 1 centre') w``; columns of few non-zeros are not read for nothing."""
        n_moved, by_rows = np.count_nonzero(w), self.is_sparse and self.X.format == "csr"
        if n_moved == 0:
            return np.zeros(self.shape[0])
        if n_moved * COPY_COST < len(w) and not (by_rows or self.is_as_given):
            moved = w.nonzero()[0]
            few = w[moved]
            return self.columns(moved).mul(few) if self.is_sparse else few.dot(self._transposed[moved])
        out = times(self.X, w, self.n_threads) if self.is_streamed else self.X @ w
        if self.centre is not None:
            out -= self.centre @ w
        return out

    def tmul(self, u):
        """Product ``(X - 1 centre')' u``."""
        out = times_rows(u, self.X, self.n_threads) if self.is_streamed else self._transposed.dot(u)
        if self.centre is not None:
            out -= u.sum() * self.centre
        return out

    def in_precision(self, dtype):
        """The design of sparse columns in double, or in single precision, which is kept."""
        if dtype == self.X.dtype:
            return self
        if self._single is None:
            self._single = Design(like(self.X, self.X.data.astype(dtype)), self.centre)
        return self._single

    def there_and_back(self, w, b, between):
        """Products ``z = (X - 1 centre') w + b`` and ``U (X - 1 centre')``, where ``U[:, rows]`` is what
        ``between(rows, z[rows])`` answers, and the sums of its rows; the entries are read once."""
        centre = np.zeros(self.shape[1]) if self.centre is None else self.centre
        z, out, sums, shift = np.full(self.shape[0], b), 0.0, 0.0, b - centre @ w
        alone = self.is_by_rows and not w.any()  # then BLAS would not find entries in the cache
        for rows in self._slices():
            X = self.X[rows]
            if not alone:
                np.add(times(X, w), shift, out=z[rows])
            U = between(rows, z[rows])
            out = out + (np.stack([times_rows(u, X) for u in U]) if alone else np.dot(U, X))
            sums = sums + U.sum(axis=1)
        return z, out - np.outer(sums, centre), sums

    def column_squares(self, weights):
        """Sums ``sum_i weights_i X_ij^2`` of the stored entries (not centred, when sparse), for scaling:
        those of the last call, in proportion, while the weights' distribution is near."""
        total = weights.sum()
        if total == 0.0:
            return np.zeros(self.shape[1])
        if self._squares is not None:
            before, squares = self._squares
            if np.abs(weights / total - before).sum() <= NEAR:
                return total * squares
        if self.is_sparse:
            squares = row_squares(self._transposed, weights)
        else:
            squares = sum(np.dot(weights[rows], part**2) for rows, part in self.runs())
        self._squares = weights / total, squares / total
        return squares

    def columns(self, index):
        """Design of the columns ``index`` (sorted); contiguous ranges of no CSR matrix share entries, of one
        that lies as it was given only all."""
        if self.is_as_given and len(index) == self.shape[1]:
            return self
        apart = len(index) == 0 or index[-1] - index[0] + 1 != len(index)
        if apart or self.is_as_given or (self.is_sparse and self.X.format == "csr"):
            return self.some(index)
        a, b, centre = int(index[0]), int(index[-1]) + 1, None if self.centre is None else self.centre[index]
        if self.is_sparse:
            return Design(major_slice(self.X, a, b, (self.shape[0], b - a)), centre)
        return Design(self.X[:, a:b], centre)

    def some(self, index):
        """Design of the columns ``index``, in any order, copied; dense ones are centred."""
        if self.is_as_given:
            return Design(less(self.X, self.centre[index], "F", index))
        centre = None if self.centre is None else self.centre[index]
        # Rows of the transpose are contiguous, and copied as such.
        return Design(self.X[:, index] if self.is_sparse else self.X.T[index].T, centre)

    def rows(self, a, b):
        """Design of the rows ``a:b``, sharing the entries of a CSR or dense matrix."""
        if self.is_sparse and self.X.format == "csr":
            return Design(major_slice(self.X, a, b, (b - a, self.shape[1])), self.centre)
        return Design(self.X[a:b], self.centre)

    def by_columns(self):
        """The same sparse matrix stored by columns, and one without entries after them."""
        X, (n, p) = self.X.tocsc(), self.shape
        indptr = np.append(X.indptr, X.indptr[-1:])
        centre = None if self.centre is None else np.append(self.centre, 0.0)
        return Design(sp.csc_matrix((X.data, X.indices, indptr), shape=(n, p + 1)), centre)

    def cut_rows(self, n_parts):
        """Runs ``(a, b)`` of rows with nearly equal numbers of stored entries; none is empty."""
        n, shares = self.shape[0], np.arange(1, n_parts) / n_parts
        if self.is_sparse and self.X.format == "csc" and self.size:
            sample = self.X.indices[:: 1 + self.size // ENTRIES_OF_SAMPLE]
            cuts = np.quantile(sample, shares).astype(int) + 1
        else:
            cuts = (n * shares).astype(int)
        return list(pairwise(np.unique([0, *np.minimum(cuts, n), n]).tolist()))

    def column_sizes(self):
        """Stored entries of every column (of a CSC or dense matrix)."""
        if self.is_sparse:
            return np.diff(self.X.indptr)
        return np.full(self.shape[1], self.shape[0])

    def empty_columns(self):
        """Mask of the columns without a non-zero entry."""
        return self._column_heights() == 0.0

    def _column_heights(self):
        if self.is_sparse:
            return abs(self.X).max(axis=0).toarray().ravel()
        return np.maximum(self.X.max(axis=0), -self.X.min(axis=0))

    def extremes(self):
        """Sizes of the smallest and the largest column with a non-zero entry, by their largest entries; both
        one where there is none."""
        sizes = self._column_heights()
        sizes = sizes[sizes > 0.0]
        return (sizes.min(), sizes.max()) if len(sizes) else (1.0, 1.0)

    def scaled(self, exponent):
        """Design with all entries times ``2^exponent``, which rounds none."""
        X = like(self.X, np.ldexp(self.X.data, exponent)) if self.is_sparse else np.ldexp(self.X, exponent)
        return Design(X, None if self.centre is None else np.ldexp(self.centre, exponent))

    def is_full(self, index=None):
        """Whether the matrix, or its columns ``index``, are better treated as dense."""
        if not self.is_sparse:
            return True
        if index is None or len(index) == self.shape[1]:
            return self.size > DENSE_ABOVE * self.shape[0] * self.shape[1]
        return np.diff(self.X.indptr)[index].sum() > DENSE_ABOVE * self.shape[0] * len(index)

    def filled(self):
        """Dense, explicitly centred design with the same entries, stored by columns."""
        if not self.is_sparse:
            return self.some(np.arange(self.shape[1])) if self.is_as_given else self
        dense = self.X.toarray(order="F")
        if self.centre is not None:
            dense -= self.centre
        return Design(dense)

    def taken(self, rows, index, step, dtype):
        """Runs of so many of the rows (a slice), numbered from zero, each with its columns ``index``,
        transposed, filled and centred, in memory that the next one overwrites: fresh pages cost more than the
        entries."""
        rows = range(self.shape[0])[rows]
        n, k, by_rows = min(step, len(rows)), len(index), self.is_by_rows or self.is_sparse
        out = np.empty((n, k), dtype).T if by_rows else np.empty((k, n), dtype)
        whole, centre = by_rows and k == self.shape[1], 0.0 if self.centre is None else self.centre[index]
        room = np.empty((n, k)) if by_rows and not whole else None
        for run in runs(len(rows), step):
            of = rows[run]
            X, some = self.X[of.start : of.stop : of.step], out[:, : len(of)]
            X = X.toarray() if self.is_sparse else X
            if by_rows:
                part = X if whole else X.take(index, axis=1, out=room[: len(X)], mode="clip")
                np.subtract(part, centre, out=some.T, casting="same_kind")
            elif len(X) < LONG and not self.is_as_given:
                some[:] = X.T[index]
            else:
                for row, j, mean in zip(some, index, np.broadcast_to(centre, k), strict=True):
                    np.subtract(X[:, j], mean, out=row, casting="same_kind")
            yield run, some

    def gathered(self, rows, index):
        """Design of the rows (a slice) and columns ``index`` alone, centred, by rows."""
        X, centre = self.X[rows], 0.0 if self.centre is None else self.centre[index]
        out = np.empty((len(X), len(index)))
        for run in runs(len(X), max(FEWEST_ROWS, ENTRIES_OF_RUN // max(1, len(index)))):
            some = X[run].take(index, axis=1, out=out[run], mode="clip")
            some -= centre
        return Design(out)

    def runs(self):
        """Runs of rows whose entries stay in the cache, and these rows, dense and explicitly centred."""
        for rows in self._slices():
            yield rows, self.X[rows] if self.centre is None else self.X[rows] - self.centre

    def _slices(self):
        return runs(self.shape[0], max(FEWEST_ROWS, ENTRIES_OF_RUN // max(1, self.shape[1])))

    def gram(self, weights):
        """Gram matrix, in these weights."""
        if self.is_sparse:
            Q = (self.X.T @ sp.diags(weights) @ self.X).toarray()
        elif (weights == weights[0]).all():
            Q = weights[0] * (self.X.T @ self.X)
        else:
            roots, slices = np.sqrt(weights)[:, None], self._slices()
            Q = sum(part.T @ part for part in (self.X[rows] * roots[rows] for rows in slices))
        if self.centre is not None:
            sums = 0.0 if weights is self.balance else self.tmul(weights)
            across = np.outer(sums + 0.5 * weights.sum() * self.centre, self.centre)
            Q -= across + across.T
        return Q

    def smoothness(self, weights, random_state=0, min_products=12, max_products=60, rtol=1e-3, margin=1.02):
        """Largest eigenvalue of ``X' diag(weights) X`` by Lanczos' method, with a safe margin.

        Ritz values approach the eigenvalue from below; iterations stop when the residual is below
        ``rtol``, and ``margin`` covers what is left. A power iteration will not do: where one
        eigenvalue stands out of many equal ones, it stalls at these for long. Infinite where squares
        overflow.
        """
        if self.shape[1] == 0 or self.size == 0:
            return 0.0
        x = np.random.default_rng(random_state).standard_normal(self.shape[1])
        x, old, beta, value = x / np.linalg.norm(x), 0.0, 0.0, 0.0
        diagonal, beside = [], []
        for _ in range(max_products):
            new = self.tmul(weights * self.mul(x)) - beta * old
            diagonal.append(x @ new)
            new -= diagonal[-1] * x
            size = new @ new
            if not TINY < size < 1.0 / TINY and new.any():
                largest = np.abs(new).max()
                exponent = int(np.frexp(largest)[1])
                if not np.isfinite(largest):
                    return np.inf
                return float(np.ldexp(self.smoothness(np.ldexp(weights, -exponent)), exponent))
            values, vectors = eigh_tridiagonal(diagonal, beside)
            value, beta = values[-1], np.sqrt(size)
            residual = beta * abs(vectors[-1, -1])
            if (residual <= rtol * value and len(diagonal) >= min_products) or beta <= 1e-10 * value:
                break
            beside.append(beta)
            old, x = x, new / beta
        return margin * max(0.0, value)

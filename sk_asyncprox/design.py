"""The design matrix: one linear operator, whether stored dense or sparse, centred or not.

Dense or sparse, and how columns are centred, is decided here and nowhere else. Sparse matrices are
never filled: their column means are subtracted in the products. Dense ones are centred once, in the
copy that the solvers work on.
"""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh_tridiagonal

from .compressed import kernel_ready, like, major_slice, row_squares, transpose
from .constant_columns import clear_constants, without_constants

# A sparse block this full is faster, and better conditioned with an intercept, as a dense one.
DENSE_ABOVE = 0.3

NEAR = 0.5
"""Total variation (times two) of weights for which scales are kept."""

TINY = 1e-250
"""Squared norm that is not exact any more."""

ENTRIES_OF_SAMPLE = 10_000
"""Entries whose rows tell how the entries are spread over the rows."""

COPY_COST = 5
"""Cost of copying columns, relative to a product with them."""

ROWS_OF_PRODUCT, ROWS_OF_COPY = 8192, 1024
"""Rows of a dense matrix that are multiplied, or transposed, at a time."""


class Design:
    """Matrix ``X - 1 centre'`` of shape (n, p) with its products.

    Parameters
    ----------
    X : {ndarray, csc_matrix, csr_matrix} of shape (n, p), float64
        Stored entries.
    centre : ndarray of shape (p,) or None
        Subtracted from every row, implicitly.
    """

    def __init__(self, X, centre=None):
        self.X, self.centre = X, centre
        self.shape = X.shape
        self.is_sparse = sp.issparse(X)
        self._transposed, self._squares = transpose(X), None

    def __reduce__(self):
        # Without the transpose, whose entries would be pickled a second time.
        return type(self), (self.X, self.centre)

    @property
    def size(self):
        """Number of stored entries, the unit of work."""
        return self.X.nnz if self.is_sparse else self.X.size

    def mul(self, w):
        """Product ``(X - 1 centre') w``; columns of few non-zeros are not read for nothing."""
        n_moved = np.count_nonzero(w)
        if n_moved == 0:
            return np.zeros(self.shape[0])
        if n_moved * COPY_COST < len(w) and not (self.is_sparse and self.X.format == "csr"):
            moved = w.nonzero()[0]
            return self.columns(moved).mul(w[moved]) if self.is_sparse else self._mul_some(moved, w[moved])
        out = self.X @ w
        if self.centre is not None:
            out -= self.centre @ w
        return out

    def _mul_some(self, index, w):
        """Product of some columns of a dense matrix, centred itself; copies stay in the cache."""
        out, rows = np.empty(self.shape[0]), self._transposed
        for a in range(0, len(out), ROWS_OF_PRODUCT):
            b = a + ROWS_OF_PRODUCT
            np.matmul(w, rows[index, a:b], out=out[a:b])
        return out

    def tmul(self, u):
        """Product ``(X - 1 centre')' u``."""
        out = self._transposed @ u
        if self.centre is not None:
            out -= u.sum() * self.centre
        return out

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
        X = self.X
        squares = row_squares(self._transposed, weights) if self.is_sparse else (X * X).T @ weights
        self._squares = weights / total, squares / total
        return squares

    def columns(self, index):
        """Design of the columns ``index`` (sorted); contiguous ranges of no CSR matrix share entries."""
        apart = len(index) == 0 or index[-1] - index[0] + 1 != len(index)
        if apart or (self.is_sparse and self.X.format == "csr"):
            return self.some(index)
        a, b, centre = int(index[0]), int(index[-1]) + 1, None if self.centre is None else self.centre[index]
        if self.is_sparse:
            return Design(major_slice(self.X, a, b, (self.shape[0], b - a)), centre)
        return Design(self.X[:, a:b], centre)

    def some(self, index):
        """Design of the columns ``index``, in any order, copied."""
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
        largest = abs(self.X).max(axis=0)
        return (largest.toarray() if self.is_sparse else largest).ravel()

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
        size = self.size if index is None else np.diff(self.X.indptr)[index].sum()
        return size > DENSE_ABOVE * self.shape[0] * (self.shape[1] if index is None else len(index))

    def filled(self):
        """Dense, explicitly centred design with the same entries."""
        if not self.is_sparse:
            return self
        dense = self.X.toarray(order="F")
        if self.centre is not None:
            dense -= self.centre
        return Design(dense)

    def filled_rows(self, a, b):
        """The rows ``a:b``, dense and explicitly centred."""
        if not self.is_sparse:
            return self.X[a:b]
        rows = self.X[a:b].toarray()
        return rows if self.centre is None else rows - self.centre

    def gram(self, weights):
        """Gram matrix ``X' diag(weights) X`` of a dense design, and the column sums ``X' weights``."""
        if (weights == weights[0]).all():
            return weights[0] * (self.X.T @ self.X), self.X.T @ weights
        scaled = self.X * np.sqrt(weights)[:, None]
        return scaled.T @ scaled, self.X.T @ weights

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


def rows_of(X, index):
    """Rows ``index`` of an array or CSR matrix; of an array a view, where they follow one another."""
    if len(index) and index[-1] - index[0] == len(index) - 1 and (np.diff(index) == 1).all():
        return X[index[0] : index[-1] + 1]
    return X[index]


def design_of(X, weights, *, rows=False, centred=False, overwrite=False):
    """Design that the solvers work on, and the column means.

    Parameters
    ----------
    X : {ndarray, sparse matrix or array} of shape (n, p)
        Validated data, float32 or float64; left as it is, unless ``overwrite``.
    weights : ndarray of shape (n,)
        Non-negative, summing to one.
    rows : bool
        Whether rows are to be cut out (CSR), instead of columns (CSC, Fortran order).
    centred : bool
        Whether the weighted column means are subtracted.
    overwrite : bool
        Whether they may be subtracted in place, from a dense ``X``.

    Returns
    -------
    design : Design
        In float64. The entries are shared with ``X`` when no conversion is needed.
    means : ndarray of shape (p,)
        What was subtracted from the columns; zeros when not centred.
    """
    if sp.issparse(X):
        X = sp.csr_matrix(X) if rows else sp.csc_matrix(X)
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        X = kernel_ready(X)
        if not centred:
            return Design(X), np.zeros(X.shape[1])
        means = X.T @ weights
        return Design(*without_constants(X, means)), means
    order = "C" if rows else "F"
    if X.dtype != np.float64:
        X, overwrite = _less(X, 0.0, order), True
    fits = X.flags.c_contiguous if rows else X.flags.f_contiguous
    if not centred:
        return Design(X if fits else _less(X, 0.0, order)), np.zeros(X.shape[1])
    means = weights @ X
    mine = fits and overwrite and X.flags.writeable
    dense = np.subtract(X, means, out=X) if mine else _less(X, means, order)
    clear_constants(dense, means)
    return Design(dense), means


def _less(X, means, order):
    """Dense copy in float64 and that order, less the columns' means; what has to be transposed is so in runs
    of rows that stay in the cache."""
    if len(X) <= ROWS_OF_COPY:
        out = np.array(X, dtype=np.float64, order=order)
        return np.subtract(out, means, out=out)
    out = np.empty(X.shape, order=order)
    run = len(X) if X.flags.f_contiguous == out.flags.f_contiguous else ROWS_OF_COPY
    for a in range(0, len(X), run):
        np.subtract(X[a : a + run], means, out=out[a : a + run])
    return out

"""The data of a problem, and what is made of them when it is first asked for."""

from copy import copy

import numpy as np
import scipy.sparse as sp

from .array_operations import clear_constants, kernel_ready, less, products_of, rows_of, without_constants
from .design_matrix import ENTRIES_OF_RUN, FEWEST_ROWS, Design
from .moments import is_far_in_some, moments_of, point_of

WIDE = 512
"""Columns from which on products by rows of a dense array are as fast as those by columns."""

LARGE, NARROW = 10_000_000, 256
"""Entries of a dense array from which on it need not be copied where it has so few columns, or rows that lie
together and are no fewer than the columns."""

SQUARED_LARGE = 100_000
"""The same for a squared loss, up to those entries and of any number of columns: what is swept is a copy in
single precision."""

CHEAP_MOMENTS, TALL = 20_000_000, 128
"""Products of second moments of all columns so cheap that a squared loss is solved on these at once; and
columns up to which they are so in data that are not large: a copy of the data costs as much."""


def moments_are_cheap(n, p):
    """Whether second moments of all columns cost less than looks at these."""
    return p <= n and (n * p * p <= CHEAP_MOMENTS or (p <= TALL and n * p <= LARGE))


class Data:
    """Rows of ``X``, and what is made of them when it is first asked for.

    ``weights`` are those of the rows that count, summing to one, and ``index`` says which these are, where
    they are not all. The other parameters are as for :class:`Problem` and :func:`design_of`.
    """

    def __init__(self, X, weights, uniform, centred, rows, overwrite, as_given, squared, index=None):
        self._X, self._index, self._centred, self._weights = X, index, centred, weights
        self._how = {"rows": rows, "centred": centred, "overwrite": overwrite}
        self._how |= {"as_given": as_given, "squared": squared}
        self._each, self._design = None if uniform else weights, None
        self.shape, self.is_dense = (len(weights), X.shape[1]), not sp.issparse(X)

    def some(self, index, weights, uniform):
        """The data of some of the rows, taken before a design is made, which may be in place of these."""
        if self._X is None or self._index is not None:
            raise RuntimeError("Rows are taken of all data, before their design is made.")
        return Data(
            self._X, weights, uniform, index=index, **self._how | {"overwrite": True, "squared": False}
        )

    def scaled(self, exponent):
        """The data times ``2^exponent``."""
        other, (design, means) = copy(self), self.design()
        other._design = design.scaled(exponent), np.ldexp(means, exponent)
        return other

    @property
    def by_rows(self):
        """Whether rows are cut out, instead of columns."""
        return self._how["rows"]

    @property
    def is_made(self):
        return self._design is not None

    def rows(self):
        """The rows that count."""
        return self._X if self._index is None else rows_of(self._X, self._index)

    def design(self, n_threads=1, vectors=()):
        """The design, and the means taken out of its columns; where it lies as it was given, its
        ``products`` are those of the vectors with these."""
        if self._design is None:
            rows, how = self.rows(), self._how
            if self._index is not None and self.is_dense and np.may_share_memory(rows, self._X):
                how = how | {"overwrite": False}  # rows that follow one another are a view of the data
            how = how | {"n_threads": n_threads, "vectors": vectors}
            self._design, self._X = design_of(rows, self._weights, **how), None
            if self.is_dense and rows.dtype == np.float32 and rows.flags.forc and not how["squared"]:
                design, means = self._design
                design.given = None if is_far_in_some(rows, self._weights) else Design(rows, means)
        return self._design

    def point(self, y):
        """Point that moments are best taken about."""
        return point_of(self._dense(), y, self._each, self._centred)

    def _dense(self):
        return self.design()[0].X if self._X is None else self.rows()

    def moments(self, y, about=None, index=None):
        """Moments of the rows that count, or of ``index`` among them, about a point."""
        X, each, about = self._dense(), self._each, self.point(y) if about is None else about
        if index is not None:
            X, y, each = rows_of(X, index), y[index], None if each is None else each[index]
        return moments_of(X, y, each, about)


def _serves_as_given(X, weights, products, squared):
    """Whether a dense array is large, or its Gram matrix takes few products, and no columns are far from
    zero: products would cancel as these are centred. Constant ones are such."""
    n, p = X.shape
    large = n * p > LARGE and (p <= NARROW or (p <= n and X.flags.c_contiguous))
    large |= squared and SQUARED_LARGE < n * p <= LARGE and X.flags.forc
    # BLAS copies a view of some columns whenever it multiplies it.
    cheap = X.flags.forc and n * p * p <= products and (p <= n or products == np.inf)
    return (large or cheap) and not is_far_in_some(X, weights)


def _read(design, weights, centred, vectors):
    """Read the entries once: centre the columns in these weights, or leave them as they are, and make the
    products of the vectors with them."""
    step = max(FEWEST_ROWS, ENTRIES_OF_RUN // max(1, design.shape[1]))
    means, *products = products_of([weights, *vectors], design.X, step, design.n_threads)
    design.is_finite = bool(np.isfinite(means).all())
    if centred:
        design.centre, design.balance = means, weights
    if len(vectors):
        design.products = [row - u.sum() * design.centre for row, u in zip(products, vectors, strict=True)]


def design_of(
    X,
    weights,
    rows=False,
    centred=False,
    overwrite=False,
    as_given=None,
    squared=False,
    n_threads=1,
    vectors=(),
):
    """Design that the solvers work on, in float64, and the column means that were taken out of it, zeros
    where it is not ``centred``. It shares the entries of the validated ``X`` where no conversion is needed.

    ``rows`` says whether rows are to be cut out (CSR), instead of columns (CSC, Fortran order); ``overwrite``
    whether means may be subtracted in place, from a dense ``X``. ``as_given`` are products of a Gram matrix
    up to which a dense ``X`` may stay as it is, its means subtracted in the products, as a large one of few
    columns may; None if it may not; ``squared``: for a squared loss, of which smaller ones may stay.
    ``n_threads`` copy a large dense ``X``, and make its products where no workers do; those of ``vectors``
    are made as one that stays as it is is read.
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
    as_given = as_given is not None and _serves_as_given(X, weights, as_given, squared)
    order = "C" if rows or (as_given and X.flags.c_contiguous) else "F"
    if X.dtype != np.float64:
        X, overwrite = less(X, None, order, n_threads=n_threads), True
    if as_given:
        design = Design(X, np.zeros(X.shape[1]))
        design.n_threads = n_threads
        if centred or len(vectors):
            _read(design, weights, centred, vectors)
        return design, design.centre
    fits = X.flags.c_contiguous if rows else X.flags.f_contiguous
    if not centred:
        return Design(X if fits else less(X, None, order, n_threads=n_threads)), np.zeros(X.shape[1])
    means = weights @ X
    mine = fits and overwrite and X.flags.writeable
    dense = np.subtract(X, means, out=X) if mine else less(X, means, order, n_threads=n_threads)
    clear_constants(dense, means)
    return Design(dense), means

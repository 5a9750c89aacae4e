"""Rows of Gram matrices, of dense and of sparse columns.

Sparse columns are multiplied in two parts: those stored in many rows are filled, a run of rows at a time,
and multiplied by BLAS; the thin rest is left to sparse products, whose cost is that of the entries that meet.
"""

from itertools import accumulate

import numpy as np
import scipy.sparse as sp

from ..data.design import ENTRIES_OF_LOOK, ENTRIES_OF_RUN, FEWEST_ROWS

HEAVY = 0.05
"""Share of the rows from which on a sparse column is filled."""

SMALL = 50_000
"""Entries of a filled matrix that cost no more than a few calls: all of its columns are filled."""

AT_ONCE = 2_000_000
"""Entries of a filled run, or of a piece of a sparse product."""

LARGE, RIDGE = 200_000_000, 3e-6
"""Products of a matrix, or of its new rows, from which on they are made in single precision, which is twice
as fast and travels in half the bytes; and what is then added to the diagonal, relative to it, to cover the
rounding. Only the metric is rounded, or, where the curvature changes from point to point, the way to the
solution: not residuals, certificates and where it ends."""

LEAST = 1e-30
"""Diagonal entry below which single precision has run out of exponents."""

COPYING, FILLING, MEETING, BESIDE, BLAS = 8.0, 2.0, 10.0, 0.4, 0.03
"""Costs, in stored entries that a product with a vector reads meanwhile: of an entry that is copied, of one
that is filled, of two that meet in a sparse product, of one that meets a filled one, of a product in BLAS."""


def rows_cost(sizes, n, n_wanted):
    """Cost of so many rows of a Gram matrix, in stored entries that a product with a vector reads meanwhile,
    of columns with so many stored entries in ``n`` samples."""
    return min(_parts_cost(sizes, n, n_wanted), _beside_cost(sizes, n, n_wanted))


def _parts_cost(sizes, n, n_wanted):
    """Cost of so many rows in two parts."""
    heavy = _is_heavy(sizes, n)
    h, thin = np.count_nonzero(heavy), float(sizes[~heavy].sum())
    products = MEETING * thin * thin / n + BESIDE * thin * h + BLAS * n * h * h
    return COPYING * sizes.sum() + FILLING * n * h + n_wanted / len(sizes) * products


def _beside_cost(sizes, n, n_wanted):
    """Cost of the same where the columns of the wanted rows are filled."""
    return FILLING * n * n_wanted + BESIDE * float(sizes.sum()) * n_wanted


def count_heavy(sizes, n):
    """How many columns are filled."""
    return np.count_nonzero(_is_heavy(sizes, n))


def _is_heavy(sizes, n):
    return sizes > (HEAVY * n if n * len(sizes) > SMALL else -1)


def add_filled(columns, model, rows, wanted, Q, sums):
    """Add what the samples ``rows`` make up of rows of a Gram matrix.

    ``columns`` are those of every output, transposed, at these samples, in the precision of the products;
    they are overwritten. ``wanted`` are the rows that are wanted, sorted, and added to are ``Q`` and, if
    there are, ``sums``: the products of the columns with those of the intercepts, one column for each output.
    """
    if len(columns) == 1:
        [(_, _, [root])] = model.squares(rows)
        [block] = columns
        size = 1.0
        if root.min() == root.max():
            # Weights that are all alike are those of the sum.
            size, root = root[0] ** 2, np.ones_like(root)
        root = root.astype(block.dtype, copy=False)
        if size == 1.0:
            block *= root
        Q += size * ((block if len(wanted) == len(block) else block[wanted]) @ block.T)
        if sums is not None:
            sums[:, 0] += size * (block @ root)
        return
    ends = [0, *accumulate(map(len, columns))]
    for sign, outputs, scales in model.squares(rows):
        scales = scales.astype(columns[0].dtype, copy=False)
        blocks = columns[outputs]
        block = np.concatenate([part * scale for part, scale in zip(blocks, scales, strict=True)])
        a, b = ends[outputs.start], ends[outputs.stop]
        low, high = wanted.searchsorted((a, b))
        some = block if high - low == b - a else block[wanted[low:high] - a]
        (np.add if sign > 0 else np.subtract)(Q[low:high, a:b], some @ block.T, out=Q[low:high, a:b])
        if sums is not None:
            sums[a:b, outputs] += sign * (block @ scales.T)


def full_rows(design, model, n_outputs):
    """Gram matrix of all columns of a dense design, one copy for every output, in a model of its margins; and
    the products of the columns with those of the intercepts, of shape (k, n_outputs)."""
    p = design.shape[1]
    Q, sums = np.zeros((n_outputs * p, n_outputs * p)), np.zeros((n_outputs * p, n_outputs))
    for rows, part in design.runs():
        for sign, outputs, scales in model.squares(rows):
            own = slice(outputs.start * p, outputs.stop * p)
            block = (scales[:, None] * part.T).reshape(-1, len(part))
            Q[own, own] += sign * (block @ block.T)
            sums[own, outputs] += sign * (block @ scales.T)
    return Q, sums


def add_runs(columns, model, begin, end, dtype, wanted, Q, sums):
    """The same of the samples ``begin:end``; ``columns`` are pairs of a design and numbers of its columns."""
    entries = ENTRIES_OF_LOOK if columns[0][0].is_by_rows else ENTRIES_OF_RUN
    step = max(FEWEST_ROWS, entries // max(1, Q.shape[1]))
    runs = [design.taken(begin, end, index, step, dtype) for design, index in columns]
    for outputs in zip(*runs, strict=True):
        add_filled([block for _, block in outputs], model, outputs[0][0], wanted, Q, sums)


def add_sparse(columns, model, dtype, wanted, Q, sums):
    """As :func:`add_filled`, for sparse columns (CSR) at all samples, in the precision ``dtype``."""
    ends = [0, *accumulate(block.shape[0] for block in columns)]
    for sign, outputs, scales in model.squares(slice(None)):
        scales = scales.astype(dtype, copy=False)
        blocks = [scaled(part, scale) for part, scale in zip(columns[outputs], scales, strict=True)]
        block = blocks[0] if len(blocks) == 1 else sp.vstack(blocks, format="csr")
        a, b = ends[outputs.start], ends[outputs.stop]
        low, high = wanted.searchsorted((a, b))
        Q[low:high, a:b] += sign * _products(block, wanted[low:high] - a)
        sums[a:b, outputs] += sign * (block @ scales.T)


def scaled(columns, scale):
    """Sparse columns, transposed, whose samples are multiplied by ``scale``, in its precision."""
    data = columns.data.astype(scale.dtype) * scale[columns.indices]
    return type(columns)((data, columns.indices, columns.indptr), shape=columns.shape)


def _products(M, wanted):
    """Rows ``wanted`` of ``M M'``, in two parts."""
    sizes, n = np.diff(M.indptr), M.shape[1]
    if len(wanted) == 0:
        return np.empty((0, len(sizes)))
    if _beside_cost(sizes, n, len(wanted)) < _parts_cost(sizes, n, len(wanted)):
        return (M @ M[wanted].T.toarray()).T
    heavy = _is_heavy(sizes, n)
    h, t = np.flatnonzero(heavy), np.flatnonzero(~heavy)
    of_heavy, of_thin = np.flatnonzero(heavy[wanted]), np.flatnonzero(~heavy[wanted])
    H, T = M if len(t) == 0 else M[h], M if len(h) == 0 else M[t]
    own, rest = np.searchsorted(h, wanted[of_heavy]), np.searchsorted(t, wanted[of_thin])
    out = np.empty((len(wanted), len(heavy)), M.dtype)
    if len(h):
        ours, theirs, others = _filled(H, T, own, rest)
        out[of_heavy[:, None], h], out[of_heavy[:, None], t], out[of_thin[:, None], h] = ours, theirs, others
    if len(rest):
        out[of_thin[:, None], t] = _thin(T, rest)
    return out


def _filled(H, T, own, rest):
    """Products of the filled rows of ``H``: of those with the numbers ``own`` with all, and with all rows of
    ``T``; and of the rows ``rest`` of ``T`` with all."""
    (k, n), step = H.shape, max(FEWEST_ROWS, AT_ONCE // H.shape[0])
    # By samples: rows of these are runs of their entries.
    heavy, thin = H.T.tocsr(), T.T.tocsr()
    ours, theirs = np.zeros((len(own), k), H.dtype), np.zeros((len(own), T.shape[0]), H.dtype)
    alike = len(own) == k and len(rest) == T.shape[0]
    some = thin if alike else T[rest].T.tocsr()
    others = theirs.T if alike else np.zeros((len(rest), k), H.dtype)
    for a in range(0, n, step):
        rows = slice(a, a + step)
        filled = heavy[rows].toarray()
        mine = filled if len(own) == k else filled[:, own]
        ours += mine.T @ filled
        theirs += (thin[rows].T @ mine).T
        if not alike:
            others += some[rows].T @ filled
    return ours, theirs, others


def _thin(T, rest):
    """Products of the rows ``rest`` of ``T`` with all."""
    columns, out = T.T.tocsr(), np.empty((len(rest), T.shape[0]), T.dtype)
    step = max(1, AT_ONCE // T.shape[0])
    for a in range(0, len(rest), step):
        out[a : a + step] = (T[rest[a : a + step]] @ columns).toarray()
    return out

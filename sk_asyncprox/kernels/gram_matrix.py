"""Rows of Gram matrices, of dense and of sparse columns.

Sparse columns are multiplied in two parts: those with entries in many rows are filled, a run of rows at a
time, and multiplied by BLAS; the others as they are, at the cost of the entries that meet.
"""

import operator
from functools import partial
from itertools import accumulate

import numpy as np
import scipy.sparse as sp

from ..data.design_matrix import ENTRIES_OF_RUN, FEWEST_ROWS

HEAVY = 0.05
"""Share of the rows from which on a sparse column is filled."""

AT_ONCE = 2_000_000
"""Entries of a filled run, or of a piece of a sparse product."""

LARGE, RIDGE = 200_000_000, 3e-6
"""Products of a matrix, or of its new rows, from which on they are made in single precision, which is twice
as fast and travels in half the bytes; and what is then added to the diagonal, relative to it, to cover the
rounding. Only the metric is rounded, or, where the curvature changes from point to point, the way to the
solution: not residuals, certificates and where it ends."""

LEAST = 1e-30
"""Diagonal entry below which single precision has run out of exponents."""


def add_filled(columns, model, rows, wanted, Q, sums):
    """Add what the samples ``rows`` make up of rows of a Gram matrix.

    ``columns`` are those of every output, transposed, at these samples, in the precision of the products;
    they may be overwritten. ``wanted`` are the rows that are wanted, sorted, and added to are ``Q`` and
    ``sums``, the products of the columns with those of the intercepts, one column for each output.
    """

    def product(block, some):
        return (block if len(some) == len(block) else block[some]).dot(block.T)

    # In place, where every column is used once: fresh pages cost more than the entries.
    ways = operator.imul if len(columns) == 1 else operator.mul, np.concatenate, product
    _add(columns, model, rows, columns[0].dtype, wanted, Q, sums, *ways)


def add_sparse(columns, model, dtype, wanted, Q, sums):
    """As :func:`add_filled`, for sparse columns (CSR) at all samples, in the precision ``dtype``."""
    ways = scaled, partial(sp.vstack, format="csr"), _products
    _add(columns, model, slice(None), dtype, wanted, Q, sums, *ways)


def _add(columns, model, rows, dtype, wanted, Q, sums, scale, stack, product):
    ends = [0, *accumulate(block.shape[0] for block in columns)]
    for sign, outputs, scales in model.squares(rows):
        scales = scales.astype(dtype, copy=False)
        blocks = list(map(scale, columns[outputs], scales))
        block = blocks[0] if len(blocks) == 1 else stack(blocks)
        a, b = ends[outputs.start], ends[outputs.stop]
        low, high = wanted.searchsorted((a, b))
        Q[low:high, a:b] += sign * product(block, wanted[low:high] - a)
        sums[a:b, outputs] += sign * block.dot(scales.T)


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


def gram_of(problem, model, flat):
    """Gram matrix of all columns in a model of a dense problem, centred where an intercept follows, and how
    that does; ``flat`` says that all samples have the same curvature."""
    if flat:
        # Columns are centred where there is an intercept.
        own, G = model.own_of_samples, problem.features.gram(problem.sample_weights)
        Q = (own[:, None, :, None] * G[:, None]).reshape(len(own) * len(G), -1)
        return Q, np.zeros((len(Q), len(own)))
    Q, sums = full_rows(problem.features, model, problem.loss.n_outputs)
    follow = model.follow(sums)
    if problem.fit_intercept:
        Q -= sums @ follow.T
    return Q, follow


def add_rows(columns, model, rows, dtype, wanted, Q, sums):
    """The same of the samples ``rows`` (a slice), which the model is of, of sparse columns all; ``columns``
    are, for every output, a design and the numbers of its columns, all of a sparse one not to be filled."""
    designs = [design for design, _ in columns]
    if not all(design.is_full() for design in designs):
        made = {id(design.X): design.X.T.tocsr() for design in designs}
        add_sparse([made[id(design.X)] for design in designs], model, dtype, wanted, Q, sums)
        return
    step = max(FEWEST_ROWS, ENTRIES_OF_RUN // max(1, Q.shape[1]))
    runs = [design.taken(rows, index, step, dtype) for design, index in columns]
    for outputs in zip(*runs, strict=True):
        add_filled([block for _, block in outputs], model, outputs[0][0], wanted, Q, sums)


def scaled(columns, scale):
    """Sparse columns, transposed, whose samples are multiplied by ``scale``, in its precision."""
    data = columns.data.astype(scale.dtype) * scale[columns.indices]
    return type(columns)((data, columns.indices, columns.indptr), shape=columns.shape)


def _products(M, wanted):
    """Rows ``wanted`` of ``M M'``."""
    (k, n), m = M.shape, len(wanted)
    out = np.zeros((m, k), M.dtype)
    heavy = np.diff(M.indptr) > HEAVY * n
    of_heavy, of_thin = np.flatnonzero(heavy[wanted]), np.flatnonzero(~heavy[wanted])
    # By samples: rows of these are runs of their entries.
    full, thin = M[heavy].T.tocsr(), M[~heavy].T.tocsr()
    own, rest = np.cumsum(heavy)[wanted[of_heavy]] - 1, M[wanted[of_thin]]
    if full.nnz and m:
        ours, theirs, others = _filled(full, thin, own, None if m == k else rest.T.tocsr())
        out[np.ix_(of_heavy, heavy)], out[np.ix_(of_heavy, ~heavy)] = ours, theirs
        out[np.ix_(of_thin, heavy)] = others
    step = max(1, AT_ONCE // max(1, k))
    for a in range(0, len(of_thin), step):
        out[np.ix_(of_thin[a : a + step], ~heavy)] = (rest[a : a + step] @ thin).toarray()
    return out


def _filled(full, thin, own, rest):
    """Products of the columns ``own`` of those that are filled with all of these, and with the thin ones; and
    of the columns ``rest``, all the thin ones if None, with the filled ones."""
    (n, h), t = full.shape, thin.shape[1]
    ours, theirs = np.zeros((len(own), h), full.dtype), np.zeros((len(own), t), full.dtype)
    others = theirs.T if rest is None else np.zeros((rest.shape[1], h), full.dtype)
    step = max(FEWEST_ROWS, AT_ONCE // h)
    for rows in (slice(a, a + step) for a in range(0, n, step)):
        filled = full[rows].toarray()
        mine = filled if len(own) == h else filled[:, own]
        ours += mine.T @ filled
        theirs += (thin[rows].T @ mine).T
        if rest is not None:
            others += rest[rows].T @ filled
    return ours, theirs, others

"""Which columns are in the working set: those that a certificate calls for."""

import numpy as np

FIRST_COLUMNS, FEWEST_COLUMNS = 200, 10
FIRST_ON_GRAM = 3.0
"""Columns of a first Gram matrix, per root of all columns: it then costs about as much as the certificate
that has chosen them. Most of them will turn out to be superfluous."""

KEPT = 1.2
"""Size of the present working set, relative to what is wanted, up to which it is kept."""

GROWTH, SPARSE_GROWTH = 2, 3
"""Size of the next working set, relative to the support, at most; and of sparse data, where a larger one
costs less than another round."""

CROWDED, LOSING = 2.0, 0.97
"""Rows per column of a working set below which it is crowded, and its size, relative to the last one, below
which such a one is losing columns."""

MENDED, DEAR, FEW = 4.0, 0.1, 0.25
"""Gaps wanted up to which the few columns that cost most of one are mended alone; the share of the one wanted
that the correlation of one of these costs at least; and how many there may be, per column in the support."""

OFTEN = 2.5
"""How many times more gaps and columns these may be where other rounds are long."""


def among(index, active):
    """Mask of the columns ``index`` that are among the sorted ones ``active``, and their places there."""
    if len(active) == 0:
        return np.zeros(len(index), bool), np.zeros(len(index), int)
    at = np.minimum(np.searchsorted(active, index), len(active) - 1)
    return active[at] == index, at


def first_columns(n, p, full):
    """Size of a first working set of ``p`` columns of ``n`` samples, in full or sparse data."""
    if full and p <= n:
        return max(FEWEST_COLUMNS, int(FIRST_ON_GRAM * p**0.5))
    # More coefficients than samples are seldom non-zero.
    return min(FIRST_COLUMNS, n)


def wanted_columns(penalty, w, correlations, active, first, fewest=FEWEST_COLUMNS, growth=GROWTH):
    """Working set of the next round, sorted and not empty: the support and the worst violators, at most
    ``growth`` times the support, but ``first`` whatever that is. The present set is kept while it holds all
    that is wanted and is not much larger."""
    support = penalty.support(w)
    score = penalty.pull(correlations - penalty.l2s * w)
    score[support] = np.inf
    size, wanted = np.count_nonzero(support), np.count_nonzero(score > penalty.l1)
    k = min(max(first, growth * size), max(fewest, wanted), len(w))
    if k == wanted:
        chosen = np.flatnonzero(score > penalty.l1)
    else:
        chosen = np.sort(np.argpartition(-score, k - 1)[:k])
    chosen = penalty.whole(chosen)
    kept = len(chosen) <= len(active) <= KEPT * len(chosen)
    return active if kept and among(chosen, active)[0].all() else chosen


def is_settled(before, size, n):
    """Whether a working set of ``n`` samples whose size was ``before`` is still about the same, so that a
    Gram matrix may help where steps are slow: with columns that were not there no model would have done more,
    and of a crowded one that is losing many, Newton steps on the matrix let go of few at a time."""
    losing = CROWDED * size > n and size < LOSING * before
    return size <= KEPT * before and not losing


def dear_columns(penalty, w, correlations, gap, goal, often=False):
    """Columns that alone keep a small ``gap`` above the ``goal``: the dual point has to shrink until none of
    their ``correlations`` is above the l1 part, while the coefficients are long good enough."""
    size, times = np.abs(w).sum(), OFTEN if often else 1.0
    if not (0.0 < gap <= times * MENDED * goal and size > 0.0):
        return np.empty(0, int)
    if penalty.support(np.zeros_like(w)).any():
        # After a step without the columns that are free no dual point is orthogonal to these.
        return np.empty(0, int)
    dear = penalty.whole(np.flatnonzero(penalty.pull(correlations) > penalty.l1 + DEAR * goal / size))
    return dear if len(dear) <= times * FEW * np.count_nonzero(w) else dear[:0]

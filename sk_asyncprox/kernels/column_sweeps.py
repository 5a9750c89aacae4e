"""Coordinate descent over all columns of a squared loss, in single precision, while few sweeps will do."""

import numpy as np

from .._compat import columns_cd
from ..problem.certificate import quadratic_bound
from .block_steps import describe

FIRST_SWEEPS, SLOWING, LONGER, FINEST = 8, 1.5, 2, 1e-6
"""Sweeps over the columns after which the gap is looked at first; it tells how many are left: so many times
more than at its last rate; how many times as many as there have been may follow before the next look; and the
gap, relative to the norm of the target, that they end at: they are made in single precision."""

LOOKED, AT_ONCE, SOLVED, AGAIN, PREPARED, CALL = 20, 10, 0.5, 8, 12_000_000, 100
"""Sweeps that cost as much as working sets: looks at them; how much less their products cost, made at once;
what solving ``k`` columns costs, relative to ``k^3``, and how often that is of more columns than samples;
entries that are swept while steps are prepared; and those for which a call of BLAS stands."""

MOST_SWEEPS = 300
"""Sweeps over the columns, at most: they are passes over the data, of which a fit is allowed so many."""

CROWDED = 0.02
"""Gap, relative to the first, above which sweeps that leave more coefficients than samples are for nothing:
working sets that grow are quicker than those that have to lose many."""


def columns(part, payload):
    """Work of the kind ``"columns"``: the step of all columns to where a squared loss has the gap wanted, by
    sweeps over these, while few more will do."""
    read, goal, first = payload
    problem, penalty, w, gap, done, sweeps = part.problem, read.penalty, read.w, first, 0, FIRST_SWEEPS
    design, X, (n, p), touched = problem.design, part.columns_in_single().X, problem.shape, 0
    target = design.mul(w) - read.point.gradient if w.any() else -read.point.gradient
    goal = max(goal, FINEST * (target @ target) / n)
    while True:
        before, (new, gap, n_sweeps) = gap, columns_cd(w, penalty, sweeps, X, target, goal)
        touched += 2 * (n_sweeps + 1) * X.size
        if penalty.l2 and gap > goal:
            gap = min(gap, _gap_of_columns(X, target, new, penalty))
        if not before > max(gap, goal):
            gap = before
            break
        w, done, k = new, done + n_sweeps, np.count_nonzero(new)
        left = SLOWING * n_sweeps * np.log(max(1.0, gap / goal)) / np.log(before / max(gap, goal))
        solving = SOLVED * min(k, n) ** 3 * (AGAIN if n < p else 1)
        most = LOOKED + k * k / (AT_ONCE * p) + (solving + PREPARED) / (p * (n + CALL))
        if not 0.0 < left <= min(most, MOST_SWEEPS) - done:
            break
        sweeps = 1 + int(min(left, LONGER * done))
    if gap > CROWDED * first and np.count_nonzero(w) > n:
        w = read.w
    v = design.mul(w - read.w)
    return describe(part, read, w, v, part.model(read.point), touched + design.size)


def _gap_of_columns(X, target, w, penalty):
    """Duality gap of a squared loss on columns; beside an l2 part it is smaller than the one of sweeps."""
    n, r = len(target), target - X @ w.astype(X.dtype)
    correlations, square = (r.astype(X.dtype) @ X).astype(np.float64) / n, r @ r / n
    return 0.5 * square + penalty.value(w) - quadratic_bound(penalty, correlations, r @ target / n, square)

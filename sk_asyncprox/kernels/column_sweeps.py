"""Coordinate descent over all columns of a squared loss, in single precision, while few sweeps will do."""

import numpy as np

from .._compat import columns_cd
from ..problem.certificate import quadratic_bound
from .block_steps import direction_to

FIRST_SWEEPS, SLOWING, LONGER, FINEST = 8, 1.5, 2, 1e-6
"""Sweeps over the columns after which the gap is looked at first; it tells how many are left: so many times
more than at its last rate; how many times as many as there have been may follow before the next look; and the
gap, relative to the norm of the target, that they end at: they are made in single precision."""

LOOKED, AT_ONCE, SOLVED, AGAIN, PREPARED, CALL = 20, 10, 0.5, 8, 12_000_000, 100
"""Sweeps that cost as much as working sets: looks at them; how much less their products cost, made at once;
what solving ``k`` columns costs, relative to ``k^3``, and how often that is of more columns than samples;
entries that are swept while steps are prepared; and those for which a call of BLAS stands."""

LONG, NEARLY, AIMED, EVERY = 20, 0.8, 0.1, slice(None)
"""Sweeps that are left from which on others go on with the columns that are called for, or nearly so; what
the correlation of these is, relative to the l1 part; and the share of the gap at which all are looked at."""

CROWDED, HALF_FULL, SLOW = 0.02, 0.1, 0.5
"""Gaps, relative to the first, above which sweeps are for nothing: those that leave more coefficients than
samples, as working sets that grow are quicker than those that have to lose many (all, of twice as many as
samples: no Gram matrix is made of them); those that leave more than half as many; and others."""


def sweep_columns(part, payload):
    """Work of the kind ``"columns"``: the step of all columns to where a squared loss has the gap wanted, by
    sweeps over these, soon only those that are called for or nearly so, while few more will do."""
    read, goal, first, most_sweeps = payload
    problem, penalty, gap, done, sweeps, touched = part.problem, read.penalty, first, 0.0, FIRST_SWEEPS, 0
    design, whole, (n, p), w, some = problem.design, part.columns_in_single().X, problem.shape, read.w, EVERY
    target = design.mul(w) - read.point.gradient if w.any() else -read.point.gradient
    goal = max(goal, FINEST * (target @ target) / n)
    X, aim, lowest = whole, goal, np.inf
    while True:
        before, (new, gap, n_sweeps) = gap, columns_cd(w[some], penalty, sweeps, X, target, aim)
        share, w = X.size / whole.size, w.copy()
        touched += 2 * (n_sweeps + 1) * X.size
        if penalty.l2 and gap > goal:
            gap = min(gap, _look_at_columns(X, target, new, penalty)[0])
        if not before > max(gap, goal):
            gap = before
            break
        w[some], done, k = new, done + share * n_sweeps, np.count_nonzero(new)
        left = SLOWING * n_sweeps * np.log(max(1.0, gap / goal)) / np.log(before / max(gap, goal))
        most = min(most_sweeps, _sweeps_worth_working_sets(k, n, p))
        if (X is whole and gap <= goal) or not share * left <= most - done:
            break
        if gap <= aim or (X is whole and left > LONG):
            gap, correlations = _look_at_columns(whole, target, w, penalty)
            touched += 2 * whole.size
            called = (w != 0.0) | (penalty.pull(correlations) > NEARLY * penalty.l1)
            swept, some = some, np.flatnonzero(called)
            # What rounding leaves on all columns, others' sweeps may not see.
            called[swept] = False
            if gap <= goal or not (gap < lowest or called.any()):
                break
            lowest = min(lowest, gap)
            X, aim = whole.T[some].T, max(goal, AIMED * gap)
        sweeps = 1 + int(min(max(left, FIRST_SWEEPS), LONGER * done / share))
    k = np.count_nonzero(w)
    least = 0.0 if k > 2 * n else CROWDED if k > n else HALF_FULL if 2 * k > n else SLOW
    if gap > max(goal, least * first):
        w = read.w
    v = design.mul(w - read.w)
    return direction_to(part, read, w, v, part.model(read.point), touched + design.size)


def _sweeps_worth_working_sets(k, n, p):
    """Sweeps over all columns that cost as much as working sets on which ``k`` coefficients are not zero."""
    solving = SOLVED * min(k, n) ** 3 * (AGAIN if n < p else 1)
    return LOOKED + k * k / (AT_ONCE * p) + (solving + PREPARED) / (p * (n + CALL))


def _look_at_columns(X, target, w, penalty):
    """Duality gap of a squared loss on columns, which beside an l2 part is smaller than that of sweeps, and
    correlations."""
    n, r = len(target), target - X @ w.astype(X.dtype)
    correlations, square = (r.astype(X.dtype) @ X).astype(np.float64) / n, r @ r / n
    bound = quadratic_bound(penalty, correlations, r @ target / n, square)
    return 0.5 * square + penalty.value(w) - bound, correlations

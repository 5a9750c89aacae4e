"""Minimiser of a quadratic model with the group lasso's penalty, on a Gram matrix.

    minimise  w'Qw/2 - q'w + sum_g limit_g |w_g|_2

Block-coordinate descent, exact in every group, finds the groups that are not zero. On these the objective is
smooth, and Newton steps by Cholesky join what it has found one by one.
"""

from math import sqrt

import numpy as np
from scipy.linalg.lapack import dposv

from .._precision import TINY
from .line_search import LENGTHS
from .quadratic_minimiser import RIDGE, ROUNDING, gap_on_gram

SHARE_OF_GAP = 1e-3
"""Gap that a step of a block solves the model to, relative to what it was."""

MOST_NEWTON, SETTLED, MOST_ENDS = 4, 1e-2, 6
"""Newton steps between two sweeps; the fall of one, relative to that of the first, that is the last; and
groups at whose zeros a step may end."""

FAST, PATIENCE, MOST_CALLS = 0.5, 5, 100
"""Fall of the gap that is quick, and calls in a row without, after which the next model may do better; and
calls, at most."""

PER_SWEEP = 500
"""Coefficients for every sweep more before a Newton step: the more there are, the more a step costs."""

LEAST = TINY**0.5
"""Norm of a group up to which it is left to sweeps: its square is none."""

SECULAR_STEPS, ALMOST = 30, 1e-8
"""Steps to the norm of a group, at most; and one, relative to it, that leaves about its square."""


def solve_groups_on_gram(Q, q, w, penalty, square, goal, share=0.0, most_calls=MOST_CALLS):
    """Lower the model's gap to ``goal``, or to a ``share`` of what it is, if that can be: new coefficients,
    gap, and entries touched."""
    w, spectra = w.copy(), {}
    members = np.split(np.arange(len(w))[penalty.order], penalty.starts[1:])
    image, gap, lowest, slow, calls = Q @ w, np.inf, np.inf, 0, 0
    goal = max(goal, ROUNDING * square, share * gap_on_gram(q, w, image, penalty, square))
    pull = q - image
    while gap > goal and slow < PATIENCE and calls < most_calls:
        for _ in range(1 + len(w) // PER_SWEEP):
            sweep(Q, w, pull, penalty, members, spectra)
        newton(Q, q, w, penalty)
        image, calls = Q @ w, calls + 1
        gap, pull = gap_on_gram(q, w, image, penalty, square), q - image
        lowest, slow = (gap, 0) if gap <= FAST * lowest else (lowest, slow + 1)
    return w, gap, calls * Q.size


def sweep(Q, w, pull, penalty, members, spectra):
    """Minimise in every group in turn that is not at rest; changes ``w`` and ``pull`` in place, and keeps the
    groups' eigenvalues and eigenvectors in ``spectra``."""
    limits = penalty.l1 * penalty.group_weights
    for g in np.flatnonzero(penalty.sums(w != 0.0) | (penalty.norms(pull) > limits)):
        index = members[g]
        if g not in spectra:
            values, vectors = np.linalg.eigh(Q[np.ix_(index, index)])
            spectra[g] = np.maximum(values, RIDGE * values[-1]), vectors
        (values, vectors), old = spectra[g], w[index]
        b = vectors.T @ pull[index] + values * (vectors.T @ old)
        new = vectors @ group_minimiser(values, b, limits[g], sqrt(old @ old))
        move = new - old
        if move.any():
            w[index] = new
            pull -= move @ Q[index]


def group_minimiser(values, b, limit, t=0.0):
    """``argmin_u  u'Du/2 - b'u + limit |u|_2``, where ``D`` is diagonal with these ``values``.

    The norm ``t`` of the minimiser, which is sought from a guess on, solves ``|(t D + limit)^-1 b| = 1``. The
    reciprocal of the left side is a power mean of the entries of ``t D + limit``, so concave in ``t``: from
    anywhere Newton's method goes below the root, and then climbs to it.
    """
    if b @ b <= limit * limit:
        return np.zeros_like(b)
    for _ in range(SECULAR_STEPS):
        rest = t * values + limit
        share = b / rest
        size = share @ share
        step = size * (sqrt(size) - 1.0) / (share @ (values * share / rest))
        t = max(0.0, t + step)
        if abs(step) <= ALMOST * t:
            break
    return t * b / (t * values + limit)


def newton(Q, q, w, penalty):
    """Newton steps in the groups that are not zero, while they lower the objective; changes ``w``."""
    first = None
    for _ in range(MOST_NEWTON):
        S = np.flatnonzero((penalty.norms(w) > LEAST)[penalty.labels])
        if len(S) == 0:
            return
        part, some, x = penalty.on(S), Q[S[:, None], S], w[S]
        pull = q[S] - some @ x
        moves = _moves(some, pull, x, part)
        if moves is None:
            return
        changes = part.difference(x, x + moves)[0] + ((0.5 * (moves @ some) - pull) * moves).sum(axis=1)
        best = np.argmin(changes)
        if not changes[best] < 0.0:
            return
        w[S] = x + moves[best]
        first = changes[best] if first is None else first
        if changes[best] > SETTLED * first:
            return


def _moves(Q, pull, w, penalty):
    """Shares of the Newton step, one a row: as they are, and with the groups made zero that have passed where
    they are nearest to it; None where the system is singular."""
    norms, limits = penalty.norms(w), penalty.l1 * penalty.group_weights
    bend, unit = (limits / norms)[penalty.labels], w / norms[penalty.labels]
    H, (i, j) = Q.copy(), np.nonzero(penalty.labels[:, None] == penalty.labels)
    H[i, j] -= bend[i] * unit[i] * unit[j]
    H.flat[:: len(H) + 1] += bend + RIDGE * Q.diagonal().max()
    _, x, failed = dposv(H.T, pull - bend * w, lower=True, overwrite_a=True)
    if failed:
        return None
    # Where the matrix is nearly singular a step is long, and ends where the first groups come to zero.
    along, squares = penalty.sums(w * x), penalty.sums(x * x)
    nearest = np.divide(
        -along, squares, out=np.full_like(along, np.inf), where=(along < 0.0) & (squares > 0.0)
    )
    lengths = np.concatenate([LENGTHS, np.sort(nearest[nearest < 1.0])[:MOST_ENDS]])
    steps = lengths[:, None] * x
    passed = nearest <= lengths[:, None]
    return np.vstack([steps, np.where(passed[:, penalty.labels], -w, steps)])

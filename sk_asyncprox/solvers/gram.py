"""The quadratic model on a Gram matrix: covariance form, for dense columns.

    minimise  w'Qw/2 - q'w + R(w)

Coordinate descent finds the support, Newton steps by Cholesky join what it has found one by one.
"""

import numpy as np
from scipy.linalg.lapack import dposv

from .._compat import block_cd
from .newton import along_ray

FEWEST_SWEEPS, MOST_SWEEPS, ENTRIES = 10, 200, 500_000
"""Sweeps of a call: on a small matrix many cost no more than the call."""

MOST_CALLS = 200
NEWTON_STEPS = 30
RIDGE = 1e-10
"""Relative to the largest diagonal entry: keeps the Cholesky factor of a singular Gram matrix finite."""

ROUNDING = 1e-15
SHARE_OF_GAP = 0.1
"""The model is solved until its gap is this share of what it was."""


def solve_on_gram(Q, q, w, penalty, square):
    """Lower the model's gap to a share of what it is at ``w``.

    Parameters
    ----------
    Q, q : ndarray of shape (k, k) and (k,)
        Gram matrix and linear term ``X't`` of the target ``t``.
    w : ndarray of shape (k,)
        Start; left as it is.
    penalty : ElasticNetPenalty
    square : float
        ``|t|^2``.

    Returns
    -------
    w : ndarray of shape (k,)
    calls : int
        Rounds of coordinate descent and Newton steps.
    """
    if not penalty.has_zeros:
        return newton_on_gram(Q, q, w, penalty), 1
    sweeps = max(FEWEST_SWEEPS, min(MOST_SWEEPS, ENTRIES // len(w) ** 2))
    goal = max(ROUNDING * square, SHARE_OF_GAP * gap_on_gram(Q, q, w, penalty, square))
    calls = 0
    while calls < MOST_CALLS:
        calls += 1
        w = block_cd(w, penalty.l1, penalty.l2, sweeps, Q=Q, q=q, positive=penalty.positive)
        w = newton_on_gram(Q, q, w, penalty)
        if gap_on_gram(Q, q, w, penalty, square) <= goal:
            break
    return w, calls


def gap_on_gram(Q, q, w, penalty, square):
    """Duality gap of the model, where ``square = |t|^2``; the l2 part counts as further rows."""
    image, pull = Q @ w, q @ w
    residual = square - 2.0 * pull + w @ image + penalty.l2 * (w @ w)
    correlations = q - image - penalty.l2 * w
    s = min(1.0, penalty.dual_limit(correlations))
    dual = s * (square - pull) - 0.5 * s * s * residual
    return 0.5 * residual + penalty.l1 * np.abs(w).sum() - dual


def newton_on_gram(Q, q, w, penalty):
    """Newton steps on the support, by Cholesky, while they lower ``w'Qw/2 - q'w + R(w)``.

    Parameters
    ----------
    Q, q : ndarray of shape (k, k) and (k,)
        Quadratic and linear term.
    w : ndarray of shape (k,)
        Start; left as it is.
    penalty : ElasticNetPenalty

    Returns
    -------
    ndarray of shape (k,)
    """
    w = w.copy()
    S = w.nonzero()[0] if penalty.has_zeros else np.arange(len(w))
    QS, qS, wS = Q[S[:, None], S], q[S], w[S]
    for _ in range(NEWTON_STEPS):
        if len(S) == 0:
            break
        move, last = _move_on_gram(QS, qS, wS, penalty)
        if move is None:
            break
        wS = wS + move
        w[S] = wS
        if last:
            break
        kept = wS.nonzero()[0]
        if len(kept) < len(S):
            S, QS, qS, wS = S[kept], QS[kept[:, None], kept], qS[kept], wS[kept]
    return w


def _move_on_gram(Q, q, w, penalty):
    """One step, and whether it needs no further one: nothing changes its sign."""
    sign = np.sign(w)
    pull = q - Q @ w - penalty.l2 * w
    slope = pull - penalty.l1 * sign
    H = Q.copy()
    H.flat[:: len(w) + 1] += penalty.l2 + RIDGE * Q.diagonal().max()
    _, x, failed = dposv(H, slope, overwrite_a=True)
    if failed:
        return None, True
    flips = (w + x) * sign <= 0.0
    if not penalty.has_zeros or not flips.any():
        return x, True

    def change(move):
        size = np.abs(w + move).sum() - np.abs(w).sum()
        return move @ (0.5 * (Q @ move) - pull) + 0.5 * penalty.l2 * (move @ move) + penalty.l1 * size

    projected = np.where(flips, -w, x)
    along = along_ray(w, x, slope @ x, x @ (Q @ x) + penalty.l2 * (x @ x), penalty).move
    changes = change(projected), change(along)
    if min(changes) >= 0.0:
        return None, True
    return (projected if changes[0] <= changes[1] else along), False

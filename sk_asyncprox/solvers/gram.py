"""The quadratic model on a Gram matrix: covariance form, for dense columns.

    minimise  w'Qw/2 - q'w + R(w)

Coordinate descent finds the support, Newton steps by Cholesky join what it has found one by one.
"""

import numpy as np
from scipy.linalg.blas import dsymv, dsyr
from scipy.linalg.lapack import dposv, dpotri

from .._compat import block_cd
from .newton import along_ray

FEWEST_SWEEPS, MOST_SWEEPS, ENTRIES = 10, 200, 500_000
"""Sweeps of a call: on a small matrix many cost no more than the call."""

MOST_CALLS = 200
NEWTON_STEPS = 30
RIDGE = 1e-10
"""Relative to the largest diagonal entry: keeps the Cholesky factor of a singular Gram matrix finite."""

LEAST_KEPT = 0.9
"""Share of the support below which it is cut down, and its matrix factored anew."""

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
    """Newton steps on the support, while they lower ``w'Qw/2 - q'w + R(w)``.

    Where the matrix is nearly singular a step often ends where one coefficient becomes zero, and the next
    one needs the same system without it; so the inverse is kept and shrunk.

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
    model = _Model(Q, q, S, w[S], penalty)
    for _ in range(NEWTON_STEPS):
        on = len(S) > 0 and model.step()
        w[S] = model.w
        if not on:
            break
        if penalty.has_zeros and np.count_nonzero(model.w) < LEAST_KEPT * len(S):
            S = S[model.w != 0.0]
            model = _Model(Q, q, S, w[S], penalty)
    return w


class _Model:
    """The model on the columns ``S``, with the inverse of its matrix from the second step on.

    Parameters
    ----------
    Q, q : ndarray of shape (p, p) and (p,)
    S : ndarray of int of shape (k,)
    w : ndarray of shape (k,)
        Start; if the penalty makes zeros, none is zero, and one that becomes zero stays so.
    penalty : ElasticNetPenalty
    """

    def __init__(self, Q, q, S, w, penalty):
        whole = len(S) == len(q)
        self.Q, self.q = (Q, q) if whole else (Q[S[:, None], S], q[S])
        self.w, self.penalty, self._inverse = w, penalty, None

    def step(self):
        """Take a step; return whether another one may help: something has changed its sign."""
        Q, w, penalty = self.Q, self.w, self.penalty
        sign = np.sign(w)
        pull = self.q - Q @ w
        slope = pull - penalty.l1 * sign - penalty.l2 * w
        x = self._solve(slope)
        if x is None:
            return False
        if not penalty.has_zeros:
            self.w = w + x
            return False
        x *= sign != 0.0
        back = (w + x) * sign < 0.0
        if not back.any():
            self.w = w + x
            return False
        image = Q @ x
        ray = along_ray(w, x, slope @ x, x @ image + penalty.l2 * (x @ x), penalty)
        projected = np.where(back, -w, x)
        falls = [
            self._change(move, image, pull)
            for move, image in ((projected, Q @ projected), (ray.move, ray.length * image))
        ]
        if not min(falls) < 0.0:
            return False
        self.w = w + (projected if falls[0] <= falls[1] else ray.move)
        self._leave_out(np.flatnonzero((self.w == 0.0) & (sign != 0.0)))
        return True

    def _change(self, move, image, pull):
        linear, ridge = self.penalty.difference(self.w, self.w + move)
        return linear + 0.5 * ridge + move @ (0.5 * image - pull)

    def _solve(self, b):
        if self._inverse is not None:
            return dsymv(1.0, self._inverse, b, lower=True)
        H = self.Q.copy(order="F")
        H.flat[:: len(b) + 1] += self.penalty.l2 + RIDGE * H.diagonal().max()
        self._factor, x, failed = dposv(H, b, lower=True, overwrite_a=True)
        return None if failed else x

    def _leave_out(self, gone):
        """Shrink the inverse: that of a part of the matrix is a Schur complement in that of the whole."""
        if self._inverse is None:
            self._inverse, _ = dpotri(self._factor, lower=True, overwrite_c=True)
        P = self._inverse
        for j in gone:
            column = np.concatenate([P[j, :j], P[j:, j]])
            P = dsyr(-1.0 / column[j], column, a=P, lower=True, overwrite_a=True)
            P[j, :j] = P[j:, j] = 0.0
        self._inverse = P

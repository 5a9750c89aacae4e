"""The quadratic model on a Gram matrix with the penalty of an elastic net, which hands out what is here.

    minimise  w'Qw/2 - q'w + R(w)

Coordinate descent finds the support, Newton steps by Cholesky join what it has found one by one.
"""

import numpy as np
from scipy.linalg.lapack import dposv, dpotrf, dpotrs

from .._compat import block_cd, gram_cd
from .._precision import TINY
from .line_search import LENGTHS, along_ray

FEWEST_SWEEPS, FOR_NEWTON, MOST_SWEEPS, FEW_ENTRIES, MOST_CALLS = 8, 20, 128, 200_000, 50
"""Sweeps of a call, and of one before a Newton step that is to make the solution exact; the next call may
have twice as many: on a small matrix many cost no more than the call; and calls, at most."""

FAST_DESCENT, PATIENCE = 0.5, 100
"""Share of the gap that a call may leave for sweeps to go on, before the first Newton step; and sweeps that a
slower fall may take, at its present rate, to a gap that is given: they cost less than such a step."""

NEWTON_STEPS = 30
RIDGE = 1e-10
"""Relative to the largest diagonal entry: keeps the Cholesky factor of a singular Gram matrix finite."""

LEAST_KEPT = 0.9
"""Share of the support below which it is cut down, and its matrix factored anew."""

ROUNDING = 1e-15
SHARE_OF_GAP = 0.1
"""The model is solved until its gap is this share of what it was."""


def solve_on_gram(Q, q, w, penalty, square, goal, share=0.0, most_calls=MOST_CALLS, enough=None):
    """Lower the model's gap to ``goal``, or to a ``share`` of what it is, if that can be, by sweeps, and by
    Newton steps where these are slow. Unless this is None, such a step makes the solution exact at the end
    where the gap is not yet ``enough``. Returned are coefficients, gap, and entries of the matrix touched by
    sweeps. The target ``t`` has ``q = X't`` and ``square = |t|^2``.
    """
    if not penalty.has_zeros:
        w = newton_on_gram(Q, q, w, penalty)
        return w, penalty.conjugate(q - Q @ w - penalty.l2s * w), Q.size
    square = max(square, TINY)
    goal = max(goal, ROUNDING * square, share and share * gap_on_gram(q, w, Q @ w, penalty, square))
    # Of a start that is zero nothing is known of what sweeps will cost.
    sweeps = FEW_ENTRIES // max(1, len(w) * (np.count_nonzero(w) or len(w)))
    sweeps = max(FEWEST_SWEEPS if enough is None else FOR_NEWTON, min(MOST_SWEEPS, sweeps))
    before, touched, stepped = np.inf, 0, False
    for _ in range(most_calls):
        if isinstance(Q, np.ndarray) and enough is None:
            w, gap, n_sweeps = gram_cd(w, penalty, sweeps, Q, q, square, goal)
        else:
            w, n_sweeps = swept(Q, q, w, penalty, sweeps), sweeps
            gap = gap_on_gram(q, w, Q @ w, penalty, square)
        touched += n_sweeps * Q.size
        ended = gap <= goal or (stepped and goal < gap * min(1.0, gap / before) ** MOST_CALLS)
        slow = gap > FAST_DESCENT * before and gap > goal * (before / gap) ** (PATIENCE / sweeps)
        before, sweeps = gap, min(2 * sweeps, MOST_SWEEPS)
        if (enough is not None and gap > enough) if ended else slow:
            w, stepped = newton_on_gram(Q, q, w, penalty), True
            gap = gap_on_gram(q, w, Q @ w, penalty, square)
        if ended or gap <= goal:
            break
    return w, gap, touched


def gap_on_gram(q, w, image, penalty, square):
    """Duality gap of the model, where ``image = Q w`` and ``square = |t|^2``; an l2 part counts as further
    rows."""
    pull, own = q @ w, penalty.l2 * (w @ w)
    loss = square - 2.0 * pull + w @ image
    s = min(1.0, penalty.dual_limit(q - image - penalty.l2 * w))
    return 0.5 * loss + penalty.value(w) - s * (square - pull) + 0.5 * s * s * (loss + own)


def newton_on_gram(Q, q, w, penalty):
    """Newton steps on the support, while they lower ``w'Qw/2 - q'w + R(w)``.

    Where the matrix is nearly singular a step often ends where a few coefficients become zero, and the next
    one needs the same system without them; so its factor is kept, and they are held at zero by forces.
    """
    w = w.copy()
    S = w.nonzero()[0] if penalty.has_zeros else np.arange(len(w))
    model = Model(Q, q, S, w[S], penalty)
    for _ in range(NEWTON_STEPS):
        on = len(S) > 0 and model.step()
        w[S] = model.w
        if not on:
            break
        if penalty.has_zeros and np.count_nonzero(model.w) < LEAST_KEPT * len(S):
            S = S[model.w != 0.0]
            model = Model(Q, q, S, w[S], penalty)
    return w


class Model:
    """The model on the columns ``S``, whose matrix is factored once. If the penalty makes zeros, none of the
    coefficients ``w`` at the start is zero, and one that becomes zero stays so."""

    def __init__(self, Q, q, S, w, penalty):
        whole = len(S) == len(q)
        self.Q, self.q = (Q, q) if whole else (Q[S[:, None], S], q[S])
        self.w, self.penalty, self._solve = w, penalty, None
        self._pull = self.q - self.Q @ w
        self._left, self._columns = np.empty(0, int), np.empty((len(w), 0))

    def step(self):
        """Take a step; return whether another one may help: something has changed its sign."""
        w, penalty, sign = self.w, self.penalty, np.sign(self.w)
        slope = self._pull - penalty.l1s * sign - penalty.l2s * w
        x = self.solve(slope)
        if x is None:
            return False
        if not penalty.has_zeros:
            self.w = w + x
            return False
        x *= sign != 0.0
        image = self.Q @ x
        if not ((w + x) * sign < 0.0).any():
            self.w, self._pull = w + x, self._pull - image
            return False
        ray = along_ray(w, x, slope @ x, x @ image + penalty.l2 * (x @ x), penalty)
        moves, images = self._shortened(x, image)
        moves, images = np.vstack([moves, ray.move]), np.vstack([images, ray.length * image])
        changes = self._changes(moves, images)
        best = np.argmin(changes)
        if not changes[best] < 0.0:
            return False
        self.w, self._pull = w + moves[best], self._pull - images[best]
        self.leave(np.flatnonzero((self.w == 0.0) & (sign != 0.0)))
        return True

    def _shortened(self, x, image):
        """Shares of the move ``x``, one a row, that stop at zero where they would change a sign, and their
        images; ``image`` is that of ``x``."""
        steps, images = LENGTHS[:, None] * x, LENGTHS[:, None] * image
        moves = np.where((self.w + steps) * np.sign(self.w) < 0.0, -self.w, steps)
        stopped = np.flatnonzero(moves[0] != steps[0])
        images += (moves[:, stopped] - steps[:, stopped]) @ self.Q[stopped]
        return moves, images

    def _changes(self, moves, images):
        """Changes of the objective by moves, one a row."""
        linear, ridge = self.penalty.difference(self.w, self.w + moves)
        return linear + 0.5 * ridge + (moves * (0.5 * images - self._pull)).sum(axis=1)

    def solve(self, b):
        """Solution of the system, zero where a coefficient has left; None if the matrix is singular."""
        if self._solve is None:
            self._solve = factored(self.Q, self.penalty.l2s + RIDGE * self.Q.diagonal().max())
            if self._solve is None:
                return None
        x = self._solve(b)
        if len(self._left) == 0:
            return x
        _, forces, _ = dposv(self._columns[self._left], x[self._left], lower=True)
        x -= self._columns @ forces
        x[self._left] = 0.0
        return x

    def leave(self, left):
        """Hold coefficients at zero: each by a force on its own equation, what it does to the solution being
        a column of the inverse."""
        units = np.zeros((len(self.w), len(left)), order="F")
        units[left, np.arange(len(left))] = 1.0
        self._left = np.concatenate([self._left, left])
        self._columns = np.hstack([self._columns, self._solve(units)])


def swept(Q, q, w, penalty, sweeps):
    """Coefficients after sweeps of coordinate descent; without zeros, which need none, at the minimum."""
    if not penalty.has_zeros:
        return newton_on_gram(Q, q, w, penalty)
    if isinstance(Q, np.ndarray):
        return block_cd(w, penalty.l1, penalty.l2, sweeps, Q=Q, q=q, positive=penalty.positive)
    return Q.sweep(w, q, penalty, sweeps, RIDGE * Q.diagonal().max())


def factored(Q, shift):
    """What solves systems with ``Q`` and ``shift`` on its diagonal; None if these are singular."""
    if not isinstance(Q, np.ndarray):
        return Q.factored(shift)
    H = Q.copy(order="F")
    H.flat[:: len(H) + 1] += shift
    factor, failed = dpotrf(H, lower=True, overwrite_a=True)
    return None if failed else Cholesky(factor)


class Cholesky:
    """Solves systems with a matrix whose factor is known; travels between processes, as no function would."""

    def __init__(self, factor):
        self._factor = factor

    def __call__(self, b):
        return dpotrs(self._factor, b, lower=True)[0]


def solution(A, B):
    """Least-norm solution of ``A x = B``, a positive semidefinite matrix of any scale of its columns."""
    # What nothing pulls at stays at zero: rounding, in its unit, might be beyond all numbers.
    idle = (np.count_nonzero(A, axis=0) <= 1) & ~B.any(axis=1)
    size = np.where(idle, np.inf, np.sqrt(np.maximum(A.diagonal(), TINY)))
    A, B = A / np.outer(size, size), B / size[:, None]
    if not np.isfinite(A.sum() + B.sum()):
        return np.full(B.shape, np.nan)  # LAPACK would print that it cannot
    try:
        return np.linalg.lstsq(A, B, rcond=None)[0] / size[:, None]
    except np.linalg.LinAlgError:  # the singular values did not converge
        return np.full(B.shape, np.nan)

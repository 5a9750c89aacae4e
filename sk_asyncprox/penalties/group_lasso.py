"""The group lasso's penalty, and the quadratic model with it on a Gram matrix.

    minimise  w'Qw/2 - q'w + sum_g limit_g |w_g|_2

Block-coordinate descent, exact in every group, finds the groups that are not zero. On these the objective is
smooth, and Newton steps by Cholesky join what it has found one by one.
"""

from math import sqrt

import numpy as np
from scipy.linalg.lapack import dposv

from ..kernels.line_search import LENGTHS
from ..kernels.quadratic_minimiser import RIDGE, ROUNDING, gap_on_gram
from .elastic_net import ElasticNetPenalty

SHARE_OF_GAP = 1e-3
"""Gap that the model is solved to, relative to twice the objective at zero, and to that at the start."""

MOST_NEWTON, SETTLED, MOST_ENDS = 4, 1e-2, 6
"""Newton steps between two sweeps; the fall of one, relative to that of the first, that is the last; and
groups at whose zeros a step may end."""

FAST, PATIENCE, MOST_CALLS = 0.5, 5, 100
"""Fall of the gap that is quick, and calls in a row without, after which the next model may do better; and
calls, at most."""

PER_SWEEP = 500
"""Coefficients for every sweep more before a Newton step: the more there are, the more a step costs."""

LEAST = np.finfo(float).tiny ** 0.5
"""Norm of a group up to which it is left to sweeps: its square is none."""

SECULAR_STEPS, ALMOST = 30, 1e-8
"""Steps to the norm of a group, at most; and one, relative to it, that leaves about its square."""


class GroupPenalty(ElasticNetPenalty):
    """``l1 sum_g weight_g |w_g|_2``, which makes the coefficients of whole groups zero. ``labels`` are the
    groups of the coefficients, from 0 on, no number left out; their weights are positive."""

    widest = 6000

    def __init__(self, l1, labels, group_weights):
        super().__init__(l1)
        self.labels, self.group_weights, self.alike = labels, group_weights, False
        together = bool(np.all(labels[1:] >= labels[:-1]))
        self.order = slice(None) if together else np.argsort(labels, kind="stable")
        """Coefficients in the order of their groups."""
        self.starts = np.searchsorted(labels[self.order], np.arange(len(group_weights)))
        """Where a group begins in that order."""

    def with_l1(self, l1, l2=None):
        """The same penalty with another weight; there is no second term to be weighted."""
        return type(self)(l1, self.labels, self.group_weights)

    def on(self, index):
        """The penalty of some of the coefficients, whole groups of them."""
        present, labels = np.unique(self.labels[index], return_inverse=True)
        return type(self)(self.l1, labels, self.group_weights[present])

    def whole(self, index):
        """Coefficients of all groups of which ``index`` has any, sorted."""
        wanted = np.zeros(len(self.group_weights), bool)
        wanted[self.labels[index]] = True
        return np.flatnonzero(wanted[self.labels])

    def groups_of(self, index):
        """Numbers of the groups of coefficients, among those of which there are any."""
        return np.unique(self.labels[index], return_inverse=True)[1]

    def sums(self, x):
        """Sums of the entries of every group; of several ``x``, one a row, rows."""
        return np.add.reduceat(x[..., self.order], self.starts, axis=-1)

    def norms(self, x):
        """Norms of the groups."""
        return np.sqrt(self.sums(x * x))

    def value(self, w):
        """Penalty of the coefficients ``w``; of several, one a row, an array."""
        return self.l1 * (self.norms(w) @ self.group_weights)

    def difference(self, w, new):
        """Change from ``w`` to ``new``, of which shares of the step have at most theirs, and 0 for what is
        quadratic in their length; of several ``new``, one a row, the first is an array."""
        before, after = self.norms(w), self.norms(new)
        # The difference of the norms would lose small steps to rounding.
        change = self.sums((new - w) * (new + w)) / np.maximum(before + after, np.finfo(float).tiny)
        return self.l1 * (change @ self.group_weights), 0.0

    def prox(self, x, step):
        """``argmin_w  step * penalty(w) + |w - x|^2 / 2``, group by group."""
        norms, limits = self.norms(x), step * self.l1 * self.group_weights
        left = 1.0 - np.divide(limits, norms, out=np.ones_like(norms), where=norms > limits)
        return x * left[self.labels]

    def pull(self, c):
        """Size of the correlations ``c`` against the penalty: norm of the group, over its weight."""
        return (self.norms(c) / self.group_weights)[self.labels]

    def violation(self, w, c):
        """Distance of the correlations ``c`` from the subdifferential at ``w``: that of the group."""
        norms, limits = self.norms(w), self.l1 * self.group_weights
        pull = np.divide(limits, norms, out=np.zeros_like(norms), where=norms > 0.0)[self.labels] * w
        distance = self.norms(c - pull)
        return np.where(norms > 0.0, distance, np.maximum(distance - limits, 0.0))[self.labels]

    def solve_on_gram(
        self, Q, q, w, square, roughly=False, enough=0.0, most_calls=MOST_CALLS, share=SHARE_OF_GAP
    ):
        """Lower the model's gap to a ``share`` of what it is at ``w``, or to ``enough``."""
        w, spectra = w.copy(), {}
        members = np.split(np.arange(len(w))[self.order], self.starts[1:])
        goal, lowest, slow, calls = 0.0, np.inf, 0, 0
        while slow < PATIENCE and calls < most_calls:
            image = Q @ w
            gap, pull = gap_on_gram(q, w, image, self, square), q - image
            # A gap that rounding hides may still be one of all the groups' that this matrix is of a part of.
            if calls and gap <= goal:
                break
            goal = goal or max(ROUNDING * square, share * gap, enough)
            lowest, slow = (gap, 0) if gap <= FAST * lowest else (lowest, slow + 1)
            for _ in range(1 + len(w) // PER_SWEEP):
                sweep(Q, w, pull, self, members, spectra)
            newton(Q, q, w, self)
            calls += 1
        return w, calls

    def descend_on_gram(self, Q, q, w, square, goal, most_calls=MOST_CALLS):
        w, calls = self.solve_on_gram(Q, q, w, square, False, goal, most_calls, share=0.0)
        return w, self.gap_on_gram(Q, q, w, square), calls * Q.size

    def step_on_gram(self, Q, q, w, square, sweeps):
        w, calls = self.solve_on_gram(Q, q, w, square)
        return w, calls * Q.size


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

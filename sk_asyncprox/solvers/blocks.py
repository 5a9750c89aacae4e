"""Block steps: what a worker computes on the columns of one block.

In the *Gram metric* a block's full step is the minimiser of

    h (<g, d> + R(w + d)) + |X_j d|^2_omega / 2,

with ``omega`` the sample weights times the curvature of the loss: its global bound (then the metric is
fixed, the smoothness constant between blocks is exactly 1 and ``h`` is the safety factor of the policy)
or the curvature at the read (for the exact step, which needs no constant). A few sweeps of compiled
coordinate descent find it, on the columns or on their Gram matrix.

After inexact sweeps the predicted slope ``s`` at the read is only sure to be ``>= |v|^2 / (2h)``, where
the exact step has ``|v|^2 / h``; the factor ``min(1, h s / |v|^2)`` restores that.
"""

import numpy as np

from .._compat import block_cd
from .base import certify
from .line import Direction, clipped_ratio

SWEEPS_ON_COLUMNS = 5
SWEEPS_ON_GRAM = 30
CROWDED = 2.0
"""Columns per row beyond which a dense block is swept once on its columns: it could fit the target alone,
and would undo what the other blocks have done."""

CURVATURE_FLOOR = 1e-4
REBUILD_ABOVE = 0.1
"""Relative change of the curvature weights beyond which a block's Gram matrix is computed anew."""


class Block:
    """Columns of one block, and for dense ones their Gram matrix."""

    def __init__(self, design, index):
        part = design.columns(index)
        self.design = part.filled() if part.is_full() else part
        self._gram = self._omega = None

    def gram(self, omega, centred):
        """Gram matrix in the weights ``omega``, and the entries touched to get it.

        It is kept while the weights stay near: the exact step is safe for any metric.
        """
        touched = 0
        if self._gram is None or np.abs(omega - self._omega).sum() > REBUILD_ABOVE * omega.sum():
            Q, sums = self.design.gram(omega)
            if centred:
                Q -= np.outer(sums, sums / omega.sum())
            self._gram, self._omega, touched = Q, omega, self.design.size
        return self._gram, touched


class ColumnPart:
    """What every worker of Async-BCD holds: the problem and the blocks it has cut.

    Parameters
    ----------
    problem : Problem
    h : float
        Safety factor of the policy; 1 for the exact step.
    local : bool
        Whether the metric follows the curvature at the read instead of its global bound.
    lipschitz : float or None
        Constant of the scalar metric; None for the Gram metric.
    """

    def __init__(self, problem, h, local, lipschitz):
        self.problem, self.h, self.lipschitz = problem, h, lipschitz
        self.local = local and not problem.loss.quadratic
        self._blocks = {}

    def __getstate__(self):
        return {**self.__dict__, "_blocks": {}}

    def block(self, key, index):
        """The block named ``key = (generation, number)``, cut when it is first asked for."""
        block = self._blocks.get(key)
        if block is None:
            for old in [k for k in list(self._blocks) if k[0] != key[0]]:
                self._blocks.pop(old, None)
            block = self._blocks[key] = Block(self.problem.design, index)
        return block

    def omega(self, gradient):
        """Weights of the metric."""
        loss, weights = self.problem.loss, self.problem.weights
        if self.local:
            return weights * np.maximum(loss.second_derivative(gradient), CURVATURE_FLOOR)
        return weights * loss.curvature


def correlations(part, task):
    """Work of the kind ``"gradient"``: ``-gradient`` of the block, for a prox step at the write."""
    key, index, _, gradient, _ = task.payload
    block = part.block(key, index)
    return block.design.tmul(-part.problem.weights * gradient), block.design.size


def direction(part, task):
    """Work of the kind ``"direction"``: the block's full step from the point that was read."""
    key, index, w, gradient, alone = task.payload
    problem, penalty, block = part.problem, part.problem.penalty, part.block(key, index)
    omega = part.omega(gradient)
    pull = -problem.weights * gradient
    if part.lipschitz is not None:
        c = block.design.tmul(pull)
        new, touched = penalty.prox(w + c / part.lipschitz, 1.0 / part.lipschitz), block.design.size
    elif block.design.is_sparse or (not alone and len(index) > CROWDED * block.design.shape[0]):
        new, touched = _solve_on_columns(part, block, w, gradient, omega)
    else:
        new, touched = _solve_on_gram(part, block, w, pull, omega)
    move = new - w
    v = block.design.mul(move)
    shift = -(omega @ v) / omega.sum() if part.local and problem.fit_intercept else 0.0
    v += shift
    # Entry by entry: the difference of the two norms would lose small steps to rounding.
    change = penalty.l1 * (np.abs(new) - np.abs(w)).sum() + penalty.l2 * (w @ move)
    ridge = penalty.l2 * (move @ move)
    slope = pull @ v - change
    size, sure = omega @ (v * v), part.h * (slope - 0.5 * ridge)
    damping = 1.0 if sure >= size else clipped_ratio(sure, size)
    return Direction(new, move, v, shift, change, ridge, slope, damping, touched + block.design.size)


def _solve_on_columns(part, block, w, gradient, omega):
    penalty, h, X, sparse = part.problem.penalty, part.h, block.design.X, block.design.is_sparse
    sweeps = SWEEPS_ON_COLUMNS if sparse else 1
    constant = not part.local and part.problem.uniform
    unit = omega[0] if constant else 1.0
    # Columns are centred only in the penalised direction's image: the plain columns give a metric
    # that lies above the centred one, by at most the fill of the block.
    target = X @ w - h * gradient * (part.problem.weights / omega)
    if not (sparse or constant):
        root = np.sqrt(omega)
        X, target = np.asfortranarray(X * root[:, None]), target * root
    new = block_cd(
        w,
        h * penalty.l1 / unit,
        h * penalty.l2 / unit,
        sweeps,
        X=X,
        target=target,
        weights=omega if sparse and not constant else None,
        positive=penalty.positive,
    )
    return new, (2 * sweeps + 1) * block.design.size


def _solve_on_gram(part, block, w, pull, omega):
    penalty, h = part.problem.penalty, part.h
    Q, touched = block.gram(omega, part.local and part.problem.fit_intercept)
    q = Q @ w + h * block.design.tmul(pull)
    new = block_cd(w, h * penalty.l1, h * penalty.l2, SWEEPS_ON_GRAM, Q=Q, q=q, positive=penalty.positive)
    return new, touched + block.design.size + SWEEPS_ON_GRAM * Q.size


WORK = {"certificate": certify, "gradient": correlations, "direction": direction}


def work(part, task):
    """Do the task with what the part holds."""
    return WORK[task.kind](part, task)

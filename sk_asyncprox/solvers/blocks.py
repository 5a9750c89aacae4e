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

from typing import NamedTuple

import numpy as np

from .._compat import block_cd
from ..penalties import ElasticNetPenalty
from .base import certify
from .line import Direction, clipped_ratio

SWEEPS_ON_COLUMNS = 5
SWEEPS_ON_GRAM = 30
CROWDED = 2.0
"""Columns per row beyond which a dense block is swept once on its columns: it could fit the target alone,
and would undo what the other blocks have done."""

CURVATURE_FLOOR = 1e-9
REBUILD_ABOVE = 0.1
"""Relative change of the curvature weights beyond which a block's Gram matrix is computed anew."""


class Point(NamedTuple):
    """What a task reads of the margins. The arrays are replaced by writes, never changed."""

    z: np.ndarray
    """Margins, shape (n,)."""

    gradient: np.ndarray
    """Loss gradient there, shape (n,)."""

    damping: float = 0.0
    """Share of the majorant in the metric's curvature, for losses that are not quadratic."""


class Read(NamedTuple):
    """What a step on the columns ``index`` starts from."""

    key: tuple
    """Name under which a part keeps the columns."""

    index: np.ndarray
    w: np.ndarray
    """Coefficients of the columns, shape (k,)."""

    point: Point
    penalty: ElasticNetPenalty
    alone: bool
    """Whether no other block is active."""

    effort: int | None = None
    """Sweeps on columns, or products of a Newton step, at most; None where block steps are all there is."""

    correlations: np.ndarray | None = None
    """Minus the gradient of the smooth part there, shape (k,), where it is known."""


class Block:
    """Columns of one block, or a run of their rows, and for dense ones their Gram matrix."""

    def __init__(self, design, index, rows=None):
        part = design.columns(index)
        part = part if rows is None else part.rows(*rows)
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
        self.follows = self.local and problem.fit_intercept
        self._bound = problem.weights * problem.loss.curvature
        self._blocks = {}

    def __getstate__(self):
        return {**self.__dict__, "_blocks": {}}

    def block(self, key, index, rows=None):
        """The block named ``key = (family, version, number)``, cut when it is first asked for, of all
        rows or the run ``rows``; the family's older versions are let go."""
        block = self._blocks.get(key)
        if block is None:
            for old in [k for k in list(self._blocks) if k[0] == key[0] and k[1] != key[1]]:
                self._blocks.pop(old, None)
            block = self._blocks[key] = Block(self.problem.design, index, rows)
        return block

    def dense(self, key, index):
        """Dense array and the positions in it of the columns ``index``."""
        design = self.problem.design
        if not design.is_sparse:
            return design.X, index
        return self.block(key, index).design.X, np.arange(len(index))

    def omega(self, point):
        """Weights of the metric."""
        loss, weights = self.problem.loss, self.problem.weights
        if not self.local:
            return self._bound
        curvature = loss.second_derivative(point.gradient)
        if point.damping:
            curvature += point.damping * (loss.majorant(point.z) - curvature)
        return weights * np.maximum(curvature, CURVATURE_FLOOR)


def correlations(part, task):
    """Work of the kind ``"gradient"``: ``-gradient`` of the block, for a prox step at the write."""
    read = task.payload
    block = part.block(read.key, read.index)
    return block.design.tmul(-part.problem.weights * read.point.gradient), block.design.size


def direction(part, task):
    """Work of the kind ``"direction"``: the block's full step from the point that was read."""
    read = task.payload
    penalty, w, block = read.penalty, read.w, part.block(read.key, read.index)
    omega = part.omega(read.point)
    pull = -part.problem.weights * read.point.gradient
    if part.lipschitz is not None:
        c = block.design.tmul(pull)
        new, touched = penalty.prox(w + c / part.lipschitz, 1.0 / part.lipschitz), block.design.size
    elif block.design.is_sparse or (
        len(w) > CROWDED * block.design.shape[0] and (read.effort or not read.alone)
    ):
        new, touched = _solve_on_columns(part, block, read, omega)
    else:
        new, touched = _solve_on_gram(part, block, read, pull, omega)
    v = block.design.mul(new - w)
    return describe(part, read, new, v, pull, omega, touched + block.design.size)


def describe(part, read, new, v, pull, omega, touched):
    """The full step to ``new``, which changes the margins by ``v``, with what the write needs to know."""
    shift = -(omega @ v) / omega.sum() if part.follows else 0.0
    v = v + shift if shift else v
    change, ridge = read.penalty.difference(read.w, new)
    slope = pull @ v - change
    size, sure = omega @ (v * v), part.h * (slope - 0.5 * ridge)
    damping = 1.0 if sure >= size else clipped_ratio(sure, size)
    return Direction(new, new - read.w, v, shift, change, ridge, slope, damping, touched)


def _solve_on_columns(part, block, read, omega):
    penalty, w, h = read.penalty, read.w, part.h
    X, sparse = block.design.X, block.design.is_sparse
    sweeps = read.effort or (SWEEPS_ON_COLUMNS if sparse else 1)
    constant = not part.local and part.problem.uniform
    unit = omega[0] if constant else 1.0
    # Columns are centred only in the penalised direction's image: the plain columns give a metric
    # that lies above the centred one, by at most the fill of the block.
    target = X @ w - h * read.point.gradient * (part.problem.weights / omega)
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


def _solve_on_gram(part, block, read, pull, omega):
    penalty, w, h = read.penalty, read.w, part.h
    Q, touched = block.gram(omega, part.follows)
    q = Q @ w + h * block.design.tmul(pull)
    new = block_cd(w, h * penalty.l1, h * penalty.l2, SWEEPS_ON_GRAM, Q=Q, q=q, positive=penalty.positive)
    return new, touched + block.design.size + SWEEPS_ON_GRAM * Q.size


WORK = {"certificate": certify, "gradient": correlations, "direction": direction}


def work(part, task):
    """Do the task with what the part holds."""
    return WORK[task.kind](part, task)

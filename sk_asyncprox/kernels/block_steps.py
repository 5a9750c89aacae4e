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
from ..data.two_parts import TwoParts
from .line_search import Direction, clipped_ratio

SWEEPS_ON_COLUMNS = 5
SWEEPS_ON_GRAM = 30
CROWDED = 2.0
"""Columns per row beyond which a dense block is swept once on its columns: it could fit the target alone,
and would undo what the other blocks have done."""


def correlations(part, read):
    """The ``-gradient`` of the block, for a prox step at the write."""
    block = part.block(read.key, read.index)
    return block.design.tmul(-part.problem.weights * read.point.gradient), block.design.size


def direction(part, read):
    """The block's full step from the point that was read."""
    penalty, w, block = read.penalty, read.w, part.block(read.key, read.index)
    model = part.model(read.point)
    pull = -part.problem.weights * read.point.gradient
    if part.lipschitz is not None:
        c = block.design.tmul(pull)
        new, touched = penalty.prox(w + c / part.lipschitz, 1.0 / part.lipschitz), block.design.size
    else:
        h, new, touched = part.h, np.empty_like(w), 0
        scaled = (penalty, pull) if h == 1.0 else (penalty.with_l1(h * penalty.l1, h * penalty.l2), h * pull)
        if isinstance(block.design, TwoParts):
            scaled = penalty, _solve_filled(block.design, read, pull, model, new)
        for piece in block.pieces:
            new[piece.columns], cost = _solve(part, piece, read, *scaled, model.diagonal[piece.rows])
            touched += cost
    v = block.design.mul(new - w)
    full = direction_to(part, read, new, v, model, touched + block.design.size)
    slope, size = pull @ full.v - full.change, full.v @ model.times(full.v)
    sure = part.h * (slope - 0.5 * full.ridge)
    return full._replace(slope=slope, damping=1.0 if sure >= size else clipped_ratio(sure, size))


def _solve_filled(design, read, pull, model, new):
    """Write coefficients of the filled columns, nearly solved on their Gram matrix; return the pull there."""
    penalty, before, (Q, c) = read.penalty, read.w[design.heavy], design.heavy_model(pull)
    q, positive = Q @ before + c, penalty.positive
    after = block_cd(before, penalty.l1, penalty.l2, SWEEPS_ON_GRAM, Q=Q, q=q, positive=positive)
    new[design.heavy] = after
    return pull - model.times(design.heavy_image(after - before))


def _solve(part, piece, read, penalty, pull, omega):
    """New coefficients of a piece, in the weights ``omega`` of its margins, and the entries touched."""
    design, w = piece.design, read.w[piece.columns]
    penalty, pull = penalty.on(piece.columns), pull[piece.rows]
    X, sparse = design.X, design.is_sparse
    wide = len(w) > CROWDED * design.shape[0] and (read.effort or not read.alone)
    if not (penalty.alike and (sparse or wide)):
        # One matrix of a block is solved well; runs follow one another again and again.
        sweeps = SWEEPS_ON_GRAM if penalty.widest_run is None else read.effort or SWEEPS_ON_GRAM
        return _solve_on_gram(part, piece, penalty, sweeps, w, pull, omega)
    sweeps = read.effort or (SWEEPS_ON_COLUMNS if sparse else 1)
    constant = not part.local and part.problem.uniform
    unit = omega[0] if constant else 1.0
    # Columns are centred only in the penalised direction's image: the plain columns give a metric
    # that lies above the centred one, by at most the fill of the block.
    target = X @ w + pull / omega
    if not (sparse or constant):
        root = np.sqrt(omega)
        X, target = X * root[:, None], target * root
    X, weights = (X, None if constant else omega) if sparse else (np.asfortranarray(X), None)
    l1, l2, positive = penalty.l1 / unit, penalty.l2 / unit, penalty.positive
    new = block_cd(w, l1, l2, sweeps, X=X, target=target, weights=weights, positive=positive)
    return new, (2 * sweeps + 1) * design.size


def direction_to(part, read, new, v, model, touched, shift=None):
    """The full step to ``new``, which changes the margins by ``v``, with what the write needs to know; the
    intercept follows by ``shift``, or as the model says."""
    if not part.follows:
        shift = 0.0
    else:
        shift = model.shift(v) if shift is None else shift
        v = part.problem.shifted(v, shift)
    return Direction(new, new - read.w, v, shift, *read.penalty.difference(read.w, new), touched)


def _solve_on_gram(part, piece, penalty, sweeps, w, pull, omega):
    new, touched = w.copy(), 0
    for index, run in piece.runs(penalty.widest_run):
        Q, cost = run.gram(omega, part.follows)
        before, c = w[index], run.design.tmul(pull)
        q, size = Q @ before + c, run.design.size
        # Sweeps ask for no gap, and so for no square of the target, which costs as much as a small block.
        square = 0.0 if penalty.widest is None else before @ (q + c) + pull @ (pull / omega)
        own = penalty if penalty.alike else penalty.on(index)
        new[index], entries = own.step_on_gram(Q, q, before, square, sweeps)
        touched += cost + size + entries
        if len(before) < len(w):
            v = run.design.mul(new[index] - before)
            pull = pull - omega * (v - (omega @ v) / omega.sum() * part.follows)
            touched += size
    return new, touched

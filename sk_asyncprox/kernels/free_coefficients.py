"""Steps beside free coefficients, made from the columns. What these have beyond those of free coefficients is
lost on a Gram matrix where it is less than the root of a rounding error, as in single precision.
"""

import numpy as np
from scipy.linalg import solve_triangular

from .._precision import EPS, TINY
from ..problem.dual_point import orthonormal
from .block_steps import direction_to
from .quadratic_minimiser import MOST_SWEEPS, SHARE_OF_GAP


def step_beside_free(part, payload):
    """Work of the kind ``"beside free"``: the step to where the model of the loss has nearly its minimum."""
    read, enough = payload
    block, model, w = part.block(read.key, read.index).design, part.model(read.point), read.w
    root, penalty = np.sqrt(model.diagonal), read.penalty
    X, pull = root[:, None] * block.filled().X, -part.problem.weights * read.point.gradient / root
    ones = root[:, None][:, : int(part.problem.fit_intercept)]
    free, kept, new = penalty.free, np.flatnonzero(penalty.weights), np.zeros_like(w)
    if penalty.positive:
        free = free[(w[free] > 0.0) | (pull @ X[:, free] > 0.0)]
    while True:
        held = np.setdiff1d(penalty.free, free)
        own = w[kept], pull + X[:, held] @ w[held], penalty.on(kept), enough
        new[kept], new[free], calls = _minimum(X[:, kept], np.hstack([ones, X[:, free]]), *own, w[free])
        if not (penalty.positive and (new[free] < 0.0).any()):
            break
        new[free], free = 0.0, free[new[free] > 0.0]
    return direction_to(part, read, new, block.mul(new - w), model, (len(free) + calls) * X.size)


def _minimum(K, Z, w, pull, penalty, enough, beside):
    """Penalised coefficients of the columns ``K``, and free ones of the last of ``Z``, where ``|pull - K
    (new - w) - Z move|^2 / 2`` and the penalty are least; and how often the former were gone over."""
    size = np.maximum(np.abs(Z).max(axis=0), TINY)
    Q, R, chosen = orthonormal(Z / size)

    def beyond(columns):
        for _ in range(2):  # what one projection leaves by rounding
            columns = columns - Q @ (Q.T @ columns)
        return columns

    rest = beyond(K)
    spanned = np.abs(rest).max(axis=0) <= max(K.shape) * EPS * np.abs(K).max(axis=0)
    rest[:, spanned] = 0.0
    target = beyond(pull) + rest @ w
    # Sweeps leave coefficients of columns that are zero as they are.
    model = rest.T @ rest, rest.T @ target, np.where(spanned, 0.0, w), target @ target
    new, _, touched = penalty.solve_on_gram(*model, enough, share=SHARE_OF_GAP, enough=enough)
    calls = 1 + touched // (MOST_SWEEPS * max(1, model[0].size))
    move = np.zeros(Z.shape[1])
    if len(chosen):  # older versions of SciPy refuse an empty triangle
        move[chosen] = solve_triangular(R, Q.T @ (pull - K @ (new - w)))
    return new, beside + (move / size)[Z.shape[1] - len(beside) :], calls

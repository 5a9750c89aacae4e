"""Weighted penalties in kernels that know one weight for all coefficients.

On a Gram matrix, ``w'Qw/2 - q'w + sum_j weights_j (l1 |w_j| + l2 w_j^2 / 2)`` is a plain model of other
coefficients: the l2 part belongs to the matrix, in ``u_j = weights_j w_j`` the l1 part is ``l1 |u|_1``, and
free coefficients are put in at their best, which leaves what is orthogonal to their columns.
"""

import numpy as np

from .._compat import block_cd
from ..penalties import ElasticNetPenalty
from ..problem.unpenalised import solution

WIDEST_RUN = 128
"""Columns of a block that are solved together, on their Gram matrix; runs follow one another."""


def plain(Q, q, w, penalty, square=0.0):
    """The same model without weights, as a tuple ``(Q, q, w, penalty, square)``, and what makes coefficients
    of this one of its; the arguments are those of :func:`~sk_asyncprox.kernels.gram.solve_on_gram`, and the
    penalty makes zeros."""
    Q = Q + np.diag(penalty.l2s)
    if penalty.positive and penalty.free is not None:
        # They may not be negative, so their best is not known; but then |w_j| = w_j, and no part is left.
        return (Q, q - penalty.l1s, w, ElasticNetPenalty(positive=True), square), lambda u: u
    free, kept = np.flatnonzero(penalty.weights == 0.0), np.flatnonzero(penalty.weights)
    scale, across = penalty.weights[kept], Q[kept[:, None], free]
    best = solution(Q[free[:, None], free], np.column_stack([across.T, q[free]]))
    slopes, constants = best[:, :-1], best[:, -1]
    reduced = (Q[kept[:, None], kept] - across @ slopes) / np.outer(scale, scale)
    target = (q[kept] - across @ constants) / scale

    def restored(u):
        new = np.empty_like(w)
        new[kept] = u / scale
        new[free] = constants - slopes @ new[kept]
        return new

    penalty = ElasticNetPenalty(penalty.l1, positive=penalty.positive)
    return (reduced, target, scale * w[kept], penalty, square - q[free] @ constants), restored


def sweep_runs(piece, w, pull, omega, penalty, h, centred, sweeps):
    """As the steps of :mod:`~sk_asyncprox.kernels.blocks`, for weighted penalties: new coefficients of a
    piece, and the entries touched."""
    new, touched = w.copy(), 0
    penalty = penalty.with_l1(h * penalty.l1, h * penalty.l2)
    for index, run in piece.runs(WIDEST_RUN):
        Q, cost = run.gram(omega, centred)
        before, part = w[index], penalty.on(index)
        q = Q @ before + h * run.design.tmul(pull)
        if part.has_zeros:
            (Q, q, start, shared, _), restored = plain(Q, q, before, part)
            new[index] = restored(block_cd(start, shared.l1, 0.0, sweeps, Q=Q, q=q, positive=shared.positive))
        else:
            new[index] = solution(Q + np.diag(part.l2s), q[:, None])[:, 0]
        v = run.design.mul(new[index] - before)
        pull = pull - omega * (v - (omega @ v) / omega.sum() * centred) / h
        touched += cost + 2 * run.design.size + sweeps * Q.size
    return new, touched

"""Dual points where some coefficients are free of any penalty.

The conjugate of a penalty is infinite at correlations ``c = X' (weights * theta)`` that are not zero where
coefficients are free. So a finite bound needs ``Z' (weights * theta) = 0``, where ``Z`` are their columns and
the intercept's. With the free coefficients that are best beside the others ``theta = -loss'(z)`` has that;
Newton's method goes there, in the margins alone. Its last, short step ``v = Z a`` is one of the gradient:

    theta = -(loss'(z) + loss''(z) v),    where a solves    Z' weights (loss'(z) + loss''(z) Z a) = 0.

So the equation holds to rounding, which is checked. For the squared loss that is the residual, less its
projection on ``Z``. For the logistic losses ``theta`` stays in its domain where no margin that matters moves
by more than 1/2: probabilities become ``p_k (1 + v_k - sum_l p_l v_l)``. Where it is steeper than the loss
ever is, as with Huber's, it is shrunk. With ``w >= 0`` it suffices that no
``c`` of a free coefficient is positive, so ``Z`` are the columns of those whose ``c`` would be.
"""

import numpy as np
from scipy.linalg import qr

from .._precision import EPS, TINY
from ..kernels.quadratic_minimiser import solution
from ..losses.curvature import FLOOR

STEPS, HALVINGS = 50, 30
"""Newton steps, and halvings of one, at most. Where free coefficients alone fit all targets, the dual point
found is zero."""

CLOSE = 1e-2
"""Change of a margin up to which a step is the last: its bound is off by the order of the fourth power."""

ORTHOGONAL = 1e-12
"""Product with a column of ``Z`` of length one that may be rounding, relative to the length of the dual point
or, before a last step, of the gradient."""

EXACT = 1e-15
"""The same where no last step is taken: times the way that coefficients have to go, bounds err by it."""

ROUNDING = 1e-14
"""Change of a sample's dual variable that is rounding, however far its margin moves."""


def dual_point(problem, z, correlations):
    """Dual point near ``-loss'(z)`` of a problem with free coefficients, and its correlations; ``z`` has the
    best intercept, and ``correlations`` are those of ``-loss'(z)``, balanced for the intercept."""
    free, positive = problem.penalty.free, problem.penalty.positive
    chosen = free[correlations[free] > 0.0] if positive else free
    while True:
        theta = _orthogonal(problem, chosen, z)
        correlations = problem.design.tmul(problem.weights * theta)
        correlations[chosen] = 0.0
        more = free[correlations[free] > 0.0]
        if not (positive and len(more)):
            return theta, correlations
        chosen = np.union1d(chosen, more)


def _orthogonal(problem, chosen, z):
    """Dual point near ``-loss'(z)`` without correlation with columns; zero where none is found."""
    loss, y, weights = problem.loss, problem.y, problem.weights
    Z, outputs = _basis(problem, chosen), loss.n_outputs
    # No least curvature: free coefficients may have to go far, where few samples have a slope.
    least = np.full(len(y), -FLOOR)

    def pulls(u):
        return (u.reshape(outputs, -1) @ Z).ravel()

    for _ in range(STEPS):
        gradient = loss.gradient(y, z)
        slope, size = pulls(weights * gradient), np.sqrt(weights @ gradient**2)
        if np.abs(slope).max(initial=0.0) <= EXACT * size:
            return -gradient
        model = loss.model(y, z, gradient, weights, least)
        units = (np.outer(unit, column).ravel() for unit in np.eye(outputs) for column in Z.T)
        a = solution(np.array([pulls(model.times(unit)) for unit in units]), -slope[:, None])
        v = (a.reshape(outputs, -1) @ Z.T).ravel()
        change = model.times(v) / weights
        close = np.abs(v[np.abs(change) > ROUNDING]).max(initial=0.0) <= CLOSE
        # Where curvatures jump, a step of the gradient may leave the domain of the dual, but for rounding:
        # its own, or that of margins which are far from zero.
        rounding = np.abs(slope).max() <= ORTHOGONAL * size or np.abs(v).max() <= EPS * np.abs(z).max()
        if loss.quadratic or (close and (rounding or not loss.jumps)):
            theta = -(gradient + change)
            left = np.abs(pulls(weights * theta)).max(initial=0.0)
            return theta if left <= ORTHOGONAL * np.sqrt(weights @ theta**2) else 0.0 * z
        z = _lower(loss, y, weights, z, v)
    return 0.0 * z


def _lower(loss, y, weights, z, v):
    """Margins after a step, shortened until the loss does not rise."""
    value = (1.0 + ROUNDING) * (weights @ loss.value(y, z))
    for _ in range(HALVINGS):
        if weights @ loss.value(y, z + v) <= value:
            break
        v = 0.5 * v
    return z + v


def _basis(problem, chosen):
    """Orthonormal columns, in the sample weights, that span those of the free features ``chosen`` and the
    intercept's; they are kept. Of an output's features: all outputs have the same."""
    chosen = chosen[chosen < problem.features.shape[1]]
    key = chosen.tobytes()
    if key not in problem.bases:
        root = np.sqrt(problem.sample_weights)[:, None]
        Z = root * problem.features.some(chosen).filled().X
        if problem.fit_intercept:
            Z = np.hstack([root, Z])
        problem.bases.clear()
        problem.bases[key] = orthonormal(Z / np.maximum(np.abs(Z).max(axis=0), TINY))[0] / root
    return problem.bases[key]


def orthonormal(Z):
    """Orthonormal columns ``Q`` that span those of ``Z``, and a triangle ``R`` and a choice of columns with
    ``Q R = Z[:, chosen]``."""
    Q, R, order = qr(Z, mode="economic", pivoting=True, check_finite=False)
    rank = np.count_nonzero(np.abs(R.diagonal()) > max(Z.shape) * EPS)
    return Q[:, :rank], R[:rank, :rank], order[:rank]

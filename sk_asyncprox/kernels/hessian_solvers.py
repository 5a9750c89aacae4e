"""What solves systems with the matrix of second derivatives of all coefficients and intercepts: of as many
equations as these, or as samples, where these are fewer."""

import numpy as np

from .._precision import TINY
from ..losses.base import MARGINS_AT_ONCE
from .gram_matrix import full_rows
from .quadratic_minimiser import RIDGE, factored

WIDEST = 1e10
"""Largest diagonal entry of a system of as many equations as samples, relative to the l2 part: beyond, what
is divided by that is rounding."""


def newton_solver(part, place, least, l2):
    """What solves systems with the matrix of second derivatives, of coefficients and intercept; None where
    rounding has made it singular."""
    problem = part.problem
    loss, p = problem.loss, problem.design.shape[1]
    gradient = place.pull / -problem.weights
    model = loss.model(problem.y, place.z, gradient, problem.weights, least)
    if suits_samples(problem):
        solve = BySamples(part, model.diagonal, l2)
        if solve.is_sound:
            return solve
    H = np.zeros((len(place.x), len(place.x)))
    H[:p, :p], sums = full_rows(problem.features, model, loss.n_outputs)
    H.flat[: p * (len(H) + 1) : len(H) + 1] += l2
    if problem.fit_intercept:
        H[p:, :p], H[p:, p:] = sums.T, model.own
    # What nothing bends is not moved, as nothing pulls at it either.
    H.flat[:: len(H) + 1] += np.where(H.diagonal() > 0.0, RIDGE * H.diagonal(), 1.0)
    return factored(H, 0.0)


def suits_samples(problem):
    """Whether a system of as many equations as samples takes the place of one of more coefficients."""
    penalty, (n, p) = problem.penalty, problem.shape
    return n < p and problem.loss.n_outputs == 1 and penalty.alike and penalty.l2 > 0.0


class BySamples:
    """Solves systems with ``X' D X + l2 I`` by ``X X'``, of fewer equations (Woodbury), and with the row of
    an intercept, if there is one, by elimination."""

    def __init__(self, part, curvatures, l2):
        self._design, self._l2, K = part.problem.features, l2, part.products_of_samples()
        roots = np.sqrt(curvatures)
        H = K * np.outer(roots, roots)
        H.flat[:: len(H) + 1] += l2
        self._roots, self._solve, self._beside = roots, factored(H, 0.0), None
        self.is_sound = self._solve is not None and H.diagonal().max() <= WIDEST * l2
        if self.is_sound and part.problem.fit_intercept:
            sums = self._design.tmul(curvatures)
            follow = self._without(sums)
            self._beside = sums, follow, max(curvatures.sum() - sums @ follow, TINY)

    def _without(self, b):
        """Solution without an intercept."""
        u = self._roots * self._solve(self._roots * self._design.mul(b))
        return (b - self._design.tmul(u)) / self._l2

    def __call__(self, b):
        if self._beside is None:
            return self._without(b)
        sums, follow, bend = self._beside
        w = self._without(b[:-1])
        own = (b[-1] - sums @ w) / bend
        return np.append(w - own * follow, own)


class OneForEveryOutput:
    """Solves systems with the same matrix for the coefficients of every output, whose inverse is known, and
    with a number for the intercepts."""

    def __init__(self, inverse, curvature, n_coefs):
        self._inverse, self._curvature, self._n_coefs = inverse, curvature, n_coefs

    def __call__(self, b):
        x = b / self._curvature
        own = b[: self._n_coefs].reshape(-1, len(self._inverse))
        x[: self._n_coefs] = (own @ self._inverse).ravel()
        return x


def gram_solver(problem, place, l2):
    """What solves systems as those of :func:`newton_solver`, were all curvatures the mean of some, and
    outputs apart; None where that matrix is singular."""
    outputs, (n, p) = problem.loss.n_outputs, problem.features.shape
    rows = slice(None, None, 1 + place.pull.size // MARGINS_AT_ONCE)
    pull, weights = (vector.reshape(outputs, n)[:, rows] for vector in (place.pull, problem.weights))
    curvature = float(problem.loss.second_derivative(problem.y[rows], (pull / -weights).ravel()).mean())
    H = curvature * problem.features.gram(problem.weights[:n])
    H.flat[:: p + 1] += np.broadcast_to(l2, outputs * p).reshape(outputs, p).mean(axis=0)
    H.flat[:: p + 1] *= 1.0 + RIDGE
    solve = factored(H, 0.0)
    return solve and OneForEveryOutput(solve(np.eye(p)), curvature, outputs * p)

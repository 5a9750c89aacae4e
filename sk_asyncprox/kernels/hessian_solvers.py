"""What solves systems with the matrix of second derivatives of all coefficients and intercepts."""

import numpy as np

from .gram_matrix import full_rows
from .quadratic_minimiser import RIDGE, factored

BYTES_AT_ONCE = 131_072
"""Margins at which losses are evaluated at a time: all that this takes stays in the cache."""


def newton_solver(part, place, least, l2):
    """What solves systems with the matrix of second derivatives, of coefficients and intercept; None where
    rounding has made it singular."""
    problem = part.problem
    loss, p = problem.loss, problem.design.shape[1]
    gradient = place.pull / -problem.weights
    model = loss.model(problem.y, place.z, gradient, problem.weights, least)
    H = np.zeros((len(place.x), len(place.x)))
    H[:p, :p], sums = full_rows(problem.features, model, loss.n_outputs)
    H.flat[: p * (len(H) + 1) : len(H) + 1] += l2
    if problem.fit_intercept:
        H[p:, :p], H[p:, p:] = sums.T, model.own
    H.flat[:: len(H) + 1] *= 1.0 + RIDGE
    return factored(H, 0.0)


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
    rows = slice(None, None, 1 + place.pull.nbytes // BYTES_AT_ONCE)
    pull, weights = (vector.reshape(outputs, n)[:, rows] for vector in (place.pull, problem.weights))
    curvature = float(problem.loss.second_derivative(problem.y[rows], (pull / -weights).ravel()).mean())
    H = curvature * problem.features.gram(problem.weights[:n])
    H.flat[:: p + 1] += np.broadcast_to(l2, outputs * p).reshape(outputs, p).mean(axis=0)
    H.flat[:: p + 1] *= 1.0 + RIDGE
    solve = factored(H, 0.0)
    return solve and OneForEveryOutput(solve(np.eye(p)), curvature, outputs * p)

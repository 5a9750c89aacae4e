"""Models of the squared loss along the paths of a fold's training rows, and their errors on its test rows."""

import numpy as np

from ..data.dataset import rows_of
from ..losses import SquaredLoss
from ..penalty_path import moments_pay, solutions_along
from ..problem import Problem
from ..problem.rescaling import are_in_range
from ..solve import SOLVERS

CANCELLED = 1e-4
"""Error, relative to what it is the difference of, below which it is computed from the rows themselves."""


def problem_of_folds(model, X, y, weights, paths, folds):
    """The problem of all rows, with second moments that folds share where these cost less than they save."""
    whole = Problem(X, y, SquaredLoss(), None, weights, model.fit_intercept, SOLVERS[model.solver].rows)
    if moments_pay(whole, paths[0][0], model._fold_options(), sum(map(len, paths)) * len(folds) // 2):
        whole.share_moments([test for _, test in folds])
    return whole


def squared_errors(whole, X, y, weights, paths, train, test, options):
    """Mean squared errors on a fold's test rows, along the paths of its training rows, and messages;
    ``whole`` is the problem of all rows, ``paths`` are lists of penalties."""
    problem, errors, messages = whole.fold(train), [], []
    weights = np.ones(len(test)) if weights is None else weights[test]
    if not weights.any():
        raise ValueError("All sample weights of a test fold are zero; at least one must be positive.")
    weights = weights / weights.sum()
    for penalties in paths:
        W, b, said = zip(*models(problem, penalties, options), strict=True)
        W, found, lost = np.array(W), np.empty(len(W)), np.arange(len(W))
        if (known := whole.kept_moments(test)) is not None:
            found, lost = errors_by_moments(known, W, problem.offset, b[0])
        if len(lost):
            residuals = np.asarray(W[lost] @ rows_of(X, test).T)
            residuals += (np.array(b) - W @ problem.offset)[lost, None] - y[test]
            with np.errstate(over="ignore"):
                found[lost] = np.einsum("ij,ij,j->i", residuals, residuals, weights)
        errors.append(found)
        messages += said
    return errors, messages


def errors_by_moments(test, W, means, mean_y):
    """Mean squared errors of linear models through a point, their coefficients the rows of ``W``, from the
    second moments of the test rows; and the numbers of those that cancel, or of all where squares of the
    columns overflow or vanish."""
    with np.errstate(over="ignore", invalid="ignore"):
        quadratic = test.moved(np.append(means, mean_y)).quadratic(False)
        errors = quadratic.square + np.einsum("ij,ij->i", W @ quadratic.Q - 2.0 * quadratic.q, W)
        size = np.abs(W) @ np.sqrt(np.maximum(quadratic.Q.diagonal(), 0.0)) + np.sqrt(quadratic.square)
        known = (errors >= CANCELLED * size**2) & are_in_range(test.squares)
        return errors, np.flatnonzero(~known)


def models(problem, penalties, options):
    """Coefficients, intercept and message of each; solutions themselves hold more than is needed."""
    for solution in solutions_along(problem, penalties, options):
        yield solution.certificate.w, solution.certificate.b, solution.message

"""Squared errors of paths of linear models on the test rows of a fold."""

from itertools import islice

import numpy as np

from ..along import solutions_along
from ..data.rows import rows_of

TOGETHER = 64
"""Solutions of a path whose predictions are one product."""


def batched(items, n):
    """The items in lists of ``n``, the last one shorter."""
    items = iter(items)
    while batch := list(islice(items, n)):
        yield batch


CANCELLED = 1e-4
"""Error, relative to what it is the difference of, below which it is computed from the rows themselves."""


def errors_by_moments(test, W, means, mean_y):
    """Mean squared errors of linear models through a point, their coefficients the rows of ``W``, from the
    second moments of the test rows; and the numbers of those that cancel."""
    quadratic = test.moved(means, mean_y).quadratic(False)
    errors = quadratic.square + np.einsum("ij,ij->i", W @ quadratic.Q - 2.0 * quadratic.q, W)
    size = np.abs(W) @ np.sqrt(np.maximum(quadratic.Q.diagonal(), 0.0)) + np.sqrt(quadratic.square)
    return errors, np.flatnonzero(errors < CANCELLED * size**2)


def squared_errors(whole, X, y, weights, paths, train, test, options):
    """Mean squared errors on a fold's test rows, along the paths of its training rows, and messages;
    ``whole`` is the problem of all rows, ``paths`` are lists of penalties."""
    problem, errors, messages = whole.fold(train), [], []
    weights = np.ones(len(test)) if weights is None else weights[test]
    if not weights.any():
        raise ValueError("All sample weights of a test fold are zero; at least one must be positive.")
    weights = weights / weights.sum()
    for penalties in paths:
        errors.append([])
        for some in batched(solutions_along(problem, penalties, options), TOGETHER):
            W, b = (np.array([getattr(s.certificate, name) for s in some]) for name in "wb")
            found, lost = np.empty(len(W)), np.arange(len(W))
            if (known := whole.kept_moments(test)) is not None:
                found, lost = errors_by_moments(known, W, problem.offset, b[0])
            if len(lost):
                residuals = np.asarray(W[lost] @ rows_of(X, test).T)
                residuals += (b - W @ problem.offset)[lost, None] - y[test]
                with np.errstate(over="ignore"):
                    found[lost] = np.einsum("ij,ij,j->i", residuals, residuals, weights)
            errors[-1].extend(found)
            messages.extend(solution.message for solution in some)
    return errors, messages

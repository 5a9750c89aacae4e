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


def squared_errors(whole, X, y, weights, paths, train, test, options):
    """Mean squared errors on a fold's test rows, along the paths of its training rows, and messages;
    ``whole`` is the problem of all rows, ``paths`` are lists of penalties."""
    problem, X, y = whole.fold(train), rows_of(X, test), y[test]
    weights = np.ones(len(y)) if weights is None else weights[test]
    if not weights.any():
        raise ValueError("All sample weights of a test fold are zero; at least one must be positive.")
    weights, errors, messages = weights / weights.sum(), [], []
    for penalties in paths:
        errors.append([])
        for some in batched(solutions_along(problem, penalties, options), TOGETHER):
            w, b = (np.array([getattr(s.certificate, name) for s in some]) for name in "wb")
            residuals = np.asarray(w @ X.T)
            residuals += (b - w @ problem.offset)[:, None] - y
            with np.errstate(over="ignore"):
                errors[-1].extend(np.einsum("ij,ij,j->i", residuals, residuals, weights))
            messages.extend(solution.message for solution in some)
    return errors, messages

"""The largest eigenvalue of a weighted Gram matrix, by products with the data."""

import numpy as np
from scipy.linalg import eigh_tridiagonal

TINY = 1e-250
"""Squared norm that is not exact."""


def largest_eigenvalue(
    design, weights, *, random_state=0, min_products=12, max_products=60, rtol=1e-3, margin=1.02
):
    """Largest eigenvalue of ``X' diag(weights) X`` by Lanczos' method, with a safe margin.

    Ritz values approach the eigenvalue from below; iterations stop when the residual is below
    ``rtol``, and ``margin`` covers what is left. A power iteration will not do: where one
    eigenvalue stands out of many equal ones, it stalls at these for long. Infinite where squares
    overflow.
    """
    if design.shape[1] == 0 or design.size == 0:
        return 0.0
    x = np.random.default_rng(random_state).standard_normal(design.shape[1])
    x, old, beta, value = x / np.linalg.norm(x), 0.0, 0.0, 0.0
    diagonal, beside = [], []
    for _ in range(max_products):
        new = design.tmul(weights * design.mul(x)) - beta * old
        diagonal.append(x @ new)
        new -= diagonal[-1] * x
        size = new @ new
        if not TINY < size < 1.0 / TINY and new.any():
            largest = np.abs(new).max()
            exponent = int(np.frexp(largest)[1])
            if not np.isfinite(largest):
                return np.inf
            return float(np.ldexp(largest_eigenvalue(design, np.ldexp(weights, -exponent)), exponent))
        values, vectors = eigh_tridiagonal(diagonal, beside)
        value, beta = values[-1], np.sqrt(size)
        residual = beta * abs(vectors[-1, -1])
        if (residual <= rtol * value and len(diagonal) >= min_products) or beta <= 1e-10 * value:
            break
        beside.append(beta)
        old, x = x, new / beta
    return margin * max(0.0, value)

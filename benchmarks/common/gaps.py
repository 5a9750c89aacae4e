"""Certified duality gaps, the same for every solver; no solver's own word is taken.

Both problems are sums over the samples, without an intercept. The gap is relative to the objective at
zero. Feasible dual points: the residual (the loss gradient) scaled into the dual set of the l1 part,
and with an l2 part the unscaled one.
"""

import numpy as np
from scipy.special import entr, expit

TINY = 1e-300


def lasso_gap(X, y, w, l1, l2):
    """Relative gap and objective of ``|y - X w|^2 / 2 + l1 |w|_1 + l2 |w|^2 / 2``."""
    r = y - X @ w
    primal = 0.5 * r @ r + l1 * np.abs(w).sum() + 0.5 * l2 * w @ w
    g = X.T @ r
    s = min(1.0, l1 / max(np.abs(g).max(), TINY))
    dual = s * (y @ r) - 0.5 * s * s * (r @ r)
    if l2 > 0:
        excess = np.maximum(np.abs(g) - l1, 0.0)
        dual = max(dual, y @ r - 0.5 * r @ r - excess @ excess / (2.0 * l2))
    return (primal - dual) / (0.5 * y @ y), primal


def logistic_gap(X, y, w, l1, l2):
    """Relative gap and objective of ``sum log(1 + exp(-y X w)) + l1 |w|_1 + l2 |w|^2 / 2``, y in {-1, 1}."""
    z = X @ w
    primal = np.logaddexp(0.0, -y * z).sum() + l1 * np.abs(w).sum() + 0.5 * l2 * w @ w
    u = expit(-y * z)
    g = X.T @ (y * u)

    def entropy(u):
        return (entr(u) + entr(1.0 - u)).sum()

    dual = entropy(min(1.0, l1 / max(np.abs(g).max(), TINY)) * u)
    if l2 > 0:
        excess = np.maximum(np.abs(g) - l1, 0.0)
        dual = max(dual, entropy(u) - excess @ excess / (2.0 * l2))
    return (primal - dual) / (len(y) * np.log(2.0)), primal


def largest_penalty(X, y, logistic):
    """Smallest l1 part at which all coefficients are zero."""
    return float(np.abs(X.T @ (y / 2.0 if logistic else y)).max())


def centred(y):
    """Target of the regression problems."""
    y = np.asarray(y, dtype=np.float64)
    return y - y.mean()


def signs(y):
    """Labels -1 and 1: of two values as they are, of more the upper half of the classes or targets."""
    y = np.asarray(y)
    values = np.unique(y)
    threshold = values[0] if len(values) == 2 else np.median(values if len(values) <= 100 else y)
    return np.where(y > threshold, 1.0, -1.0)

"""Penalties of paths of regressions, and scikit-learn's grids of them."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from scipy.optimize import nnls
from sklearn.utils import check_scalar

from ..penalties import ElasticNetPenalty
from ._checks import check_number, check_numbers, checked_penalty_weights

RESOLUTION = np.finfo(np.float64).resolution


def enet_penalties(alphas, l1_ratio, positive=False, weights=None):
    """Penalty of ElasticNet for each of the ``alphas``, with weights of the features."""
    penalties = [ElasticNetPenalty(a * l1_ratio, a * (1.0 - l1_ratio), positive) for a in alphas]
    return penalties if weights is None else [penalty.weighted(weights) for penalty in penalties]


def alpha_grid(
    X, y, *, l1_ratio, eps, n_alphas, sample_weight=None, fit_intercept=True, positive=False, Xy=None,
    penalty_weights=None,
):  # fmt: skip
    """Scikit-learn's grid of alphas: from the smallest with a zero model down to ``eps`` times that.
    Unpenalised features are in that model, at their best.

    ``Xy`` is ``X'y`` of the data as they are to be used, when it is known; ``fit_intercept`` says whether
    they are centred first.
    """
    if l1_ratio == 0:
        raise ValueError(
            "Automatic alpha grid generation is not supported for l1_ratio=0. Please supply a grid by "
            "providing your estimator with the appropriate `alphas=` argument."
        )
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    total = weights.sum()
    penalty = ElasticNetPenalty(positive=positive).weighted(penalty_weights)
    if penalty.free is not None:
        y, Xy = _left_by(X[:, penalty.free], y, weights, fit_intercept, positive), None
    if Xy is None:
        residual = weights * (y - np.average(y, weights=weights)) if fit_intercept else weights * y
        Xy = X.T @ residual
        if fit_intercept:
            Xy = Xy - (X.T @ weights) * (residual.sum() / total)
    largest = float(penalty.pull(np.ravel(Xy)).max(initial=0.0))
    alpha_max = largest / (total * l1_ratio)
    if alpha_max <= RESOLUTION:
        return np.full(n_alphas, RESOLUTION)
    return np.geomspace(alpha_max, alpha_max * eps, num=n_alphas)


def alphas_of(path, X, y, sample_weight, Xy):
    """The alphas, or those of an automatic grid, and the weights of the penalties."""
    weights = checked_penalty_weights(path.penalty_weights, X.shape[1])
    return _alphas(path, X, y, sample_weight, Xy, weights), weights


def _alphas(path, X, y, sample_weight, Xy, weights):
    if not isinstance(path.alphas, Integral):
        return check_alphas(path.alphas)
    check_scalar(path.alphas, "alphas", Integral, min_val=1)
    check_number(path.eps, "eps", high=1.0, boundaries="neither")
    return alpha_grid(
        X, y, l1_ratio=path.l1_ratio, eps=path.eps, n_alphas=path.alphas, sample_weight=sample_weight,
        fit_intercept=False, positive=path.positive, Xy=Xy, penalty_weights=weights,
    )  # fmt: skip


def _left_by(Z, y, weights, centred, positive):
    """Residual of the least-squares model with the columns ``Z`` alone."""
    Z, root = np.asarray(Z.toarray() if sp.issparse(Z) else Z, dtype=np.float64), np.sqrt(weights)
    if centred:
        Z, y = Z - np.average(Z, axis=0, weights=weights), y - np.average(y, weights=weights)
    size = np.maximum(np.abs(Z).max(axis=0), np.finfo(float).tiny)
    Z = Z / size
    # A columns' scale says nothing of its rank.
    A, b = root[:, None] * Z, root * y
    return y - Z @ (nnls(A, b)[0] if positive else np.linalg.lstsq(A, b)[0])


def check_alphas(alphas):
    """Given alphas, checked, in decreasing order."""
    return np.sort(check_numbers(alphas, "alphas"))[::-1]

"""Penalties of paths of regressions, and scikit-learn's grids of them."""

import numpy as np

from ..penalties import ElasticNetPenalty
from ._checks import check_numbers

RESOLUTION = np.finfo(np.float64).resolution


def enet_penalties(alphas, l1_ratio, positive=False):
    """Penalty of ElasticNet for each of the ``alphas``."""
    return [ElasticNetPenalty(a * l1_ratio, a * (1.0 - l1_ratio), positive) for a in alphas]


def alpha_grid(
    X, y, *, l1_ratio, eps, n_alphas, sample_weight=None, fit_intercept=True, positive=False, Xy=None
):
    """Scikit-learn's grid of alphas: from the smallest with a zero model down to ``eps`` times that.

    Parameters
    ----------
    X : {ndarray, sparse matrix or array} of shape (n, p)
    y : ndarray of shape (n,)
    l1_ratio, eps : float
    n_alphas : int
    sample_weight : ndarray of shape (n,), optional
    fit_intercept : bool
        Whether the data are centred first.
    positive : bool
    Xy : ndarray of shape (p,), optional
        ``X'y`` of the data as they are to be used, when it is known.

    Returns
    -------
    ndarray of shape (n_alphas,), decreasing

    Raises
    ------
    ValueError
        If ``l1_ratio`` is 0: then no alpha gives a zero model.
    """
    if l1_ratio == 0:
        raise ValueError(
            "Automatic alpha grid generation is not supported for l1_ratio=0. Please supply a grid by "
            "providing your estimator with the appropriate `alphas=` argument."
        )
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    total = weights.sum()
    if Xy is None:
        residual = weights * (y - np.average(y, weights=weights)) if fit_intercept else weights * y
        Xy = X.T @ residual
        if fit_intercept:
            Xy = Xy - (X.T @ weights) * (residual.sum() / total)
    largest = float(ElasticNetPenalty(positive=positive).pull(np.ravel(Xy)).max(initial=0.0))
    alpha_max = largest / (total * l1_ratio)
    if alpha_max <= RESOLUTION:
        return np.full(n_alphas, RESOLUTION)
    return np.geomspace(alpha_max, alpha_max * eps, num=n_alphas)


def check_alphas(alphas):
    """Given alphas, checked, in decreasing order."""
    return np.sort(check_numbers(alphas, "alphas"))[::-1]

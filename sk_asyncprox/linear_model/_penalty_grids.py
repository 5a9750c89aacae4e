"""Grids of penalties to choose from, given or scikit-learn's automatic ones, and the choice."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import maxabs_scale

from ..penalties import ElasticNetPenalty
from ._parameters import NON_NEGATIVE, POSITIVE_OR_INFINITE, SHARE
from ._validation import check_numbers
from ._weights import checked_penalty_weights

RESOLUTION = np.finfo(np.float64).resolution


def penalties_of(model, ratios, grids, n_features):
    """Penalties of every share of the l1 part, one for each of its alphas."""
    weights = checked_penalty_weights(model.penalty_weights, n_features)
    return [
        [ElasticNetPenalty(a * ratio, a * (1.0 - ratio), model.positive, weights) for a in alphas]
        for ratio, alphas in zip(ratios, grids, strict=True)
    ]


def alphas_of(model, X, y, sample_weight, ratios, fit_intercept, Xy=None):
    """Alphas for every share of the l1 part, decreasing, one row each: those given, or scikit-learn's grid,
    from the smallest with a zero model (but for unpenalised features) down to ``eps`` times that; ``Xy`` is
    ``X'y``, when it is known.
    """
    if not isinstance(model.alphas, Integral):
        return np.tile(np.sort(check_numbers(model.alphas, "alphas", NON_NEGATIVE))[::-1], (len(ratios), 1))
    if not np.all(ratios):
        raise ValueError(
            "Automatic alpha grid generation is not supported for l1_ratio=0. Please supply a grid by "
            "providing your estimator with the appropriate `alphas=` argument."
        )
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    own = checked_penalty_weights(model.penalty_weights, X.shape[1])
    penalty = ElasticNetPenalty(positive=model.positive, weights=own)
    if penalty.free is not None:
        y, Xy = _left_by(X[:, penalty.free], y, weights, fit_intercept, model.positive), None
    total = weights.sum()
    if Xy is None:
        residual = weights * (y - np.average(y, weights=weights)) if fit_intercept else weights * y
        Xy = X.T @ residual
        if fit_intercept:
            Xy = Xy - (X.T @ weights) * (residual.sum() / total)
    largest = float(penalty.pull(np.ravel(Xy)).max(initial=0.0))
    most = np.maximum(largest / (total * np.asarray(ratios)), RESOLUTION)
    least = most * np.where(most > RESOLUTION, model.eps, 1.0)
    return np.geomspace(most, least, num=model.alphas, axis=-1)


def _left_by(Z, y, weights, centred, positive):
    """Residual of the least-squares model with the columns ``Z`` alone."""
    # A columns' scale says nothing of its rank.
    Z = maxabs_scale(np.asarray(Z.toarray() if sp.issparse(Z) else Z, dtype=np.float64))
    return y - LinearRegression(fit_intercept=centred, positive=positive).fit(Z, y, weights).predict(Z)


def grid_of(Cs, l1_ratios):
    """Values of C, given as such or as their number, and of the share of the l1 part, checked."""
    Cs = np.logspace(-4, 4, Cs) if isinstance(Cs, Integral) else check_numbers(Cs, "Cs", POSITIVE_OR_INFINITE)
    try:
        return Cs, check_numbers(l1_ratios, "l1_ratios", SHARE)
    except (TypeError, ValueError) as wrong:
        raise ValueError(
            f"l1_ratios must be an array-like of numbers between 0 and 1; got (l1_ratios={l1_ratios!r})"
        ) from wrong


def best_of(scores):
    """Numbers of the l1_ratio and of the C with the best score, for each of ``scores`` of shape
    (m, n_l1_ratios, n_cs); the smallest C where there are several."""
    m, n_ratios, n_cs = scores.shape
    by_C = scores.swapaxes(1, 2).reshape(m, -1)
    return np.unravel_index(by_C.argmax(axis=1), (n_cs, n_ratios))[::-1]

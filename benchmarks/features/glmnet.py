"""python-glmnet 2.6.1: glmnet's Fortran behind scikit-learn's methods."""

import glmnet
import numpy as np

import sk_asyncprox as own

from .problem import (
    CLASSES,
    LABELS,
    SPARSE,
    STRENGTH,
    WEIGHTS,
    P,
    X,
    Y,
    best,
    compare,
    follows_scale,
    lacks,
    with_long_indices,
)  # fmt: skip

SETTINGS = {"n_splits": 0, "standardize": False, "tol": 1e-14}
STRENGTHS = np.array([10.0, 3.0, 1.0]) * STRENGTH


def fit(y, l1_ratio=1.0, weights=None, data=X, scale=1.0, **params):
    of = glmnet.LogitNet if y is LABELS or y is CLASSES else glmnet.ElasticNet
    model = of(alpha=l1_ratio, lambda_path=STRENGTHS * scale, **SETTINGS | params)
    return model.fit(data, y * scale, sample_weight=weights)


def solves(y, l1_ratio=1.0, weights=None, data=X, least=-np.inf, **params):
    model = fit(y, l1_ratio, weights, data, **params)
    coef, intercept = model.coef_path_[..., -1], model.intercept_path_[..., -1]
    given = {"positive": True} if least == 0.0 else {}
    return compare(coef, intercept, y, l1_ratio, weights, data, least, **given)


def by_default():
    """Columns are standardised, so the default solves another problem."""
    coef = fit(Y, standardize=True, data=X * np.arange(1, P + 1)).coef_path_[:, -1]
    ours = best(Y, data=X * np.arange(1, P + 1)).coef_
    return bool(np.allclose(coef, ours, atol=1e-4)), f"coefficients differ by {np.abs(coef - ours).max():.1e}"


def elastic_net():
    """The l2 part is divided by the standard deviation of the targets."""
    l1, l2 = STRENGTH / 2, STRENGTH / 2 / Y.std()
    ours = own.ElasticNet(alpha=l1 + l2, l1_ratio=l1 / (l1 + l2), tol=1e-13).fit(X, Y)
    error = np.abs(fit(Y, 0.5).coef_path_[:, -1] - ours.coef_).max()
    found, seen = solves(Y, 0.5)
    return "p" if error < 1e-6 and not found else found, f"{seen}; with l2 / std(y) off by {error:.1e}"


def cross_validated(of, y, l1_ratio):
    model = of(alpha=l1_ratio, n_splits=3, n_lambda=20).fit(X, y)
    return True, f"lambda {float(np.ravel(model.lambda_best_)[0]):.3g}"


CELLS = {
    "Lasso": lambda: ("p" if solves(Y)[0] and not by_default()[0] else solves(Y)[0], by_default()[1]),
    "Elastic-net regression": elastic_net,
    "l1 logistic regression": lambda: solves(LABELS),
    "Elastic-net logistic regression": lambda: solves(LABELS, 0.5),
    "Three and more classes": lambda: solves(CLASSES),
    "Unpenalised intercept, logistic": lambda: solves(LABELS),
    "Sample weights": lambda: solves(Y, weights=WEIGHTS),
    "Class weights": lambda: lacks(glmnet.LogitNet, "class_weight"),
    "Non-negative coefficients": lambda: solves(Y, least=0.0, lower_limits=0.0),
    "Path of solutions": lambda: (fit(Y).coef_path_.shape == (P, 3), "coef_path_"),
    "Cross-validated estimator": lambda: cross_validated(glmnet.ElasticNet, Y, 1.0),
    "Elastic-net logistic, cross-validated": lambda: cross_validated(glmnet.LogitNet, LABELS, 0.5),
    "Duality gap of a regression": lambda: (hasattr(fit(Y), "dual_gap_"), "dual_gap_"),
    "Wall-clock budget": lambda: lacks(glmnet.ElasticNet, "max_time", "timeout"),
    "Warm start": lambda: lacks(glmnet.ElasticNet, "warm_start"),
    "64-bit indices": lambda: solves(Y, data=with_long_indices(SPARSE)),
    "Scale-free tolerance": lambda: follows_scale(
        lambda scale: fit(Y, scale=scale, tol=1e-7).coef_path_[:, -1]),
}  # fmt: skip

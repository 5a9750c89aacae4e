"""glum 3.4.1."""

import glum
import numpy as np

from .problem import (
    LABELS,
    SPARSE,
    STRENGTH,
    WEIGHTS,
    P,
    X,
    Y,
    follows_scale,
    lacks,
    second_fit,
    solves,
    with_long_indices,
)  # fmt: skip

BINOMIAL = {"family": "binomial"}


def regressor(**params):
    settings = {"l1_ratio": 1.0, "alpha": STRENGTH, "gradient_tol": 1e-9}
    return glum.GeneralizedLinearRegressor(**settings | params)


def path():
    model = regressor(alpha=None, alpha_search=True, n_alphas=7).fit(X, Y)
    return hasattr(model, "coef_path_"), f"{len(model.coef_path_)} solutions"


def search(y, **params):
    model = glum.GeneralizedLinearRegressorCV(n_alphas=7, cv=3, **params).fit(X, y)
    return True, f"alpha {model.alpha_:.3g}"


CELLS = {
    "Lasso": lambda: solves(regressor(), Y),
    "Elastic-net regression": lambda: solves(regressor(l1_ratio=0.5), Y, 0.5),
    "l1 logistic regression": lambda: solves(regressor(**BINOMIAL), LABELS),
    "Elastic-net logistic regression": lambda: solves(regressor(l1_ratio=0.5, **BINOMIAL), LABELS, 0.5),
    "Unpenalised intercept, logistic": lambda: solves(regressor(**BINOMIAL), LABELS),
    "Sample weights": lambda: solves(regressor(), Y, weights=WEIGHTS),
    "Class weights": lambda: lacks(glum.GeneralizedLinearRegressor, "class_weight"),
    "Non-negative coefficients": lambda: solves(
        regressor(lower_bounds=np.zeros(P)), Y, positive=True, least=0.0),
    "Path of solutions": path,
    "Cross-validated estimator": lambda: search(Y, l1_ratio=1.0),
    "Elastic-net logistic, cross-validated": lambda: search(LABELS, l1_ratio=0.5, **BINOMIAL),
    "Duality gap of a regression": lambda: (hasattr(regressor().fit(X, Y), "dual_gap_"), "dual_gap_"),
    "Record of the run": lambda: (
        True, f"{len(regressor().fit(X, Y).get_formatted_diagnostics())} iterations"),
    "Wall-clock budget": lambda: lacks(glum.GeneralizedLinearRegressor, "max_time", "timeout"),
    "Warm start": lambda: second_fit(regressor(warm_start=True, **BINOMIAL), LABELS, lambda m: m.n_iter_),
    "Standard errors, other families": lambda: (
        True, f"{len(regressor(alpha=0.0).fit(X, Y).std_errors(X, Y))} standard errors"),
    "64-bit indices": lambda: solves(regressor(), Y, data=with_long_indices(SPARSE)),
    "Scale-free tolerance": lambda: follows_scale(lambda scale: glum.GeneralizedLinearRegressor(
        alpha=STRENGTH * scale, l1_ratio=1.0).fit(X, Y * scale).coef_),
}  # fmt: skip

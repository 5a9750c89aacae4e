"""snapml 1.17.2."""

import numpy as np
import snapml

from .problem import (
    LABELS,
    SPARSE,
    STRENGTH,
    N,
    X,
    Y,
    best,
    compare,
    follows_scale,
    lacks,
    one_against_rest,
    with_long_indices,
)  # fmt: skip

PRIMAL = {"penalty": "l1", "dual": False, "regularizer": STRENGTH * N}
TIGHT = {"tol": 1e-10, "max_iter": 20_000}
CENTRED = X - X.mean(axis=0)


def lasso():
    """Without an intercept, on centred data, as the one of the primal solver gets lost."""
    model = snapml.LinearRegression(**PRIMAL, **TIGHT).fit(CENTRED, Y - Y.mean())
    return compare(model.coef_, Y.mean() - X.mean(axis=0) @ np.ravel(model.coef_), Y)


def logistic(fit_intercept=False):
    model = snapml.LogisticRegression(fit_intercept=fit_intercept, **PRIMAL, **TIGHT).fit(X, LABELS)
    return compare(model.coef_, np.ravel(model.intercept_), LABELS, fit_intercept=fit_intercept)


def fit_scaled(scale):
    model = snapml.LinearRegression(**PRIMAL | {"regularizer": STRENGTH * N * scale}, **TIGHT)
    return model.fit(CENTRED, (Y - Y.mean()) * scale).coef_


def intercept():
    """Fitted by the primal solver, as the coefficients show, and zero afterwards."""
    settings = {"penalty": "l1", "dual": False, "regularizer": 1e-3, **TIGHT}
    model = snapml.LinearRegression(fit_intercept=True, **settings).fit(X, Y)
    without = snapml.LinearRegression(fit_intercept=False, **settings).fit(X, Y)
    fitted = np.abs(model.coef_ - without.coef_).max() > 0.1
    lost = float(np.ravel(model.intercept_)[0]) == 0.0 and abs(np.mean(Y - model.predict(X))) > 1.0
    found, seen = logistic(fit_intercept=True)
    return found, f"fitted {fitted}, lost in predictions {lost}; l1 logistic: {seen}"


def long_indices():
    data = with_long_indices(SPARSE.tocsr())
    ours = best(LABELS, data=SPARSE, fit_intercept=False)
    model = snapml.LogisticRegression(**PRIMAL, **TIGHT).fit(data, LABELS)
    error = np.abs(model.coef_ - ours.coef_).max()
    return bool(error < 1e-2), f"coefficients off by {error:.1e}"


def three_classes():
    model = snapml.LogisticRegression(regularizer=1.0, **TIGHT)
    return one_against_rest(model)


CELLS = {
    "Lasso": lasso,
    "l1 logistic regression": logistic,
    "Elastic-net regression": lambda: lacks(snapml.LinearRegression.__init__, "l1_ratio"),
    "Elastic-net logistic regression": lambda: lacks(snapml.LogisticRegression.__init__, "l1_ratio"),
    "Three and more classes": three_classes,
    "Unpenalised intercept, logistic": intercept,
    "Sample weights": lambda: lacks(snapml.LogisticRegression.fit, "sample_weight"),
    "Class weights": lambda: lacks(snapml.LogisticRegression.__init__, "class_weight"),
    "Non-negative coefficients": lambda: lacks(snapml.LinearRegression.__init__, "positive"),
    "Workers for one fit": lambda: lacks(snapml.LinearRegression.__init__, "n_jobs"),
    "Wall-clock budget": lambda: lacks(snapml.LinearRegression.__init__, "max_time", "timeout"),
    "64-bit indices": long_indices,
    "Scale-free tolerance": lambda: follows_scale(fit_scaled),
}

"""celer 0.7.4."""

import celer
import numpy as np

from .problem import (
    LABELS,
    SPARSE,
    STRENGTH,
    WEIGHTS,
    N,
    X,
    Y,
    follows_scale,
    lacks,
    one_against_rest,
    runs,
    solves,
    with_long_indices,
)  # fmt: skip

TIGHT = {"tol": 1e-9, "max_iter": 500}


def lasso(**params):
    return celer.Lasso(alpha=STRENGTH, **TIGHT, **params)


def logistic():
    return celer.LogisticRegression(C=1.0 / (STRENGTH * N), **TIGHT)


def weighted():
    """Right for dense data, wrong for sparse ones with an intercept."""
    dense, _ = solves(lasso(), Y, weights=WEIGHTS + 1.0)
    sparse, seen = solves(lasso(), Y, weights=WEIGHTS + 1.0, data=SPARSE)
    return ("p" if dense and not sparse else dense), f"dense {dense}, sparse {sparse} ({seen})"


def long_indices():
    """Logistic regression takes them, the Lasso does not."""
    data = with_long_indices()
    found, seen = solves(logistic(), LABELS, data=data, fit_intercept=False)
    try:
        lasso().fit(data, Y)
    except ValueError as error:
        return "p" if found else False, f"logistic regression: {seen}; Lasso: {error}"
    return found, seen


CELLS = {
    "Lasso": lambda: solves(lasso(), Y),
    "Elastic-net regression": lambda: solves(celer.ElasticNet(alpha=STRENGTH, l1_ratio=0.5, **TIGHT), Y, 0.5),
    "l1 logistic regression": lambda: solves(logistic(), LABELS, fit_intercept=False),
    "Elastic-net logistic regression": lambda: lacks(celer.LogisticRegression, "l1_ratio"),
    "Three and more classes": lambda: one_against_rest(logistic()),
    "Unpenalised intercept, logistic": lambda: solves(logistic(), LABELS),
    "Sample weights": weighted,
    "Class weights": lambda: lacks(celer.LogisticRegression, "class_weight"),
    "Non-negative coefficients": lambda: solves(lasso(positive=True), Y, positive=True, least=0.0),
    "Several targets, one mixed-norm penalty": lambda: runs(
        lambda: celer.MultiTaskLasso(alpha=STRENGTH).fit(X, np.c_[Y, -Y])),
    "Path of solutions": lambda: runs(lambda: celer.celer_path(X, Y, "lasso")),
    "Cross-validated estimator": lambda: runs(lambda: celer.LassoCV(cv=3).fit(X, Y)),
    "Duality gap of a regression": lambda: (lasso().fit(X, Y).dual_gap_ < 1e-6, "dual_gap_"),
    "Workers for one fit": lambda: lacks(celer.Lasso, "n_jobs", "n_threads"),
    "Wall-clock budget": lambda: lacks(celer.Lasso, "max_time", "timeout"),
    "64-bit indices": long_indices,
    "Scale-free tolerance": lambda: follows_scale(
        lambda scale: celer.Lasso(alpha=STRENGTH * scale).fit(X, Y * scale).coef_),
}  # fmt: skip

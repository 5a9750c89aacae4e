"""scikit-learn 1.9.1."""

import numpy as np
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskLasso,
    lasso_path,
)  # fmt: skip

from .problem import (
    CLASSES,
    LABELS,
    STRENGTH,
    WEIGHTS,
    N,
    X,
    Y,
    follows_scale,
    lacks,
    runs,
    second_fit,
    solves,
    with_long_indices,
)  # fmt: skip

SAGA = {"solver": "saga", "tol": 1e-10, "max_iter": 20_000, "C": 1.0 / (STRENGTH * N)}


def lasso(**params):
    return Lasso(alpha=STRENGTH, tol=1e-10, **params)


CELLS = {
    "Lasso": lambda: solves(lasso(), Y),
    "Elastic-net regression": lambda: solves(ElasticNet(alpha=STRENGTH, l1_ratio=0.5, tol=1e-10), Y, 0.5),
    "l1 logistic regression": lambda: solves(LogisticRegression(l1_ratio=1.0, **SAGA), LABELS),
    "Three and more classes": lambda: solves(LogisticRegression(l1_ratio=1.0, **SAGA), CLASSES),
    "Unpenalised intercept, logistic": lambda: solves(LogisticRegression(l1_ratio=1.0, **SAGA), LABELS),
    "Sample weights": lambda: solves(lasso(), Y, weights=WEIGHTS),
    "Class weights": lambda: lacks(LogisticRegression, "class_weight"),
    "Non-negative coefficients": lambda: solves(lasso(positive=True), Y, positive=True, least=0.0),
    "Several targets, one mixed-norm penalty": lambda: runs(
        lambda: MultiTaskLasso(alpha=STRENGTH).fit(X, np.c_[Y, -Y])),
    "Path of solutions": lambda: runs(lambda: lasso_path(X, Y)),
    "Cross-validated estimator": lambda: runs(lambda: LassoCV(cv=3).fit(X, Y)),
    "Elastic-net logistic, cross-validated": lambda: ("p", type(LogisticRegressionCV(
        solver="saga", l1_ratios=[0.5], Cs=2, cv=3, use_legacy_attributes=False).fit(X, LABELS)).__name__),
    "Duality gap of a regression": lambda: (lasso().fit(X, Y).dual_gap_ < 1e-6, "dual_gap_"),
    "Workers for one fit": lambda: lacks(Lasso, "n_jobs"),
    "Wall-clock budget": lambda: lacks(Lasso, "max_time", "timeout"),
    "Warm start": lambda: second_fit(lasso(warm_start=True), Y, lambda model: model.n_iter_),
    "64-bit indices": lambda: solves(lasso(), Y, data=with_long_indices()),
    "Scale-free tolerance": lambda: follows_scale(
        lambda scale: Lasso(alpha=STRENGTH * scale).fit(X, Y * scale).coef_),
}  # fmt: skip

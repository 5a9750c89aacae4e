"""skglm 0.5."""

import numpy as np
import skglm
from skglm.cv import GeneralizedLinearEstimatorCV
from skglm.datafits import Logistic
from skglm.penalties import L1_plus_L2
from skglm.solvers import ProxNewton

from .problem import (
    LABELS,
    SPARSE,
    STRENGTH,
    X,
    Y,
    follows_scale,
    lacks,
    one_against_rest,
    runs,
    solves,
    with_long_indices,
)  # fmt: skip


def logistic(l1_ratio=1.0):
    return skglm.SparseLogisticRegression(alpha=STRENGTH, l1_ratio=l1_ratio, tol=1e-9, max_iter=200)


def search():
    found = GeneralizedLinearEstimatorCV(
        Logistic(), L1_plus_L2(STRENGTH, 0.5), ProxNewton(), l1_ratio=[0.3, 0.7], cv=3
    )
    return True, f"alpha {found.fit(X, 2.0 * LABELS - 1.0).alpha_:.3g}"


CELLS = {
    "Lasso": lambda: solves(skglm.Lasso(alpha=STRENGTH, tol=1e-9), Y),
    "Elastic-net regression": lambda: solves(
        skglm.ElasticNet(alpha=STRENGTH, l1_ratio=0.5, tol=1e-9), Y, 0.5),
    "l1 logistic regression": lambda: solves(logistic(), LABELS),
    "Elastic-net logistic regression": lambda: solves(logistic(0.5), LABELS, 0.5),
    "Three and more classes": lambda: one_against_rest(logistic()),
    "Unpenalised intercept, logistic": lambda: solves(logistic(), LABELS),
    "Sample weights": lambda: lacks(skglm.Lasso.fit, "sample_weight"),
    "Class weights": lambda: lacks(skglm.SparseLogisticRegression, "class_weight"),
    "Non-negative coefficients": lambda: solves(
        skglm.Lasso(alpha=STRENGTH, positive=True, tol=1e-9), Y, positive=True, least=0.0),
    "Several targets, one mixed-norm penalty": lambda: runs(
        lambda: skglm.MultiTaskLasso(alpha=STRENGTH).fit(X, np.c_[Y, -Y])),
    "Path of solutions": lambda: runs(lambda: skglm.Lasso().path(X, Y, np.array([0.5, 0.1]))),
    "Elastic-net logistic, cross-validated": search,
    "Duality gap of a regression": lambda: (
        hasattr(skglm.Lasso(alpha=STRENGTH).fit(X, Y), "dual_gap_"), "dual_gap_"),
    "Workers for one fit": lambda: lacks(skglm.Lasso, "n_jobs", "n_threads"),
    "Wall-clock budget": lambda: lacks(skglm.Lasso, "max_time", "timeout"),
    "64-bit indices": lambda: solves(
        skglm.Lasso(alpha=STRENGTH, tol=1e-9), Y, data=with_long_indices(SPARSE)),
    "Scale-free tolerance": lambda: follows_scale(
        lambda scale: skglm.Lasso(alpha=STRENGTH * scale).fit(X, Y * scale).coef_),
}  # fmt: skip

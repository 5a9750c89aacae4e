"""cyanure 1.2.2."""

import cyanure.estimators as cyanure
import numpy as np

from .problem import (
    CLASSES,
    LABELS,
    SPARSE,
    STRENGTH,
    X,
    Y,
    follows_scale,
    lacks,
    second_fit,
    solves,
    with_long_indices,
)  # fmt: skip

SETTINGS = {"verbose": False, "tol": 1e-9, "max_iter": 5000, "lambda_1": STRENGTH}
CLASSIFIER = {**SETTINGS, "loss": "logistic", "penalty": "l1"}
ELASTIC = {"penalty": "elasticnet", "lambda_1": STRENGTH / 2, "lambda_2": STRENGTH / 2}


def iterations(model):
    return int(np.ravel(np.asarray(model.optimization_info_)[..., 0, :])[-1])


def gap_of(model, y):
    """Record of the run; its gap is what the primal and the dual value, rows 1 and 2, differ by."""
    info = np.asarray(model.fit(X, y).optimization_info_)[0]
    return info[1, -1] >= info[2, -1] > 0.0, f"{info.shape[1]} records, gap {info[3, -1]:.1e} relative"


def fit_scaled(scale):
    settings = {"verbose": False, "lambda_1": STRENGTH * scale, "max_iter": 5000}
    return cyanure.Regression(penalty="l1", **settings).fit(X, Y * scale).coef_


CELLS = {
    "Lasso": lambda: solves(cyanure.Regression(penalty="l1", **SETTINGS), Y),
    "Elastic-net regression": lambda: solves(cyanure.Regression(**SETTINGS | ELASTIC), Y, 0.5),
    "l1 logistic regression": lambda: solves(cyanure.Classifier(**CLASSIFIER), LABELS),
    "Elastic-net logistic regression": lambda: solves(
        cyanure.Classifier(**CLASSIFIER | ELASTIC), LABELS, 0.5),
    "Three and more classes": lambda: solves(
        cyanure.Classifier(**CLASSIFIER | {"loss": "multiclass-logistic"}), CLASSES),
    "Unpenalised intercept, logistic": lambda: solves(cyanure.Classifier(**CLASSIFIER), LABELS),
    "Sample weights": lambda: lacks(cyanure.Regression.fit, "sample_weight"),
    "Class weights": lambda: lacks(cyanure.Classifier, "class_weight"),
    "Non-negative coefficients": lambda: lacks(cyanure.Regression, "positive"),
    "Duality gap of a regression": lambda: gap_of(cyanure.Regression(penalty="l1", **SETTINGS), Y),
    "Duality gap of a logistic regression": lambda: gap_of(cyanure.Classifier(**CLASSIFIER), LABELS),
    "Workers for one fit": lambda: solves(cyanure.Classifier(n_threads=2, **CLASSIFIER), LABELS),
    "Record of the run": lambda: gap_of(cyanure.Regression(penalty="l1", **SETTINGS), Y),
    "Wall-clock budget": lambda: lacks(cyanure.Regression, "max_time", "timeout"),
    "Warm start": lambda: second_fit(
        cyanure.Regression(penalty="l1", warm_start=True, **SETTINGS), Y, iterations),
    "64-bit indices": lambda: solves(
        cyanure.Regression(penalty="l1", **SETTINGS), Y, data=with_long_indices(SPARSE.tocsr())),
    "Scale-free tolerance": lambda: follows_scale(fit_scaled),
}  # fmt: skip

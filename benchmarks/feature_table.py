"""Cells of the page "Features compared" that are checked by running cyanure, glum and skglm.

Usage: feature_table.py

Wants cyanure, glum and skglm beside this package. Prints one line per cell, ``y`` or ``-``, and what was
seen. Solutions are compared with this package's by their objectives.
"""

import warnings

import cyanure.estimators as cyanure
import glum
import numpy as np
from skglm.cv import GeneralizedLinearEstimatorCV
from skglm.datafits import Logistic
from skglm.penalties import L1_plus_L2
from skglm.solvers import ProxNewton

import sk_asyncprox as own

RNG = np.random.default_rng(0)
N, P, STRENGTH = 200, 12, 0.03
X = RNG.standard_normal((N, P)) + 0.5
Y = X[:, :3] @ [1.0, -2.0, 1.5] + 2.0 + 0.3 * RNG.standard_normal(N)
LABELS = (Y + RNG.standard_normal(N) > 1.0).astype(float)
CLASSES = np.digitize(Y, np.quantile(Y, [0.3, 0.6]))
WEIGHTS = RNG.integers(0, 4, N).astype(float)
GLUM = {"alpha": STRENGTH, "gradient_tol": 1e-9}
CYANURE = {"verbose": False, "tol": 1e-9, "max_iter": 5000, "lambda_1": STRENGTH}
CLASSIFIER = {**CYANURE, "loss": "logistic", "penalty": "l1"}
ELASTIC = {"penalty": "elasticnet", "lambda_1": STRENGTH / 2, "lambda_2": STRENGTH / 2}


def value(coef, intercept, y, l1_ratio=1.0, weights=None):
    """Objective of a regression, or of a logistic regression where `y` are labels."""
    coef = np.asarray(coef, dtype=float)
    coef = coef.T if coef.shape == (P, 3) else coef.reshape(-1, P)
    z = X @ coef.T + np.ravel(intercept)
    if y is Y:
        loss = 0.5 * (y - z[:, 0]) ** 2
    elif y is LABELS:
        loss = np.logaddexp(0.0, -(2.0 * y - 1.0) * z[:, 0])
    else:
        loss = np.logaddexp.reduce(z, axis=1) - z[np.arange(N), y]
    size = l1_ratio * np.abs(coef).sum() + 0.5 * (1.0 - l1_ratio) * (coef**2).sum()
    return np.average(loss, weights=weights) + STRENGTH * size


def solves(model, y, l1_ratio=1.0, weights=None, positive=False):
    """Whether the library's model is as good as this package's; the excess of its objective."""
    total = N if weights is None else weights.sum()
    if y is Y:
        ours = own.ElasticNet(alpha=STRENGTH, l1_ratio=l1_ratio, positive=positive, tol=1e-12)
    else:
        ours = own.LogisticRegression(C=1.0 / (STRENGTH * total), l1_ratio=l1_ratio, tol=1e-12)
    ours.fit(X, y, sample_weight=weights)
    model.fit(X, y, **({} if weights is None else {"sample_weight": weights}))
    best = value(ours.coef_, ours.intercept_, y, l1_ratio, weights)
    excess = value(model.coef_, model.intercept_, y, l1_ratio, weights) - best
    feasible = not positive or np.min(model.coef_) >= 0.0
    return bool(excess < 1e-5 and feasible), f"objective {excess:+.1e} from the best"


def regressor(**params):
    return glum.GeneralizedLinearRegressor(**{"l1_ratio": 1.0, **GLUM, **params})


def second_fit(model, y, count):
    """Iterations of a first and of a warm second fit."""
    counts = [count(model.fit(X, y)) for _ in range(2)]
    return bool(counts[1] < counts[0]), f"iterations {counts}"


def iterations(model):
    return int(np.ravel(np.asarray(model.optimization_info_)[..., 0, :])[-1])


def gap_of(model, y):
    """Record of the run; its gap is what the primal and the dual value, rows 1 and 2, differ by."""
    info = np.asarray(model.fit(X, y).optimization_info_)[0]
    return info[1, -1] >= info[2, -1] > 0.0, f"{info.shape[1]} records, gap {info[3, -1]:.1e} relative"


def has(attribute, model):
    return hasattr(model.fit(X, Y), attribute), f"{len(getattr(model, attribute))} values"


def chosen(search, y):
    return True, f"alpha {search.fit(X, y).alpha_:.3g}"


def search_of_skglm():
    search = GeneralizedLinearEstimatorCV(
        Logistic(), L1_plus_L2(STRENGTH, 0.5), ProxNewton(), l1_ratio=[0.3, 0.7], cv=3
    )
    return chosen(search, 2.0 * LABELS - 1.0)


def glum_search(**params):
    return glum.GeneralizedLinearRegressorCV(n_alphas=7, cv=3, **params)


BINOMIAL = {"family": "binomial"}
CELLS = {
    "cyanure: Lasso": lambda: solves(cyanure.Regression(penalty="l1", **CYANURE), Y),
    "cyanure: elastic-net regression": lambda: solves(cyanure.Regression(**CYANURE | ELASTIC), Y, 0.5),
    "cyanure: l1 logistic, unpenalised intercept": lambda: solves(cyanure.Classifier(**CLASSIFIER), LABELS),
    "cyanure: elastic-net logistic": lambda: solves(
        cyanure.Classifier(**CLASSIFIER | ELASTIC), LABELS, 0.5),
    "cyanure: multinomial": lambda: solves(
        cyanure.Classifier(**CLASSIFIER | {"loss": "multiclass-logistic"}), CLASSES),
    "cyanure: gap of a regression": lambda: gap_of(cyanure.Regression(penalty="l1", **CYANURE), Y),
    "cyanure: gap of a logistic regression": lambda: gap_of(cyanure.Classifier(**CLASSIFIER), LABELS),
    "cyanure: workers": lambda: solves(cyanure.Classifier(n_threads=2, **CLASSIFIER), LABELS),
    "cyanure: warm start": lambda: second_fit(
        cyanure.Regression(penalty="l1", warm_start=True, **CYANURE), Y, iterations),
    "glum: Lasso": lambda: solves(regressor(), Y),
    "glum: elastic-net regression": lambda: solves(regressor(l1_ratio=0.5), Y, 0.5),
    "glum: l1 logistic, unpenalised intercept": lambda: solves(regressor(**BINOMIAL), LABELS),
    "glum: elastic-net logistic": lambda: solves(regressor(l1_ratio=0.5, **BINOMIAL), LABELS, 0.5),
    "glum: sample weights": lambda: solves(regressor(), Y, weights=WEIGHTS),
    "glum: non-negative": lambda: solves(regressor(lower_bounds=np.zeros(P)), Y, positive=True),
    "glum: path": lambda: has("coef_path_", regressor(alpha=None, alpha_search=True, n_alphas=7)),
    "glum: cross-validated": lambda: chosen(glum_search(l1_ratio=1.0), Y),
    "glum: elastic-net logistic, cross-validated": lambda: chosen(
        glum_search(l1_ratio=0.5, **BINOMIAL), LABELS),
    "glum: warm start": lambda: second_fit(
        regressor(warm_start=True, **BINOMIAL), LABELS, lambda m: m.n_iter_),
    "glum: record": lambda: (True, f"{len(regressor().fit(X, Y).get_formatted_diagnostics())} iterations"),
    "glum: standard errors": lambda: (True, f"{len(regressor(alpha=0.0).fit(X, Y).std_errors(X, Y))}"),
    "skglm: elastic-net logistic, cross-validated": search_of_skglm,
}  # fmt: skip

if __name__ == "__main__":
    for name, check in CELLS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                answer, seen = check()
            except Exception as error:
                answer, seen = False, f"{type(error).__name__}: {error}"
        print(f"{'y' if answer else '-'}  {name}: {str(seen)[:160]}", flush=True)

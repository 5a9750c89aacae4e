"""The estimators agree with scikit-learn and keep its conventions, whatever solver and executor."""

import copy
import gc
import itertools
import pickle
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.linear_model
from conftest import make_data
from joblib.externals.loky import get_reusable_executor
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression
from sk_asyncprox.executors import Simulated, Threads, Trace
from sk_asyncprox.problem import Problem
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep

# A gap of this share of the scale proves the coefficients to about 5e-6 on the small problem.
TOL = 2e-12
TIGHT = {"tol": TOL, "max_iter": 100_000}
ALPHA, C = 0.1, 0.5
FORMATS = {"dense": np.asarray, "csr": sp.csr_matrix, "csc": sp.csc_matrix}
SOLVERS = ["bcd", "piag"]


def simulated():
    return Simulated(Trace.from_service_times(1.0, 4))


RUNS = {
    "one": {},
    "threads": {"n_jobs": 2},
    "simulated": {"executor": simulated()},
}


# -- references -----------------------------------------------------------------------------------------


def sk_logistic(C, l1_ratio, **kwargs):
    """scikit-learn's elastic-net logistic regression, to its last digit, in every version."""
    if parse_version(sklearn.__version__) < parse_version("1.8"):
        kwargs["penalty"] = "elasticnet"
    return sklearn.linear_model.LogisticRegression(
        C=C, l1_ratio=l1_ratio, solver="saga", tol=1e-13, max_iter=100_000, random_state=0, **kwargs
    )


def l1_l2(l1_ratio, total=None):
    """Weights of the two penalties: of the regressions, or of logistic regression when total is given."""
    weight = ALPHA if total is None else 1.0 / (C * total)
    return weight * l1_ratio, weight * (1.0 - l1_ratio)


def loss_and_slope(y, z, *, logistic):
    if logistic:
        signs = np.where(y == 1, 1.0, -1.0)
        return np.logaddexp(0.0, -signs * z), -signs * expit(-signs * z)
    return 0.5 * (z - y) ** 2, z - y


def objective(X, y, w, b, l1, l2, s=None, *, logistic=False):
    loss, _ = loss_and_slope(y, X @ w + b, logistic=logistic)
    return np.average(loss, weights=s) + l1 * np.abs(w).sum() + 0.5 * l2 * w @ w


def kkt(X, y, w, b, l1, l2, s=None, *, logistic=False, intercept=True, positive=False):
    """Largest violation of the optimality conditions."""
    s = np.full(len(y), 1.0 / len(y)) if s is None else s / s.sum()
    slope = s * loss_and_slope(y, X @ w + b, logistic=logistic)[1]
    g = X.T @ slope + l2 * w
    at_zero = np.maximum(-g - l1, 0.0) if positive else np.maximum(np.abs(g) - l1, 0.0)
    violation = np.where(w != 0, np.abs(g + l1 * np.sign(w)), at_zero)
    return max(violation.max(), abs(slope.sum()) if intercept else 0.0)


@cache
def small():
    return make_data(80, 12)


@cache
def regression_reference(l1_ratio, intercept, weighted, positive):
    X, y, _, weights = small()
    s = weights if weighted else None
    model = sklearn.linear_model.ElasticNet(
        alpha=ALPHA, l1_ratio=l1_ratio, fit_intercept=intercept, positive=positive, tol=1e-15, max_iter=10**6
    ).fit(X, y, sample_weight=s)
    w, b = model.coef_, model.intercept_
    assert kkt(X, y, w, b, *l1_l2(l1_ratio), s, intercept=intercept, positive=positive) < 1e-9
    return model


@cache
def logistic_reference(l1_ratio, intercept, weighted):
    X, _, y, weights = small()
    s = weights if weighted else None
    model = sk_logistic(C, l1_ratio, fit_intercept=intercept).fit(X, y, sample_weight=s)
    penalty = l1_l2(l1_ratio, weights.sum() if weighted else len(y))
    assert (
        kkt(X, y, model.coef_[0], model.intercept_[0], *penalty, s, logistic=True, intercept=intercept) < 1e-9
    )
    return model


def newton(X, y, s):
    """Unpenalised logistic regression with an intercept, by Newton's method."""
    X1, w = np.column_stack([X, np.ones(len(X))]), np.zeros(X.shape[1] + 1)
    for _ in range(50):
        p = expit(X1 @ w)
        step = np.linalg.solve((X1.T * (s * p * (1 - p))) @ X1, X1.T @ (s * (y - p)))
        w = w + step
    assert np.abs(step).max() < 1e-12
    return w[:-1], w[-1]


def assert_same(model, reference, X, rtol=1e-5):
    """Coefficients, intercept and predictions agree to ``rtol`` of the largest of each."""
    size = np.abs(reference.coef_).max()
    assert np.abs(model.coef_ - reference.coef_).max() <= rtol * size
    assert_allclose(model.intercept_, reference.intercept_, rtol=0, atol=rtol * max(1.0, size))
    name = "decision_function" if hasattr(reference, "decision_function") else "predict"
    expected = getattr(reference, name)(X)
    got = getattr(model, name)(X)
    assert_allclose(got, expected, rtol=0, atol=2 * rtol * np.abs(expected).max())


# -- agreement ------------------------------------------------------------------------------------------

# solver and executor, and the stride through the grid: the dearer a fit, the fewer (the strides are
# prime to the number of values of every factor, so that each value meets many of the others).
COVERAGE = [
    ("bcd", "one", 1),
    ("piag", "one", 5),
    ("bcd", "threads", 13),
    ("piag", "threads", 13),
    ("bcd", "simulated", 7),
    ("piag", "simulated", 13),
]


def grid(*factors):
    cases = list(itertools.product(*factors))
    return [(solver, run, *case) for solver, run, stride in COVERAGE for case in cases[::stride]]


@pytest.mark.parametrize(
    ("solver", "run", "form", "dtype", "l1_ratio", "intercept", "weighted", "positive"),
    grid(
        FORMATS,
        [np.float64, np.float32],
        [0.1, 0.5, 1.0],
        [True, False],
        [False, True],
        [False, True],
    ),
)
def test_regression_agrees(solver, run, form, dtype, l1_ratio, intercept, weighted, positive):
    X, y, _, weights = small()
    model = ElasticNet(
        alpha=ALPHA,
        l1_ratio=l1_ratio,
        fit_intercept=intercept,
        positive=positive,
        solver=solver,
        **RUNS[run],
        **TIGHT,
    ).fit(FORMATS[form](X.astype(dtype)), y, sample_weight=weights if weighted else None)
    reference = regression_reference(l1_ratio, intercept, weighted, positive)
    assert model.coef_.dtype == dtype
    assert_same(model, reference, X, 1e-5 if dtype is np.float64 else 1e-4)


@pytest.mark.parametrize(
    ("solver", "run", "form", "dtype", "l1_ratio", "intercept", "weighted"),
    grid(FORMATS, [np.float64, np.float32], [0.0, 0.5, 1.0], [True, False], [False, True]),
)
def test_logistic_agrees(solver, run, form, dtype, l1_ratio, intercept, weighted):
    X, _, y, weights = small()
    model = LogisticRegression(
        C=C,
        l1_ratio=l1_ratio,
        fit_intercept=intercept,
        solver=solver,
        **RUNS[run],
        **TIGHT,
    ).fit(FORMATS[form](X.astype(dtype)), y, sample_weight=weights if weighted else None)
    reference = logistic_reference(l1_ratio, intercept, weighted)
    assert model.coef_.dtype == dtype
    assert_same(model, reference, X, 1e-5 if dtype is np.float64 else 1e-4)
    assert_array_equal(model.predict(X), reference.predict(X))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("run", RUNS)
def test_lasso_agrees(solver, run):
    X, y, _, weights = small()
    model = Lasso(ALPHA, solver=solver, **RUNS[run], **TIGHT).fit(X, y, weights)
    assert_same(model, regression_reference(1.0, True, True, False), X)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("weighted", [False, True])
def test_columns_of_mean_100(solver, form, weighted):
    X, y, labels, weights = small()
    s = weights if weighted else None
    far = FORMATS[form](X + 100.0)
    near = regression_reference(0.5, True, weighted, False)
    model = ElasticNet(ALPHA, solver=solver, **TIGHT).fit(far, y, s)
    assert np.abs(model.coef_ - near.coef_).max() <= 1e-5 * np.abs(near.coef_).max()
    assert_allclose(model.intercept_, near.intercept_ - 100 * near.coef_.sum(), atol=1e-3)
    assert_allclose(model.predict(far), near.predict(X), atol=1e-5 * np.abs(y).max())
    assert model.n_iter_ < 1000

    near = logistic_reference(0.5, True, weighted)
    model = LogisticRegression(C=C, l1_ratio=0.5, solver=solver, **TIGHT).fit(far, labels, s)
    assert np.abs(model.coef_ - near.coef_).max() <= 1e-5 * np.abs(near.coef_).max()
    assert_allclose(model.decision_function(far), near.decision_function(X), atol=1e-4)
    assert model.n_iter_[0] < 3000


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("form", FORMATS)
def test_no_penalty(solver, form):
    X, y, labels, weights = make_data(400, 5, seed=5)
    reference = sklearn.linear_model.LinearRegression().fit(X, y, weights)
    model = ElasticNet(0.0, solver=solver, tol=1e-10, max_iter=100_000)
    with pytest.warns(
        UserWarning, match="With alpha=0, this algorithm does not converge well. You are advised"
    ):
        model.fit(FORMATS[form](X), y, weights)
    assert_same(model, reference, X)
    assert model.dual_gap_ == np.inf

    w, b = newton(X, labels, weights)
    model = LogisticRegression(C=np.inf, solver=solver, tol=1e-9, max_iter=100_000)
    model.fit(FORMATS[form](X), labels, weights)
    assert_allclose(model.coef_[0], w, rtol=0, atol=1e-5 * np.abs(w).max())
    assert_allclose(model.intercept_, b, rtol=0, atol=1e-5 * np.abs(w).max())
    assert model.dual_gap_ == np.inf


@pytest.mark.parametrize("limit", [{"max_iter": 1}, {"max_time": 1e-9}])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("run", RUNS)
def test_no_penalty_stopped_at_once(limit, solver, run):
    X, y, _, _ = small()
    with pytest.warns() as caught:
        ElasticNet(0.0, solver=solver, tol=1e-10, **limit, **RUNS[run]).fit(X, y)
    assert {warning.category for warning in caught} == {UserWarning, ConvergenceWarning}
    assert next(iter(limit)) in str(next(w.message for w in caught if w.category is ConvergenceWarning))


@pytest.mark.parametrize("class_weight", [{0: 0.3, 1: 2.0}, "balanced"])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_weight(class_weight, weighted):
    X, _, labels, weights = small()
    s = weights if weighted else np.ones(len(X))
    # "balanced" counts samples with their weights (older scikit-learns did not), so that a weight of
    # two is a repeated sample
    factors = class_weight if class_weight != "balanced" else s.sum() / (2 * np.bincount(labels, s))
    effective = s * np.array([factors[0], factors[1]])[labels]
    # C weighs the sum of the losses, so the class weights change the penalty as well
    penalty = l1_l2(0.5, effective.sum())
    reference = sk_logistic(C, 0.5).fit(X, labels, effective)
    assert (
        kkt(X, labels, reference.coef_[0], reference.intercept_[0], *penalty, effective, logistic=True) < 1e-9
    )
    model = LogisticRegression(C=C, l1_ratio=0.5, class_weight=class_weight, **TIGHT)
    model.fit(X, labels, weights if weighted else None)
    assert_same(model, reference, X)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_int64_sparse_indices(solver, form):
    X, y, labels, _ = small()
    wide = FORMATS[form](X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    assert_same(
        ElasticNet(ALPHA, solver=solver, **TIGHT).fit(wide, y),
        regression_reference(0.5, True, False, False),
        X,
    )
    model = LogisticRegression(C=C, l1_ratio=0.5, solver=solver, **TIGHT).fit(wide, labels)
    assert_same(model, logistic_reference(0.5, True, False), X)
    assert wide.indices.dtype == np.int64


def odd_designs():
    X = small().X
    wide = make_data(15, 40, seed=3)
    long = make_data(1500, 4, seed=4)
    repeated = np.column_stack([X, X[:, :5], X[:, :5]])
    empty = X.copy()
    empty[:, [0, 4, 11]] = 0.0
    return {
        "duplicated": (repeated, small().y, small().labels),
        "zeros": (empty, small().y, small().labels),
        "constant": (np.where(np.arange(12) == 5, 3.0, X), small().y, small().labels),
        "p >> n": (wide.X, wide.y, wide.labels),
        "n >> p": (long.X, long.y, long.labels),
        "one feature": (X[:, 1:2], small().y, small().labels),
    }


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", odd_designs())
@pytest.mark.parametrize("form", ["dense", "csc"])
def test_odd_designs(solver, name, form):
    """Where coefficients are not unique the objective is what has to agree."""
    X, y, labels = odd_designs()[name]
    options = {"solver": solver, "tol": 1e-8, "max_iter": 100_000}
    reference = sklearn.linear_model.Lasso(ALPHA, tol=1e-12, max_iter=10**6).fit(X, y)
    best = objective(X, y, reference.coef_, reference.intercept_, ALPHA, 0.0)
    model = Lasso(ALPHA, **options).fit(FORMATS[form](X), y)
    assert_allclose(objective(X, y, model.coef_, model.intercept_, ALPHA, 0.0), best, rtol=1e-6)
    assert_allclose(model.objective_, best, rtol=1e-6)
    assert not model.coef_[~X.any(axis=0)].any()

    penalty = l1_l2(0.5, len(y))
    reference = sk_logistic(C, 0.5).fit(X, labels)
    best = objective(X, labels, reference.coef_[0], reference.intercept_[0], *penalty, logistic=True)
    model = LogisticRegression(C=C, l1_ratio=0.5, **options).fit(FORMATS[form](X), labels)
    assert_allclose(model.objective_, best, rtol=1e-6)


def test_many_more_features_than_samples():
    X, y, _, _ = make_data(25, 400, seed=3)
    reference = sklearn.linear_model.Lasso(ALPHA, tol=1e-12, max_iter=10**6).fit(X, y)
    best = objective(X, y, reference.coef_, reference.intercept_, ALPHA, 0.0)
    for form in FORMATS.values():
        model = Lasso(ALPHA, tol=1e-9).fit(form(X), y)
        assert_allclose(model.objective_, best, rtol=1e-7)
        assert np.count_nonzero(model.coef_) <= 25


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("form", FORMATS)
def test_nothing_but_zeros(solver, form):
    """Only the intercept is left: the mean, or the log-odds."""
    X, y, labels = FORMATS[form](np.zeros((80, 3))), small().y, small().labels
    model = ElasticNet(ALPHA, solver=solver, tol=1e-10).fit(X, y)
    assert_array_equal(model.coef_, np.zeros(3))
    assert_allclose(model.intercept_, y.mean())
    model = LogisticRegression(solver=solver, tol=1e-10).fit(X, labels)
    assert_array_equal(model.coef_, np.zeros((1, 3)))
    assert_allclose(model.intercept_, np.log(labels.mean() / (1 - labels.mean())), rtol=1e-4)


def test_one_sample():
    model = ElasticNet(ALPHA).fit([[1.0, 2.0, -3.0]], [4.0])
    assert_array_equal(model.coef_, np.zeros(3))
    assert model.intercept_ == 4.0


def test_constant_target():
    X = small().X
    model = ElasticNet(ALPHA).fit(X, np.full(len(X), 7.0))
    assert_array_equal(model.coef_, np.zeros(12))
    assert_allclose(model.intercept_, 7.0)


# -- fitted attributes ----------------------------------------------------------------------------------

PAIRS = [
    (Lasso(0.05), sklearn.linear_model.Lasso(0.05)),
    (ElasticNet(0.05), sklearn.linear_model.ElasticNet(0.05)),
    (LogisticRegression(), sklearn.linear_model.LogisticRegression()),
]


def target(model):
    return small().labels if isinstance(model, LogisticRegression) else small().y


@pytest.mark.parametrize(("mine", "theirs"), PAIRS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("form", ["dense", "csr"])
def test_attributes_are_scikit_learns(mine, theirs, dtype, intercept, form):
    X, y = FORMATS[form](small().X.astype(dtype)), target(mine)
    mine = clone(mine).set_params(fit_intercept=intercept).fit(X, y)
    theirs = clone(theirs).set_params(fit_intercept=intercept).fit(X, y)
    names = {name for name in vars(theirs) if name.endswith("_")}
    assert {"coef_", "intercept_", "n_iter_", "n_features_in_"} <= names
    assert names <= set(vars(mine))
    for name in names - {"dual_gap_"}:
        got, expected = getattr(mine, name), getattr(theirs, name)
        assert type(got) is type(expected), name
        assert np.shape(got) == np.shape(expected), name
        # scikit-learn 1.6 gave float64 for float32 here
        if parse_version(sklearn.__version__) >= parse_version("1.7") or name in ("classes_", "n_iter_"):
            assert np.asarray(got).dtype == np.asarray(expected).dtype, name
    assert np.shape(mine.dual_gap_) == ()
    assert mine.predict(X).dtype == theirs.predict(X).dtype


@pytest.mark.parametrize("model", [pair[0] for pair in PAIRS])
def test_feature_names(model):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(small().X, columns=[f"f{j}" for j in range(12)])
    model = clone(model).fit(frame, target(model))
    assert_array_equal(model.feature_names_in_, frame.columns)
    assert model.n_features_in_ == 12


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("tol", [1e-3, 1e-7])
def test_certified_attributes(solver, run, tol):
    X, y, labels, s = small()
    options = {"solver": solver, "tol": tol, "max_iter": 100_000} | RUNS[run]
    mean = np.average(y, weights=s)
    model = ElasticNet(ALPHA, **options).fit(X, y, s)
    check_certified(model, tol * np.average((y - mean) ** 2, weights=s))
    optimum = regression_reference(0.5, True, True, False)
    value = objective(X, y, model.coef_, model.intercept_, *l1_l2(0.5), s)
    assert_allclose(model.objective_, value, rtol=1e-12)
    best = objective(X, y, optimum.coef_, optimum.intercept_, *l1_l2(0.5), s)
    assert value - best <= model.dual_gap_ + 1e-13 * best

    model = LogisticRegression(C=C, l1_ratio=0.5, **options).fit(X, labels, s)
    check_certified(model, tol * np.log(2))
    optimum = logistic_reference(0.5, True, True)
    penalty = l1_l2(0.5, s.sum())
    value = objective(X, labels, model.coef_[0], model.intercept_[0], *penalty, s, logistic=True)
    assert_allclose(model.objective_, value, rtol=1e-12)
    best = objective(X, labels, optimum.coef_[0], optimum.intercept_[0], *penalty, s, logistic=True)
    assert value - best <= model.dual_gap_ + 1e-13 * best


def check_certified(model, target):
    assert 0 <= model.dual_gap_ <= target
    assert np.min(model.n_iter_) >= 1
    assert model.n_updates_ == len(model.history_.updates) > 0
    assert 0 < model.fit_time_ < 60
    assert model.history_.stopped == "converged"


def test_scale_without_intercept():
    """The tolerance is relative to the mean of y^2 then."""
    X, y, _, s = small()
    far = y + 1000.0
    model = ElasticNet(ALPHA, fit_intercept=False, tol=1e-6).fit(X, far, s)
    assert model.dual_gap_ <= 1e-6 * np.average(far**2, weights=s)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("run", RUNS)
def test_record(solver, run):
    X, y, _, _ = small()
    make = ElasticNet(ALPHA, solver=solver, tol=1e-8, max_iter=100_000, **RUNS[run])
    none = clone(make).set_params(record=None).fit(X, y)
    assert len(none.history_.updates) == len(none.history_.arrivals) == len(none.history_.iterates) == 0
    assert none.n_updates_ > 0
    assert len(none.history_.certificates) > 0

    plain = clone(make).fit(X, y)
    assert len(plain.history_.updates) == plain.n_updates_
    assert len(plain.history_.arrivals) >= plain.n_updates_
    assert len(plain.history_.iterates) == 0

    full = clone(make).set_params(record="iterates").fit(X, y)
    rows = full.history_.iterates
    assert len(full.history_.updates) == full.n_updates_
    assert 1 <= len(rows) <= 256
    assert_array_equal(rows["update"], np.unique(rows["update"]))
    assert rows["update"][0] == 0
    assert rows["objective"].min() >= full.objective_ - full.dual_gap_ - 1e-12
    assert rows["objective"].min() <= full.objective_ * (1 + 1e-3)


def test_record_none_changes_nothing():
    X, y, _, _ = small()
    fits = [ElasticNet(ALPHA, record=r, tol=1e-8).fit(X, y) for r in (None, "updates", "iterates")]
    for model in fits[1:]:
        assert_array_equal(model.coef_, fits[0].coef_)
        assert model.n_updates_ == fits[0].n_updates_


# -- warm start -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("model", [pair[0] for pair in PAIRS])
def test_warm_start(solver, run, model):
    X, y = small().X, target(model)
    model = clone(model).set_params(warm_start=True, solver=solver, **RUNS[run])
    model.set_params(tol=1e-9, max_iter=100_000).fit(X, y)
    coef, updates = model.coef_, model.n_updates_
    model.fit(X, y)
    # with several workers the others write while one certifies
    assert model.n_updates_ <= (3 if run == "one" else 50)
    assert model.n_updates_ < max(2, updates)
    assert np.abs(model.coef_ - coef).max() <= 1e-3 * np.abs(coef).max()
    model.set_params(**TIGHT).fit(X, y)
    cold = clone(model).set_params(n_jobs=None, executor="auto", solver="bcd").fit(X, y)
    assert np.abs(model.coef_ - cold.coef_).max() <= 1e-5 * np.abs(cold.coef_).max()


@pytest.mark.parametrize("model", [pair[0] for pair in PAIRS])
def test_warm_start_with_other_features_is_cold(model):
    X, y = small().X, target(model)
    warm = clone(model).set_params(warm_start=True).fit(X, y).fit(X[:, :7], y)
    cold = clone(model).fit(X[:, :7], y)
    assert_array_equal(warm.coef_, cold.coef_)
    assert warm.n_updates_ == cold.n_updates_


def test_warm_start_of_features_whose_squares_overflow(recwarn):
    X, y, _, _ = small()
    cold = Lasso(ALPHA, tol=1e-8).fit(X, y)
    model = Lasso(np.ldexp(2.0 * ALPHA, 560), warm_start=True, tol=1e-8).fit(np.ldexp(X, 560), y)
    model.set_params(alpha=np.ldexp(ALPHA, 560)).fit(np.ldexp(X, 560), y)
    assert_allclose(np.ldexp(model.coef_, 560), cold.coef_, atol=1e-3)
    assert not recwarn


def test_warm_start_does_not_change_the_old_coefficients():
    X, y, _, _ = small()
    model = ElasticNet(ALPHA, warm_start=True, tol=1e-10).fit(X, y)
    old, kept = model.coef_, model.coef_.copy()
    model.set_params(alpha=2 * ALPHA).fit(X, y)
    assert_array_equal(old, kept)
    assert np.abs(model.coef_ - old).max() > 1e-3


@pytest.mark.parametrize("model", [Lasso(ALPHA), LogisticRegression(C=C)])
def test_warm_start_at_coefficients_that_a_user_has_set(model):
    X, y = small().X, target(model)
    model = clone(model).set_params(warm_start=True, tol=1e-8)
    cold = clone(model).fit(X, y)
    model.coef_ = cold.coef_.copy()
    model.fit(X, y)
    assert_allclose(model.coef_, cold.coef_, atol=1e-3)


def test_warm_start_at_sparse_coefficients():
    X, labels = small().X, small().labels
    model = LogisticRegression(C=C, l1_ratio=1.0, warm_start=True, tol=1e-8).fit(X, labels)
    coef, passes = model.coef_, model.n_iter_[0]
    model.sparsify().fit(X, labels)
    assert_allclose(model.coef_, coef, atol=1e-3)
    assert model.n_iter_[0] < passes


@pytest.mark.parametrize("solver", SOLVERS)
def test_start_at_margins_of_1000(solver):
    """A start whose margins are wrong by 1000 neither overflows nor gets stuck."""
    X, labels = small().X[:, 1:2], small().labels
    options = {"solver": solver, "tol": 1e-10, "max_iter": 100_000}
    cold = LogisticRegression(**options).fit(X, labels)
    model = LogisticRegression(warm_start=True, **options).fit(X, labels)
    model.coef_ = np.array([[-1000.0 / np.abs(X).max()]])
    model.fit(X, labels)
    assert_allclose(model.coef_, cold.coef_, rtol=1e-4)


# -- prediction -----------------------------------------------------------------------------------------


def test_probabilities():
    X, _, labels, _ = small()
    model = LogisticRegression(C=C, l1_ratio=0.5, **TIGHT).fit(X, labels)
    proba = model.predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-15)
    assert_allclose(proba, logistic_reference(0.5, True, False).predict_proba(X), atol=1e-5)
    assert_allclose(model.predict_log_proba(X), np.log(proba), rtol=1e-12)
    assert_array_equal(model.predict(X), proba.argmax(axis=1))


def test_log_probabilities_of_large_margins():
    X, labels = small().X[:, 1:2], small().labels
    model = LogisticRegression().fit(X, labels)
    margins = np.array([1000.0, -1000.0, 40.0, -40.0])
    far = ((margins - model.intercept_) / model.coef_[0])[:, None]
    expected = np.array([[-1000.0, 0.0], [0.0, -1000.0], [-40.0, -np.exp(-40.0)], [-np.exp(-40.0), -40.0]])
    assert_allclose(model.predict_log_proba(far), expected, rtol=1e-9)
    assert_allclose(model.predict_proba(far).sum(axis=1), 1.0, rtol=1e-15)


def test_string_labels():
    X, _, labels, _ = small()
    names = np.array(["ham", "spam"])[labels]
    model = LogisticRegression(C=C, l1_ratio=0.5, class_weight={"ham": 1.0, "spam": 1.0}, **TIGHT).fit(
        X, names
    )
    assert_array_equal(model.classes_, ["ham", "spam"])
    assert_array_equal(
        model.coef_, LogisticRegression(C=C, l1_ratio=0.5, **TIGHT).fit(X, labels, np.ones(80)).coef_
    )
    assert_array_equal(
        model.predict(X), np.array(["ham", "spam"])[(model.decision_function(X) > 0).astype(int)]
    )
    assert model.score(X, names) > 0.7


def test_sparse_coefficients():
    X, y, labels, _ = small()
    model = Lasso(0.3).fit(X, y)
    theirs = sklearn.linear_model.Lasso(0.3).fit(X, y)
    assert type(model.sparse_coef_) is type(theirs.sparse_coef_)
    assert model.sparse_coef_.shape == theirs.sparse_coef_.shape
    assert 0 < model.sparse_coef_.nnz < 12
    assert_array_equal(model.sparse_coef_.toarray().ravel(), model.coef_)

    model = LogisticRegression(C=0.2, l1_ratio=1.0).fit(X, labels)
    coef, decisions = model.coef_.copy(), model.decision_function(X)
    assert sp.issparse(model.sparsify().coef_)
    assert 0 < model.coef_.nnz < 12
    assert_allclose(model.decision_function(X), decisions)
    assert_array_equal(model.densify().coef_, coef)


# -- parameters -----------------------------------------------------------------------------------------

OBJECTS = [
    ElasticNet(step_size=Adaptive1(alpha=0.5), executor=simulated()),
    Lasso(step_size=FixedStep(max_delay=7, rule="principle"), executor=Threads()),
    LogisticRegression(step_size=ExactStep(), executor=Simulated(Trace.constant(3))),
    LogisticRegression(solver="piag", step_size=Adaptive2(), executor=Simulated(Trace.from_delays([[0, 0]]))),
]


@pytest.mark.parametrize("model", OBJECTS)
def test_clone_with_objects(model):
    copied = clone(model)
    assert type(copied.step_size) is type(model.step_size)
    assert copied.step_size is not model.step_size
    assert copied.step_size.get_params() == model.step_size.get_params()
    assert type(copied.executor) is type(model.executor)
    assert copied.executor is not model.executor
    y = target(model)
    a, b = clone(model).set_params(tol=1e-3), copied.set_params(tol=1e-3)
    assert_array_equal(a.fit(small().X, y).coef_, b.fit(small().X, y).coef_)
    assert type(model.step_size).__name__ in repr(model)


@pytest.mark.parametrize("model", OBJECTS)
def test_fit_leaves_parameters_alone(model):
    model = clone(model)
    before = {name: repr(value) for name, value in model.get_params().items()}
    objects = {name: id(value) for name, value in model.get_params(deep=False).items()}
    model.fit(small().X, target(model))
    assert {name: repr(value) for name, value in model.get_params().items()} == before
    assert {name: id(value) for name, value in model.get_params(deep=False).items()} == objects


def test_set_params_reaches_inside():
    model = ElasticNet(step_size=Adaptive1(), executor=simulated())
    trace = Trace.constant(2)
    model.set_params(step_size__alpha=0.25, executor__trace=trace, alpha=0.2)
    assert model.step_size.alpha == 0.25
    assert model.executor.trace is trace
    assert model.alpha == 0.2
    assert model.get_params()["step_size__h"] == 0.99
    assert model.fit(small().X, small().y).history_.n_workers == 2
    assert "alpha=0.25" in model.history_.step_size


def test_grid_over_policies():
    X, y, _, _ = small()
    policies = ["exact", "adaptive1", Adaptive2(), Adaptive1(alpha=0.5)]
    model = ElasticNet(ALPHA, executor=simulated(), tol=1e-8)
    search = GridSearchCV(model, {"step_size": policies}, cv=2).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert_allclose(scores, scores[0], rtol=1e-4)
    # the same optimum by different runs
    assert len(set(scores)) > 1
    assert search.best_estimator_.history_.n_workers == 4


def test_grid_over_policy_parameters_in_a_pipeline():
    X, y, _, _ = small()
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("model", ElasticNet(ALPHA, solver="piag", step_size=Adaptive1()))]
    )
    search = GridSearchCV(pipeline, {"model__step_size__alpha": [0.3, 0.6, 0.9]}, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_params_["model__step_size__alpha"]
    assert search.best_estimator_["model"].step_size.alpha == best
    assert f"alpha={best}" in search.best_estimator_["model"].history_.step_size or best == 0.9


# -- copies and processes -------------------------------------------------------------------------------


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("model", [pair[0] for pair in PAIRS])
@pytest.mark.parametrize(
    "copier", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"]
)
def test_copies_of_fitted(run, model, copier):
    X, y = small().X, target(model)
    model = clone(model).set_params(step_size=ExactStep(), record="iterates", **RUNS[run]).fit(X, y)
    copied = copier(model)
    assert_array_equal(copied.predict(X), model.predict(X))
    for table in ("updates", "arrivals", "certificates", "iterates"):
        assert_array_equal(getattr(copied.history_, table), getattr(model.history_, table))
    assert copied.n_updates_ == model.n_updates_
    assert len(pickle.dumps(model.history_)) < 100_000 + 500 * model.n_updates_
    copied.fit(X, y)
    assert np.abs(copied.coef_ - model.coef_).max() <= 0.1 * np.abs(model.coef_).max()


@pytest.fixture(scope="module")
def _loky():
    """Child processes are dear: one pool for all tests, gone at the end."""
    yield
    get_reusable_executor().shutdown(wait=True)


@pytest.mark.usefixtures("_loky")
def test_fit_in_other_processes():
    X, y, labels, _ = small()
    models = [
        ElasticNet(ALPHA, **TIGHT),
        LogisticRegression(C=C, l1_ratio=0.5, executor=simulated(), **TIGHT),
    ]
    jobs = [joblib.delayed(models[0].fit)(X, y), joblib.delayed(models[1].fit)(X, labels)]
    fitted = joblib.Parallel(n_jobs=2, backend="loky")(jobs)
    assert not hasattr(models[0], "coef_")
    assert_same(fitted[0], regression_reference(0.5, True, False, False), X)
    assert_same(fitted[1], logistic_reference(0.5, True, False), X)


# -- workers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_two_fits_at_once(n_jobs):
    X, y, labels, s = small()
    models = [
        (ElasticNet(ALPHA, n_jobs=n_jobs, **TIGHT), y),
        (LogisticRegression(C=C, l1_ratio=0.5, n_jobs=n_jobs, **TIGHT), labels),
    ]
    alone = [clone(model).fit(X, target, s) for model, target in models]

    def fit_often(model, target):
        return [clone(model).fit(X, target, s).coef_ for _ in range(10 if n_jobs == 1 else 2)]

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(fit_often, *job) for job in models]
        together = [job.result(timeout=60) for job in jobs]
    for single, coefs in zip(alone, together, strict=True):
        for coef in coefs:
            if n_jobs == 1:
                assert_array_equal(coef, single.coef_)
            else:
                assert_allclose(coef, single.coef_, rtol=0, atol=1e-5 * np.abs(coef).max())


def test_joblib_context_gives_the_workers():
    X, y, _, _ = small()
    assert ElasticNet(ALPHA).fit(X, y).history_.n_workers == 1
    with joblib.parallel_config(backend="threading", n_jobs=2):
        model = ElasticNet(ALPHA, n_blocks=4, n_jobs=None).fit(X, y)
        assert model.history_.n_workers == 2
        assert ElasticNet(ALPHA, n_blocks=4, n_jobs=1).fit(X, y).history_.n_workers == 1
    assert ElasticNet(ALPHA, n_blocks=4).fit(X, y).history_.n_workers == 1


def test_a_small_problem_is_given_one_worker():
    X, y, _, _ = small()
    assert ElasticNet(ALPHA, n_jobs=2).fit(X, y).history_.n_workers == 1


def test_nested_fit_is_one_loop():
    X, y, _, _ = small()

    def workers(model, X, y):
        return model.history_.n_workers

    search = GridSearchCV(ElasticNet(), {"alpha": [0.1, 0.2]}, scoring=workers, n_jobs=2, cv=2, refit=False)
    search.set_params(error_score="raise")
    with joblib.parallel_config(backend="threading"):
        search.fit(X, y)
    assert_array_equal(search.cv_results_["mean_test_score"], [1.0, 1.0])


@pytest.mark.usefixtures("_loky")
@pytest.mark.parametrize(
    ("run", "backend"),
    [("one", "loky"), ("one", "threading"), ("threads", "threading"), ("simulated", "threading")],
)
def test_parallel_scikit_learn_after_a_fit(run, backend):
    """A fit leaves nothing in the process that scikit-learn's own parallel calls trip over."""
    X, y, _, _ = small()
    before = list(warnings.filters)
    ElasticNet(ALPHA, **RUNS[run]).fit(X, y)
    assert warnings.filters == before
    with joblib.parallel_config(backend=backend):
        scores = cross_val_score(ElasticNet(ALPHA, tol=1e-8), X, y, n_jobs=2, cv=2)
    theirs = cross_val_score(sklearn.linear_model.ElasticNet(ALPHA, tol=1e-8), X, y, cv=2)
    assert_allclose(scores, theirs, rtol=1e-4)


def test_warnings_are_the_users():
    """The kernel's own warnings stay inside, those of scikit-learn's estimators come out as ever."""
    X, y, _, _ = small()
    ElasticNet(ALPHA, tol=1e-8).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="Objective did not converge"):
        sklearn.linear_model.ElasticNet(1e-3, max_iter=1, tol=1e-12).fit(X, y)


@pytest.mark.parametrize("selection", ["cyclic", "random"])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("n_blocks", ["auto", 4])
def test_one_worker_is_deterministic(selection, form, n_blocks):
    X, y, _, _ = small()
    make = ElasticNet(
        ALPHA, selection=selection, random_state=3, n_blocks=n_blocks, working_set=False, tol=1e-8
    )
    a, b = clone(make).fit(FORMATS[form](X), y), clone(make).fit(FORMATS[form](X), y)
    assert_array_equal(a.coef_, b.coef_)
    assert a.intercept_ == b.intercept_
    assert a.n_updates_ == b.n_updates_
    for column in ("update", "delay", "step"):
        assert_array_equal(a.history_.updates[column], b.history_.updates[column])
    assert_array_equal(a.history_.arrivals, b.history_.arrivals)


def test_selection_and_seed_change_the_order():
    X, y, _, _ = small()

    def order(**params):
        model = ElasticNet(ALPHA, n_blocks=4, working_set=False, tol=1e-8, **params).fit(X, y)
        return model.history_.arrivals["block"][:8].tolist()

    assert order(selection="cyclic") == [0, 1, 2, 3, 0, 1, 2, 3]
    seeds = [order(selection="random", random_state=seed) for seed in (0, 1, 2)]
    assert len(set(map(tuple, seeds))) > 1
    state = [order(selection="random", random_state=np.random.RandomState(5)) for _ in range(2)]
    assert state[0] == state[1]


@pytest.mark.parametrize("solver", SOLVERS)
def test_simulated_is_deterministic(solver):
    X, y, _, _ = small()
    a, b = (ElasticNet(ALPHA, solver=solver, executor=simulated()).fit(X, y) for _ in range(2))
    assert_array_equal(a.coef_, b.coef_)
    assert_array_equal(a.history_.updates, b.history_.updates)


# -- data are only read ---------------------------------------------------------------------------------


def layouts():
    X = small().X
    return {
        "C": np.ascontiguousarray(X),
        "F": np.asfortranarray(X),
        "float32": np.asfortranarray(X.astype(np.float32)),
        "csr": sp.csr_matrix(X),
        "csc": sp.csc_matrix(X),
        "csc_array": sp.csc_array(X),
    }


def stored(X):
    return [X.data, X.indices, X.indptr] if sp.issparse(X) else [X]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("layout", layouts())
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_memmaps_are_read_and_never_written(solver, layout, intercept, n_jobs, tmp_path):
    _, y, labels, s = small()
    joblib.dump((layouts()[layout], y, labels, s), tmp_path / "data")
    X, y, labels, s = joblib.load(tmp_path / "data", mmap_mode="r")
    arrays = [*stored(X), y, labels, s]
    assert not any(array.flags.writeable for array in arrays)
    before = [array.copy() for array in arrays]
    options = {
        "solver": solver,
        "fit_intercept": intercept,
        "n_jobs": n_jobs,
        "tol": 0.1,
        "max_iter": 100_000,
    }
    ElasticNet(ALPHA, copy_X=False, **options).fit(X, y, s)
    LogisticRegression(C=C, l1_ratio=0.5, class_weight="balanced", **options).fit(X, labels, s)
    for array, old in zip(arrays, before, strict=True):
        assert_array_equal(array, old)


@pytest.mark.parametrize("layout", layouts())
def test_writable_data_are_not_written(layout):
    _, y, labels, s = (array.copy() for array in small())
    X = layouts()[layout]
    arrays = [*stored(X), y, labels, s]
    before = [array.copy() for array in arrays]
    for solver, intercept in itertools.product(SOLVERS, [True, False]):
        options = {"solver": solver, "fit_intercept": intercept, "tol": 1e-3}
        ElasticNet(ALPHA, **options).fit(X, y, s)
        LogisticRegression(C=C, l1_ratio=0.5, **options).fit(X, labels, s)
    for array, old in zip(arrays, before, strict=True):
        assert_array_equal(array, old)


def test_unsorted_and_repeated_entries():
    """Sparse matrices that are not canonical are understood, and left as they are."""
    X, y, _, _ = small()
    csc = sp.csc_matrix(X)
    data, indices = np.repeat(csc.data / 2, 2)[::-1], np.repeat(csc.indices, 2)[::-1]
    loose = sp.csc_matrix((data, indices, 2 * (csc.nnz - csc.indptr[::-1])), shape=X.shape)
    before = loose.data.copy()
    model = ElasticNet(ALPHA, **TIGHT).fit(loose, y)
    reference = regression_reference(0.5, True, False, False)
    assert_allclose(model.coef_[::-1], reference.coef_, rtol=0, atol=1e-5 * np.abs(reference.coef_).max())
    assert_array_equal(loose.data, before)


# -- stops ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("run", RUNS)
def test_max_time_stops(solver, run):
    X, y, _, _ = make_data(300, 100)
    slow = Adaptive1(alpha=1e-4)
    model = ElasticNet(
        1e-3, solver=solver, step_size=slow, tol=1e-10, max_iter=10**9, max_time=0.1, **RUNS[run]
    )
    with pytest.warns(ConvergenceWarning, match=r"did not converge: duality gap .* \(max_time was reached\)"):
        model.fit(X, y)
    assert 0.1 <= model.fit_time_ < 2.0
    assert model.history_.stopped == "max_time"
    assert model.dual_gap_ > 0


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("model", [pair[0] for pair in PAIRS])
def test_max_iter_warns(solver, model):
    # Models of the shards may be solved within a pass.
    slow = {"metric": "lipschitz", "step_size": "adaptive1"} if solver == "piag" else {}
    model = clone(model).set_params(max_iter=1, tol=1e-12, solver=solver, **slow)
    says = (
        r"duality gap \d\.\d+e[+-]\d+, tolerance \d\.\d+e-\d+, after \d+\.\d passes \(max_iter was reached\)"
    )
    with pytest.warns(ConvergenceWarning, match=says):
        model.fit(small().X, target(model))
    assert model.history_.stopped == "max_iter"
    scale = np.log(2) if isinstance(model, LogisticRegression) else small().y.var()
    assert model.dual_gap_ > 1e-12 * scale


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("run", RUNS)
def test_verbose_prints_certificates(solver, run, capsys):
    X, _, labels, _ = small()
    options = {"solver": solver, "tol": 1e-3, "max_iter": 100_000} | RUNS[run]
    LogisticRegression(**options).fit(X, labels)
    assert capsys.readouterr().out == ""
    model = LogisticRegression(verbose=1, **options).fit(X, labels)
    lines = capsys.readouterr().out.splitlines()
    overruled = model.history_.n_workers < model.history_.n_granted
    assert len(lines) - overruled == len(model.history_.certificates) > 0
    lines = lines[overruled:]
    assert all("gap" in line and "passes" in line for line in lines)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_tolerance_follows_the_scale_of_the_targets(factor):
    X, y, _, _ = small()
    plain = ElasticNet(ALPHA, l1_ratio=1.0).fit(X, y)
    scaled = ElasticNet(ALPHA * factor, l1_ratio=1.0).fit(X, y * factor)
    assert_allclose(scaled.coef_ / factor, plain.coef_, rtol=1e-9, atol=1e-12)
    assert np.count_nonzero(plain.coef_) > 0


def test_a_small_problem_says_that_it_has_overruled_n_jobs(capsys):
    X, _, labels, _ = small()
    model = LogisticRegression(n_jobs=2, verbose=1).fit(X, labels)
    history = model.history_
    assert (history.n_workers, history.n_granted) == (1, 2)
    assert "1 of 2 workers (the problem or n_blocks is too small" in repr(history)
    said, *lines = capsys.readouterr().out.splitlines()
    assert said.startswith("1 of 2 workers")
    assert all(line.startswith("passes") for line in lines)


@pytest.mark.parametrize(
    "settings", [{"n_jobs": 2, "n_blocks": 4}, {"n_jobs": 1}, {"solver": "piag", "n_jobs": 2}]
)
def test_nothing_is_said_where_n_jobs_is_heeded(settings, capsys):
    X, _, labels, _ = small()
    model = LogisticRegression(C=0.01, tol=1e-2, verbose=1, **settings).fit(X, labels)
    history = model.history_
    assert history.n_workers == history.n_granted == settings["n_jobs"]
    assert f"{history.n_workers} worker(s)" in repr(history)
    assert capsys.readouterr().out.startswith("passes")


@pytest.mark.parametrize("solver", ["bcd", "piag"])
@pytest.mark.parametrize("form", FORMATS)
def test_warm_start_forgets_columns_that_became_empty(solver, form):
    X, y, _, _ = small()
    model = ElasticNet(ALPHA, warm_start=True, solver=solver, tol=1e-6).fit(FORMATS[form](X), y)
    largest = np.argmax(np.abs(model.coef_))
    X = X.copy()
    X[:, largest] = 0.0
    model.fit(FORMATS[form](X), y)
    assert model.coef_[largest] == 0.0


@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_warm_start_under_a_new_constraint_is_feasible(solver):
    X, y, _, _ = small()
    model = ElasticNet(ALPHA, warm_start=True, solver=solver).fit(X, y)
    assert model.coef_.min() < 0.0
    model.set_params(positive=True, tol=1e-8).fit(X, y)
    cold = ElasticNet(ALPHA, positive=True, tol=1e-8, solver=solver).fit(X, y)
    assert model.coef_.min() >= 0.0
    assert_allclose(model.coef_, cold.coef_, atol=1e-3)


@pytest.mark.filterwarnings("ignore:With alpha=0:UserWarning")
def test_unpenalised_fits_end_also_when_they_begin_at_the_optimum():
    X, y, _, _ = small()
    constrained = Lasso(0.0, positive=True).fit(X, y)
    assert constrained.coef_.min() == 0.0
    assert constrained.history_.stopped == "converged"
    model = Lasso(0.0, warm_start=True).fit(X, y)
    model.fit(X, y)
    assert model.n_updates_ <= 2


def test_balanced_classes_of_which_one_has_no_weight():
    X, y, _, _ = small()
    labels = (y > np.median(y)).astype(int)
    model = LogisticRegression(class_weight="balanced").fit(X, labels, sample_weight=labels.astype(float))
    assert np.isfinite(model.objective_)
    assert (model.predict(X) == 1).all()


@pytest.mark.parametrize("estimator", [Lasso(0.05, working_set=False), LogisticRegression(working_set=False)])
def test_many_more_features_than_samples_in_several_blocks(estimator):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 1500))
    y = X[:, :3].sum(axis=1)
    model = clone(estimator).fit(X, y if isinstance(estimator, Lasso) else y > 0)
    assert model.history_.n_blocks > 1
    assert model.history_.stopped == "converged"


def test_the_number_of_blocks_holds_in_working_sets():
    X, y, _, _ = small()
    model = ElasticNet(ALPHA, n_blocks=5, working_set=True).fit(X, y)
    assert model.history_.n_blocks == 5
    assert set(model.history_.arrivals["block"]) == set(range(5))


def test_more_workers_than_blocks_asked_for_are_refused():
    X, y, _, _ = small()
    with pytest.raises(ValueError, match="4 workers need at least 4 blocks"):
        ElasticNet(ALPHA, n_blocks=2, n_jobs=4).fit(X, y)
    alone = ElasticNet(ALPHA, solver="piag", n_blocks=1, n_jobs=2).fit(X, y)
    assert (alone.history_.n_blocks, alone.history_.n_workers) == (1, 1)


def test_no_thread_is_left_after_a_fit():
    X, y, _, _ = small()
    before = threading.active_count()
    for _ in range(10):
        ElasticNet(ALPHA, n_jobs=4).fit(X, y)
        assert threading.active_count() == before


def test_a_tiny_tolerance_that_was_met_is_not_warned_about():
    X, y, _, _ = small()
    free = ElasticNet(ALPHA, tol=1e-13, n_blocks=4).fit(X, y)
    certificates = free.history_.certificates
    met = certificates["passes"][np.argmax(certificates["gap"] <= 1e-13 * y.var())]
    assert met < certificates["passes"][-1]
    model = ElasticNet(ALPHA, tol=1e-13, n_blocks=4, max_iter=int(np.ceil(met))).fit(X, y)
    assert model.history_.stopped == "converged"
    assert model.dual_gap_ <= 1e-13 * y.var()


@pytest.mark.parametrize("model", [Lasso(ALPHA), Lasso(ALPHA, solver="piag"), LogisticRegression()])
def test_a_fit_leaves_nothing_of_the_data_behind(model, monkeypatch):
    """Not even until the next garbage collection: the copy of the data may be large."""
    X, y, _, _ = small()
    problems, init = [], Problem.__init__

    def seen(self, *args, **kwargs):
        problems.append(weakref.ref(self))
        init(self, *args, **kwargs)

    monkeypatch.setattr(Problem, "__init__", seen)
    gc.collect()
    gc.disable()
    try:
        clone(model).fit(X, y if isinstance(model, Lasso) else y > 0)
        assert [problem() for problem in problems] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize("form", FORMATS)
def test_a_fit_draws_no_number_of_the_users(form):
    X, y, _, _ = small()
    before = np.random.get_state()[2]  # noqa: NPY002
    ElasticNet(ALPHA, n_blocks=2).fit(FORMATS[form](X), y)
    assert np.random.get_state()[2] == before  # noqa: NPY002


def test_parameters_are_validated_where_a_subclass_has_other_defaults():
    class Wrong(Lasso):
        def __init__(self, alpha=-1.0, tol=1e-3):
            super().__init__(alpha, tol=tol)

    X, y, _, _ = small()
    for _ in range(2):
        with pytest.raises(ValueError, match="'alpha' parameter of Wrong"):
            Wrong().fit(X, y)
    with pytest.raises(ValueError, match="'tol' parameter of Wrong"):
        Wrong(1.0, tol="small").fit(X, y)
    assert Wrong(1.0).fit(X, y).history_.stopped == "converged"

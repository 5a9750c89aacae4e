"""Directions that nothing determines: without a penalty coefficients stay finite, predictions the same."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression, LogisticRegressionCV
from sk_asyncprox.data.preprocessing import design_of

FORMS = {"dense": np.asarray, "C order": np.ascontiguousarray, "csc": sp.csc_matrix, "csr": sp.csr_array}
ROWS = 120


def features(seed):
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((ROWS, 3))
    return rng, Z, Z[:, 0] + rng.logistic(size=ROWS)


def groups(rng, *sizes):
    return [np.eye(size)[rng.integers(0, size, ROWS)] for size in sizes]


ADDED = {
    "ones": lambda rng, Z: [np.ones((ROWS, 1))],
    "constants": lambda rng, Z: [np.full((ROWS, 1), 0.1), np.full((ROWS, 1), 1e6 / 3), np.zeros((ROWS, 1))],
    "constant but for rounding": lambda rng, Z: [(Z[:, :1] + 1e3) - Z[:, :1]],
    "copies": lambda rng, Z: [Z[:, :2], 3.0 * Z[:, :1], Z[:, 2:] / 7.0],
    "sum": lambda rng, Z: [Z.sum(axis=1, keepdims=True)],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ADDED)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("how", [{}, {"n_blocks": 3}, {"C": 1e13}, {"solver": "piag"}], ids=str)
def test_classifiers(form, kind, n_classes, how):
    rng, Z, z = features(n_classes)
    y = np.digitize(z, np.quantile(z, np.arange(1, n_classes) / n_classes))
    X = FORMS[form](np.hstack([*ADDED[kind](rng, Z), Z]))
    how = {"C": np.inf, "tol": 1e-6} | how
    right = LogisticRegression(C=np.inf, tol=1e-8).fit(Z, y)
    model = LogisticRegression(**how).fit(X, y)
    assert_allclose(model.predict_proba(X), right.predict_proba(Z), atol=1e-3)
    assert max(np.abs(model.coef_).max(), np.abs(model.intercept_).max()) < 20


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weighted", [False, True])
def test_groups_of_indicators(form, weighted):
    rng, Z, z = features(4)
    y, weights = (z > 0).astype(int), rng.uniform(0.1, 3.0, ROWS) if weighted else None
    first, second = groups(rng, 4, 3)
    model = LogisticRegression(C=np.inf, tol=1e-7)
    determined = np.hstack([first[:, 1:], second[:, 1:], Z])
    right = model.fit(determined, y, weights).predict_proba(determined)
    X = np.hstack([first, np.ones((ROWS, 1)), Z, second])
    found = model.fit(FORMS[form](X), y, weights).predict_proba(FORMS[form](X))
    assert_allclose(found, right, atol=1e-4)
    assert np.abs(model.coef_).max() < 10


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ADDED)
@pytest.mark.parametrize("model", [Lasso(0.0, tol=1e-8), ElasticNet(0.0, tol=1e-8, n_blocks=3)], ids=str)
@pytest.mark.filterwarnings("ignore:With alpha=0")
def test_regressions(form, kind, model):
    rng, Z, z = features(5)
    X = np.hstack([*ADDED[kind](rng, Z), Z])
    columns = np.column_stack([Z, np.ones(ROWS)])
    right = columns @ np.linalg.lstsq(columns, z, rcond=None)[0]
    model.fit(FORMS[form](X), z)
    assert_allclose(model.predict(FORMS[form](X)), right, atol=1e-3)
    assert max(np.abs(model.coef_).max(), abs(model.intercept_)) < 20


@pytest.mark.parametrize("form", FORMS)
def test_a_warm_start_keeps_what_nothing_determines(form):
    _, Z, z = features(6)
    X, y = FORMS[form](np.column_stack([np.full(ROWS, 0.3), Z])), (z > 0).astype(int)
    model = LogisticRegression(C=np.inf, tol=1e-7, warm_start=True).fit(X, y)
    right = model.predict_proba(X)
    model.coef_[0, 0], model.intercept_ = 5.0, model.intercept_ - 1.5
    assert_allclose(model.fit(X, y).predict_proba(X), right, atol=1e-4)


def test_no_penalty_among_others():
    _, Z, z = features(7)
    X, y = np.column_stack([np.ones(ROWS), Z]), (z > 0).astype(int)
    ones, none = (LogisticRegressionCV(Cs=[0.1, np.inf]).fit(A, y) for A in (X, Z))
    assert_allclose(ones.scores_, none.scores_, atol=1e-4)


@pytest.mark.parametrize("rows", [False, True])
def test_constant_columns_are_centred_to_zero(rows):
    rng = np.random.default_rng(8)
    weights = rng.random(ROWS)
    weights /= weights.sum()
    small = 1e3 + 1e-9 * rng.standard_normal(ROWS)
    X = np.column_stack([np.full(ROWS, 1e6 / 3), rng.standard_normal(ROWS), small, np.full(ROWS, -0.1)])
    design, means = design_of(X, weights, rows=rows, centred=True)
    assert_array_equal(design.X.any(axis=0), [False, True, True, False])
    assert_allclose(means, weights @ X)
    sparse, means = design_of(sp.csc_array(X), weights, centred=True)
    unit = np.eye(4)
    assert_array_equal([sparse.mul(unit[j]).any() for j in range(4)], [False, True, True, False])
    assert_allclose(means, weights @ X)
    assert_array_equal(X[0], [1e6 / 3, X[0, 1], small[0], -0.1])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_separable_classes_and_columns_of_zeros_end_in_few_passes(n_classes, scale):
    _, Z, _ = features(5)
    y = np.digitize(Z[:, 0], np.arange(1, n_classes) - 0.5)
    X = np.hstack([np.zeros((ROWS, 1)), scale * Z + scale])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LogisticRegression(C=np.inf, tol=1e-5).fit(X, y)
    assert model.n_iter_.max() <= 40
    pull = np.eye(max(2, n_classes))[y] - model.predict_proba(X)
    assert np.abs(X.T @ pull).max() / ROWS <= 1.01e-5


@pytest.mark.parametrize("seed", [14, 16, 17, 20])
def test_steps_along_repeated_columns_are_not_taken_on_trust(seed):
    rng = np.random.default_rng(seed)
    X = np.tile(rng.standard_normal((300, 125)), 2)
    weights, y = rng.random(300), rng.random(300) < 0.5
    weights[rng.integers(300)] = 1e5
    model = LogisticRegression(C=np.inf, tol=1e-8).fit(X, y, sample_weight=weights)
    assert model.objective_ <= np.log(2.0)
    assert np.abs(model.coef_).max() < 1e6
    assert model.history_.stopped == "converged"

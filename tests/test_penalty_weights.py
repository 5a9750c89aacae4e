"""Penalty weights of features: against independent optima, on every solver, and certified."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import logsumexp, softmax
from sklearn import linear_model
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold

from sk_asyncprox import (
    ElasticNet,
    ElasticNetCV,
    HuberRegressor,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    enet_path,
    lasso_path,
)
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.kernels import free_coefficients
from sk_asyncprox.kernels.bcd_iterate import Iterate, Read
from sk_asyncprox.kernels.block_steps import direction
from sk_asyncprox.kernels.column_part import ColumnPart
from sk_asyncprox.kernels.quadratic_minimiser import solution
from sk_asyncprox.linear_model._penalty_grids import alphas_of
from sk_asyncprox.losses import LogisticLoss, MultinomialLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solvers.base import Snapshot

N, P = 40, 8
ALPHA = {"squared": 0.1, "logistic": 0.02, "multinomial": 0.02}
WEIGHTS = {
    "positive": np.array([0.3, 1.0, 2.5, 0.1, 1.7, 0.6, 3.0, 1.2]),
    "some-zero": np.array([0.0, 1.0, 2.5, 0.1, 0.0, 0.6, 3.0, 1.2]),
}
TRACE = Trace.from_service_times([1.0, 2.0, 3.0], random_state=0)
RUNS = {
    "rounds": {},
    "blocks": {"n_blocks": 3},
    "all-columns": {"n_blocks": 3, "working_set": False},
    "threads": {"n_blocks": 2, "n_jobs": 2},
    "adaptive1": {"n_blocks": 2, "step_size": "adaptive1"},
    "lipschitz": {"n_blocks": 2, "step_size": "adaptive2", "metric": "lipschitz"},
    "simulated": {"executor": Simulated(TRACE), "n_blocks": 4},
    "models": {"solver": "piag", "n_blocks": 3},
    "metric-piag": {"solver": "piag", "n_blocks": 2, "step_size": "adaptive1"},
    "scalar-piag": {"solver": "piag", "n_blocks": 2, "step_size": "adaptive1", "metric": "lipschitz"},
}


def data(kind, n=N, p=P, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + rng.normal(size=p)
    X[rng.random((n, p)) < 0.3] = 0.0
    y = X[:, :4] @ [2.0, -1.0, 0.0, 0.5] + rng.normal(size=n) + 3.0
    if kind == "logistic":
        return X, np.where(y + 2.0 * rng.normal(size=n) > np.median(y), 1, -1)
    return X, y if kind == "squared" else np.digitize(y + rng.normal(size=n), np.quantile(y, [0.35, 0.7]))


def objective(kind, X, y, W, b, l1, l2, weights, sample_weight=None):
    """Value at ``W`` of shape (p, K), written once more."""
    Z, s = X @ W + b, np.ones(len(y)) if sample_weight is None else sample_weight
    if kind == "squared":
        losses = 0.5 * (y - Z[:, 0]) ** 2
    elif kind == "logistic":
        losses = np.logaddexp(0.0, -y * Z[:, 0])
    else:
        losses = logsumexp(Z, axis=1) - Z[np.arange(len(y)), y]
    return np.average(losses, weights=s) + (weights[:, None] * (l1 * np.abs(W) + 0.5 * l2 * W * W)).sum()


def optimum(kind, X, y, l1, l2, weights, sample_weight=None, positive=False):
    """Coefficients of shape (p, K) and value of the optimum with an intercept, by accelerated steps."""
    s = np.ones(len(y)) if sample_weight is None else sample_weight
    s, outputs = s / s.sum(), len(np.unique(y)) if kind == "multinomial" else 1
    A = np.column_stack([np.ones(len(y)), X - s @ X])
    strength = np.append(0.0, weights)[:, None]
    labels = np.eye(outputs)[y] if kind == "multinomial" else None
    curvature = {"squared": 1.0, "logistic": 0.25, "multinomial": 0.5}[kind]
    step = 1.0 / (curvature * np.linalg.norm(np.sqrt(s)[:, None] * A, 2) ** 2)

    def gradient(W):
        Z = A @ W
        if kind == "squared":
            return Z - y[:, None]
        return -y[:, None] / (1.0 + np.exp(y[:, None] * Z)) if kind == "logistic" else softmax(Z, 1) - labels

    W = V = np.zeros((X.shape[1] + 1, outputs))
    t = 1.0
    for _ in range(20_000):
        x = V - step * A.T @ (s[:, None] * gradient(V))
        new = np.sign(x) * np.maximum(np.abs(x) - step * l1 * strength, 0.0) / (1.0 + step * l2 * strength)
        if positive:
            new[1:] = np.maximum(new[1:], 0.0)
        t = 1.0 if ((V - new) * (new - W)).sum() > 0.0 else t
        t, before = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t)), t
        V, moved, W = new + (before - 1.0) / t * (new - W), np.abs(new - W).max(), new
        if moved < 1e-13:
            break
    b = W[0] - (s @ X) @ W[1:]
    return W[1:], objective(kind, X, y, W[1:], b, l1, l2, weights, sample_weight)


OPTIMA = {}


def known_optimum(kind, l1_ratio, weights, positive=False):
    key = kind, l1_ratio, weights, positive
    if key not in OPTIMA:
        X, y = data(kind)
        l1 = ALPHA[kind] * l1_ratio
        OPTIMA[key] = optimum(kind, X, y, l1, ALPHA[kind] - l1, WEIGHTS[weights], positive=positive)
    return OPTIMA[key]


def model_for(kind, l1_ratio, **options):
    options = {"tol": 1e-8, "max_iter": 20_000} | options
    if kind == "squared":
        return ElasticNet(ALPHA[kind], l1_ratio=l1_ratio, **options)
    return LogisticRegression(C=1.0 / (ALPHA[kind] * N), l1_ratio=l1_ratio, **options)


def agree(model, kind, W, value, weights, atol):
    coef = np.reshape(model.coef_, (-1, P)).T
    free = np.flatnonzero(WEIGHTS[weights] == 0.0)
    if kind == "multinomial":
        W = W.copy()
        W[free] -= W[free].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(coef, W, rtol=0, atol=atol)
    scale = np.var(data(kind)[1]) if kind == "squared" else 1.0
    excess = model.objective_ - value
    assert -1e-12 * scale <= excess <= model.dual_gap_ + 1e-12 <= 1.1e-8 * scale


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize(
    ("kind", "run"),
    [(kind, run) for kind in ("squared", "logistic") for run in RUNS]
    + [("multinomial", run) for run in ("rounds", "blocks", "models")],
)
def test_every_solver_finds_the_optimum(run, kind, weights):
    X, y = data(kind)
    model = model_for(kind, 0.7, penalty_weights=WEIGHTS[weights], **RUNS[run])
    model.fit(sp.csr_matrix(X) if run in ("blocks", "models") else X, y)
    agree(model, kind, *known_optimum(kind, 0.7, weights), weights, 2e-3)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("kind", ALPHA)
@pytest.mark.parametrize(("l1_ratio", "format"), [(0.0, np.asarray), (1.0, sp.csc_matrix)])
def test_both_ends_of_the_elastic_net(l1_ratio, format, kind, weights):
    X, y = data(kind)
    model = model_for(kind, l1_ratio, penalty_weights=WEIGHTS[weights]).fit(format(X), y)
    agree(model, kind, *known_optimum(kind, l1_ratio, weights), weights, 2e-3)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("run", ["rounds", "blocks", "adaptive1", "models", "scalar-piag"])
def test_positive_coefficients(run, weights):
    X, y = data("squared")
    model = model_for("squared", 0.7, positive=True, penalty_weights=WEIGHTS[weights], **RUNS[run]).fit(X, y)
    assert (model.coef_ >= 0.0).all()
    agree(model, "squared", *known_optimum("squared", 0.7, weights, True), weights, 1e-3)


@pytest.mark.parametrize("format", [np.asarray, sp.csc_matrix])
def test_lasso_is_that_of_rescaled_columns(format):
    X, y = data("squared")
    weights = WEIGHTS["positive"]
    model = Lasso(0.2, tol=1e-12, penalty_weights=weights).fit(format(X), y)
    other = linear_model.Lasso(0.2, tol=1e-14, max_iter=100_000).fit(X / weights, y)
    np.testing.assert_allclose(model.coef_, other.coef_ / weights, rtol=0, atol=1e-9)
    assert model.intercept_ == pytest.approx(other.intercept_, abs=1e-9)


@pytest.mark.parametrize("format", [np.asarray, sp.csc_matrix])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_unpenalised_features_are_projected_out(fit_intercept, format):
    X, y = data("squared")
    free, penalised = [0, 4], [1, 2, 3, 5, 6, 7]
    weights = np.ones(P)
    weights[free] = 0.0
    model = Lasso(0.2, tol=1e-12, fit_intercept=fit_intercept, penalty_weights=weights).fit(format(X), y)
    Z = np.column_stack([X[:, free], *[np.ones(N)] * fit_intercept])
    left = np.eye(N) - Z @ np.linalg.pinv(Z)
    other = linear_model.Lasso(0.2, tol=1e-14, max_iter=100_000, fit_intercept=False)
    other.fit(left @ X[:, penalised], left @ y)
    np.testing.assert_allclose(model.coef_[penalised], other.coef_, rtol=0, atol=1e-9)
    beside = np.linalg.lstsq(Z, y - X[:, penalised] @ other.coef_, rcond=None)[0]
    np.testing.assert_allclose(model.coef_[free], beside[:2], rtol=0, atol=1e-9)


@pytest.mark.parametrize("format", [np.asarray, sp.csc_matrix])
def test_unpenalised_features_are_in_every_working_set(format):
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(100, 400)), rng.normal(size=100)
    X[rng.random(X.shape) < 0.5] = 0.0
    y, weights = y + X[:, 0] + 5.0 * X[:, 200], np.ones(400)
    weights[[0, 399]] = 0.0
    model = Lasso(0.2, tol=1e-10, penalty_weights=weights).fit(format(X), y)
    c = X.T @ (y - model.predict(X)) / 100
    assert model.coef_[0] != 0.0
    np.testing.assert_allclose(c[[0, 399]], 0.0, atol=1e-5)
    on = model.coef_ != 0.0
    np.testing.assert_allclose(c[on], 0.2 * weights[on] * np.sign(model.coef_[on]), atol=1e-5)


def test_free_features_that_separate_the_classes_are_certified():
    X, y = data("logistic")
    X = np.column_stack([X, (y > 0) & (np.arange(N) < 20)])
    weights = np.append(np.ones(P), 0.0)
    model = LogisticRegression(C=1.0, l1_ratio=1.0, tol=1e-6, penalty_weights=weights).fit(X, y)
    # In the limit those samples have no loss, and the others are as they are without them.
    others = X[:, -1] == 0.0
    rest = LogisticRegression(C=1.0, l1_ratio=1.0, tol=1e-9).fit(X[others, :-1], y[others])
    assert model.dual_gap_ <= 1e-6 * np.log(2)
    assert model.objective_ == pytest.approx(others.mean() * rest.objective_, abs=1e-6)


@pytest.mark.parametrize("shape", [(80, 300), (400, 60)])
@pytest.mark.parametrize("kind", ["squared", "logistic"])
def test_weighted_l2_parts_are_those_of_rescaled_columns(kind, shape):
    X, y = data(kind, *shape)
    r = np.random.default_rng(2).uniform(0.3, 3.0, shape[1])
    # |w|^2 weighted by r is that of u = sqrt(r) w.
    if kind == "squared":
        model, plain_model = (
            ElasticNet(0.1, l1_ratio=0.0, tol=1e-10),
            ElasticNet(0.1, l1_ratio=0.0, tol=1e-10),
        )
    else:
        model, plain_model = LogisticRegression(C=0.1, tol=1e-10), LogisticRegression(C=0.1, tol=1e-10)
    plain_model.fit(X / np.sqrt(r), y)
    for format in (np.asarray, sp.csc_matrix):
        model.set_params(penalty_weights=r).fit(format(X), y)
        np.testing.assert_allclose(model.coef_, plain_model.coef_ / np.sqrt(r), rtol=0, atol=2e-4)
        assert model.objective_ == pytest.approx(plain_model.objective_, abs=2e-10)


@pytest.mark.parametrize("run", ["rounds", "blocks", "models"])
def test_huber_loss(run):
    X, y = data("squared")
    y[:4] += [30.0, -20.0, 25.0, 40.0]
    r = WEIGHTS["some-zero"]
    model = HuberRegressor(
        epsilon=1.0, alpha=0.1, l1_ratio=1.0, tol=1e-10, penalty_weights=r, **RUNS[run]
    ).fit(X, y)
    c = X.T @ np.clip(y - model.predict(X), -1.0, 1.0) / N
    on = model.coef_ != 0.0
    np.testing.assert_allclose(c[on], 0.1 * r[on] * np.sign(model.coef_[on]), rtol=0, atol=1e-5)
    assert np.all(np.abs(c) <= 0.1 * r + 1e-5)
    assert on[[0, 4]].all()
    assert model.dual_gap_ <= 1e-8


@pytest.mark.parametrize("alpha", [1e-5, 1e-3])
def test_huber_loss_is_certified_where_features_can_fit_all(alpha):
    """Newton's steps to the dual point land in the right pieces of the loss, to rounding."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2, 4, 4))
    for seed in range(3):
        v = np.random.default_rng(seed).permutation([1.6, 0.8, 0.9, 0.0])
        model = HuberRegressor(epsilon=0.01, alpha=alpha, l1_ratio=1.0, penalty_weights=v).fit(X, y[:, 0])
        assert model.dual_gap_ < 1e-2 * model.objective_


@pytest.mark.parametrize("options", [{}, {"step_size": "adaptive1"}, {"solver": "piag"}], ids=str)
def test_nothing_is_proved_by_rounding(options):
    """Where free features fit all targets, no dual point but zero is orthogonal to them."""
    for seed in range(10):
        X, v = np.random.default_rng(seed).standard_normal((2, 6)), [1.0, 0.5, 2.0, 0.3, 0.8, 0.0]
        model = Lasso(0.1, penalty_weights=v, **options).fit(X, X[:, 0] + X[:, 5])
        assert model.objective_ - model.dual_gap_ <= 1e-15


def test_sample_weights_warm_start_and_float32():
    X, y = data("logistic")
    weights, s = WEIGHTS["some-zero"], np.random.default_rng(1).uniform(0.1, 2.0, N)
    _, value = optimum("logistic", X, y, 0.02, 0.0, weights, s)
    model = LogisticRegression(
        C=1.0 / (0.02 * s.sum()), l1_ratio=1.0, tol=1e-9, warm_start=True, penalty_weights=weights
    )
    assert model.fit(X, y, sample_weight=s).objective_ == pytest.approx(value, abs=2e-9)
    coef, first = model.coef_.copy(), model.n_iter_[0]
    assert model.fit(X, y, sample_weight=s).n_iter_[0] < first
    np.testing.assert_allclose(model.coef_, coef, atol=1e-4)
    single = clone(model).fit(X.astype(np.float32), y, sample_weight=s)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, coef, atol=1e-3)


def test_ones_change_nothing():
    for kind in ALPHA:
        X, y = data(kind)
        models = [model_for(kind, 0.5, penalty_weights=w).fit(X, y) for w in (None, [1] * P)]
        np.testing.assert_array_equal(models[0].coef_, models[1].coef_)


def test_a_common_weight_is_a_factor_of_the_penalty():
    X, y = data("squared")
    model = ElasticNet(0.1, tol=1e-12, penalty_weights=np.full(P, 3.0)).fit(X, y)
    np.testing.assert_allclose(model.coef_, ElasticNet(0.3, tol=1e-12).fit(X, y).coef_, atol=1e-9)


def test_a_weighted_penalty_is_a_plain_one_in_every_coordinate():
    rng, weights = np.random.default_rng(0), np.array([0.0, 0.5, 2.0, 1.0])
    for l1, l2, positive in ((0.7, 0.0, False), (0.4, 1.3, False), (0.4, 1.3, True), (0.0, 1.3, False)):
        penalty = ElasticNetPenalty(l1, l2, positive, weights=weights)
        each = [ElasticNetPenalty(l1 * r, l2 * r, positive) for r in weights]
        for _ in range(20):
            x, new, c = rng.normal(size=(3, 4)) * rng.integers(0, 2, (3, 4))
            x, new = (np.abs(v) if positive else v for v in (x, new))
            parts = [v[:, None] for v in (x, new, c)]
            pairs = list(zip(each, *parts, strict=True))
            assert penalty.value(x) == pytest.approx(sum(p.value(w) for p, w, _, _ in pairs))
            np.testing.assert_allclose(penalty.prox(c, 0.6), [p.prox(g, 0.6)[0] for p, _, _, g in pairs])
            violation = [p.violation(w, g)[0] for p, w, _, g in pairs]
            np.testing.assert_allclose(penalty.violation(x, c), violation)
            change = np.sum([p.difference(w, v) for p, w, v, _ in pairs], axis=0)
            np.testing.assert_allclose(penalty.difference(x, new), change, atol=1e-15)
            penalised = pairs[1:]
            assert penalty.dual_limit(c) == pytest.approx(min(p.dual_limit(g) for p, _, _, g in penalised))
            c[0] = 0.0
            if l2 > 0.0:
                assert penalty.conjugate(c) == pytest.approx(sum(p.conjugate(g) for p, _, _, g in penalised))
            np.testing.assert_array_equal(
                penalty.on([1, 3]).prox(c[[1, 3]], 0.3), penalty.prox(c, 0.3)[[1, 3]]
            )
        np.testing.assert_array_equal(penalty.with_l1(np.inf).l1s, [0.0, np.inf, np.inf, np.inf])


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_models_on_gram_matrices(weights, positive):
    rng = np.random.default_rng(3)
    A, t = rng.normal(size=(20, P)), rng.normal(size=20) * 3.0
    Q, q, square = A.T @ A, A.T @ t, t @ t
    penalty = ElasticNetPenalty(2.0, 0.5, positive, weights=WEIGHTS[weights])

    def value(w):
        return 0.5 * w @ Q @ w - q @ w + penalty.value(w)

    w, *_ = penalty.solve_on_gram(Q, q, np.zeros(P), square, 1e-12)
    np.testing.assert_allclose(penalty.violation(w, q - Q @ w), 0.0, atol=1e-6)
    found, gap, _ = penalty.solve_on_gram(Q, q, np.zeros(P), square, 1e-10, enough=0.0)
    np.testing.assert_allclose(found, w, atol=1e-5)
    model, restored = penalty.plain(Q, q, np.zeros(P), square)
    u = rng.uniform(0.0, 1.0, len(model[1]))
    start = restored(u)
    if not (positive and weights == "some-zero"):
        assert gap <= 1e-10
        other = ElasticNetPenalty.value(model[3], u) + 0.5 * u @ model[0] @ u - model[1] @ u
        assert value(start) - value(w) == pytest.approx(other - value(w) - 0.5 * (square - model[4]))
    assert value(start) - value(w) <= penalty.gap_on_gram(Q, q, start, square) + 1e-9


LOSSES = {"squared": SquaredLoss(), "logistic": LogisticLoss(), "multinomial": MultinomialLoss(3)}


class OneByOne(ElasticNetPenalty):
    """One column of a block after the other."""

    def __init__(self, *args):
        super().__init__(*args)
        self.widest_run = 1


@pytest.mark.parametrize("format", [np.asarray, sp.csc_matrix])
@pytest.mark.parametrize("loss", [SquaredLoss(), LogisticLoss()], ids=["squared", "logistic"])
def test_runs_of_a_block_follow_one_another(loss, format):
    """With runs of one column a step is one sweep, made here by hand in centred columns."""
    X, y = data("logistic" if loss.labelled else "squared")
    l1, l2, weights = 0.05, 0.1, WEIGHTS["positive"]
    problem = Problem(format(X), y.astype(float), loss, OneByOne(l1, l2, False, weights))
    old = 0.1 * np.cos(np.arange(P))
    at = Iterate(problem, Snapshot(old, 0.0))
    at.z, at.b, at.gradient = problem.settle(at.z, at.b)
    part = ColumnPart(problem, 1.0, True, None)
    read = Read(("blocks", 0, 0), np.arange(P), old.copy(), at.point(), problem.penalty, False)
    omega = part.model(at.point()).diagonal
    X = X - omega @ X / omega.sum()
    left, new = -at.gradient * problem.weights / omega, old.copy()
    for j in range(P):
        size = omega @ X[:, j] ** 2
        pull = size * old[j] + omega @ (X[:, j] * left)
        shrunk = np.sign(pull) * max(abs(pull) - l1 * weights[j], 0.0)
        new[j] = shrunk / (size + l2 * weights[j])
        left = left - (new[j] - old[j]) * X[:, j]
    np.testing.assert_allclose(direction(part, read).new, new, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_bounds_hold_everywhere_and_meet_the_optimum(kind, l2):
    X, y = data(kind)
    # A free feature twice, and one of another scale.
    X[:, 3], X[:, 4] = X[:, 0], 1e6 * X[:, 4]
    weights = np.array([0.0, 1.0, 2.5, 0.0, 0.0, 0.6, 3.0, 1.2])
    loss = LOSSES[kind]
    penalty = ElasticNetPenalty(0.05, l2, weights=np.tile(weights, loss.n_outputs))
    problem = Problem(X, y, loss, penalty)
    _, value = optimum(kind, X / [1, 1, 1, 1, 1e6, 1, 1, 1], y, 0.05, l2, weights)
    rng, w, b = np.random.default_rng(0), *problem.start()
    null = problem.certify(w, b)
    assert null.dual > -np.inf
    for size in (0.01, 0.3, 3.0):
        for _ in range(10):
            certificate = problem.certify(
                size * rng.normal(size=len(w)) / np.tile(X.std(axis=0), loss.n_outputs), b
            )
            assert certificate.dual <= value + 1e-12
    options = {"tol": 1e-10, "penalty_weights": weights}
    if kind == "squared":
        model = ElasticNet(0.05 + l2, l1_ratio=0.05 / (0.05 + l2), **options).fit(X, y)
    else:
        model = LogisticRegression(C=1 / (N * (0.05 + l2)), l1_ratio=0.05 / (0.05 + l2), **options).fit(X, y)
    assert model.objective_ == pytest.approx(value, abs=1e-8)
    assert model.dual_gap_ <= 1e-9


@pytest.mark.parametrize("kind", ["squared", "logistic"])
@pytest.mark.parametrize("options", [{}, {"step_size": "adaptive1"}, {"solver": "piag"}], ids=str)
def test_free_columns_of_zeros_and_of_any_scale(kind, options):
    """What no sample has stays at zero, and a bound is one whatever the unit of free columns."""
    X, y = data(kind)
    X[:, 3] = 0.0
    weights = np.r_[0.0, np.ones(P - 1)] * (np.arange(P) != 3)
    found = []
    for scale in (1e-200, 1.0, 1e200):
        model = model_for(kind, 1.0, penalty_weights=weights, **options)
        model.set_params(**{"alpha": model.alpha * scale} if kind == "squared" else {"C": model.C / scale})
        found.append(model.fit(X * scale, y))
        assert not model.coef_[..., 3].any()
        np.testing.assert_allclose(model.coef_ * scale, found[0].coef_ * 1e-200, atol=1e-3)
    least = min(model.objective_ for model in found)
    assert all(model.objective_ - model.dual_gap_ <= least + 1e-14 for model in found)


def test_what_nothing_pulls_at_stays_at_zero_in_any_unit():
    Q = np.array([[2e200, 0.0, 1e200, 0.0], [0.0, 1e-100, 0.0, 0.0], [1e200, 0.0, 3e200, 0.0], [0.0] * 4])
    found = solution(Q, np.array([[1e100], [0.0], [3e100], [0.0]]))[:, 0]
    np.testing.assert_allclose(found, [0.0, 0.0, 1e-100, 0.0], rtol=1e-14, atol=1e-115)
    assert found[1] == found[3] == 0.0


def test_a_system_whose_diagonal_is_lost_to_rounding_has_no_solution():
    """In the units of its columns it would be beyond all numbers, with which LAPACK ends in an error."""
    A = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 10.0], [0.0, 10.0, -1.0]])
    with np.errstate(over="ignore"):
        assert np.isnan(solution(A, np.ones((3, 1)))).all()


def test_singular_values_that_do_not_converge_end_no_fit(monkeypatch):
    def fails(*_, **__):
        raise np.linalg.LinAlgError("SVD did not converge in Linear Least Squares")

    X, y = np.random.default_rng(0).standard_normal((2, 30, 5))
    weights = [0.0, 0.0, 1.0, 1.0, 1.0]
    model = LogisticRegression(C=0.1, l1_ratio=0.9, penalty_weights=weights, fit_intercept=False, max_iter=20)
    monkeypatch.setattr(np.linalg, "lstsq", fails)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y[:, 0] > 0)
    assert np.isfinite(model.coef_).all()


def test_a_penalty_beyond_the_largest_number_is_that_one():
    X, y = np.random.default_rng(0).standard_normal((2, 20, 4)) * 1e145
    weights = np.array([1e10, 1e-10, 1e10, 1e-10])
    model = Lasso(alpha=1e300, penalty_weights=weights).fit(X, y[:, 0])
    assert not model.coef_.any()
    assert model.dual_gap_ >= 0.0
    penalty = ElasticNetPenalty(1e300, 1e300, weights=weights)
    assert penalty.value(np.zeros(4)) == 0.0
    assert np.isinf(penalty.with_l1(np.inf).l1s).all()


def test_bounds_where_free_features_separate_some_samples():
    """Their coefficients go far, where a dual point that is all but orthogonal would bound too much."""
    X = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    y = np.array([1, 1, 1, 0, 1, 0, 1])
    best = np.log(2.0) * 4 / 7
    for tol in (1e-3, 1e-5, 1e-7, 1e-9):
        model = LogisticRegression(C=1e-3, l1_ratio=1.0, tol=tol, penalty_weights=[0.0, 1e3]).fit(X, y)
        assert model.objective_ - model.dual_gap_ <= best + 1e-15
        assert model.objective_ - best <= tol


def test_more_free_features_than_samples():
    X, y = data("squared", n=15, p=30)
    weights = np.r_[np.zeros(20), np.ones(10)]
    model = Lasso(0.1, penalty_weights=weights).fit(X, y)
    assert model.objective_ <= 1e-4 * np.var(y)
    assert not model.coef_[20:].any()
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 330)), rng.normal(size=600)
    weights = np.r_[np.zeros(300), np.ones(30)]
    model = Lasso(0.02, tol=1e-8, penalty_weights=weights).fit(X, y)
    c = X.T @ (y - model.predict(X)) / 600
    assert np.abs(c[:300]).max() < 1e-3
    assert np.abs(c[300:]).max() < 0.0201


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_the_largest_alpha_is_where_penalised_coefficients_leave_zero(fit_intercept, positive, weights):
    X, y = data("squared")
    r = WEIGHTS[weights]
    several = ElasticNetCV(eps=0.1, alphas=3, positive=positive, penalty_weights=r)
    [grid] = alphas_of(several, X, y, None, [0.5], fit_intercept)
    model = ElasticNet(
        tol=1e-11, l1_ratio=0.5, fit_intercept=fit_intercept, positive=positive, penalty_weights=r
    )
    assert not model.set_params(alpha=1.0001 * grid[0]).fit(X, y).coef_[r > 0].any()
    assert model.set_params(alpha=0.99 * grid[0]).fit(X, y).coef_[r > 0].any()


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_paths_are_those_of_single_fits(solver, weights):
    X, y = data("squared")
    r = WEIGHTS[weights]
    alphas, coefs, gaps = enet_path(X, y, alphas=5, tol=1e-9, solver=solver, penalty_weights=r)
    assert (gaps <= 1.1e-9 * np.mean(y**2)).all()
    assert np.abs(coefs[r > 0, 0]).max() < 1e-12
    for alpha, coef in zip(alphas, coefs.T, strict=True):
        model = ElasticNet(alpha, fit_intercept=False, tol=1e-10, penalty_weights=r).fit(X, y)
        np.testing.assert_allclose(coef, model.coef_, atol=1e-3)
    lasso = lasso_path(sp.csc_matrix(X), y, alphas=alphas, tol=1e-9, penalty_weights=r)[1]
    other = enet_path(X, y, alphas=alphas, l1_ratio=1.0, tol=1e-9, penalty_weights=r)[1]
    np.testing.assert_allclose(lasso, other, atol=1e-3)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_cross_validation_scores_weighted_fits(weights):
    X, y = data("squared")
    r, cv = WEIGHTS[weights], KFold(3)
    found = ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=4, tol=1e-9, cv=cv, penalty_weights=r).fit(X, y)
    lasso = LassoCV(alphas=found.alphas_[1], tol=1e-9, cv=cv, n_jobs=2, penalty_weights=r).fit(X, y)
    np.testing.assert_allclose(found.mse_path_[1], lasso.mse_path_, rtol=1e-5)
    for k, (train, test) in enumerate(cv.split(X)):
        for alpha, error in zip(lasso.alphas_, lasso.mse_path_[:, k], strict=True):
            model = Lasso(alpha, tol=1e-9, penalty_weights=r).fit(X[train], y[train])
            assert error == pytest.approx(np.mean((y[test] - model.predict(X[test])) ** 2), rel=1e-4)
    model = Lasso(lasso.alpha_, tol=1e-9, penalty_weights=r).fit(X, y)
    np.testing.assert_allclose(lasso.coef_, model.coef_, atol=1e-6)


@pytest.mark.parametrize("kind", ["logistic", "multinomial"])
def test_logistic_cross_validation(kind):
    X, y = data(kind)
    r = WEIGHTS["some-zero"]
    found = LogisticRegressionCV(Cs=[0.1, 1.0], l1_ratios=[0.8], cv=KFold(2), tol=1e-9, penalty_weights=r)
    found.fit(X, y)
    train = next(KFold(2).split(X))[0]
    for C, coef in zip([0.1, 1.0], found.coefs_paths_[0, 0], strict=True):
        model = LogisticRegression(C=C, l1_ratio=0.8, tol=1e-9, penalty_weights=r).fit(X[train], y[train])
        np.testing.assert_allclose(coef[:, :-1], model.coef_, atol=1e-3)
    assert not np.any(found.coef_ == 0.0, axis=0)[[0, 4]].any()


def test_models_of_a_working_set_and_what_they_do_not_serve():
    rng = np.random.default_rng(0)
    X = sp.random(60, 2100, 0.1, format="csr", random_state=0)
    y = X[:, :5] @ np.ones(5) * 5.0 + 0.1 * rng.normal(size=60)
    weights = rng.uniform(0.5, 2.0, 2100)
    options = {"tol": 1e-7, "max_iter": 10_000, "penalty_weights": weights}
    model = Lasso(0.02, solver="piag", n_blocks=2, **options).fit(X, y)
    assert model.history_.step_size == "ExactStep()"
    assert model.objective_ == pytest.approx(Lasso(0.02, **options).fit(X, y).objective_, abs=2e-7)
    weights[0] = 0.0
    with pytest.raises(ValueError, match="some are unpenalised"):
        Lasso(0.02, solver="piag", step_size="exact", **options).fit(X, y)
    model = Lasso(0.02, solver="piag", **options | {"max_iter": 5, "tol": 1e-9})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert model.fit(X, y).history_.step_size.startswith("Adaptive1")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * (P - 1), r"penalty_weights has shape \(7,\), but X has 8 features"),
        ([[1.0] * P], r"penalty_weights has shape \(1, 8\), but X has 8 features"),
        ([-1.0] + [1.0] * (P - 1), "penalty_weights must be non-negative, and not all zero"),
        ([0.0] * P, "penalty_weights must be non-negative, and not all zero"),
        ({0: 1.0}, "penalty_weights must be one number per feature. Got {0: 1.0}"),
        ([1e-300] + [1.0] * (P - 1), r"penalty_weights must be 0, or between 1e-10 and 1e\+10"),
        ([1e300] + [1.0] * (P - 1), r"penalty_weights must be 0, or between 1e-10 and 1e\+10"),
        ([np.nan] + [1.0] * (P - 1), "penalty_weights contains NaN"),
        ([np.inf] + [1.0] * (P - 1), "penalty_weights contains infinity"),
        (3.0, "The 'penalty_weights' parameter of"),
        (["a"] * P, "could not convert string"),
    ],
)
def test_bad_weights(weights, message):
    (X, y), (_, labels) = data("squared"), data("logistic")
    models = [Lasso(), ElasticNet(), LassoCV(cv=2), ElasticNetCV(cv=2)]
    models += [LogisticRegression(), LogisticRegressionCV(cv=2)]
    for model in models:
        before = vars(model.set_params(penalty_weights=weights)).copy()
        with pytest.raises(ValueError, match=message):
            model.fit(X, labels if hasattr(model, "predict_proba") else y)
        assert vars(model).keys() - {"n_features_in_"} == before.keys() - {"n_features_in_"}
    for path in (lasso_path, enet_path):
        with pytest.raises(ValueError, match=message):
            path(X, y, penalty_weights=weights)


def test_parameters_as_scikit_learn_has_them():
    X, y = data("squared")
    weights = WEIGHTS["some-zero"]
    model = Lasso(0.1, penalty_weights=weights)
    assert clone(model).get_params()["penalty_weights"] is not weights
    np.testing.assert_array_equal(clone(model).penalty_weights, weights)
    fitted = pickle.loads(pickle.dumps(model.fit(X, y)))
    np.testing.assert_array_equal(fitted.predict(X), model.predict(X))
    np.testing.assert_array_equal(
        Lasso(0.1).set_params(penalty_weights=list(weights)).fit(X, y).coef_, model.coef_
    )


@pytest.mark.parametrize("seed", [0, 3])
def test_ridge_steps_of_free_coefficients_arrive_on_columns_of_all_scales(seed):
    rng, (n, p) = np.random.default_rng(seed), (60, 30)
    X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-4, 4, p)
    y = X[:, 0] + np.abs(X[:, 0]).mean() * rng.standard_normal(n) > 0
    model = LogisticRegression(C=1e-6, tol=1e-8, penalty_weights=1.0 * (rng.random(p) > 0.2))
    assert model.fit(sp.csr_matrix(X), y).n_iter_[0] < 100


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("cls", [ElasticNet, HuberRegressor])
@pytest.mark.parametrize(("alpha", "l1_ratio"), [(1e-10, 1.0), (1e-9, 0.5), (1e-12, 0.0)])
@pytest.mark.filterwarnings("error")
def test_what_columns_of_low_rank_have_by_rounding_is_fitted(form, cls, alpha, l1_ratio):
    """In single precision: a share of 1e-8 of the columns, whose square a Gram matrix does not hold."""
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((40, 2)) @ rng.standard_normal((2, 8))).astype(np.float32)
    y = X[:, 0] + rng.standard_normal(40)
    r = np.array([0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    model = cls(alpha, l1_ratio=l1_ratio, penalty_weights=r, tol=1e-6).fit(form(X), y)
    assert model.dual_gap_ <= 1e-6 * y.var()
    if cls is HuberRegressor:
        return
    free = np.column_stack([np.ones(40), X[:, r == 0.0].astype(float)])
    residual = y - model.intercept_ - X.astype(float) @ model.coef_
    # To a rounding error of coefficients of 1e7 in single precision.
    assert np.abs(np.linalg.qr(free)[0].T @ residual).max() <= 1e-6 * np.abs(model.coef_).max()


@pytest.mark.parametrize("cls", [Lasso, HuberRegressor, LogisticRegression])
@pytest.mark.filterwarnings("error")
def test_steps_beside_free_coefficients_where_no_other_is_called_for(cls):
    """Of ten free columns or more, that nearly repeat one, the working set has no others."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 30)), rng.standard_normal(20)
    X[:, :15] = X[:, :1] + 1e-6 * X[:, :15]
    weak = {"C": 0.01, "l1_ratio": 1.0} if cls is LogisticRegression else {"alpha": 10.0}
    weights = np.repeat([0.0, 1.0], 15)
    model = cls(**weak, penalty_weights=weights).fit(X, y > 0.0 if cls is LogisticRegression else y)
    assert not model.coef_[..., 15:].any()


def test_a_rank_is_found_without_the_warning_of_numpy_before_2(monkeypatch):
    lstsq = np.linalg.lstsq

    def as_there(A, B, rcond="warn"):
        assert rcond != "warn"
        return lstsq(A, B, rcond)

    monkeypatch.setattr(np.linalg, "lstsq", as_there)
    np.testing.assert_allclose(solution(np.ones((2, 2)), np.ones((2, 1))), np.full((2, 1), 0.5))


@pytest.mark.parametrize("Z", [np.zeros((9, 0)), np.zeros((9, 2))], ids=["no column", "columns of zeros"])
def test_a_step_beside_free_coefficients_that_do_nothing(Z, monkeypatch):
    def as_old_versions_have_it(R, b):
        assert R.size, "illegal value in 7th argument of internal trtrs"
        return solve_triangular(R, b)

    solve_triangular = free_coefficients.solve_triangular
    monkeypatch.setattr(free_coefficients, "solve_triangular", as_old_versions_have_it)
    rng, k = np.random.default_rng(0), Z.shape[1]
    K, pull, penalty = rng.standard_normal((9, 3)), rng.standard_normal(9), ElasticNetPenalty(0.1)
    w, beside, _ = free_coefficients._minimum(K, Z, np.zeros(3), pull, penalty, 1e-9, np.ones(k))
    np.testing.assert_array_equal(beside, np.ones(k))
    assert penalty.violation(w, K.T @ (pull - K @ w)).max() <= 1e-9


def test_free_columns_that_explain_the_target_raise_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(60):
            rng = np.random.default_rng(seed)
            X, y = rng.standard_normal((2, 5)), rng.standard_normal(2)
            model = ElasticNet(0.1, penalty_weights=np.r_[0.0, np.ones(4)]).fit(X, y)
            assert model.dual_gap_ <= 1e-4 * y.var()


@pytest.mark.filterwarnings("error")
def test_free_columns_and_targets_far_beyond_the_threshold():
    """Margins of 1e6 are known to 1e-10, which is what the slope in free coefficients cannot be less than."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((12, 5)), 1e6 + rng.standard_normal(12)
        r = np.array([0.0, 1.0, 1.0, 1.0, 0.0])
        model = HuberRegressor(1e-3, epsilon=1.0, fit_intercept=False, penalty_weights=r).fit(X, y)
        assert model.dual_gap_ <= 1e-4 * 2e6


@pytest.mark.parametrize("cls", [ElasticNet, HuberRegressor])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_free_columns_of_low_rank_alone_are_a_working_set(cls):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((12, 2)) @ rng.standard_normal((2, 60))).astype(np.float32)
    model = cls(1e3, penalty_weights=np.arange(60) % 3 > 0).fit(X, rng.standard_normal(12))
    assert not model.coef_[np.arange(60) % 3 > 0].any()


@pytest.mark.filterwarnings("error")
def test_columns_that_free_ones_span_lose_their_coefficients():
    for seed in (206, 1020, 1142):
        rng = np.random.default_rng(seed)
        X, r = (rng.random((3, 12)) < 0.4).astype(float), np.repeat([0.0, 1.0], 6)
        y = X[:, :6] @ rng.uniform(0.0, 1.0, 6)
        model = ElasticNet(1e-2, l1_ratio=1.0, positive=True, penalty_weights=r, tol=1e-8).fit(X, y)
        assert model.dual_gap_ <= 1e-8 * y.var()

"""Robust regression: every solver, against conditions that only the solution meets."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import HuberRegressor as WithScale
from sklearn.linear_model import LinearRegression

from sk_asyncprox import ElasticNet, HuberRegressor, Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.linear_model._dask_fit import loss_of
from sk_asyncprox.losses import HuberLoss, LogisticLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.shards.shard import cut_rows, divisible
from sk_asyncprox.shards.shard_counts import count
from sk_asyncprox.shards.sharded_certificate import conclude
from sk_asyncprox.solve import Options, solve

N, P = 120, 15


def data(seed=0, outliers=12):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, P)) * (rng.random((N, P)) < 0.7) + 0.5
    y = X[:, :4] @ [3.0, -2.0, 1.0, 4.0] + rng.standard_normal(N) + 2.0
    y[:outliers] += 50.0 * rng.standard_normal(outliers)
    return X, y


X, Y = data()
WEIGHTS = np.random.default_rng(1).integers(0, 3, N).astype(float)


def distance(model, X, y, weights=None):
    """Largest distance of minus the gradient from the penalty's subdifferential, relative to its weight."""
    weights = np.full(len(y), 1.0) if weights is None else weights
    pull = weights / weights.sum() * np.clip(y - X @ model.coef_ - model.intercept_, *model_range(model))
    l1, w = model.alpha * model.l1_ratio, model.coef_
    c = X.T @ pull - (model.alpha - l1) * w
    inside = np.maximum(c - l1 if model.positive else np.abs(c) - l1, 0.0)
    away = np.where(w != 0.0, np.abs(c - l1 * np.sign(w)), inside)
    return max(away.max(), abs(pull.sum()) if model.fit_intercept else 0.0) / model.alpha


def model_range(model):
    return -model.epsilon, model.epsilon


ROUTES = {
    "rounds": {},
    "blocks": {"n_blocks": 4},
    "blocks, adaptive 1": {"step_size": "adaptive1"},
    "blocks, adaptive 2": {"step_size": "adaptive2", "executor": Simulated(Trace.constant(2)), "n_blocks": 3},
    "blocks, fixed": {"step_size": "fixed", "executor": Simulated(Trace.constant(2)), "n_blocks": 3},
    "prox": {"step_size": "adaptive1", "metric": "lipschitz"},
    "models": {"solver": "piag"},
    "models, delayed": {"solver": "piag", "n_blocks": 3, "executor": Simulated(Trace.constant(3))},
    "metric": {"solver": "piag", "step_size": "adaptive1", "executor": Simulated(Trace.constant(3))},
    "server": {"solver": "piag", "step_size": "adaptive2", "metric": "lipschitz", "n_blocks": 2},
}


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("route", ROUTES)
def test_every_solver_meets_the_conditions_of_the_solution(route, l1_ratio):
    slow = route in ("prox", "server", "blocks, adaptive 2", "blocks, fixed")
    tol = 1e-8 if slow else 1e-12
    model = HuberRegressor(0.1, l1_ratio=l1_ratio, tol=tol, max_iter=20_000, **ROUTES[route]).fit(X, Y)
    assert model.history_.stopped == "converged"
    assert distance(model, X, Y) <= (1e-2 if slow else 1e-5)
    best = HuberRegressor(0.1, l1_ratio=l1_ratio, tol=1e-13).fit(X, Y)
    assert best.objective_ - 1e-12 <= model.objective_ <= best.objective_ + model.dual_gap_ + 1e-12
    assert_allclose(model.coef_, best.coef_, atol=1e-2 if slow else 1e-5)


@pytest.mark.parametrize("epsilon", [0.1, 1.35, 20.0])
@pytest.mark.parametrize(
    ("form", "options"),
    [
        (np.asfortranarray, {}),
        (sp.csc_array, {"positive": True}),
        (sp.csr_matrix, {"fit_intercept": False}),
        (sp.csr_array, {"solver": "piag"}),
    ],
)
def test_thresholds_forms_and_weights(epsilon, form, options):
    model = HuberRegressor(0.02, epsilon=epsilon, l1_ratio=0.7, tol=1e-12, **options)
    model.fit(form(X), Y, WEIGHTS)
    assert distance(model, X, Y, WEIGHTS) <= 1e-4
    again = HuberRegressor(**model.get_params()).fit(
        np.repeat(X, WEIGHTS.astype(int), axis=0), np.repeat(Y, WEIGHTS.astype(int))
    )
    assert_allclose(again.coef_, model.coef_, atol=1e-5)
    assert_allclose(again.intercept_, model.intercept_, atol=1e-5)
    if options.get("positive"):
        assert model.coef_.min() >= 0.0


@pytest.mark.parametrize("solver", ["bcd", "piag"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_a_threshold_above_every_residual_is_the_squared_loss(solver, l1_ratio):
    settings = {"l1_ratio": l1_ratio, "tol": 1e-12, "solver": solver}
    model = HuberRegressor(0.1, epsilon=1e4, **settings).fit(X, Y)
    squared = ElasticNet(0.1, **settings).fit(X, Y)
    assert_allclose(model.coef_, squared.coef_, atol=1e-6)
    assert model.objective_ == pytest.approx(squared.objective_, rel=1e-10)
    if l1_ratio == 1.0:
        assert_allclose(model.coef_, Lasso(0.1, tol=1e-12).fit(X, Y).coef_, atol=1e-6)


def test_outliers_pull_no_harder_than_the_threshold():
    rng = np.random.default_rng(3)
    true, far = np.array([2.0, 0.0, -1.0]), rng.standard_normal((200, 3))
    y = far @ true + 0.1 * rng.standard_normal(200)
    y[:20] = 1e6
    model = HuberRegressor(1e-4, epsilon=0.2).fit(far, y)
    assert_allclose(model.coef_, true, atol=0.05)
    assert np.abs(LinearRegression().fit(far, y).coef_ - true).max() > 1e3
    # A worse outlier changes nothing at all.
    y[:20] = 1e9
    assert_allclose(HuberRegressor(1e-4, epsilon=0.2).fit(far, y).coef_, model.coef_, atol=0.01)


def test_the_class_with_a_scale_finds_the_same_where_its_scale_is_taken():
    """Its objective in the coefficients is ours, over the scale that it has found."""
    other = WithScale(epsilon=1.5, alpha=0.01, tol=1e-10, max_iter=10_000).fit(X, Y)
    # sum sigma huber(r / sigma, 1.5) * 2 + 0.01 |w|^2, over 2 N / sigma
    model = HuberRegressor(0.01 * other.scale_ / N, epsilon=1.5 * other.scale_, l1_ratio=0.0, tol=1e-13)
    model.fit(X, Y)
    assert_allclose(model.coef_, other.coef_, atol=1e-4)
    assert model.intercept_ == pytest.approx(other.intercept_, abs=1e-4)


@pytest.mark.parametrize("exponent", [-600, -40, 30, 500])
@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_the_unit_of_the_target_is_any(exponent, solver):
    settings = {"l1_ratio": 1.0, "tol": 1e-10, "solver": solver}
    model = HuberRegressor(0.1, epsilon=1.0, **settings).fit(X, Y)
    y = np.ldexp(Y, exponent)
    alpha, epsilon = np.ldexp([0.1, 1.0], exponent)
    other = HuberRegressor(alpha, epsilon=epsilon, **settings).fit(X, y)
    assert_allclose(np.ldexp(other.coef_, -exponent), model.coef_, rtol=1e-6, atol=1e-6)
    assert np.ldexp(other.dual_gap_, -exponent) <= 1e-6 * epsilon


def test_a_mean_that_drowns_the_targets():
    shifted = HuberRegressor(0.1, tol=1e-9).fit(X, np.round(Y, 3) + 2.0**40)
    model = HuberRegressor(0.1, tol=1e-9).fit(X, np.round(Y, 3))
    assert_allclose(shifted.coef_, model.coef_, atol=1e-3)


def test_float32_targets_of_their_own_warm_start_and_pickle():
    model = HuberRegressor(0.1, tol=1e-10)
    single = HuberRegressor(0.1, tol=1e-10).fit(X.astype(np.float32), Y)
    assert single.coef_.dtype == np.float32
    assert_allclose(single.coef_, model.fit(X, Y).coef_, atol=1e-5)
    both = HuberRegressor(0.1, tol=1e-10).fit(X, np.column_stack([Y, 100.0 - 3.0 * Y]))
    assert_allclose(both.coef_[0], model.coef_, atol=1e-8)
    assert both.coef_.shape == (2, P)
    passes = model.n_iter_
    again = pickle.loads(pickle.dumps(model)).set_params(warm_start=True).fit(X, Y)
    assert again.n_iter_ < passes
    assert_allclose(again.coef_, model.coef_, atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"n_blocks": 4}, {"n_blocks": 4, "step_size": "adaptive1"}, {"solver": "piag"}]
)
def test_two_workers_and_their_replay(options):
    model = HuberRegressor(0.1, tol=1e-7, n_jobs=2, max_iter=5000, **options).fit(X, Y)
    assert model.history_.n_workers == 2
    assert distance(model, X, Y) <= 1e-2
    replayed = HuberRegressor(0.1, tol=1e-7, max_iter=5000, **options)
    replayed.set_params(executor=Simulated(Trace.from_history(model.history_))).fit(X, Y)
    assert_array_equal(replayed.history_.updates["delay"], model.history_.updates["delay"])
    assert_allclose(replayed.coef_, model.coef_, atol=1e-6)


def test_small_thresholds_and_no_penalty():
    nearly_absolute = HuberRegressor(1e-4, epsilon=1e-3, l1_ratio=1.0, tol=1e-6).fit(X, Y)
    residuals = np.abs(Y - nearly_absolute.predict(X))
    assert residuals.mean() <= np.abs(Y - HuberRegressor(0.1, epsilon=1.35).fit(X, Y).predict(X)).mean()
    with pytest.warns(UserWarning, match="alpha=0"):
        free = HuberRegressor(0.0, tol=1e-10).fit(X, Y)
    pull = np.clip(Y - free.predict(X), -1.35, 1.35) / N
    assert np.abs(X.T @ pull).max() <= 1e-8
    assert free.dual_gap_ == np.inf


@pytest.mark.parametrize("epsilon", [0.0, -1.0, np.inf, np.nan, "1", None])
def test_thresholds_that_are_none_are_refused(epsilon):
    with pytest.raises(ValueError, match="epsilon"):
        HuberRegressor(epsilon=epsilon).fit(X, Y)


@pytest.mark.parametrize("threshold", [0.1, 1.35, 20.0])
def test_bounds_hold_where_features_are_unpenalised(threshold):
    weights = np.where(np.arange(P) % 7, 1.0, 0.0)
    penalty = ElasticNetPenalty(0.02, 0.01, weights=weights)
    problem = Problem(X, Y, HuberLoss(threshold), penalty, WEIGHTS, True)
    best = solve(problem, Options(tol=1e-10))
    assert best.status == "converged"
    rng, gaps = np.random.default_rng(0), []
    for size in (10.0, 1.0, 1e-2, 1e-4):
        found = problem.certify(best.certificate.w + size * rng.standard_normal(P), best.certificate.b)
        assert found.dual <= best.certificate.objective + 1e-12
        gaps.append(found.gap)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] <= 1e-2 * threshold


# -- shards ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("penalty", [(0.05, 0.0), (0.02, 0.05), (0.0, 0.1)])
def test_certificates_of_shares_prove_what_those_of_the_whole_prove(intercept, penalty):
    problem = Problem(X, Y, HuberLoss(1.35), ElasticNetPenalty(*penalty), WEIGHTS, intercept, rows=True)
    assert divisible(problem)
    best = solve(problem, Options(tol=1e-13)).certificate
    shards, facts = cut_rows(problem, 3)
    rng, gaps = np.random.default_rng(0), []
    for size in (1.0, 1e-2, 1e-4, 0.0):
        w, b = (v + size * rng.standard_normal(np.shape(v)) for v in best[:2])
        b = b if intercept else 0.0
        found = conclude(problem, w, b, [shard.look(w, b) for shard in shards], facts)
        assert found.objective == pytest.approx(problem.objective(w, b), rel=1e-12)
        assert found.dual <= best.objective + 1e-12
        gaps.append(found.gap)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] <= 1e-6


def test_numbers_of_a_collection_are_not_taken_for_labels():
    """Far more targets than a shard's answer holds stand for all; no slope beyond the threshold counts."""
    rng, y = np.random.default_rng(0), np.random.default_rng(1).standard_cauchy(2000)
    rows, loss = sp.csr_matrix(rng.random((2000, 3))), HuberLoss(0.5)
    found = count([rows], y, np.ones(2000), loss, np.arange(3))
    assert len(found.y) <= 256
    best = loss.best_intercept(found.y, found.y_weights)
    assert best == pytest.approx(loss.best_intercept(y, np.full(2000, 1 / 2000)), abs=0.01)
    assert_allclose(found.sizes, 0.5 * np.asarray(rows.mean(axis=0)).ravel())
    assert type(loss_of([0, 1])) is LogisticLoss


def test_models_that_would_go_to_and_fro_are_majorants():
    """Steps in the metric of the curvatures themselves end in a cycle here, at a gap of hundreds."""
    rng = np.random.default_rng(1)
    n, p = int(rng.integers(20, 150)), int(rng.integers(2, 60))
    far = rng.standard_normal((n, p)) * (rng.random((n, p)) < rng.choice([0.3, 1.0])) + rng.choice([0, 2.0])
    y = far[:, : p // 4].sum(axis=1) * rng.choice([1, 5]) + rng.standard_normal(n)
    y[: int(0.15 * n)] += rng.choice([10, 1000]) * rng.standard_normal(int(0.15 * n))
    epsilon, _, alpha = 10 ** rng.uniform(-1.5, 1.5), rng.integers(4), 10 ** rng.uniform(-2.5, -0.5)
    settings = {"epsilon": epsilon, "l1_ratio": 1.0}
    model = HuberRegressor(alpha, solver="piag", step_size="adaptive1", tol=1e-6, **settings).fit(far, y)
    assert model.history_.stopped == "converged"
    best = HuberRegressor(alpha, tol=1e-8, **settings).fit(far, y)
    assert model.objective_ == pytest.approx(best.objective_, rel=1e-5)

"""Multinomial logistic regression: loss, curvature and design of several outputs, and the estimator."""

import numpy as np
import pytest
import scipy.sparse as sp
from conftest import penalty_of_peer
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import block_diag
from sklearn.datasets import load_digits, load_iris, make_classification
from sklearn.linear_model import LogisticRegression as Peer
from sklearn.preprocessing import scale

from sk_asyncprox import LogisticRegression
from sk_asyncprox.data.block_diagonal import BlockDiagonal, Copies
from sk_asyncprox.data.design_matrix import Design
from sk_asyncprox.executors import Simulated, Threads, Trace
from sk_asyncprox.losses import LogisticLoss, MultinomialLoss
from sk_asyncprox.losses.curvature import FLOOR_OF_BLOCKS, SoftmaxCurvature
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.shards.shard import divisible

K, N = 4, 7
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=30, deadline=None)


def drawn(seed, size=3.0):
    rng = np.random.default_rng(seed)
    y, weights = rng.integers(0, K, N), rng.uniform(0.1, 2.0, N)
    return rng, y, size * rng.standard_normal(K * N), weights / weights.sum()


def hessian(p, weights, e=None):
    """Dense second derivative of the weighted loss, class by class as margins are."""
    out = np.zeros((K, N, K, N))
    for i in range(N):
        q = p[:, i]
        own = np.diag(q) - np.outer(q, q)
        out[:, i, :, i] = weights[i] * (own if e is None else own + e[i] * np.eye(K))
    return out.reshape(K * N, K * N)


# -- the loss ---------------------------------------------------------------------------------------


@some
@given(seeds)
def test_derivatives_are_those_of_the_value(seed):
    rng, y, z, _ = drawn(seed)
    loss, v, eps = MultinomialLoss(K), rng.standard_normal(K * N), 1e-5
    up, down = z + eps * v, z - eps * v
    slope = (loss.value(y, up) - loss.value(y, down)).sum() / (2 * eps)
    gradient = loss.gradient(y, z)
    assert gradient @ v == pytest.approx(slope, rel=1e-6, abs=1e-7)
    bend = (loss.gradient(y, up) - loss.gradient(y, down)) @ v / (2 * eps)
    assert loss.bend(y, gradient, v).sum() == pytest.approx(bend, rel=1e-5, abs=1e-8)
    assert_allclose(gradient.reshape(K, N).sum(axis=0), 0.0, atol=1e-14)


@some
@given(seeds)
def test_the_majorant_touches_and_lies_above(seed):
    rng, y, z, weights = drawn(seed)
    loss, v = MultinomialLoss(K), 10 * rng.standard_normal(K * N)
    every = np.tile(weights, K)
    model = every @ (loss.value(y, z) + loss.gradient(y, z) * v + 0.5 * loss.majorant(y, z) * v * v)
    assert model >= every @ loss.value(y, z + v) - 1e-10 * abs(model)
    assert np.linalg.eigvalsh(hessian(loss.probabilities(z), np.ones(N))).max() <= loss.curvature


def test_no_smaller_majorant_will_do():
    """Half the mass on each of two classes attains the bound."""
    p = np.zeros((K, N))
    p[:2] = 0.5
    assert np.linalg.eigvalsh(hessian(p, np.ones(N))).max() == pytest.approx(MultinomialLoss.curvature)


@some
@given(seeds, st.floats(0, 1))
def test_dual_values_bound_the_loss_and_meet_it(seed, t):
    """Fenchel and Young: ``loss(z) >= <theta, -z> + dual_value(theta)``, with equality at -gradient."""
    _, y, z, _ = drawn(seed)
    loss = MultinomialLoss(K)
    theta = -loss.gradient(y, z)
    value = loss.value(y, z).sum()
    assert loss.dual_value(y, theta).sum() - theta @ z == pytest.approx(value, rel=1e-12)
    assert loss.dual_value(y, t * theta).sum() - t * theta @ z <= value + 1e-12


@some
@given(seeds)
def test_balanced_dual_points_are_probabilities_without_slope_in_any_intercept(seed):
    _, y, z, weights = drawn(seed)
    loss, every = MultinomialLoss(K), np.tile(weights, K)
    theta = loss.dual_balance(y, -loss.gradient(y, z), every)
    assert_allclose((every * theta).reshape(K, N).sum(axis=1), 0.0, atol=1e-15)
    q = np.eye(K)[:, y] - theta.reshape(K, N)
    assert q.min() >= -1e-15
    assert_allclose(q.sum(axis=0), 1.0, atol=1e-14)
    again = loss.dual_balance(y, theta, every)
    assert_allclose(again, theta, atol=1e-14)


def test_margins_of_a_thousand_do_not_overflow():
    loss, z = MultinomialLoss(3), np.array([1000.0, -1000.0, 0.0, 0.0, -1000.0, 1000.0])
    with np.errstate(all="raise", under="ignore"):
        assert_allclose(loss.value(np.array([1, 0]), z), [0, 2000, 1000, 0, 0, 0])
        assert_allclose(loss.gradient(np.array([1, 0]), z), [1, -1, -1, 0, 0, 1], atol=1e-15)


# -- curvature and design ------------------------------------------------------------------------------


@some
@given(seeds, st.sampled_from([None, 0.3, 1.0]))
def test_the_curvature_is_that_of_its_dense_matrix(seed, least):
    rng, y, z, weights = drawn(seed, size=1.0)
    p = MultinomialLoss(K).probabilities(z)
    model = SoftmaxCurvature(p, weights, None if least is None else least * rng.random(N))
    M, v = hessian(p, weights, model.e), rng.standard_normal(K * N)
    assert_allclose(model.times(v), M @ v, atol=1e-15)
    assert_allclose(model.diagonal, M.diagonal() + FLOOR_OF_BLOCKS * np.tile(weights, K), atol=1e-16)
    E = np.kron(np.eye(K), np.ones((N, 1)))
    ones = np.ones((K, K))
    centred = M - M @ E @ np.linalg.solve(E.T @ M @ E + ones, E.T @ M)
    assert_allclose(model.centred_times(v), centred @ v, atol=1e-14)
    gradient = MultinomialLoss(K).gradient(y, z)
    g = np.tile(weights, K) * gradient
    size = model.inverse_size(gradient, np.tile(weights, K))
    assert size == pytest.approx(g @ np.linalg.solve(M, g), rel=1e-6)


def designs(rng, sparse, widths):
    arrays = [rng.standard_normal((N, width)) * (rng.random((N, width)) < 0.6) for width in widths]
    centres = [rng.standard_normal(width) for width in widths]
    made = [
        Design(sp.csc_matrix(X), c) if sparse else Design(X) for X, c in zip(arrays, centres, strict=True)
    ]
    return made, [X - c if sparse else X for X, c in zip(arrays, centres, strict=True)]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_products_are_those_of_the_dense_block_diagonal(sparse, shared):
    rng = np.random.default_rng(0)
    if shared:
        [one], [dense] = designs(rng, sparse, [5])
        design, whole = Copies(one, 3), block_diag(dense, dense, dense)
    else:
        pieces, dense = designs(rng, sparse, [5, 0, 4])
        design, whole = BlockDiagonal(pieces), block_diag(*dense)
    assert design.shape == whole.shape
    u = rng.standard_normal(3 * N)
    for index in (np.arange(whole.shape[1]), np.array([1, 2, 6, 8]), np.array([0, 1]), np.array([], int)):
        part = design.columns(index)
        few = np.zeros(len(index))
        few[:1] = 2.0
        for w in (rng.standard_normal(len(index)), few):
            assert_allclose(part.mul(w), whole[:, index] @ w, atol=1e-14)
        assert_allclose(part.tmul(u), whole[:, index].T @ u, atol=1e-14)
        assert_allclose(part.filled().mul(few), whole[:, index] @ few, atol=1e-14)
    assert design.size == design.column_sizes().sum()
    assert_array_equal(design.empty_columns(), False)
    weights = rng.uniform(0.1, 1, 3 * N)
    if not sparse:
        assert_allclose(design.column_squares(weights), weights @ whole**2, rtol=1e-12)
        assert_allclose(design.column_squares(2 * weights), 2 * weights @ whole**2, rtol=1e-12)
    largest = np.linalg.eigvalsh(whole.T @ (weights[:, None] * whole)).max()
    assert largest <= design.smoothness(weights) <= 1.05 * largest


# -- the estimator -----------------------------------------------------------------------------------------


def problem_of(kind, dtype=np.float64):
    X, y = load_iris(return_X_y=True)
    X = scale(X) + 0.5
    if kind != "dense":
        X[np.abs(X) < 0.6] = 0.0
        X = sp.csr_matrix(X) if kind == "csr" else sp.csc_array(X)
    return X.astype(dtype), np.array(["setosa", "versicolor", "virginica"])[y]


def peer_solver(l1_ratio):
    options = {"solver": "saga" if l1_ratio else "lbfgs", "l1_ratio": l1_ratio, "max_iter": 100_000}
    return options | penalty_of_peer(l1_ratio)


@pytest.mark.parametrize("kind", ["dense", "csr", "csc"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_agrees_with_scikit_learn(kind, l1_ratio, fit_intercept):
    X, y = problem_of(kind)
    weights = np.random.default_rng(0).uniform(0.2, 2.0, len(y))
    options = {"C": 0.3, "fit_intercept": fit_intercept, "class_weight": {"setosa": 2.0, "virginica": 0.7}}
    ours = LogisticRegression(**options, l1_ratio=l1_ratio, tol=1e-13).fit(X, y, weights)
    theirs = Peer(**options, **peer_solver(l1_ratio), tol=1e-9).fit(X, y, weights)
    assert ours.coef_.shape == theirs.coef_.shape == (3, 4)
    assert_allclose(ours.coef_, theirs.coef_, atol=2e-5)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=2e-5)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    assert_allclose(np.exp(ours.predict_log_proba(X)), ours.predict_proba(X), rtol=1e-12)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.n_iter_.shape == (1,)
    if l1_ratio == 1.0:
        assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)


def test_without_penalty_it_is_the_likelihood_maximiser_of_least_norm():
    X, y = make_classification(
        400, 6, n_informative=5, n_redundant=0, n_classes=4, class_sep=0.5, random_state=0
    )
    ours = LogisticRegression(C=np.inf, tol=1e-9).fit(X, y)
    theirs = Peer(C=np.inf, tol=1e-10, max_iter=10_000).fit(X, y)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert_allclose(ours.coef_.sum(axis=0), 0.0, atol=1e-12)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
    assert np.isinf(ours.dual_gap_)


WAYS = {
    "rounds, two workers": {"n_jobs": 2, "executor": Threads()},
    "blocks": {"n_blocks": 9, "n_jobs": 2},
    "all columns": {"working_set": False},
    "adaptive, gram": {"step_size": "adaptive1", "n_blocks": 6, "n_jobs": 2},
    "adaptive, lipschitz": {"step_size": "adaptive2", "metric": "lipschitz", "n_blocks": 4},
    "simulated": {"executor": Simulated(Trace.constant(3)), "n_blocks": 8},
    "piag": {"solver": "piag"},
    "piag, shards": {"solver": "piag", "n_blocks": 3, "n_jobs": 2},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sparse", [False, True])
def test_every_way_leads_to_the_optimum(way, sparse):
    X, y = problem_of("csr" if sparse else "dense")
    options = {"C": 0.1, "l1_ratio": 0.5, "max_iter": 20_000}
    best = LogisticRegression(**options, tol=1e-12).fit(X, y)
    found = LogisticRegression(**options, tol=1e-6, **WAYS[way]).fit(X, y)
    assert found.dual_gap_ <= 1e-6 * np.log(3) * (1 + 1e-9)
    assert -1e-12 <= found.objective_ - best.objective_ <= found.dual_gap_ + 1e-14


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("sparse", [False, True])
def test_ten_classes_on_digits(l1_ratio, sparse):
    X, y = load_digits(return_X_y=True)
    X = scale(X)
    model = LogisticRegression(C=0.1, l1_ratio=l1_ratio, tol=1e-8, max_time=30)
    model.fit(sp.csr_array(X) if sparse else X, y)
    Z = X @ model.coef_.T + model.intercept_
    loss = np.mean(np.logaddexp.reduce(Z, axis=1) - Z[np.arange(len(y)), y])
    penalty = l1_ratio * np.abs(model.coef_).sum() + 0.5 * (1 - l1_ratio) * (model.coef_**2).sum()
    assert loss + penalty / (0.1 * len(y)) == pytest.approx(model.objective_, rel=1e-12)
    assert model.dual_gap_ <= 1e-8 * np.log(10)
    assert model.n_iter_[0] <= 100


def test_weights_are_repetitions_and_zero_weights_absences():
    X, y = problem_of("dense")
    times = np.random.default_rng(1).integers(0, 3, len(y))
    once = LogisticRegression(l1_ratio=0.3, tol=1e-14).fit(X, y, times)
    again = LogisticRegression(l1_ratio=0.3, tol=1e-14).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert_allclose(once.coef_, again.coef_, atol=1e-7)
    assert_allclose(once.intercept_, again.intercept_, atol=1e-7)


def test_warm_start_goes_on_where_it_was():
    X, y = problem_of("dense")
    model = LogisticRegression(l1_ratio=0.5, warm_start=True, tol=1e-8).fit(X, y)
    before, coef = model.n_iter_[0], model.coef_
    model.fit(X, y)
    assert model.n_iter_[0] < before / 2
    assert_allclose(model.coef_, coef, atol=1e-6)


def test_float32_gives_float32():
    X, y = problem_of("csr", np.float32)
    model = LogisticRegression(tol=1e-10).fit(X, y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert_allclose(model.coef_, LogisticRegression(tol=1e-10).fit(X.astype(float), y).coef_, atol=1e-5)


@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_a_recorded_run_is_replayed(solver):
    X, y = problem_of("dense")
    blocks = 6 if solver == "bcd" else 3
    model = LogisticRegression(
        C=0.1, solver=solver, step_size="adaptive1", n_jobs=2, n_blocks=blocks, record="iterates", tol=1e-5
    ).fit(X, y)
    trace = Trace.from_history(model.history_)
    again = LogisticRegression(
        C=0.1, solver=solver, step_size="adaptive1", n_blocks=blocks, executor=Simulated(trace),
        record="iterates", tol=1e-5,
    ).fit(X, y)  # fmt: skip
    assert_array_equal(again.history_.updates["delay"], model.history_.updates["delay"])
    assert_allclose(again.history_.updates["step"], model.history_.updates["step"], rtol=1e-12)
    assert_allclose(again.history_.iterates["objective"], model.history_.iterates["objective"], rtol=1e-9)


def test_a_class_of_weight_zero_is_never_predicted():
    X, y = problem_of("dense")
    model = LogisticRegression(tol=1e-8).fit(X, y, np.where(y == "setosa", 0.0, 1.0))
    assert model.coef_.shape == (3, 4)
    assert set(model.predict(X)) == {"versicolor", "virginica"}


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_nearly_separable_classes_take_tens_of_passes(l1_ratio):
    """Hundreds to thousands when a Gram matrix was kept though the curvatures had changed by a hundredth."""
    model = LogisticRegression(C=1e4, l1_ratio=l1_ratio, tol=1e-6).fit(*load_iris(return_X_y=True))
    assert model.n_iter_[0] <= 80


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_a_class_without_weight_keeps_certificates_whole(fit_intercept):
    X, y = np.random.default_rng(0).standard_normal((30, 2)), np.arange(30) % 3
    for labels, loss in ((y, MultinomialLoss(3)), (2.0 * (y > 0) - 1.0, LogisticLoss())):
        for missing in (None, 0):
            weights = np.where(y == missing, 0.0, 1.0)
            problem = Problem(X, labels, loss, ElasticNetPenalty(0.0, 0.1), weights, fit_intercept, rows=True)
            assert divisible(problem) == (missing is None or not fit_intercept)


def test_losses_in_runs_of_samples_are_those_of_all(monkeypatch):
    rng, loss, n = np.random.default_rng(0), MultinomialLoss(4), 37
    y, weights = rng.integers(0, 4, n), rng.random(n)
    weights /= weights.sum()
    z, v = 3.0 * rng.standard_normal((2, 4 * n))

    def answers():
        gradient, each = loss.gradient(y, z), np.tile(weights, 4)
        slope = gradient.reshape(4, n) @ weights
        balanced = loss.dual_balance(y, -gradient, each)
        move = loss.intercept_move(y, z, gradient, slope, weights)
        return (
            loss.value(y, z),
            gradient,
            loss.bend(y, gradient, v),
            loss.dual_value(y, balanced),
            balanced,
            move,
        )

    whole = answers()
    monkeypatch.setattr("sk_asyncprox.losses.multinomial.MARGINS_AT_ONCE", 20)
    for part, all_of_it in zip(answers(), whole, strict=True):
        assert_allclose(part, all_of_it, rtol=1e-13, atol=1e-15)

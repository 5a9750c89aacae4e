"""Newton steps: conjugate gradients, the Gram form, and the exact search along a ray."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import nnls
from sklearn.linear_model import ElasticNet

from sk_asyncprox.data.design_matrix import Design
from sk_asyncprox.data.preprocessing import design_of
from sk_asyncprox.kernels import quadratic_minimiser
from sk_asyncprox.kernels.line_search import along_ray
from sk_asyncprox.kernels.newton_cg import in_place, newton_step
from sk_asyncprox.kernels.quadratic_minimiser import Model, newton_on_gram, solve_on_gram
from sk_asyncprox.losses.curvature import DiagonalCurvature
from sk_asyncprox.penalties import ElasticNetPenalty

seeds = st.integers(0, 2**32 - 1)


def model(rng, n=30, k=8):
    """Gram matrix, linear term and square of the target of a random least-squares problem."""
    X, t = rng.standard_normal((n, k)), rng.standard_normal(n)
    return X, t, X.T @ X, X.T @ t, t @ t


def value(Q, q, w, penalty):
    return 0.5 * w @ Q @ w - q @ w + penalty.value(w)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(("l1", "l2"), [(2.0, 0.0), (1.0, 3.0), (0.1, 0.0), (0.0, 2.0)])
@pytest.mark.parametrize(("n", "k"), [(30, 8), (10, 40)])
def test_the_gram_form_is_the_elastic_net(l1, l2, positive, n, k):
    rng = np.random.default_rng(0)
    X, t, Q, q, square = model(rng, n, k)
    penalty, w = ElasticNetPenalty(l1, l2, positive), np.zeros(k)
    for _ in range(10):
        w, _ = solve_on_gram(Q, q, w, penalty, square)
    total = (l1 + l2) / n
    peer = ElasticNet(total, l1_ratio=l1 / (l1 + l2), positive=positive, fit_intercept=False, tol=1e-15)
    if l1:
        assert_allclose(w, peer.set_params(max_iter=10**6).fit(X, t).coef_, atol=1e-7 * np.abs(w).max())
    else:
        whole, target = np.vstack([X, l2**0.5 * np.eye(k)]), np.r_[t, np.zeros(k)]
        best = nnls(whole, target)[0] if positive else np.linalg.lstsq(whole, target, rcond=None)[0]
        assert_allclose(w, best, atol=1e-7 * np.abs(best).max())


def test_no_newton_step_where_sweeps_are_enough(monkeypatch):
    steps, newton = [], quadratic_minimiser.newton_on_gram
    monkeypatch.setattr(
        quadratic_minimiser, "newton_on_gram", lambda *model: steps.append(1) or newton(*model)
    )
    monkeypatch.setattr(quadratic_minimiser, "FEWEST_SWEEPS", 3)
    monkeypatch.setattr(quadratic_minimiser, "MOST_SWEEPS", 3)
    _, _, Q, q, square = model(np.random.default_rng(0), 30, 8)
    penalty, start = ElasticNetPenalty(2.0), np.zeros(8)
    reached = penalty.gap_on_gram(Q, q, quadratic_minimiser.swept(Q, q, start, penalty, 3), square)
    w, _ = solve_on_gram(Q, q, start, penalty, square, enough=1.01 * reached)
    assert penalty.gap_on_gram(Q, q, w, square) == pytest.approx(reached)
    assert not steps
    w, _ = solve_on_gram(Q, q, start, penalty, square, enough=0.0)
    assert penalty.gap_on_gram(Q, q, w, square) <= 1e-10 * square
    assert steps


@settings(deadline=None)
@given(seed=seeds, positive=st.booleans(), l1=st.floats(0.01, 5), l2=st.sampled_from([0.0, 0.5, 5.0]))
def test_the_gap_on_the_gram_matrix_bounds_the_error(seed, positive, l1, l2):
    rng = np.random.default_rng(seed)
    _, _, Q, q, square = model(rng)
    penalty, w = ElasticNetPenalty(l1, l2, positive), rng.standard_normal(8)
    if positive:
        w = np.abs(w)
    best = w
    for _ in range(10):
        best, _ = solve_on_gram(Q, q, best, penalty, square)
    gap = penalty.gap_on_gram(Q, q, w, square)
    assert gap >= value(Q, q, w, penalty) - value(Q, q, best, penalty) - 1e-9 * square
    assert penalty.gap_on_gram(Q, q, best, square) <= 1e-8 * square


@given(seed=seeds, positive=st.booleans())
def test_newton_on_the_gram_matrix_never_raises_the_objective(seed, positive):
    rng = np.random.default_rng(seed)
    _, _, Q, q, _ = model(rng, 6, 12)
    penalty, w = ElasticNetPenalty(0.3, 0.1, positive), rng.standard_normal(12)
    w = np.abs(w) if positive else w
    w[rng.random(12) < 0.3] = 0.0
    new = newton_on_gram(Q, q, w, penalty)
    assert value(Q, q, new, penalty) <= value(Q, q, w, penalty) + 1e-12
    assert not positive or (new >= 0).all()


@given(seed=seeds, l2=st.sampled_from([0.0, 0.4]))
def test_coefficients_that_have_left_are_held_at_zero(seed, l2):
    rng = np.random.default_rng(seed)
    _, _, Q, q, _ = model(rng, 30, 9)
    system = Model(Q, q, np.arange(9), rng.standard_normal(9), ElasticNetPenalty(0.1, l2))
    b, gone = rng.standard_normal(9), np.empty(0, int)
    system.solve(b)
    for left in (np.array([3]), np.empty(0, int), np.array([0, 7])):
        system.leave(left)
        gone = np.concatenate([gone, left])
        on = np.setdiff1d(np.arange(9), gone)
        x = system.solve(b)
        assert (x[gone] == 0.0).all()
        assert_allclose(
            x[on], np.linalg.solve(Q[np.ix_(on, on)] + l2 * np.eye(len(on)), b[on]), rtol=1e-5, atol=1e-9
        )


@given(seed=seeds, positive=st.booleans(), l2=st.sampled_from([0.0, 0.4]))
def test_the_ray_is_searched_exactly(seed, positive, l2):
    """Against a fine grid: the objective is piecewise quadratic along a ray."""
    rng = np.random.default_rng(seed)
    _, _, Q, q, _ = model(rng, 12, 6)
    penalty = ElasticNetPenalty(0.5, l2, positive)
    w = rng.choice([-1.0, 1.0], 6) * rng.uniform(0.05, 1, 6)
    w = np.abs(w) if positive else w
    slope = q - Q @ w - penalty.l1 * np.sign(w) - penalty.l2 * w
    x = rng.standard_normal(6) + 0.3 * slope
    x *= np.sign(slope @ x)
    if not (np.sign(w + x) != np.sign(w)).any():
        return
    ray = along_ray(w, x, slope @ x, x @ Q @ x + l2 * x @ x, penalty)
    found = value(Q, q, w + ray.move, penalty)
    last = np.min(-w[x * w < 0] / x[x * w < 0]) if positive else 3.0
    grid = [value(Q, q, w + t * x, penalty) for t in np.linspace(0, last, 400)]
    assert ray.length > 0
    # Beyond the last kink the ray is not followed: the full step has been tried there.
    beyond = positive or ray.length >= np.max(-w[x * w < 0] / x[x * w < 0]) - 1e-12
    assert found <= min(grid) + 1e-9 or beyond
    assert found <= value(Q, q, w, penalty)
    assert not positive or (w + ray.move >= 0).all()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("centred", [False, True])
def test_without_kinks_the_step_solves_the_newton_system(sparse, centred, monkeypatch):
    monkeypatch.setattr("sk_asyncprox.kernels.newton_cg.RESIDUAL", 1e-10)
    rng = np.random.default_rng(1)
    X = rng.standard_normal((40, 7)) * (rng.random((40, 7)) < 0.5)
    omega, pull, w = rng.uniform(0.1, 1, 40), 1e-3 * rng.standard_normal(40), np.full(7, 5.0)
    pull = pull - pull.mean() if centred else pull
    penalty = ElasticNetPenalty(1e-4, 0.3)
    design = Design(sp.csc_matrix(X) if sparse else X)
    (move, v), touched = in_place(
        newton_step(w, pull, DiagonalCurvature(omega), penalty, centred, 100), design
    )
    Xc = X - np.average(X, axis=0, weights=omega) if centred else X
    H = Xc.T @ (omega[:, None] * Xc) + 0.3 * np.eye(7)
    assert_allclose(move, np.linalg.solve(H, X.T @ pull - 1e-4 - 0.3 * w), rtol=1e-8)
    assert_allclose(v, X @ move, atol=1e-12)
    assert touched > 4 * design.size


def test_a_newton_step_ends_at_the_slope_that_is_enough(monkeypatch):
    monkeypatch.setattr("sk_asyncprox.kernels.newton_cg.RESIDUAL", 1e-10)
    rng = np.random.default_rng(2)
    X, w, penalty = rng.standard_normal((60, 30)), np.full(30, 9.0), ElasticNetPenalty(0.0, 1e-3)
    pull, design = rng.standard_normal(60), Design(X)
    left, costs = [], []
    for enough in (0.0, 1e-3, 1.0):
        step = newton_step(w, pull, DiagonalCurvature(np.ones(60)), penalty, False, 100, enough=enough)
        (move, v), touched = in_place(step, design)
        left.append(np.abs(X.T @ (pull - v) - 1e-3 * (w + move)).max())
        costs.append(touched)
    assert left[0] < 1e-8 < left[1] <= 1e-3 < left[2] <= 1.0
    assert costs[0] > costs[1] > costs[2]


@settings(max_examples=50)
@given(seed=seeds, positive=st.booleans(), centred=st.booleans(), l1=st.floats(0.0, 0.5))
def test_a_newton_step_lowers_the_model(seed, positive, centred, l1):
    rng = np.random.default_rng(seed)
    n, k = 25, int(rng.integers(1, 40))
    X = rng.standard_normal((n, k))
    omega, pull = rng.uniform(0.01, 1, n), rng.standard_normal(n)
    pull -= pull.mean()
    w = rng.standard_normal(k) * 10.0 ** rng.uniform(-8, 1, k)
    w = np.abs(w) if positive else w
    w[rng.random(k) < 0.2] = 0.0
    penalty = ElasticNetPenalty(l1, 0.01, positive)
    (move, v), _ = in_place(newton_step(w, pull, DiagonalCurvature(omega), penalty, centred, 40), Design(X))
    change, ridge = penalty.difference(w, w + move)
    v = v - np.average(v, weights=omega) if centred else v
    assert change - pull @ v + 0.5 * (ridge + omega @ v**2) <= 1e-12
    assert not positive or (w + move >= 0).all()
    assert not penalty.has_zeros or (move[w == 0.0] == 0.0).all()


@pytest.mark.parametrize("order", ["csc", "csr"])
@pytest.mark.parametrize("centred", [False, True])
def test_products_skip_columns_without_weight(order, centred):
    rng = np.random.default_rng(2)
    X = sp.random(50, 80, 0.2, random_state=3, format=order)
    design, means = design_of(X, np.full(50, 0.02), rows=order == "csr", centred=centred)
    w = np.zeros(80)
    for support in ([], [3], [5, 6, 7], list(range(40))):
        w[support] = rng.standard_normal(len(support))
        assert_allclose(design.mul(w), X @ w - means @ w, atol=1e-13)


def test_scales_are_kept_only_for_near_weights():
    rng = np.random.default_rng(4)
    X, weights = rng.standard_normal((30, 5)), rng.uniform(0.5, 1, 30)
    for data in (X, sp.csc_matrix(X)):
        design = Design(data)
        first = design.column_squares(weights)
        assert_allclose(first, (X**2).T @ weights)
        assert_allclose(design.column_squares(3 * weights), 3 * first)
        other = np.where(np.arange(30) < 3, weights, 1e-3)
        assert_allclose(design.column_squares(other), (X**2).T @ other)

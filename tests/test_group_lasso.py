"""The group lasso: penalty, model on a Gram matrix, every solver and policy, and what is refused."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sk_asyncprox import GroupLasso, Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.kernels.quadratic_minimiser_group import group_minimiser
from sk_asyncprox.linear_model._groups import checked_groups
from sk_asyncprox.losses import LogisticLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty, GroupPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solve import Options, solve
from sk_asyncprox.solvers import piag_wide
from sk_asyncprox.solvers.block_layout import cut_columns

some = settings(max_examples=30, deadline=None)

# Groups of sizes from 1 to 9, whose columns do not lie side by side.
GROUPS = [[5, 0, 11], [7], [1, 2, 12, 13, 14, 20, 21, 22, 23], [3, 4, 19], [6, 8, 9, 10], [15, 16, 17, 18]]
SIZES = np.array([len(group) for group in GROUPS])
LABELS = checked_groups(GROUPS, 24)
ALPHA = 0.1


def make(n=100, seed=0, zeros=0.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 24)) + 0.3 * rng.standard_normal((n, 1)) + 1.0
    X[rng.random(X.shape) < zeros] = 0.0
    w = np.zeros(24)
    w[GROUPS[0]], w[GROUPS[1]], w[GROUPS[2]] = [1.0, -2.0, 0.5], 1.5, 0.3
    return X, X @ w - 2.0 + 0.5 * rng.standard_normal(n), rng.uniform(0.2, 2.0, n)


def reference(X, y, alpha=ALPHA, weights=None, groups=GROUPS, group_weights=None, intercept=True):
    """Coefficients and intercept by accelerated proximal gradient with restarts, in plain loops."""
    s = np.ones(len(y)) if weights is None else weights
    s = s / s.sum()
    means, mean = (s @ X, s @ y) if intercept else (np.zeros(X.shape[1]), 0.0)
    A, b = (X - means) * np.sqrt(s)[:, None], (y - mean) * np.sqrt(s)
    limits = np.sqrt([len(g) for g in groups]) if group_weights is None else group_weights
    bound = np.linalg.norm(A, 2) ** 2
    w = v = np.zeros(X.shape[1])
    t = 1.0
    for _ in range(100_000):
        x, new = v + A.T @ (b - A @ v) / bound, np.zeros_like(v)
        for group, limit in zip(groups, limits, strict=True):
            size = np.linalg.norm(x[group])
            if size > alpha * limit / bound:
                new[group] = x[group] * (1.0 - alpha * limit / bound / size)
        if (v - new) @ (new - w) > 0.0:
            t = 1.0
        after = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        if np.abs(new - w).max() <= 1e-16:
            break
        v, w, t = new + (t - 1.0) / after * (new - w), new, after
    return w, mean - means @ w


def value(X, y, w, b, alpha=ALPHA):
    norms = [np.linalg.norm(w[group]) for group in GROUPS]
    return 0.5 * np.mean((y - X @ w - b) ** 2) + alpha * np.sqrt(SIZES) @ norms


# -- penalty -----------------------------------------------------------------------------------------


def drawn(data):
    labels = np.array(data.draw(st.permutations([0, 0, 1, 2, 2, 2])))
    weights = np.array(data.draw(st.lists(st.floats(0.1, 3), min_size=3, max_size=3)))
    return GroupPenalty(data.draw(st.floats(0.1, 2)), labels, weights)


vectors = st.lists(st.one_of(st.just(0.0), st.floats(-5, 5, allow_subnormal=False)), min_size=6, max_size=6)
vectors = vectors.map(np.array)


def test_penalty_by_hand():
    penalty = GroupPenalty(2.0, np.array([1, 0, 1]), np.array([3.0, 0.5]))
    w = np.array([3.0, -2.0, 4.0])
    assert penalty.value(w) == 2 * (3 * 2 + 0.5 * 5)
    assert_allclose(penalty.prox(w, 0.5), [2.7, 0.0, 3.6])  # norms 5 - 0.5 and 2 - 3
    assert penalty.pull(w).tolist() == [10.0, 2 / 3, 10.0]
    assert penalty.dual_limit(w) == 0.2
    assert penalty.whole(np.array([2])).tolist() == [0, 2]
    part = penalty.on(np.array([0, 2]))
    assert (part.labels.tolist(), part.group_weights.tolist(), part.l1) == ([0, 0], [0.5], 2.0)
    assert penalty.with_l1(0.0).is_zero


@some
@given(data=st.data(), x=vectors, u=vectors, step=st.floats(0.01, 10))
def test_prox_three_point_inequality(data, x, u, step):
    penalty = drawn(data)
    p = penalty.prox(x, step)
    at_p = step * penalty.value(p) + 0.5 * np.sum((p - x) ** 2)
    at_u = step * penalty.value(u) + 0.5 * np.sum((u - x) ** 2)
    assert at_u >= at_p + 0.5 * np.sum((u - p) ** 2) - 1e-12 * (1 + at_p + at_u)


@some
@given(data=st.data(), w=vectors, c=vectors, step=st.floats(0.01, 10))
def test_violation_is_zero_exactly_at_fixed_points(data, w, c, step):
    penalty = drawn(data)
    w = penalty.prox(w, 0.3)
    norms, limits = penalty.norms(w), penalty.l1 * penalty.group_weights
    # The nearest subgradient, made group by group.
    nearest = np.zeros(6)
    for g in range(3):
        own = penalty.labels == g
        inside = c[own] * min(1.0, limits[g] / max(np.linalg.norm(c[own]), 1e-300))
        nearest[own] = limits[g] * w[own] / norms[g] if norms[g] > 0 else inside
    assert_allclose(penalty.violation(w, c), penalty.norms(c - nearest)[penalty.labels], atol=1e-12)
    assert_allclose(penalty.prox(w + step * nearest, step), w, atol=1e-12 * (1 + step))


@some
@given(data=st.data(), w=vectors, new=vectors)
def test_difference_and_dual_limit(data, w, new):
    penalty = drawn(data)
    change, ridge = penalty.difference(w, new)
    assert change == pytest.approx(penalty.value(new) - penalty.value(w), abs=1e-12)
    assert ridge == 0.0
    assert_allclose(penalty.difference(w, np.array([new, w]))[0], [change, 0.0], atol=1e-14)
    limit = penalty.dual_limit(w)
    if np.isfinite(limit):
        c = limit * w
        # The conjugate is zero there: no direction is worth more than its penalty.
        assert max(c @ v - penalty.value(v) for v in np.vstack([np.eye(6), -np.eye(6), [w, new]])) <= 1e-12


@some
@given(
    labels=st.lists(st.integers(0, 6), min_size=1, max_size=30).map(np.array),
    n_blocks=st.integers(1, 8),
    seed=st.integers(0, 9),
)
def test_blocks_keep_groups_together(labels, n_blocks, seed):
    sizes = np.random.default_rng(seed).integers(0, 50, len(labels))
    present, groups = np.unique(labels, return_inverse=True)
    penalty = GroupPenalty(1.0, groups, np.ones(len(present)))
    blocks = cut_columns(penalty, np.arange(len(labels)), sizes, n_blocks)
    assert len(blocks) == min(n_blocks, len(present))
    assert_array_equal(np.sort(np.concatenate(blocks)), np.arange(len(labels)))
    groups = [set(labels[block]) for block in blocks]
    assert all(len(block) and (np.diff(block) > 0).all() for block in blocks)
    assert sum(map(len, groups)) == len(set(labels))


# -- the model on a Gram matrix ------------------------------------------------------------------------


@some
@given(
    seed=st.integers(0, 1000),
    k=st.integers(1, 6),
    limit=st.floats(1e-3, 10),
    rank=st.integers(1, 6),
    guess=st.floats(0, 9),
)
def test_minimiser_in_a_group(seed, k, limit, rank, guess):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((min(rank, k), k))
    H, b = A.T @ A + 1e-8 * np.eye(k), A.T @ rng.standard_normal(len(A))
    values, vectors = np.linalg.eigh(H)
    u = vectors @ group_minimiser(values, vectors.T @ b, limit, guess)
    if np.linalg.norm(b) <= limit:
        assert not u.any()
    else:
        slope = H @ u - b + limit * u / np.linalg.norm(u)
        assert np.linalg.norm(slope) <= 1e-9 * np.linalg.norm(b)


@pytest.mark.parametrize(("n", "p", "share"), [(100, 30, 0.1), (40, 120, 0.05), (60, 90, 0.001)])
def test_model_is_solved(n, p, share):
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, p)) + rng.standard_normal((n, 1))
    X[:, 1] = X[:, 0]  # a group of which a column is there twice
    t = X[:, : p // 3] @ rng.standard_normal(p // 3) + rng.standard_normal(n)
    Q, q, square = X.T @ X, X.T @ t, t @ t
    penalty = GroupPenalty(1.0, np.arange(p) // 3, rng.uniform(0.5, 2.0, p // 3))
    penalty = penalty.with_l1(share / penalty.dual_limit(q))
    w, start = np.zeros(p), np.zeros(p)
    for _ in range(8):
        w, _, touched = penalty.solve_on_gram(Q, q, w, square, 0.0)
        assert touched >= Q.size
    assert not start.any()
    assert penalty.gap_on_gram(Q, q, w, square) <= 1e-12 * square
    assert penalty.violation(w, q - Q @ w).max() <= 1e-6 * penalty.l1
    assert penalty.gap_on_gram(Q, q, start, square) >= 0.5 * square - (q @ w - 0.5 * w @ Q @ w) - 1e-9


def test_no_more_than_is_asked_for():
    X, y, _ = make()
    Q, q = X.T @ X, X.T @ y
    penalty = GroupPenalty(50.0, LABELS, np.sqrt(SIZES))
    first = penalty.gap_on_gram(Q, q, np.zeros(24), y @ y)
    rough, _, few = penalty.solve_on_gram(Q, q, np.zeros(24), y @ y, 0.5 * first)
    fine, _, more = penalty.solve_on_gram(Q, q, np.zeros(24), y @ y, 1e-3 * first)
    gaps = [penalty.gap_on_gram(Q, q, w, y @ y) for w in (rough, fine)]
    assert few < more
    assert gaps[1] <= 1e-3 * first < gaps[0] <= 0.5 * first


# -- estimator -----------------------------------------------------------------------------------------


def slow_second():
    return Simulated(Trace.from_service_times([1.0, 3.0], random_state=0))


def in_turn():
    return Simulated(Trace.constant(2))


RUNS = {
    "default": {},
    "two-workers": {"n_jobs": 2},
    "exact-blocks": {"n_blocks": 3},
    "exact-two-workers": {"n_blocks": 3, "n_jobs": 2},
    "exact-lipschitz": {"metric": "lipschitz", "n_blocks": 2},
    "exact-simulated": {"executor": slow_second, "n_blocks": 3},
    "random": {"n_blocks": 3, "selection": "random"},
    "adaptive1": {"step_size": "adaptive1", "n_blocks": 4, "executor": slow_second},
    "adaptive2": {"step_size": "adaptive2", "n_blocks": 3},
    "adaptive1-lipschitz": {"step_size": "adaptive1", "metric": "lipschitz", "n_blocks": 3},
    "adaptive2-lipschitz": {"step_size": "adaptive2", "metric": "lipschitz", "n_blocks": 2, "n_jobs": 2},
    "working-set": {"step_size": "adaptive1", "metric": "lipschitz", "n_blocks": 3, "working_set": True},
    "fixed": {"step_size": "fixed", "executor": in_turn, "n_blocks": 2, "tol": 1e-9},
    "models": {"solver": "piag"},
    "models-two-workers": {"solver": "piag", "n_blocks": 4, "n_jobs": 2, "tol": 1e-11},
    "models-simulated": {"solver": "piag", "n_blocks": 4, "executor": slow_second, "tol": 1e-11},
    "piag-adaptive1": {"solver": "piag", "step_size": "adaptive1"},
    "piag-adaptive2-lipschitz": {"solver": "piag", "step_size": "adaptive2", "metric": "lipschitz"},
    "piag-fixed": {
        "solver": "piag",
        "step_size": "fixed",
        "executor": in_turn,
        "tol": 1e-9,
        "metric": "lipschitz",
    },
}


def fitted(X, y, run="default", weights=None, **params):
    params = {"groups": GROUPS, "alpha": ALPHA, "tol": 1e-12, "max_iter": 100_000} | RUNS[run] | params
    if callable(params.get("executor")):
        params["executor"] = params["executor"]()
    return GroupLasso(**params).fit(X, y, weights)


@pytest.mark.parametrize("zeros", [0.0, 0.8])
@pytest.mark.parametrize("run", RUNS)
def test_every_solver_and_policy_finds_the_optimum(run, zeros):
    X, y, weights = make(zeros=zeros)
    data = sp.csr_matrix(X) if zeros else X
    model = fitted(data, y, run, weights)
    w, b = reference(X, y, weights=weights)
    atol = {1e-12: 1e-9, 1e-11: 1e-6, 1e-9: 1e-4}[model.tol]
    assert_allclose(model.coef_, w, atol=atol)
    assert model.intercept_ == pytest.approx(b, abs=atol)
    assert_array_equal(np.abs(model.coef_) <= (0.0 if model.tol == 1e-12 else atol), w == 0)
    assert (w == 0).any()
    assert model.history_.stopped == "converged"


@pytest.mark.parametrize("run", ["default", "adaptive1", "working-set", "models", "piag-adaptive1"])
def test_gap_is_a_bound(run):
    X, y, _ = make()
    w, b = reference(X, y)
    for tol in (0.3, 1e-2, 1e-4):
        model = fitted(X, y, run, tol=tol)
        objective = value(X, y, model.coef_, model.intercept_)
        assert model.objective_ == pytest.approx(objective, rel=1e-12)
        assert objective - value(X, y, w, b) <= model.dual_gap_ + 1e-14
        assert model.dual_gap_ <= tol * y.var()


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_groups_leave_zero_at_alpha_max(solver, intercept):
    X, y, weights = make()
    s = weights / weights.sum()
    means, mean = (s @ X, s @ y) if intercept else (0.0, 0.0)
    c = (X - means).T @ (s * (y - mean))
    pulls = np.array([np.linalg.norm(c[group]) for group in GROUPS]) / np.sqrt(SIZES)
    model = GroupLasso(groups=GROUPS, fit_intercept=intercept, tol=1e-10, solver=solver)
    assert not model.set_params(alpha=(1 + 1e-10) * pulls.max()).fit(X, y, weights).coef_.any()
    coef = model.set_params(alpha=0.99 * pulls.max()).fit(X, y, weights).coef_
    assert_array_equal(np.flatnonzero(coef), np.sort(GROUPS[pulls.argmax()]))


def test_groups_of_one_are_the_lasso():
    X, y, weights = make()
    for groups in (1, [[j] for j in range(24)], [f"x{j:02}" for j in range(24)]):
        for params in ({}, {"solver": "piag"}, {"step_size": "adaptive1"}):
            ours = GroupLasso(alpha=ALPHA, groups=groups, **params).fit(X, y, weights)
            theirs = Lasso(alpha=ALPHA, **params).fit(X, y, weights)
            assert_array_equal(ours.coef_, theirs.coef_)
            assert ours.dual_gap_ == theirs.dual_gap_


@pytest.mark.parametrize("run", ["default", "adaptive1", "models", "piag-adaptive2-lipschitz"])
def test_weighted_groups_of_one_are_the_lasso_of_scaled_columns(run):
    X, y, _ = make()
    own = np.random.default_rng(1).uniform(0.5, 2.0, 24)
    ours = fitted(X, y, run, groups=1, group_weights=own)
    theirs = Lasso(alpha=ALPHA, tol=1e-12).fit(X / own, y)
    assert_allclose(ours.coef_, theirs.coef_ / own, atol=1e-6 if run == "adaptive1" else 1e-9)


@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_group_weights_intercept_and_types(solver):
    X, y, _ = make()
    own = [0.5, 1.0, 4.0, 1.0, 2.0, 3.0]
    model = fitted(X.astype(np.float32), y, solver=solver, group_weights=own, fit_intercept=False, tol=1e-10)
    w, _ = reference(X.astype(np.float32).astype(float), y, group_weights=own, intercept=False)
    assert model.coef_.dtype == np.float32
    assert model.intercept_ == 0.0
    assert_allclose(model.coef_, w, atol=1e-5)


def test_several_targets_and_a_warm_start():
    X, y, _ = make()
    model = fitted(X, np.column_stack([y, 2 * y[::-1]]))
    for coef, target in zip(model.coef_, (y, 2 * y[::-1]), strict=True):
        assert_allclose(coef, reference(X, target)[0], atol=1e-9)
    model = GroupLasso(ALPHA, groups=GROUPS, n_blocks=3, warm_start=True, tol=1e-8).fit(X, y)
    cold, again = model.n_updates_, model.fit(X, y).n_updates_
    assert again < cold


def test_numbers_of_any_size():
    X, y, _ = make()
    w = fitted(X, y).coef_
    for x_unit, y_unit in ((1e-100, 1.0), (1.0, 1e90), (1e120, 1e-90)):
        scaled = fitted(X * x_unit, y * y_unit, alpha=ALPHA * x_unit * y_unit)
        assert_allclose(scaled.coef_ * (x_unit / y_unit), w, rtol=1e-6, atol=1e-9)


def test_no_penalty_is_least_squares():
    X, y, _ = make()
    with pytest.warns(UserWarning, match="LinearRegression"):
        model = GroupLasso(0.0, groups=GROUPS, tol=1e-10).fit(X, y)
    design = np.column_stack([X, np.ones(len(y))])
    assert_allclose([*model.coef_, model.intercept_], np.linalg.lstsq(design, y, rcond=None)[0], atol=1e-6)


@pytest.mark.parametrize("run", ["exact-two-workers", "adaptive2-lipschitz", "models-two-workers"])
def test_replay_is_exact(run):
    X, y, _ = make()
    model = fitted(X, y, run, tol=1e-6)
    trace = Trace.from_history(model.history_)
    again = fitted(X, y, run, tol=1e-6, executor=Simulated(trace), n_jobs=None)
    assert_array_equal(again.coef_, model.coef_)
    assert again.n_updates_ == model.n_updates_


def test_clone_and_pickle():
    X, y, _ = make()
    model = clone(GroupLasso(ALPHA, groups=GROUPS)).fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    assert_array_equal(copy.predict(X), model.predict(X))
    assert copy.groups == GROUPS
    assert "positive" not in model.get_params()


@pytest.mark.parametrize("options", [{}, {"step_size": "adaptive1"}, {"solver": "piag"}])
def test_logistic_loss(options):
    X, y, _ = make()
    labels = np.where(y > np.median(y), 1.0, -1.0)
    penalty = GroupPenalty(0.02, LABELS, np.sqrt(SIZES))
    problem = Problem(X, labels, LogisticLoss(), penalty)
    solution = solve(problem, Options(tol=1e-10, max_iter=20_000, **options))
    w, c = solution.certificate.w, solution.certificate.correlations
    assert solution.status == "converged"
    assert penalty.violation(w, c).max() <= 1e-5
    assert 0 < np.count_nonzero(penalty.norms(w)) < 6


def test_groups_of_one_without_the_lasso():
    X, y, _ = make()
    penalties = GroupPenalty(ALPHA, np.arange(24), np.ones(24)), ElasticNetPenalty(ALPHA)
    for options in ({}, {"solver": "piag"}, {"step_size": "adaptive1", "metric": "lipschitz"}):
        ours, theirs = (
            solve(Problem(X, y, SquaredLoss(), penalty), Options(tol=1e-12, max_iter=10**5, **options))
            for penalty in penalties
        )
        assert_allclose(ours.certificate.w, theirs.certificate.w, atol=1e-10)


# -- wide data -------------------------------------------------------------------------------------------


def make_wide(p=2400, size=8, seed=0):
    """More coefficients than models of all serve, groups of scattered columns, and a tenth of alpha_max."""
    rng = np.random.default_rng(seed)
    X, groups = rng.standard_normal((120, p)), rng.permutation(p).reshape(-1, size)
    y = X[:, groups[:6].ravel()] @ rng.standard_normal(6 * size) + rng.standard_normal(120)
    c = (X - X.mean(axis=0)).T @ (y - y.mean()) / 120
    return X, y, list(groups), 0.1 * max(np.linalg.norm(c[group]) for group in groups) / np.sqrt(size)


@pytest.mark.parametrize(
    "params",
    [
        {"solver": "piag"},
        {"solver": "piag", "n_blocks": 3, "executor": slow_second},
    ],
    ids=["models", "models-simulated"],
)
def test_working_sets_of_whole_groups(params):
    X, y, groups, alpha = make_wide()
    ours = GroupLasso(alpha, groups=groups, tol=1e-10).fit(X, y)
    other = fitted(X, y, alpha=alpha, groups=groups, **({"tol": 1e-10} | params))
    assert_allclose(other.coef_, ours.coef_, atol=1e-5)
    together = other.coef_[np.array(groups)] != 0
    assert_array_equal(together.any(axis=1), together.all(axis=1))
    assert 40 < np.count_nonzero(other.coef_) < 1200


def test_more_columns_than_a_gram_matrix_holds_go_by_blocks(monkeypatch):
    monkeypatch.setattr(GroupPenalty, "widest", 50)
    X, y, groups, alpha = make_wide()
    model = GroupLasso(alpha, groups=groups, tol=1e-8).fit(X, y)
    monkeypatch.undo()
    assert "descent" in model.history_.updates["phase"]
    assert_allclose(model.coef_, GroupLasso(alpha, groups=groups, tol=1e-10).fit(X, y).coef_, atol=1e-3)
    assert model.history_.stopped == "converged"


def test_models_that_hold_back_coefficients(monkeypatch):
    monkeypatch.setattr(piag_wide, "MOST_COLUMNS", 60)
    X, y, groups, alpha = make_wide()
    start = GroupLasso(alpha, groups=groups, tol=1e-10, warm_start=True).fit(X, y)
    support = np.count_nonzero(start.coef_)
    assert support > 60
    w = start.coef_.copy()
    again = start.set_params(solver="piag", max_iter=10_000, tol=1e-6, alpha=1.1 * alpha).fit(X, y)
    assert again.history_.stopped == "converged"
    assert not np.array_equal(again.coef_, w)


# -- groups ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "labels"),
    [
        (2, [0, 0, 1, 1, 2, 2]),
        (np.int64(6), [0] * 6),
        ([1, 2, 3], [0, 1, 1, 2, 2, 2]),
        (np.array([4, 2]), [0, 0, 0, 0, 1, 1]),
        ([[5, 0], [1, 2, 3], [4]], [0, 1, 1, 1, 2, 0]),
        (np.array([[0, 2, 4], [1, 3, 5]]), [0, 1, 0, 1, 0, 1]),
        (["b", "a", "a", "b", "c", "a"], [1, 0, 0, 1, 2, 0]),
        ([7, 7, -1, 3, 3, 3], [2, 2, 0, 1, 1, 1]),
        ([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]),
    ],
)
def test_forms_of_groups(groups, labels):
    assert_array_equal(checked_groups(groups, 6), labels)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        (4, "groups=4 does not divide the 6 features"),
        ([1, 2], "got 2 numbers whose sum is 3, and X has 6 features"),
        ([0, 3, 3], "got 3 numbers whose sum is 6"),
        ([1] * 6, "may be sizes as well as labels"),
        ([2, 1, 1, 1, 1, 0.5], "groups must be the size"),
        ([], "groups must be the size"),
        ([True, False, True, False, True, True], "groups must be the size"),
        (["a", "b"], "groups must be the size"),
        ([[0, 1, 2], [3, 4]], r"exactly one group; columns \[5\] are not"),
        ([[0, 1, 2, 2], [3, 4, 5]], r"columns \[2\] are not"),
        ([[0, 1, 2], [3, 4, 5, 6]], r"columns \[6\] are not"),
        ([[0, 1, 2], [3, 4, -1]], r"columns \[-1, 5\] are not"),
        ([[0, 1, 2, 3, 4, 5], []], r"groups\[1\] must be a list of column numbers, not empty"),
        ([[0, 1], 2, [3, 4, 5]], r"groups\[1\] must be a list of column numbers"),
        ([[0, 1, 2.5], [3, 4, 5]], r"groups\[0\] must be a list of column numbers"),
        (0, "'groups' parameter of GroupLasso must be"),
        ("abcdef", "'groups' parameter of GroupLasso must be"),
        (None, "'groups' parameter of GroupLasso must be"),
    ],
)
def test_what_are_no_groups(groups, says):
    X, y, _ = make()
    model = GroupLasso(groups=groups)
    with pytest.raises(ValueError, match=says):
        model.fit(X[:, :6], y)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ([1.0, 2.0], "has 2 numbers, and there are 3 groups"),
        ([1.0, 0.0, 1.0], r"group_weights\[1\] must be .* \(0.0, inf\), got 0.0"),
        ([1.0, 1.0, -1.0], r"group_weights\[2\] must be .*, got -1.0"),
        ([1.0, np.nan, 1.0], r"group_weights\[1\] must be .*, got nan"),
        ([1.0, np.inf, 1.0], r"group_weights\[1\] must be .*, got inf"),
    ],
)
def test_what_are_no_weights(weights, says):
    X, y, _ = make()
    with pytest.raises(ValueError, match=says):
        GroupLasso(groups=2, group_weights=weights).fit(X[:, :6], y)

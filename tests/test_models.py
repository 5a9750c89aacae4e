"""PIAG of second order: models by shards, their sum, its minimiser, and the guard."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression
from sk_asyncprox.data.design_matrix import Design
from sk_asyncprox.executors import Simulated, Threads, Trace
from sk_asyncprox.kernels import server_aggregate, shard_taylor_model
from sk_asyncprox.kernels.server_aggregate import ModelSum
from sk_asyncprox.kernels.shard_taylor_model import Care, model_of, own_model
from sk_asyncprox.losses import LogisticLoss, MultinomialLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.shards.shard import RowShard
from sk_asyncprox.solvers import PIAG, ModelPIAG
from sk_asyncprox.solvers.base import Snapshot
from sk_asyncprox.solvers.piag_models import FIRST_SHARE
from sk_asyncprox.step_sizes import Adaptive1, ExactStep, FixedStep, NaiveStep
from sk_asyncprox.theory import satisfies_principle

LOSSES = {"squared": SquaredLoss(), "logistic": LogisticLoss(), "multinomial": MultinomialLoss(3)}
each_loss = pytest.mark.parametrize("loss", LOSSES)


def raw_columns(n, p, seed=0, kind="raw"):
    """Columns of scales from 100 to 0.1 with correlation 0.95 from each to the next, and coefficients of
    like effect."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    if kind == "raw":
        for j in range(1, p):
            X[:, j] = 0.95 * X[:, j - 1] + np.sqrt(1 - 0.95**2) * X[:, j]
        X *= np.geomspace(100, 0.1, p)
    w, some = np.zeros(p), rng.choice(p, p // 5, replace=False)
    w[some] = 0.6 * rng.standard_normal(len(some)) / X[:, some].std(axis=0)
    return X, X @ w, rng


def binary(n, p, seed=0, kind="raw"):
    X, z, rng = raw_columns(n, p, seed, kind)
    return X, np.where(rng.random(n) < 1 / (1 + np.exp(-z)), 1.0, -1.0)


def inverse_penalty(X, y, share):
    """C with an l1 part that is this share of the smallest that gives zero."""
    return 1 / (share * np.abs(X.T @ (y - y.mean())).max() / 2)


def workers(n_workers, slow=1.0, seed=0):
    """Exponential service times, the first worker's so much longer."""
    return Simulated(Trace.from_service_times([slow] + [1.0] * (n_workers - 1), random_state=seed))


def make_shard(loss, n=40, p=5, seed=0, intercept=True, sparse=False):
    rng, loss = np.random.default_rng(seed), LOSSES[loss]
    X = rng.standard_normal((n, p))
    if sparse:
        X[rng.random((n, p)) > 0.3] = 0.0
    y = {1: np.sign(X[:, 0] + 0.1), 3: rng.integers(0, 3, n)}[loss.n_outputs]
    weights = rng.random(n)
    weights /= weights.sum()
    means = weights @ X if intercept else np.zeros(p)
    design = Design(sp.csr_matrix(X), means if intercept else None) if sparse else Design(X - means)
    return RowShard(design, np.asarray(y, dtype=loss.target_type), weights, loss, intercept)


def random_point(shard, seed, size=1.0):
    rng = np.random.default_rng(seed)
    b = size * rng.standard_normal(shard.loss.n_outputs)
    return size * rng.standard_normal(shard.design.shape[1]), b if len(b) > 1 else float(b[0])


# -- a shard's model -------------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_curvature_is_the_derivative_of_the_gradient(loss, intercept, sparse):
    shard = make_shard(loss, intercept=intercept, sparse=sparse)
    w, b = random_point(shard, 1)
    model, h = model_of(shard, w, b), 1e-6
    assert model.value == pytest.approx(shard.value(w, b))
    assert_allclose(model.gradient.w, shard.gradient(w, b).w, rtol=1e-12, atol=1e-15)
    assert_allclose(model.gradient.b, shard.gradient(w, b).b, rtol=1e-12, atol=1e-15)
    k = len(w)
    for j in range(k):
        e = h * (np.arange(k) == j)
        up, down = shard.gradient(w + e, b), shard.gradient(w - e, b)
        assert_allclose(model.curvature[:k, j], (up.w - down.w) / (2 * h), rtol=1e-5, atol=1e-7)
        if len(model.curvature) > k:
            assert_allclose(model.curvature[k:, j], np.ravel(up.b - down.b) / (2 * h), rtol=1e-5, atol=1e-7)
    assert_allclose(model.curvature, model.curvature.T, rtol=1e-12, atol=1e-16)
    free = intercept and loss != "squared"
    assert len(model.curvature) == k + free * shard.loss.n_outputs


@each_loss
@pytest.mark.parametrize("form", ["C", "F", "as given"])
@pytest.mark.parametrize("at_zero", [False, True])
def test_one_read_says_what_several_say(loss, form, at_zero):
    whole = make_shard(loss, n=2000)
    X, means = whole.features.X, np.linspace(-1.0, 1.0, 5)
    design = Design(X + means, means) if form == "as given" else Design(np.array(X, order=form))
    shard = RowShard(design, whole.y, whole.weights, whole.loss, True)
    w, b = random_point(shard, 1, size=0.0 if at_zero else 1.0)
    for by_group in (False, True):
        z, found = shard.read(w, b, by_group)
        assert (found is None) == (form == "F" or shard.loss.n_outputs > 1)
        assert_allclose(z, whole.margins(w, b), atol=1e-13)
        if not by_group:
            one, several = shard.gradient(w, b, z, found), whole.gradient(w, b)
            assert_allclose(np.append(*one), np.append(*several), atol=1e-14)
    look, expected = shard.look(w, b, z, found), whole.look(w, b)
    for name in ("value", "correlations", "mass", "dual"):
        assert_allclose(getattr(look, name), getattr(expected, name), atol=1e-13, err_msg=name)
    assert_allclose(model_of(shard, w, b).curvature, model_of(whole, w, b).curvature, atol=1e-13)


@each_loss
def test_a_near_curvature_is_kept(loss):
    shard = make_shard(loss)
    w, b = random_point(shard, 1)
    first = model_of(shard, w, b)
    near = model_of(shard, w + 1e-4, b, known=(w, b))
    far = model_of(shard, 40 * w, b, known=(w, b))
    assert first.change == 0.0
    assert near.curvature is None
    if loss == "squared":
        assert far.curvature is None
        assert far.change == 0.0
    else:
        assert far.curvature is not None
        moves = (shard.margins(40 * w, b) - shard.margins(w, b)).reshape(shard.loss.n_outputs, -1)
        expected = np.abs(moves) if len(moves) == 1 else np.ptp(moves, axis=0)
        assert far.change == pytest.approx(expected.max())


@each_loss
def test_answers_do_not_depend_on_what_is_remembered(loss):
    shard = make_shard(loss)
    w, b = random_point(shard, 1)
    blank = pickle.dumps(shard)
    for size in (1e-3, 3.0):
        fresh, v = pickle.loads(blank), w + size
        model_of(shard, w, b)
        one, two = model_of(shard, v, b, (w, b)), model_of(fresh, v, b, (w, b))
        assert_array_equal(one.gradient.w, two.gradient.w)
        assert one.change == two.change
        assert (one.curvature is None) == (two.curvature is None)
        assert two.reads == one.reads + (loss != "squared")


def bend(shard, z, v):
    """Second derivative of every sample's loss along ``v``: the variance of ``v`` over the classes."""
    Z, V = (a.reshape(shard.loss.n_outputs, -1) for a in (z, v))
    if len(Z) == 1:
        Z, V = np.vstack([Z, 0 * Z]), np.vstack([V, 0 * V])
    p = np.exp(Z - Z.max(axis=0))
    p /= p.sum(axis=0)
    return sum(p[k] * p[j] * (V[k] - V[j]) ** 2 for k in range(len(p)) for j in range(k))


@pytest.mark.parametrize("loss", ["logistic", "multinomial"])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.floats(0.01, 30.0), move=st.floats(1e-3, 3.0))
def test_curvature_changes_no_more_than_the_margins_say(loss, seed, size, move):
    """Between two points whose margins differ by at most t: within the factors exp(-t) and exp(t)."""
    shard = make_shard(loss, seed=seed % 97)
    (w, b), (dw, db) = random_point(shard, seed, size), random_point(shard, seed + 1, move)
    z, v = shard.margins(w, b), np.random.default_rng(seed).standard_normal(len(shard.margins(w, b)))
    new = shard.margins(w + dw, b + db)
    t = model_of(shard, w + dw, b + db, (w, b)).change
    before, after = bend(shard, z, v), bend(shard, new, v)
    assert np.all(after <= np.exp(t) * before * (1 + 1e-9))
    assert np.all(after >= np.exp(-t) * before * (1 - 1e-9))


@pytest.mark.parametrize("loss", ["logistic", "multinomial"])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.floats(0.01, 30.0), move=st.floats(0.01, 30.0))
def test_a_model_with_all_of_the_majorant_lies_above_the_loss(loss, seed, size, move):
    shard = make_shard(loss, seed=seed % 97)
    (w, b), (dw, db) = random_point(shard, seed, size), random_point(shard, seed + 1, move)
    model = model_of(shard, w, b, care=Care(1.0))
    d = np.append(dw, db)
    bound = model.value + np.append(model.gradient.w, model.gradient.b) @ d + 0.5 * d @ model.curvature @ d
    assert shard.value(w + dw, b + db) <= bound * (1 + 1e-9) + 1e-12


# -- points of the shards' own --------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["logistic", "multinomial"])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_sample_leads_a_shard_to_a_point_of_its_own(loss, intercept, sparse):
    shard, penalty = make_shard(loss, n=2000, intercept=intercept, sparse=sparse), ElasticNetPenalty(0.01)
    if loss == "multinomial":
        shard.y = shard.features.columns(np.arange(3)).filled().X.argmax(axis=1)
    fresh, (w, b) = pickle.loads(pickle.dumps(shard)), random_point(shard, 0, size=0.0)
    model = own_model(shard, w, b, penalty)
    expected = model_of(fresh, *model.point)
    assert_allclose(np.append(*model.gradient), np.append(*expected.gradient), rtol=1e-12, atol=1e-15)
    assert (model.value, model.size) == (pytest.approx(expected.value), pytest.approx(expected.size))
    assert model.value + penalty.value(model.point[0]) < fresh.value(w, b)
    stride = 2000 // (15 * len(w)) - 1 | 1
    part = fresh.sample(stride)
    z = fresh.margins(*model.point).reshape(shard.loss.n_outputs, -1)[:, ::stride]
    assert_allclose(part.margins(*model.point), z.ravel(), atol=1e-12)
    assert part.weights.sum() == pytest.approx(1.0)
    assert_allclose(model.curvature, model_of(part, *model.point).curvature, rtol=1e-12)
    # There the sample's objective is at its minimum, nearly, and that of all rows not far from it.
    pulls = [np.abs(rows.gradient(*at).w).max() for rows in (part, fresh) for at in (model.point, (w, b))]
    assert pulls[0] < 0.012
    assert pulls[2] < 0.3 * pulls[3]


def test_a_shard_of_few_rows_or_one_that_its_sample_misleads_has_none():
    penalty, zero = ElasticNetPenalty(0.01), (np.zeros(5), 0.0)
    assert own_model(make_shard("logistic", n=224), *zero, penalty) is None
    assert own_model(make_shard("logistic", n=225), *zero, penalty) is not None
    shard = make_shard("logistic", n=2000)
    sampled = np.arange(2000) % 25 == 0
    shard.y = np.where(sampled, -shard.y, shard.y)
    assert own_model(shard, *zero, penalty) is None


@pytest.mark.parametrize("order", ["by class", "by feature"])
@pytest.mark.parametrize("slow", [1.0, 10.0])
def test_shards_that_are_not_alike_begin_at_points_of_their_own(order, slow):
    X, y = binary(16_000, 20)
    rows = np.argsort(y if order == "by class" else X[:, 0], kind="stable")
    X, y = X[rows], y[rows]
    params = {"C": inverse_penalty(X, y, 0.01), "l1_ratio": 1.0, "tol": 1e-6}
    model = LogisticRegression(**params, solver="piag", executor=workers(8, slow)).fit(X, y)
    assert model.history_.stopped == "converged"
    assert model.objective_ <= LogisticRegression(**params).fit(X, y).objective_ + 1e-6
    replayed = Simulated(Trace.from_history(model.history_))
    again = LogisticRegression(**params, solver="piag", executor=replayed).fit(X, y)
    assert_array_equal(again.coef_, model.coef_)


def test_shards_are_read_where_the_run_is_though_their_own_points_promise_nothing():
    """Shards of one class each go to a constant model, and so does the sum of their models."""
    X, y = binary(500, 2)
    rows = np.argsort(-y, kind="stable")
    X, y = X[rows], y[rows]
    params = {"C": inverse_penalty(X, y, 0.5), "l1_ratio": 1.0, "tol": 1e-8}
    model = LogisticRegression(**params, solver="piag", executor=workers(5)).fit(X, y)
    assert model.history_.stopped == "converged"
    assert model.coef_.any()
    assert model.objective_ <= LogisticRegression(**params).fit(X, y).objective_ + 1e-8


def test_shards_that_are_alike_take_fewer_visits_from_points_of_their_own(monkeypatch):
    def visits():
        count = 0
        for seed in (1, 2, 3):
            X, y = binary(16_000, 20, seed)
            model = LogisticRegression(C=inverse_penalty(X, y, 0.01), l1_ratio=1.0, tol=1e-6, solver="piag")
            history = model.set_params(executor=workers(8, seed=seed)).fit(X, y).history_
            assert history.stopped == "converged"
            count += len(history.arrivals["worker"])
        return count

    ours = visits()
    monkeypatch.setattr(shard_taylor_model, "SAMPLES", np.inf)
    assert ours < 0.9 * visits()


# -- the sum of the models ---------------------------------------------------------------------------


def random_model(rng, size):
    B = rng.standard_normal((2 * size, size))
    return rng.standard_normal(size), rng.standard_normal(size), B.T @ B, float(rng.random())


@pytest.mark.parametrize(("pull", "left"), [(0.0, 0.0), (0.2, 1e-5)])
def test_what_a_short_step_leaves_is_no_coefficient(pull, left, monkeypatch):
    """Small, and held back or not; where it counts it stays."""
    monkeypatch.setattr(ElasticNetPenalty, "solve_on_gram", lambda *_, **__: (np.array([1.0, 1e-5]), 1))
    model = server_aggregate.Subproblem(np.eye(2), np.array([1.1, pull]), 2.0, None, None)
    assert_array_equal(model.minimiser(np.zeros(2), ElasticNetPenalty(0.1), 0.0), [1.0, left])


@pytest.mark.parametrize("n_free", [0, 1, 3])
def test_differences_keep_the_sum(n_free):
    rng, shares = np.random.default_rng(0), [0.5, 0.2, 0.3]
    models, last = ModelSum(shares, 4, n_free), {}
    total = models.sums.total
    for turn in range(250):
        x, g, H, size = random_model(rng, 4 + n_free)
        keeps = turn >= 3 and turn % 4 == 0
        H = last[turn % 3][2] if keeps else H
        last[turn % 3] = x, g, H, size
        models.renew(turn % 3, x, g, None if keeps else H, size)
        if turn < 2:
            continue
        table = [(s, *last[i]) for i, s in enumerate(shares)]
        assert_allclose(total.A, sum(s * H for s, _, _, H, _ in table), rtol=1e-11, atol=1e-11)
        assert_allclose(total.q, sum(s * (H @ x - g) for s, x, g, H, _ in table), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("n_free", [1, 3])
def test_the_best_intercepts_are_put_in(n_free):
    rng = np.random.default_rng(1)
    total = ModelSum([0.4, 0.6], 5, n_free)
    for i in range(2):
        total.renew(i, *random_model(rng, 5 + n_free))
    quadratic = total.quadratic()
    A, _, q, *_ = total.sums.total
    joint = np.linalg.solve(A, q)
    w = np.linalg.solve(quadratic.Q, quadratic.q)
    assert_allclose(w, joint[:5], rtol=1e-9)
    assert_allclose(quadratic.intercepts(w), joint[5:], rtol=1e-9)


# -- squared loss: exact whatever the delays ---------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    n_workers=st.integers(1, 9), n_blocks=st.integers(1, 30), seed=st.integers(0, 10**6),
    slow=st.sampled_from([1.0, 10.0, 1000.0]), l1_ratio=st.sampled_from([0.3, 0.9, 1.0]),
    positive=st.booleans(),
)  # fmt: skip
def test_one_visit_of_every_shard_is_enough_for_the_squared_loss(
    n_workers, n_blocks, seed, slow, l1_ratio, positive
):
    X, z, rng = raw_columns(150, 12, seed % 50)
    y = z + 0.3 * z.std() * rng.standard_normal(len(z)) + 5.0
    alpha = 0.02 * np.abs(X.T @ (y - y.mean())).max() / len(y)
    params = {"alpha": alpha, "l1_ratio": l1_ratio, "positive": positive, "tol": 1e-10}
    executor = workers(n_workers, slow, seed)
    model = ElasticNet(**params, solver="piag", n_blocks=n_blocks, executor=executor).fit(X, y)
    assert model.n_updates_ == 1
    assert model.n_iter_ == 2
    assert model.history_.updates["error"][0] == 0.0
    reference = ElasticNet(**params).fit(X, y)
    assert_allclose(model.predict(X), reference.predict(X), atol=1e-5 * y.std())


@pytest.mark.parametrize("slow", [1.0, 10.0])
def test_elastic_net_on_raw_columns(slow):
    X, z, rng = raw_columns(4000, 60)
    y = z + 0.5 * z.std() * rng.standard_normal(len(z))
    alpha = 0.01 * np.abs(X.T @ (y - y.mean())).max() / len(y)
    params = {"alpha": alpha, "l1_ratio": 0.9}
    model = ElasticNet(**params, tol=1e-6, solver="piag", executor=workers(8, slow)).fit(X, y)
    assert model.n_iter_ <= 3
    reference = ElasticNet(**params, tol=1e-12).fit(X, y)
    assert_allclose(model.coef_ * X.std(axis=0), reference.coef_ * X.std(axis=0), atol=1e-4 * y.std())


# -- logistic losses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["independent", "raw"])
@pytest.mark.parametrize(("slow", "most"), [(1.0, 15), (10.0, 30)])
@pytest.mark.parametrize("seed", [0, 1])
def test_passes_on_raw_columns(kind, slow, most, seed):
    X, y = binary(4000, 60, seed, kind)
    params = {"C": inverse_penalty(X, y, 0.01), "l1_ratio": 1.0}
    model = LogisticRegression(**params, tol=1e-6, solver="piag", executor=workers(8, slow)).fit(X, y)
    assert model.history_.stopped == "converged"
    assert model.n_iter_[0] <= most
    assert model.history_.updates["delay"].max() >= 7 * slow**0.5
    reference = LogisticRegression(**params, tol=1e-10).fit(X, y)
    spread = X.std(axis=0)
    assert_allclose(model.coef_ * spread, reference.coef_ * spread, atol=2e-3)
    assert model.objective_ <= reference.objective_ + 1e-6


HARD = {
    "separable": lambda: (binary(600, 20, kind="independent")[0], None, 1e-5),
    "sorted by class": lambda: (*binary(800, 20), 1e-3),
    "fewer rows than columns": lambda: (*binary(60, 100, kind="independent"), 1e-2),
    "an empty shard": lambda: (*binary(400, 20), 1e-2),
}


@pytest.mark.parametrize(
    ("case", "slow", "intercept"),
    [(case, slow, (k + (slow > 1.0)) % 2 == 0) for k, case in enumerate(HARD) for slow in (1.0, 300.0)],
)
def test_hard_data(case, slow, intercept):
    X, y, share = HARD[case]()
    if case == "separable":
        y = np.where(X[:, 0] + X[:, 1] > 0.1, 1.0, -1.0)
    elif case == "sorted by class":
        order = np.argsort(y, kind="stable")
        X, y = X[order], y[order]
    elif case == "an empty shard":
        X[:50] = 0.0
    params = {"C": inverse_penalty(X, y, share), "l1_ratio": 1.0, "tol": 1e-6, "fit_intercept": intercept}
    model = LogisticRegression(**params, solver="piag", executor=workers(8, slow)).fit(X, y)
    assert model.history_.stopped == "converged"
    reference = LogisticRegression(**params).fit(X, y)
    assert model.objective_ <= reference.objective_ + 1e-6


def test_a_shard_of_every_row():
    X, y = binary(60, 4, kind="independent")
    params = {"C": 1.0, "l1_ratio": 0.5, "tol": 1e-8}
    model = LogisticRegression(**params, solver="piag", n_blocks=60, executor=workers(7)).fit(X, y)
    assert model.history_.n_blocks == 60
    assert_allclose(model.coef_, LogisticRegression(**params).fit(X, y).coef_, atol=1e-4)


class _Told(ModelPIAG):
    """Begins wherever it is told to; notes where it has gone back to, and what was certified next."""

    retreats = ()

    def _begin_at(self, w, b):
        self.w, self.b = w, b

    def _guard(self, certificate):
        barrier, best = self._barrier, self._best.objective
        super()._guard(certificate)
        if self.retreats and not self.retreats[-1][1]:
            self.retreats[-1][1].append(certificate.objective)
        if self._barrier != barrier:
            self.retreats = [*self.retreats, (best, [], self._care.share if self._care else 0.0)]


@pytest.mark.parametrize("far", [0.2, 20.0])
@pytest.mark.parametrize("slow", [1.0, 10.0])
def test_the_guard_brings_a_run_back(far, slow):
    """From a point where the loss is nearly linear models promise far too much. With all of the majorant the
    first step from the point that a run has gone back to lowers the objective."""
    X, y = binary(1000, 30)
    share = inverse_penalty(X, y, 0.01) * len(y)
    problem = Problem(X, y, LogisticLoss(), ElasticNetPenalty(1 / share), rows=True)
    start = Snapshot(far * np.random.default_rng(0).standard_normal(30), 3.0)
    solver = _Told(problem, ExactStep(), n_workers=8, inline=True, start=start, target=1e-7)
    certified = []

    def on_events(events, now):
        certified.extend(e for e in events if hasattr(e, "certificate"))
        return bool(certified) and certified[-1].gap < 1e-7

    workers(8, slow).run(solver, on_events)
    assert solver.retreats
    assert solver.retreats[0][2] == FIRST_SHARE
    assert all(after[0] < best for best, after, share in solver.retreats if share == 1.0 and after)
    objectives = [event.certificate.objective for event in certified]
    assert max(objectives) > problem.objective(*start)
    assert certified[-1].gap < 1e-7


def test_a_warm_start_close_to_the_optimum_of_a_weak_penalty():
    """There the objective has nothing left to fall by, but the gap is as large: its bound is bad."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((2000, 10))
    y = X[:, ::5] @ rng.standard_normal(2) * 1.5 + rng.standard_normal(2000) > 0
    run = {"solver": "piag", "n_blocks": 8, "executor": workers(8), "warm_start": True}
    model = LogisticRegression(**run).fit(X * np.geomspace(100, 0.1, 10), y)
    model.set_params(C=1e4).fit(X * np.geomspace(100, 0.1, 10), y)
    assert model.dual_gap_ <= 1e-4 * np.log(2)
    assert model.n_iter_[0] <= 20


# -- what the fits have in common -----------------------------------------------------------------------


def variants():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((240, 8)) * np.geomspace(1, 30, 8) + 2.0
    z = X @ (rng.standard_normal(8) / np.geomspace(1, 30, 8))
    three = np.digitize(z - z.mean() + 0.5 * rng.standard_normal(240), [-0.7, 0.7])
    weights = rng.integers(0, 3, 240).astype(float)
    two = np.where(z - z.mean() + rng.standard_normal(240) > 0, 1, 0)
    yield "lasso", Lasso(0.05), X, z + rng.standard_normal(240), None
    yield "weights", ElasticNet(0.05, l1_ratio=0.4), X, z, weights
    yield "positive", Lasso(0.05, positive=True, fit_intercept=False), X, z, None
    yield "ridge", ElasticNet(0.05, l1_ratio=0.0), X, z, None
    yield "l1", LogisticRegression(C=0.3, l1_ratio=1.0), X, two, weights
    yield "l2", LogisticRegression(C=0.3, l1_ratio=0.0), X, two, None
    yield "none", LogisticRegression(C=np.inf), X, two, None
    yield "three classes", LogisticRegression(C=0.3, l1_ratio=1.0), X, three, weights
    yield "three classes, l2", LogisticRegression(C=0.3, l1_ratio=0.2, fit_intercept=False), X, three, None
    yield "sparse", LogisticRegression(C=0.3, l1_ratio=1.0), sp.csr_matrix(X * (X > 2)), two, None
    yield "single", LogisticRegression(C=0.3, l1_ratio=1.0), X.astype(np.float32), two, None


@pytest.mark.parametrize("case", list(variants()), ids=lambda case: case[0])
@pytest.mark.parametrize("executor", [workers(5), Threads()], ids=["simulated", "threads"])
@pytest.mark.filterwarnings("ignore:With alpha=0")
def test_every_model_is_fitted(case, executor):
    _, model, X, y, weights = case
    model.set_params(tol=1e-10, max_iter=10_000)
    reference = model.fit(X, y, weights)
    other = type(model)(**model.get_params()).set_params(solver="piag", n_jobs=3, executor=executor)
    other.fit(X, y, weights)
    assert other.history_.stopped == "converged"
    assert other.coef_.dtype == reference.coef_.dtype
    assert_allclose(other.coef_, reference.coef_, atol=2e-4)
    assert_allclose(other.intercept_, reference.intercept_, atol=5e-3)


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
def test_threads_are_replayed(n_jobs):
    X, y = binary(2000, 30)
    params = {"C": inverse_penalty(X, y, 0.01), "l1_ratio": 1.0, "tol": 1e-7, "solver": "piag"}
    for n_blocks in (n_jobs, 2 * n_jobs + 1):
        live = LogisticRegression(**params, n_jobs=n_jobs, n_blocks=n_blocks).fit(X, y)
        trace = Trace.from_history(live.history_)
        again = LogisticRegression(**params, n_blocks=n_blocks, executor=Simulated(trace)).fit(X, y)
        assert_array_equal(again.coef_, live.coef_)
        assert_array_equal(again.history_.updates["delay"], live.history_.updates["delay"])
        assert_array_equal(again.history_.updates["error"], live.history_.updates["error"])
        assert set(live.history_.shares["kind"]) <= {"solve", "pending", "late"}


def test_errors_are_recorded():
    X, y = binary(2000, 20)
    model = LogisticRegression(C=inverse_penalty(X, y, 0.01), l1_ratio=1.0, tol=1e-9, solver="piag")
    updates = model.set_params(executor=workers(8)).fit(X, y).history_.updates
    assert updates["error"][0] == 0.0
    assert np.all((updates["error"] >= 0.0) & (updates["error"] <= 1.0))
    assert updates["error"].max() > 0.3
    assert updates["error"][-8:].max() < 0.1
    assert set(updates["step"]) == {1.0}


def test_no_smoothness_is_computed(monkeypatch):
    X, y = binary(500, 10)

    def refuse(*args):
        raise AssertionError

    monkeypatch.setattr(Design, "smoothness", refuse)
    model = LogisticRegression(solver="piag", n_jobs=2).fit(X, y)
    assert model.history_.step_size == "ExactStep()"
    assert model.history_.largest_step == 1.0


def test_lost_tasks_are_done_again():
    """Whatever is dropped, a minimisation too, the run ends at the solution."""
    X, y = binary(400, 10)
    problem = Problem(X, y, LogisticLoss(), ElasticNetPenalty(0.01), rows=True)
    kinds = set()
    for seed in range(40):
        if len(kinds) == 3:
            break
        solver = ModelPIAG(problem, ExactStep(), n_workers=2, n_blocks=4, target=1e-8)
        rng, certified, held = np.random.default_rng(seed), [], {}
        while not certified or certified[-1].gap > 1e-8:
            worker = int(rng.integers(2))
            if worker not in held:
                task = solver.ask(worker)
                if task is not None:
                    held[worker] = task
                continue
            task = held.pop(worker)
            if task.kind not in kinds or rng.random() < 0.2:
                kinds.add(task.kind)
                solver.drop(task)
                continue
            task = pickle.loads(pickle.dumps(task))
            result = pickle.loads(pickle.dumps(solver.work(solver.part(task), task)))
            certified += [e for e in solver.tell([(task, result)]) if hasattr(e, "certificate")]
    assert kinds == {"model", "solve", "certificate"}


def test_wide_data_without_an_l1_part_get_first_order_steps_unless_asked_for():
    X, y = sp.random(50, 2500, 0.05, "csr", random_state=0), np.arange(50.0)
    model = ElasticNet(1.0, l1_ratio=0.0, solver="piag", tol=1e-2).fit(X, y)
    assert model.history_.step_size.startswith("Adaptive1")
    with pytest.raises(ValueError, match="at most 2,000, and there are 2,500"):
        ElasticNet(1.0, l1_ratio=0.0, solver="piag", step_size="exact").fit(X, y)


# -- policies of delays in the metric of the curvatures --------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), m=st.integers(1, 6), n_moves=st.integers(1, 8))
def test_the_constant_in_the_metric_of_the_curvatures_is_one(seed, m, n_moves):
    """Where shards miss moves, the error of their gradients' sum is at most the sum of the moves."""
    rng = np.random.default_rng(seed)
    parts = [B.T @ B for B in rng.standard_normal((m, 7, 5))]
    A, moves = sum(parts), rng.standard_normal((n_moves, 5))
    error = sum(H @ (moves * (rng.random((n_moves, 1)) < 0.5)).sum(axis=0) for H in parts)
    length = sum(np.sqrt(d @ A @ d) for d in moves)
    assert np.sqrt(error @ np.linalg.solve(A, error)) <= length * (1 + 1e-9)


@pytest.mark.parametrize("policy", ["adaptive1", "adaptive2"])
@pytest.mark.parametrize("slow", [1.0, 10.0])
@pytest.mark.parametrize("squared", [False, True])
def test_policies_of_delays_arrive_on_raw_columns(policy, slow, squared):
    params = {"solver": "piag", "step_size": policy, "tol": 1e-6, "executor": workers(8, slow)}
    if squared:
        X, z, rng = raw_columns(4000, 60)
        y = z + 0.5 * z.std() * rng.standard_normal(len(z))
        alpha = 0.01 * np.abs(X.T @ (y - y.mean())).max() / len(y)
        model = Lasso(alpha, **params)
    else:
        X, y = binary(4000, 60)
        model = LogisticRegression(C=inverse_penalty(X, y, 0.01), l1_ratio=1.0, **params)
    model.fit(X, y)
    history = model.history_
    assert history.stopped == "converged"
    assert np.ravel(model.n_iter_)[0] <= (60 if slow == 1.0 else 250)
    assert history.largest_step == 0.99
    oldest = history.updates["delay"]
    assert satisfies_principle(oldest, history.updates["step"], history.largest_step).all()
    assert np.any(history.updates["step"] == 0.0)


@pytest.mark.parametrize("policy", [Adaptive1(), FixedStep(max_delay=40, rule="principle")], ids=repr)
@pytest.mark.parametrize("case", [c for c in variants() if c[0] != "none"], ids=lambda case: case[0])
def test_policies_of_delays_fit_every_model(case, policy):
    _, model, X, y, weights = case
    reference = type(model)(**model.get_params()).set_params(tol=1e-10).fit(X, y, weights)
    run = {"solver": "piag", "step_size": policy, "executor": workers(3), "tol": 1e-8, "max_iter": 10_000}
    model = type(model)(**model.get_params()).set_params(**run).fit(X, y, weights)
    assert_allclose(model.coef_, reference.coef_, atol=5e-3)


def test_the_scalar_metric_is_the_plain_algorithm():
    X, y = binary(300, 6, kind="independent")
    trace = Trace.from_service_times([1.0, 1.0, 3.0])
    plain = {"solver": "piag", "step_size": "adaptive1", "metric": "lipschitz", "fit_intercept": False}
    run = {"executor": Simulated(trace), "tol": 1e-6, "max_iter": 10_000}
    model = LogisticRegression(C=0.1, l1_ratio=1.0, **plain, **run).fit(X, y)
    problem = Problem(X, y, LogisticLoss(), ElasticNetPenalty(1 / (0.1 * len(y))), None, False, rows=True)
    solver, left = PIAG(problem, Adaptive1(), n_workers=3, inline=True), [model.n_updates_]

    def on_events(events, now):
        left[0] -= sum(hasattr(e, "step") for e in events)
        return left[0] == 0

    Simulated(trace).run(solver, on_events)
    assert_array_equal(solver.w, model.coef_[0])
    assert model.history_.largest_step == solver.step_unit


def test_the_naive_step_stays_unguarded():
    X, y = binary(300, 6, kind="independent")
    model = LogisticRegression(solver="piag", step_size=NaiveStep(), executor=workers(2), tol=1e-3)
    history = model.fit(X, y).history_
    assert history.largest_step != 1.0
    assert np.all(history.updates["error"] == 0.0)

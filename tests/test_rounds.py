"""The algorithm in rounds: agreement with scikit-learn, shares, phases, replay and faults."""

import pickle
import time
import tracemalloc
import warnings
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from conftest import penalty_of_peer
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import ElasticNet as PeerElasticNet
from sklearn.linear_model import LogisticRegression as PeerLogistic
from sklearn.linear_model import Ridge
from sklearn.model_selection import StratifiedKFold
from test_solvers import drive, make_problem

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression, lasso_path
from sk_asyncprox.data import two_parts
from sk_asyncprox.data.design_matrix import Design
from sk_asyncprox.data.preprocessing import Data
from sk_asyncprox.executors import Simulated, Threads, Trace, threads
from sk_asyncprox.kernels import column_sweeps
from sk_asyncprox.kernels.column_part import ColumnPart
from sk_asyncprox.kernels.column_sweeps import _look_at_columns
from sk_asyncprox.kernels.working_set import first_columns, wanted_columns
from sk_asyncprox.linear_model._enet_path import solutions_along
from sk_asyncprox.losses import LogisticLoss, MultinomialLoss, SquaredLoss
from sk_asyncprox.losses.curvature import KEPT, DiagonalCurvature, SoftmaxCurvature, learnt
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solve import Options
from sk_asyncprox.solvers import RoundsBCD, rounds_gram_cache
from sk_asyncprox.solvers.base import Snapshot
from sk_asyncprox.solvers.rounds import SPOILT
from sk_asyncprox.solvers.rounds_all_columns import MOST_SWEEPS
from sk_asyncprox.solvers.rounds_gram_cache import GramMatrix
from sk_asyncprox.solvers.rounds_gram_steps import GramRule
from sk_asyncprox.solvers.rounds_worker_tasks import WORK, gram
from sk_asyncprox.step_sizes import ExactStep


@pytest.fixture
def shared(monkeypatch):
    """Small problems are shared as large ones are, from the first task on."""
    for name in ("CHEAP_STEPS", "OF_SEVERAL", "DEAR_STEPS"):
        monkeypatch.setattr(f"sk_asyncprox.solvers.rounds_all_columns.{name}", 0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds.SMALL", 0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds.SMALL_FULL", 0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_shared_products.SMALL_SHARE", 0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_shared_products.HAND_OVER", 0.0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_shared_products.SLOW", 0.0)
    monkeypatch.setattr(GramRule, "choose", lambda *_: None)
    monkeypatch.setattr(RoundsBCD, "head_start", 0.0)


def data(kind="sparse", n=150, p=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 0.3 * rng.standard_normal((n, 1))
    if kind == "sparse":
        X[rng.random((n, p)) > 0.1] = 0.0
    y = X[:, :6] @ rng.standard_normal(6) + 0.1 * rng.standard_normal(n) + 1.0
    return (sp.csc_matrix(X) if kind == "sparse" else X), y


def peer_of(model):
    names = {"alpha", "C", "l1_ratio", "fit_intercept", "positive"}
    given = {k: v for k, v in model.get_params().items() if k in names}
    if not isinstance(model, LogisticRegression):
        if not given["l1_ratio"]:
            return None
        return PeerElasticNet(**given, tol=1e-14, max_iter=10**6)
    solver = "saga" if given["l1_ratio"] else "lbfgs"
    given |= penalty_of_peer(given["l1_ratio"])
    return PeerLogistic(**given, solver=solver, tol=1e-12, max_iter=200_000)


MODELS = [
    ElasticNet(0.02, l1_ratio=1.0, tol=1e-13),
    ElasticNet(0.02, l1_ratio=0.5, fit_intercept=False, tol=1e-13),
    ElasticNet(0.02, l1_ratio=0.9, positive=True, tol=1e-13),
    ElasticNet(0.05, l1_ratio=0.0, tol=1e-13),
    LogisticRegression(C=2.0, l1_ratio=1.0, tol=1e-13),
    LogisticRegression(C=2.0, l1_ratio=0.5, fit_intercept=False, tol=1e-13),
    LogisticRegression(C=2.0, l1_ratio=0.0, tol=1e-13),
]


@cache
def fitted_peer(model, kind):
    """Of scikit-learn, the data, and the weights it was fitted with."""
    X, y = data(kind)
    logistic = isinstance(model, LogisticRegression)
    y = y > 1.0 if logistic else y
    weights = np.random.default_rng(1).integers(1, 4, len(y)).astype(float)
    peer = peer_of(model)
    if peer is None:
        dense = X.toarray() if sp.issparse(X) else X
        peer = Ridge(model.alpha * weights.sum()).fit(dense, y, sample_weight=weights)
    elif sp.issparse(X) and not logistic:
        # scikit-learn's sparse kernel differs with weights and an intercept: rows are repeated instead.
        rows = np.repeat(np.arange(len(y)), weights.astype(int))
        peer.fit(sp.csc_matrix(X.tocsr()[rows]), y[rows])
    else:
        peer.fit(X, y, sample_weight=weights)
    return peer, X, y, weights


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("kind", ["sparse", "dense"])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_rounds_find_the_solution_of_scikit_learn(model, kind, n_jobs, shared):
    peer, X, y, weights = fitted_peer(model, kind)
    found = clone(model).set_params(n_jobs=n_jobs).fit(X, y, sample_weight=weights)
    coef = np.ravel(peer.coef_)
    assert_allclose(np.ravel(found.coef_), coef, atol=2e-6 * np.abs(coef).max())
    assert_allclose(found.intercept_, peer.intercept_, atol=2e-6 * max(1.0, np.abs(peer.intercept_).max()))
    assert found.history_.n_workers == n_jobs
    assert set(found.history_.updates["phase"]) <= {"descent", "newton"}
    assert "newton" in found.history_.updates["phase"]


@pytest.mark.parametrize(
    "settings", [{}, {"l1_ratio": 0.7}, {"positive": True}, {"fit_intercept": False}], ids=str
)
@pytest.mark.parametrize("weighted", [False, True])
def test_columns_in_two_parts_lead_to_the_same_solution(monkeypatch, settings, weighted):
    rng = np.random.default_rng(0)
    X = sp.csc_matrix(
        rng.uniform(0.5, 2.0, (300, 400)) * (rng.random((300, 400)) < np.geomspace(0.9, 0.004, 400))
    )
    y = X[:, ::7] @ rng.standard_normal(58) + rng.standard_normal(300)
    weights = rng.uniform(0.5, 2.0, 300) if weighted else None
    model, made = ElasticNet(alpha=0.01, tol=1e-12, **{"l1_ratio": 1.0, **settings}), []
    monkeypatch.setattr(GramRule, "choose", lambda *_: None)
    there = model.fit(X, y, sample_weight=weights).coef_
    monkeypatch.setattr(two_parts, "LARGE", 0)
    monkeypatch.setattr(two_parts.TwoParts, "heavy_image", spied(two_parts.TwoParts.heavy_image, made))
    assert_allclose(model.fit(X, y, sample_weight=weights).coef_, there, atol=1e-6)
    assert len(made) > 1


def spied(method, calls):
    """The method, which lists its calls."""

    def spy(*arguments):
        calls.append(arguments)
        return method(*arguments)

    return spy


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("sparse", [False, True])
def test_shares_lose_no_update(loss, sparse, shared):
    problem = make_problem(loss, n=200, p=150, sparse=sparse)
    for _ in range(6):
        solver = RoundsBCD(problem, ExactStep(), n_workers=4)
        drive(solver, Threads(), 25, gap=1e-12 * problem.scale)
        margins = problem.design.mul(solver.at.w) + solver.at.b
        assert np.abs(margins - solver.at.z).max() <= 1e-9 * np.abs(margins).max()


@pytest.fixture
def as_given(monkeypatch):
    """Dense data are not copied, however small they are."""
    monkeypatch.setattr("sk_asyncprox.data.preprocessing.LARGE", 0)
    monkeypatch.setattr("sk_asyncprox.data.design_matrix.IN_CACHE", 0)
    monkeypatch.setattr("sk_asyncprox.data.preprocessing.CHEAP_MOMENTS", 0)
    for name in ("CHEAP_STEPS", "OF_SEVERAL", "DEAR_STEPS"):
        monkeypatch.setattr(f"sk_asyncprox.solvers.rounds_all_columns.{name}", 0)


@pytest.mark.parametrize("model", MODELS[:-1], ids=str)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_data_that_are_not_copied_have_the_same_solution(model, order, n_jobs, shared, as_given):
    peer, X, y, weights = fitted_peer(model, "dense")
    given = np.array(X, order=order)
    found = clone(model).set_params(n_jobs=n_jobs, tol=1e-11).fit(given, y, sample_weight=weights)
    assert_allclose(np.ravel(found.coef_), np.ravel(peer.coef_), atol=1e-5 * np.abs(peer.coef_).max())
    assert_allclose(found.intercept_, peer.intercept_, atol=1e-5 * max(1.0, np.abs(peer.intercept_).max()))
    assert ("seen" in found.history_.shares["kind"]) == (order == "C" or hasattr(model, "alpha"))
    assert_array_equal(given, X)


PENALTIES = {
    "l1": ElasticNetPenalty(0.02),
    "l1 and l2": ElasticNetPenalty(0.01, 0.02),
    "positive": ElasticNetPenalty(0.02, 0.01, positive=True),
    "weights": ElasticNetPenalty(0.02, 0.01, weights=np.arange(24.0) / 12.0),
}


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("n_workers", [1, 3])
def test_certificates_by_rows_are_those_of_all_rows(loss, name, n_workers, shared, as_given):
    weights = np.random.default_rng(0).uniform(0.5, 1.5, 60)
    problem = make_problem(loss, sample_weight=weights)
    problem.penalty = PENALTIES[name]
    solver = RoundsBCD(problem, ExactStep(), n_workers=n_workers, goal=1e-10 * problem.scale)
    updates, certificates = drive(solver, Threads(), 40, gap=1e-10 * problem.scale)
    assert 1 <= len(updates) < 40
    best = certificates[-1].certificate.objective
    for found in (event.certificate for event in certificates):
        # The bound is made at the best intercept to first order.
        same = problem.certify(found.w, found.b)
        assert_allclose(found.objective, problem.objective(found.w, found.b), rtol=1e-13)
        assert_allclose(found.objective, same.objective, rtol=1e-3)
        assert found.dual <= best + 1e-13
        assert abs(found.dual - same.dual) <= 0.1 * same.gap + 1e-12
        assert_allclose(found.correlations, same.correlations, atol=0.1 * problem.scale)
    assert_allclose(solver.at.z, problem.design.mul(solver.at.w) + solver.at.b, atol=1e-12)
    assert_allclose(solver.at.gradient, problem.loss.gradient(problem.y, solver.at.z), atol=1e-12)


@pytest.mark.parametrize("kind", ["squared", "logistic"])
@pytest.mark.parametrize("intercept", [False, True])
def test_data_that_were_read_are_not_read_again_to_look_at_the_zero_model(kind, intercept, as_given):
    X, y = data("dense")
    loss = LogisticLoss() if kind == "logistic" else SquaredLoss()
    y = np.where(y > 1.0, 1.0, -1.0) if kind == "logistic" else y
    first = []
    for n_threads in (0, 1, 3):
        problem = Problem(X, y, loss, ElasticNetPenalty(0.01), fit_intercept=intercept)
        if n_threads:
            problem.prepare(n_threads)
        solver = RoundsBCD(problem, ExactStep(), goal=1e-6)
        after = "bound" if loss.quadratic else "settled"
        assert solver.ask(0).kind == (after if n_threads else "margins")
        _, certificates = drive(RoundsBCD(problem, ExactStep(), goal=1e-6), Threads(), 1)
        first.append(certificates[0].certificate)
        # With another target, or from elsewhere, all is as if they had not been read.
        for other in (problem._altered(y=-y), problem):
            start = None if other is not problem else Snapshot(np.full(X.shape[1], 1e-3), 0.0)
            kind = RoundsBCD(other, ExactStep(), start=start, goal=1e-6).ask(0).kind
            assert kind == ("seen" if start else "margins")
    assert problem.is_finite
    for found in first[1:]:
        assert_allclose(found.correlations, first[0].correlations, rtol=1e-10, atol=1e-12)
        assert_allclose([found.objective, found.dual], [first[0].objective, first[0].dual], rtol=1e-10)


def test_a_squared_loss_is_seen_at_the_best_intercept(as_given):
    X, y = data("dense")
    problem = Problem(X, y, SquaredLoss(), ElasticNetPenalty(0.01))
    w, best = np.full(X.shape[1], 0.1), problem.start()[1]
    solver = RoundsBCD(problem, ExactStep(), goal=1e-6)
    for b in (best, best - 2.5):
        steps = solver.looks.see(solver, w, b)
        phase = next(steps)
        with pytest.raises(StopIteration) as end:
            steps.send([WORK["seen"](solver.columns, phase.payload(i)) for i in phase.todo])
        sight, known = end.value.value, problem.certify(w, best)
        assert_allclose(sight.b, best, rtol=1e-12)
        assert_allclose(sight.z, problem.design.mul(w) + best, rtol=1e-10, atol=1e-12)
        assert_allclose(sight.gradient, sight.z - y, rtol=1e-10, atol=1e-12)
        assert_allclose(sight.correlations, known.correlations, rtol=1e-10, atol=1e-12)
        loss = known.objective - problem.penalty.value(w)
        assert_allclose(sight.facts[2:], [2.0 * loss, sight.gradient @ y / len(y)], rtol=1e-10)


def test_steps_that_the_sums_of_rows_do_not_vouch_for_are_measured(shared, as_given, monkeypatch):
    X, y = data("dense")
    plain = Lasso(0.01, tol=1e-10).fit(X, y)
    for module in ("rounds_gram_steps", "rounds_all_columns"):
        monkeypatch.setattr(f"sk_asyncprox.solvers.{module}.RISE_OF_NEWTON", -np.inf)
    measured = Lasso(0.01, tol=1e-10).fit(X, y)
    assert (measured.history_.updates["phase"] == "newton").all()
    assert_allclose(measured.coef_, plain.coef_, atol=1e-6)
    assert_allclose(measured.history_.updates["step"], 1.0, atol=1e-3)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_what_is_added_to_a_diagonal_leaves_no_trace_in_a_solution(l1_ratio, as_given, monkeypatch):
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_gram_cache.LARGE", 0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_all_columns.LARGEST_SWEPT", 0)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 40))
    y = X @ (3.0 * rng.standard_normal(40)) + rng.standard_normal(2000)
    found = ElasticNet(1e-3, l1_ratio=l1_ratio, tol=1e-6).fit(X, y)
    peer = PeerElasticNet(1e-3, l1_ratio=l1_ratio, tol=1e-14, max_iter=10_000).fit(X, y)
    assert list(found.history_.shares["kind"]).count("gram") == 1
    assert found.n_updates_ == 1
    assert_allclose(found.coef_, peer.coef_, atol=1e-4)


def test_long_moves_of_the_intercept_are_not_made_to_first_order(as_given, monkeypatch):
    X, y = data("dense")
    labels, model = y > np.median(y) + 1.0, LogisticRegression(l1_ratio=1.0, C=2.0, tol=1e-7)
    plain = clone(model).fit(X, labels)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_looks.SMALL_MOVE", -1.0)
    found = clone(model).fit(X, labels)
    kinds = [list(run.history_.shares["kind"]) for run in (plain, found)]
    assert kinds[0].count("seen") < kinds[1].count("seen")
    assert abs(found.objective_ - plain.objective_) <= found.dual_gap_ + plain.dual_gap_
    assert max(found.dual_gap_, plain.dual_gap_) <= 1e-7


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_few_columns_of_data_that_are_not_copied_are_taken_once(n_jobs, shared, as_given, monkeypatch):
    """And nothing else changes."""
    X, y = data("dense", n=400)
    taken = []

    def watched(take):
        def noted(self, rows, *how):
            taken.append(len(X[rows]) if self.X is X else 0)
            return take(self, rows, *how)

        return noted

    for name in ("taken", "gathered"):
        monkeypatch.setattr(Design, name, watched(getattr(Design, name)))
    model, fits = LogisticRegression(C=5.0, l1_ratio=1.0, tol=1e-10, n_jobs=n_jobs), []
    for share in (0.0, 1.0):
        monkeypatch.setattr("sk_asyncprox.kernels.column_part.FEW", share)
        taken.clear()
        fits.append((clone(model).fit(X, y > 1.0).coef_, sum(taken)))
    (plain, often), (kept, seldom) = fits
    assert_allclose(plain, kept, rtol=1e-8)
    assert 0 < seldom < often


def test_margins_that_leave_no_slope_to_the_intercept_end_the_search_for_it(as_given):
    """Every class has all of its probability: slope and curvature are rounding, and so is their ratio."""
    X = np.repeat([[-1.0], [1.0]], 50, axis=0)
    model = LogisticRegression(C=1e12, l1_ratio=1.0, tol=1e-8).fit(X, X[:, 0] > 0.0)
    assert model.dual_gap_ <= 1e-8
    assert (model.predict(X) == (X[:, 0] > 0.0)).all()


@pytest.mark.parametrize("model", [Lasso(0.01, n_jobs=2), LogisticRegression(C=0.1, l1_ratio=1.0)], ids=str)
def test_data_that_are_not_copied_take_little_memory(model, as_given):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30_000, 100))
    y = X[:, 0] + rng.standard_normal(len(X)) > 0.0
    tracemalloc.start()
    try:
        clone(model).fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 0.5 * X.nbytes


@pytest.mark.parametrize("kind", ["sparse", "dense", "as given"])
@pytest.mark.parametrize("logistic", [False, True])
def test_a_run_in_rounds_is_replayed_from_its_history(kind, logistic, shared, request, monkeypatch):
    for name in ("CHEAP_MOMENTS", "TALL"):
        monkeypatch.setattr(f"sk_asyncprox.data.preprocessing.{name}", 0)
    if kind == "as given":
        request.getfixturevalue("as_given")
    X, y = data(kind)
    model = LogisticRegression(C=5.0, l1_ratio=1.0, tol=1e-8) if logistic else Lasso(0.01, tol=1e-8)
    live = clone(model).set_params(n_jobs=3, record="iterates").fit(X, y > 1.0 if logistic else y)
    again = clone(live).set_params(executor=Simulated(Trace.from_history(live.history_)), n_jobs=None)
    again.fit(X, y > 1.0 if logistic else y)
    for table in ("arrivals", "shares"):
        mine, theirs = getattr(live.history_, table), getattr(again.history_, table)
        for column in set(mine.dtype.names) - {"time"}:
            assert_array_equal(mine[column], theirs[column])
    assert_array_equal(live.history_.updates["delay"], again.history_.updates["delay"])
    assert_allclose(live.history_.updates["step"], again.history_.updates["step"], atol=1e-10)
    assert_allclose(live.coef_, again.coef_, atol=1e-10)
    assert len(live.history_.shares) > 0


def test_block_steps_are_asynchronous_and_newton_steps_are_not(shared):
    X, y = data(n=600, p=400)
    updates = ElasticNet(0.002, l1_ratio=0.9, n_jobs=3, tol=1e-10).fit(X, y).history_.updates
    assert (updates["delay"][updates["phase"] == "newton"] == 0).all()
    descent = updates["delay"][updates["phase"] == "descent"]
    assert descent.max() >= 1
    assert descent.max() <= 5


def test_a_spoilt_step_is_taken_again(shared, monkeypatch):
    """Every column of the second block repeats one of the first: the later step finds its work done."""
    rng = np.random.default_rng(0)
    half = sp.random(300, 30, 0.2, random_state=1, format="csc")
    X = sp.hstack([half, half + 1e-3 * sp.random(300, 30, 0.2, random_state=2)], format="csc")
    y = half @ rng.standard_normal(30)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds.LATE", 0.0)
    model = Lasso(1e-4, fit_intercept=False, n_jobs=2, tol=1e-6, max_iter=20_000)
    updates = model.fit(X, y).history_.updates
    descent = updates[updates["phase"] == "descent"]
    spoilt = (descent["delay"] > 0) & (descent["step"] < SPOILT)
    assert spoilt.any()
    rounds = np.cumsum(updates["phase"] == "newton")[updates["phase"] == "descent"]
    assert (np.bincount(rounds) > 2).any()


@pytest.mark.parametrize("sparse", [False, True])
def test_work_in_rounds_changes_nothing_it_was_given(sparse, shared):
    problem = make_problem("logistic", n=100, p=60 if sparse else 120, sparse=sparse)
    solver = RoundsBCD(problem, ExactStep(), n_workers=2)
    kinds = set()
    for _ in range(200):
        task = solver.ask(0)
        before = pickle.dumps(task)
        result = solver.work(solver.part(task), task)
        assert pickle.dumps(task) == before
        kinds.add(task.kind)
        solver.tell([(task, pickle.loads(pickle.dumps(result)))])
    assert {"dual_point", "product", "conclude"} <= kinds
    assert ({"direction"} if sparse else {"gram", "model"}) <= kinds


def test_a_dropped_share_is_handed_out_again(shared):
    problem = make_problem("squared", n=100, p=60, sparse=True)
    solver = RoundsBCD(problem, ExactStep(), n_workers=2)
    for _ in range(60):
        solver.drop(solver.ask(1))
        task = solver.ask(0)
        solver.tell([(task, solver.work(solver.part(task), task))])
    assert solver.n_updates > 3


@pytest.mark.parametrize("kind", ["dual_point", "product", "direction", "conclude"])
def test_a_fault_in_a_share_comes_out_of_fit(kind, shared, monkeypatch):
    X, y = data()
    work = RoundsBCD.work

    def fail(part, task):
        if task.kind == kind:
            raise MemoryError("full")
        return work(part, task)

    monkeypatch.setattr(RoundsBCD, "work", staticmethod(fail))
    with pytest.raises(MemoryError, match="full"):
        Lasso(0.01, n_jobs=2).fit(X, y)


def test_a_fault_in_the_script_is_not_covered_by_what_follows(shared, monkeypatch):
    """The next worker would ask a script that has ended, and what it meets could be told in its place."""
    failed, turn = [], threads._Turns.take

    class Slow:
        """A turn whose worker stands still after a failure."""

        def __init__(self, turns):
            self.turn = turn(turns)

        def release(self):
            self.turn.release()
            time.sleep(0.2 * len(failed))

    def fail(self, _):
        failed.append(self)
        raise MemoryError("full")

    monkeypatch.setattr(threads._Turns, "take", lambda turns: Slow(turns))
    monkeypatch.setattr(RoundsBCD, "_heed", fail)
    X, y = data()
    with pytest.raises(MemoryError, match="full"):
        Lasso(0.01, n_jobs=2).fit(X, y)


def test_a_short_fit_starts_no_thread(monkeypatch):
    monkeypatch.setattr("sk_asyncprox.solvers.rounds.SMALL", 0)

    def refuse(*args):
        raise AssertionError("threads were started")

    monkeypatch.setattr("sk_asyncprox.executors.threads._Crew", refuse)
    X, y = data()
    model = Lasso(0.05, n_jobs=2).fit(X, y)
    assert model.history_.n_workers == 2
    assert set(model.history_.arrivals["worker"]) == {0}


def test_objective_falls_once_the_penalty_is_the_wanted_one():
    X, y = data(n=400, p=900)
    model = Lasso(1e-4, tol=1e-10).fit(X, y)
    objectives = model.history_.certificates["objective"]
    assert len(objectives) > 5
    assert (np.diff(objectives[-4:]) <= 1e-14).all()


def renewed(matrix, index, model, error=0.0):
    """Make the matrix that of the columns, and count the tasks that it took."""
    phases, answer, n_tasks = matrix.renew(("blocks", len(index), 0), index, model, error), None, 0
    while True:
        try:
            phase = phases.send(answer)
        except StopIteration:
            return n_tasks
        answer = [gram(matrix._part, phase.payload(i)) for i in phase.todo]
        n_tasks += len(answer)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("omega_changes", [False, True])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_gram_matrix_grows_to_what_it_would_be_at_once(loss, omega_changes, sparse):
    problem = make_problem(loss, n=90, p=30, fit_intercept=True, sparse=sparse)
    part = ColumnPart(problem, 1.0, True, None)
    rng, matrix = np.random.default_rng(0), GramMatrix(part, 2)
    omega = problem.weights * rng.uniform(0.1, 0.25, 90)
    for size in (3, 10, 25, 12):
        index = np.arange(size) * 30 // 25
        if omega_changes:
            omega = problem.weights * rng.uniform(0.1, 0.25, 90)
        renewed(matrix, index, DiagonalCurvature(omega))
        X = problem.design.filled().X[:, index]
        X = X - np.average(X, axis=0, weights=omega) if part.follows or sparse else X
        assert_allclose(matrix.Q, X.T @ (omega[:, None] * X), atol=1e-14)


def test_a_large_gram_matrix_is_single_until_refined(monkeypatch):
    monkeypatch.setattr(rounds_gram_cache, "LARGE", 1)
    problem = make_problem("logistic", n=90, p=30, fit_intercept=True)
    matrix, index = GramMatrix(ColumnPart(problem, 1.0, True, None), 1), np.arange(12)
    model = DiagonalCurvature(problem.weights)
    X = problem.design.X[:, index]
    X = X - np.average(X, axis=0, weights=problem.weights)
    exact, errors = X.T @ (problem.weights[:, None] * X), []
    matrix.refine()  # of nothing: the first one is in single precision all the same
    for _ in range(2):
        renewed(matrix, index, model)
        errors.append(np.abs(matrix.Q - exact).max() / np.abs(exact).max())
        matrix.refine()
    assert 1e-9 < errors[0] < 1e-5
    assert errors[1] < 1e-14


def test_a_matrix_of_a_sample_is_as_good_as_is_asked_for(monkeypatch):
    monkeypatch.setattr(rounds_gram_cache, "LARGE", 1)
    problem = make_problem("logistic", n=20_000, p=10, fit_intercept=True)
    rng, index = np.random.default_rng(0), np.arange(10)
    model = DiagonalCurvature(problem.weights * rng.uniform(0.1, 0.25, 20_000))
    whole = GramMatrix(ColumnPart(problem, 1.0, True, None), 1)
    renewed(whole, index, model)
    touched = []
    for asked in (0.15, 0.08, 1e-3):
        matrix = GramMatrix(whole._part, 2)
        renewed(matrix, index, model, asked)
        root = np.linalg.inv(np.linalg.cholesky(whole.Q))
        error = np.abs(np.linalg.eigvalsh(root @ matrix.Q @ root.T) - 1.0).max()
        assert error <= 1.5 * asked
        touched.append(matrix.touched)
    assert touched[0] < touched[1] < touched[2] == whole.touched
    matrix = GramMatrix(whole._part, 2)
    renewed(matrix, index, model, 0.15)
    matrix.refine()
    renewed(matrix, index, model, 0.15)
    assert_allclose(matrix.Q, whole.Q, atol=1e-5)


@pytest.mark.parametrize("kind", ["heavy tails", "rare values", "few samples count"])
def test_a_sample_that_tells_nothing_of_the_others_is_not_used(kind, monkeypatch):
    monkeypatch.setattr(rounds_gram_cache, "LARGE", 1)
    rng, n = np.random.default_rng(0), 20_000
    X, weights = rng.standard_normal((n, 10)), np.ones(n)
    if kind == "heavy tails":
        X[:, 3] = rng.standard_cauchy(n)
    if kind == "rare values":
        X[:, 3] = rng.random(n) < 3e-3
    if kind == "few samples count":
        weights[rng.integers(0, n, 10)] = 1e4
    problem = Problem(X, np.sign(X[:, 0]), LogisticLoss(), ElasticNetPenalty(l1=0.1), weights)
    matrix = GramMatrix(ColumnPart(problem, 1.0, True, None), 1)
    model = DiagonalCurvature(0.25 * problem.weights)
    renewed(matrix, np.arange(10), model, 0.15)
    X = problem.design.X - model.diagonal @ problem.design.X / model.diagonal.sum()
    assert_allclose(matrix.Q, X.T @ (model.diagonal[:, None] * X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_steps_by_samples_reach_tight_gaps(n_classes, monkeypatch):
    X, y = make_classification(4000, 12, n_informative=6, n_classes=n_classes, random_state=0)
    model = LogisticRegression(C=0.05, l1_ratio=0.9, tol=1e-10)
    for name in ("CHEAP_STEPS", "OF_SEVERAL", "DEAR_STEPS"):
        monkeypatch.setattr(f"sk_asyncprox.solvers.rounds_all_columns.{name}", 0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_all_columns.MANY", 1.0)
    whole = clone(model).fit(X, y)
    monkeypatch.setattr(rounds_gram_cache, "LARGE", 1)
    strides, choose = [], GramMatrix._stride_for
    monkeypatch.setattr(GramMatrix, "_stride_for", lambda *of: strides.append(choose(*of)) or strides[-1])
    sampled = clone(model).fit(X, y)
    assert max(strides) > 1
    assert sampled.dual_gap_ <= 1e-10
    assert_allclose(sampled.coef_, whole.coef_, atol=1e-5)


@pytest.mark.parametrize("estimator", [Lasso(1e-4), LogisticRegression(C=10.0, l1_ratio=1.0)])
def test_single_precision_reaches_tight_gaps(monkeypatch, estimator):
    """Also where columns are nearly the same, so that the matrix is singular in single precision."""
    X, y = data("dense", n=200, p=40)
    X[:, 20:] = X[:, :20] + 1e-5 * X[:, 20:]
    if not hasattr(estimator, "alpha"):
        y = np.where(y > np.median(y), 1, 0)
    exact = clone(estimator).set_params(tol=1e-12).fit(X, y)
    monkeypatch.setattr(rounds_gram_cache, "LARGE", 1)
    single = clone(estimator).set_params(tol=1e-12).fit(X, y)
    assert single.n_iter_ <= 2 * np.max(exact.n_iter_) + 10
    assert_allclose(single.objective_, exact.objective_, rtol=1e-10)


@pytest.mark.parametrize("scale", [1e25, 1e-25])
def test_single_precision_is_left_where_its_exponents_end(monkeypatch, scale):
    X, y = data("dense", n=200, p=40)
    unit = Lasso(0.01, tol=1e-12).fit(X, y)
    monkeypatch.setattr(rounds_gram_cache, "LARGE", 1)
    model = Lasso(0.01 * scale, tol=1e-12).fit(scale * X, y)
    assert_allclose(scale * model.coef_, unit.coef_, atol=1e-8)


@given(
    seed=st.integers(0, 2**32 - 1),
    positive=st.booleans(),
    n=st.integers(5, 1000),
    full=st.booleans(),
    growth=st.sampled_from([2, 3]),
)
def test_the_working_set_holds_the_support_and_grows_by_a_factor_at_most(seed, positive, n, full, growth):
    rng = np.random.default_rng(seed)
    p = int(rng.integers(5, 800))
    w = rng.standard_normal(p) * (rng.random(p) < rng.random() * 0.3)
    w = np.abs(w) if positive else w
    c, penalty = rng.standard_normal(p), ElasticNetPenalty(rng.uniform(0.1, 2), 0.1, positive)
    support = np.flatnonzero(w)
    first = first_columns(n, p, full)
    active = wanted_columns(penalty, w, c, np.empty(0, int), first, growth=growth)
    assert np.isin(support, active).all()
    assert 1 <= len(active) <= max(first, growth * len(support), 10)
    assert first <= max(10, 3 * np.sqrt(p)) if full and p <= n else first == min(200, n)
    assert (np.diff(active) > 0).all()
    outside = np.setdiff1d(np.arange(p), active)
    score = penalty.pull(c - 0.1 * w)
    new = np.setdiff1d(active, support)
    if len(outside) and len(new):
        assert score[outside].max() <= score[new].min() + 1e-12
    assert_array_equal(wanted_columns(penalty, w, c, active, first, growth=growth), active)


@pytest.mark.parametrize(("seed", "half"), [(3, 1), (0, 0), (2, 0), (19, 1), (13, 1)])
@pytest.mark.parametrize("Cs", [[1e4], [1e-4, 1.0, 1e4]], ids=["alone", "on a path"])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_a_model_of_nearly_separable_classes_takes_tens_of_passes(seed, half, Cs, l1_ratio):
    """Hundreds when a tenth of the majorant, or none of it, was in the model after a shortened step; and
    without an l1 part when a step taken instead of one that went too far told nothing."""
    X, y = make_classification(n_samples=200, n_informative=2, n_features=20, random_state=seed)
    rows = list(StratifiedKFold(2).split(X, y))[half][0]
    statuses = statuses_along(Cs, X[rows], 2.0 * y[rows] - 1.0, LogisticLoss(), 80, l1_ratio)
    assert set(statuses) == {"converged"}


@pytest.mark.parametrize("C", [1.0, 1e-2], ids=["a long step", "a longer step"])
def test_a_sparse_model_of_nearly_separable_many_classes_ends(C):
    """Never ended when a Gram matrix was kept though the curvature of its model had changed."""
    X, y = make_classification(n_samples=100, n_classes=3, n_informative=3, random_state=0)
    rows = list(StratifiedKFold(5).split(X, y))[1][0]
    statuses = statuses_along([C, 1e4], X[rows], y[rows], MultinomialLoss(3), max_iter=200)
    assert set(statuses) == {"converged"}


def statuses_along(Cs, X, y, loss, max_iter, l1_ratio=1.0):
    strengths = [1.0 / (C * len(y)) for C in Cs]
    penalties = [ElasticNetPenalty(l1_ratio * a, (1.0 - l1_ratio) * a) for a in strengths]
    problem = Problem(X, y, loss, penalties[0], None, True)
    return [s.status for s in solutions_along(problem, penalties, Options(tol=1e-4, max_iter=max_iter))]


def test_a_change_of_the_least_curvature_is_a_change_of_the_curvature():
    p = np.full((3, 5), 1e-6)
    p[0] = 1.0 - 2e-6
    weights = np.full(5, 0.2)
    some = np.array([0.0, 0.0, 0.0, 3e-6, 0.0])
    models = [SoftmaxCurvature(p, weights, least) for least in (None, some, some * (1 + 1e-6))]
    assert not models[1].is_near(models[0], 1e-4)
    assert models[2].is_near(models[1], 1e-4)


@pytest.mark.parametrize("loss", [LogisticLoss(), MultinomialLoss(3)])
def test_after_a_shortened_step_the_model_agrees_with_the_loss_at_its_ends(loss):
    rng, K = np.random.default_rng(0), loss.n_outputs
    y = rng.integers(0, 2, 7)
    problem = Problem(
        rng.standard_normal((7, 2)), 2.0 * y - 1.0 if K == 1 else y, loss, ElasticNetPenalty(0.1)
    )
    z, v = 3.0 * rng.standard_normal((2, 7 * K))
    v.reshape(K, 7)[:, 2] = 0.0
    before, after = loss.gradient(problem.y, z), loss.gradient(problem.y, z + v)
    assert learnt(None, problem, z, before, v, 1.0) is None
    least = learnt(None, problem, z, before, v, 0.4)
    met = ((after - before) * v).reshape(K, 7).sum(axis=0)
    assert_allclose(least * (v * v).reshape(K, 7).sum(axis=0), met, atol=1e-12)
    assert least[2] == 0.0
    assert (least >= 0.0).all()
    assert_allclose(learnt(least, problem, z, before, v, 1.0), KEPT * least)
    assert_allclose(learnt(10.0 * least, problem, z, before, v, 0.4), 3.0 * least)
    model = loss.model(problem.y, z, before, problem.weights, least)
    own = model.diagonal.reshape(K, 7).max(axis=0) / problem.weights[:7]
    assert (own >= least).all()


def test_float32_is_in_the_same_class():
    X, y = data()
    single = Lasso(0.01, tol=1e-8).fit(X.astype(np.float32), y.astype(np.float32))
    double = Lasso(0.01, tol=1e-8).fit(X, y)
    assert single.coef_.dtype == np.float32
    assert_allclose(single.coef_, double.coef_, atol=1e-4)
    assert single.n_iter_ <= 2 * double.n_iter_


@pytest.mark.parametrize(
    "how", [{}, {"positive": True}, {"fit_intercept": False}, {"l1_ratio": 0.3}], ids=str
)
@pytest.mark.parametrize("shape", [(300, 280), (60, 150)], ids=str)
def test_full_data_are_swept_where_sweeps_are_quick(shape, how):
    """Once over all columns, between two certificates; never so where few columns are called for."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape) + 2.0 * how.get("fit_intercept", True)
    y = X @ rng.standard_normal(shape[1]) + rng.standard_normal(len(X))
    alpha = 0.2 * np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / len(X)
    model = ElasticNet(alpha, **{"l1_ratio": 0.9, **how}).fit(X, y)
    assert (model.n_updates_, len(model.history_.certificates)) == (1, 2)
    assert model.dual_gap_ <= 1e-4 * np.mean((y - y.mean() * model.fit_intercept) ** 2)
    strict = clone(model).set_params(tol=1e-12).fit(X, y)
    assert -1e-9 <= model.objective_ - strict.objective_ <= model.dual_gap_
    peer = PeerElasticNet(alpha, **{"l1_ratio": 0.9, **how}, tol=1e-12, max_iter=10**5).fit(X, y)
    assert_allclose(strict.coef_, peer.coef_, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e-21, 1e15, 1e30])
def test_sweeps_in_what_single_precision_cannot_hold_are_left(scale):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 280))
    y = X @ rng.standard_normal(280) + rng.standard_normal(300)
    alpha = 0.1 * np.abs(X.T @ (y - y.mean())).max() / 300
    unit = Lasso(alpha, tol=1e-10).fit(X, y)
    model = Lasso(alpha * scale).fit(X * scale, y)
    assert model.dual_gap_ <= 1e-4 * y.var()
    assert -1e-9 <= model.objective_ - unit.objective_ <= model.dual_gap_ + unit.dual_gap_


@pytest.mark.parametrize("positive", [False, True])
def test_beside_an_l2_part_sweeps_end_by_the_gap_of_certificates(positive):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 40)), rng.standard_normal(60)
    penalty = ElasticNetPenalty(0.05, 0.1, positive)
    problem = Problem(X, y, SquaredLoss(), penalty)
    w = np.maximum(rng.standard_normal(40) * (rng.random(40) < 0.3), 0.0)
    columns = (X - X.mean(axis=0)).astype(np.float32)
    found, _ = _look_at_columns(columns, y - y.mean(), w, penalty)
    assert_allclose(found, problem.certify(w, 0.0).gap, rtol=1e-4)


def test_sweeps_end_where_rounding_holds_up_the_gap_of_all_columns(monkeypatch):
    """Sweeps of some columns see their gap at the goal and make none, while that of all is above it."""
    calls, descent = [], column_sweeps.columns_cd

    def rounded(w, penalty, sweeps, X, target, goal):
        calls.append(X.shape)
        assert len(calls) < 50
        new, gap, n_sweeps = descent(w, penalty, sweeps, X, target, goal)
        return (new, gap, n_sweeps) if X.shape[1] == 1000 else (w, 0.9 * goal, 0)

    monkeypatch.setattr(column_sweeps, "columns_cd", rounded)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 1000)), rng.standard_normal(200)
    alpha = np.abs(X.T @ (y - y.mean())).max() / 200 / 30
    assert Lasso(alpha=alpha, tol=1e-8).fit(X, y).dual_gap_ <= 1e-8 * y.var()
    assert any(p < 1000 for _, p in calls)


@pytest.mark.parametrize(("shape", "l1_ratio"), [((60, 300), 0.1), ((500, 480), 1.0)], ids=str)
def test_sweeps_that_reach_the_goal_are_kept(shape, l1_ratio):
    """However many coefficients they leave; and where columns have been missing, sweeps go on with these."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    y = X @ (rng.standard_normal(shape[1]) * (rng.random(shape[1]) < 0.05))
    y += 0.5 * y.std() * rng.standard_normal(len(X))
    alpha = np.abs(X.T @ (y - y.mean())).max() / len(X) / 300 / l1_ratio
    model = ElasticNet(alpha, l1_ratio=l1_ratio).fit(X, y)
    assert model.dual_gap_ <= 1e-4 * y.var()
    assert np.count_nonzero(model.coef_) > 0.8 * shape[1] or np.count_nonzero(model.coef_) > 2 * shape[0]
    assert model.n_updates_ == 1


def test_sweeps_leave_passes_for_what_follows():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((700, 1000))
    y = X[:, :250] @ rng.standard_normal(250) + 10.0 * rng.standard_normal(700)
    alpha = 3e-3 * np.abs(X.T @ (y - y.mean())).max() / 700
    assert Lasso(alpha=alpha, max_iter=2 * MOST_SWEEPS).fit(X, y).n_iter_ <= 2 * MOST_SWEEPS


@pytest.mark.parametrize("shape", [(200, 1000), (300, 280)], ids=str)
@pytest.mark.parametrize("max_iter", [30, 100])
def test_sweeps_leave_half_of_few_passes(shape, max_iter):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    y = X[:, :20].sum(axis=1) + rng.standard_normal(len(X))
    alpha = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / len(X) / 300
    assert Lasso(alpha, max_iter=max_iter).fit(X, y).n_iter_ <= max_iter


@pytest.mark.parametrize("shape", [(200, 100), (2000, 200)], ids=str)
def test_an_outlying_row_beside_columns_alike_takes_tens_of_passes(shape):
    """Thousands when all columns went on together though neither sweeps nor Newton steps had done much."""
    rng = np.random.default_rng(0)
    X = np.sqrt(0.99) * rng.standard_normal((shape[0], 1)) + 0.1 * rng.standard_normal(shape)
    y = X @ (rng.standard_normal(shape[1]) * (rng.random(shape[1]) < 0.2)) + 0.5 * rng.standard_normal(len(X))
    X[0] *= 1e6
    alpha = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / len(X) / 1000
    model = Lasso(alpha).fit(X, y)
    assert model.n_iter_ <= 50
    assert model.dual_gap_ <= 1e-4 * y.var()


@pytest.mark.parametrize(("seed", "share"), [(1, 5e-2), (3, 1e-2), (4, 1e-2), (7, 1e-3)])
def test_columns_that_are_called_for_after_sweeps_join_the_others(seed, share):
    rng = np.random.default_rng(seed)
    X = 0.1 * rng.standard_normal((1300, 150)) + rng.standard_normal((1300, 1))
    y = X @ (rng.standard_normal(150) * (rng.random(150) < 0.3)) + 3.0 * rng.standard_normal(1300)
    alpha = share * np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 1300 / 0.01
    model = ElasticNet(alpha=alpha, l1_ratio=0.01, tol=1e-5).fit(X, y)
    assert model.dual_gap_ <= 1e-5 * y.var()


def test_sweeps_that_are_slow_are_given_up():
    """Of columns that are nearly alike; the run begins anew, and its certificate is as good."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((400, 1)) + 0.05 * rng.standard_normal((400, 250))
    y = X[:, :20] @ rng.standard_normal(20) + 0.1 * rng.standard_normal(400)
    top = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 400
    model = Lasso(top / 300).fit(X, y)
    assert model.dual_gap_ <= 1e-4 * y.var()
    assert len(model.history_.certificates) > 2
    strict = Lasso(top / 300, tol=1e-9).fit(X, y)
    assert model.objective_ - strict.objective_ <= model.dual_gap_


@pytest.mark.parametrize(
    "how", [{}, {"l1_ratio": 0.0}, {"positive": True}, {"fit_intercept": False}], ids=str
)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_small_problem_is_solved_at_once(how, weighted, monkeypatch):
    """One write and one certificate, made of second moments: no other product is made of the data."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 12)) + 5.0
    y = X @ rng.standard_normal(12) + rng.standard_normal(200)
    weights = np.linspace(1.0, 2.0, 200) if weighted else None
    with monkeypatch.context() as without:
        without.setattr(Data, "design", None)
        model = ElasticNet(0.1, **how).fit(X, y, weights)
        warm = clone(model).set_params(warm_start=True).fit(X, y, weights).fit(X, y, weights)
    assert_allclose(warm.coef_, model.coef_, atol=1e-3)
    assert model.n_updates_ == 1
    assert list(model.history_.updates["phase"]) == ["newton"]
    assert len(model.history_.certificates) == 1
    assert len(model.history_.shares) == 0
    strict = ElasticNet(0.1, tol=1e-13, **how).fit(X, y, weights)
    assert model.objective_ - strict.objective_ <= model.dual_gap_ + 1e-13
    assert np.abs(model.coef_ - strict.coef_).max() <= 0.1 * np.abs(strict.coef_).max()


@pytest.mark.parametrize("tol", [1e-4, 1e-7])
def test_moments_that_rounding_has_spoilt_end_no_run(tol):
    """Columns that are nearly the same have large coefficients, beside whose images the loss is small."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 1)) + 1e-3 * rng.standard_normal((300, 4)) + 5.0
    y = (X[:, 0] - X[:, 1]) * 1e3 + 0.01 * rng.standard_normal(300)
    model = Lasso(1e-5, tol=tol, max_iter=100_000).fit(X, y)
    assert (len(model.history_.certificates) == 1) == (tol == 1e-4)
    assert model.dual_gap_ <= tol * y.var()
    residuals = (y - X @ model.coef_ - model.intercept_).astype(np.longdouble)
    objective = 0.5 * (residuals @ residuals) / 300 + 1e-5 * np.abs(model.coef_).sum()
    assert abs(objective - model.objective_) <= model.dual_gap_
    strict = Lasso(1e-5, tol=1e-9, max_iter=100_000).fit(X, y)
    assert model.objective_ - strict.objective_ <= model.dual_gap_ + strict.dual_gap_


@pytest.mark.parametrize("seed", [6, 7, 9])
def test_where_little_is_to_be_gained_rounds_go_on_below_the_gap_of_the_scale(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 1)) + 1e-3 * rng.standard_normal((60, 90))
    y = rng.standard_normal(60)
    alpha = 0.9 * np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / len(y)
    assert len(Lasso(alpha, tol=1e-6).fit(X, y).history_.updates) <= 5


def test_models_without_a_gap_are_not_swept_again_and_again():
    """Beside a coefficient that is not negative, but free otherwise, no dual point is better than zero."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((60, 90)), rng.standard_normal(60)
    model = Lasso(1e-3, tol=1e-6, positive=True, penalty_weights=np.repeat([0.0, 1.0], 45)).fit(X, y)
    assert model.dual_gap_ <= 1e-6
    assert model.n_iter_ <= 250


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_free_columns_are_in_every_working_set_of_a_sparse_path(seed):
    rng = np.random.default_rng(seed)
    X = sp.random(50, 400, 0.05, random_state=seed, format="csc", data_rvs=rng.standard_normal)
    y, weights = rng.standard_normal(50), rng.choice([0.0, 1.0, 2.0], p=[0.1, 0.5, 0.4], size=400)
    settings = {"alphas": 20, "eps": 1e-2, "tol": 1e-3, "positive": True, "penalty_weights": weights}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gaps = lasso_path(X, y, **settings)[2]
    assert gaps.max() <= 1e-3 * (y @ y) / len(y)

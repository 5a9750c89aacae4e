"""What the page on trust states, a test for each statement; and faults that no other test has seen."""

import pickle
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression
from sk_asyncprox.executors import Simulated, Trace, threads
from sk_asyncprox.kernels.line_search import Direction, clipped_ratio, exact_step
from sk_asyncprox.kernels.server_aggregate import REFRESH_EVERY, ModelSum
from sk_asyncprox.losses import LogisticLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.problem.certificate import tidy
from sk_asyncprox.solve import Options
from sk_asyncprox.solvers import PIAG, AsyncBCD, ModelPIAG, RoundsBCD
from sk_asyncprox.solvers.base import Solver, Task, Update
from sk_asyncprox.step_sizes import Adaptive1, ExactStep
from sk_asyncprox.stopping import StopRule


def regression(n=60, p=12, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 0.5 * rng.standard_normal((n, 1))
    return X, X @ np.where(np.arange(p) % 2, 0.0, 1.0) + 0.1 * rng.standard_normal(n)


def objective(model, X, y):
    """Of a Lasso, or an elastic net, from its coefficients alone."""
    w, ratio = model.coef_, getattr(model, "l1_ratio", 1.0)
    residual = y - X @ w - model.intercept_
    penalty = ratio * np.abs(w).sum() + 0.5 * (1.0 - ratio) * (w @ w)
    return 0.5 * np.mean(residual**2) + model.alpha * penalty


def make_problem(rows=False):
    return Problem(*regression(), SquaredLoss(), ElasticNetPenalty(0.01, 0.01), rows=rows)


def run_alone(solver, n_updates):
    """Ask, work and tell in turn, until so many writes."""
    turn = 0
    while solver.n_updates < n_updates:
        task = solver.ask(turn % solver.n_workers)
        if task is not None:
            solver.tell([(task, solver.work(solver.part(task), task))])
        turn += 1


# -- stops -----------------------------------------------------------------------------------------------


def test_a_stop_asked_for_during_a_tell_is_seen_after_it():
    solver, heard = AsyncBCD(make_problem(), Adaptive1(), n_workers=2, n_blocks=4), []

    def on_events(events, now):
        # As a signal does, or another worker that fails: while this report is on its way.
        crew.ask()
        heard.append(events)
        return False

    crew = threads._Crew(solver, on_events, 0.0)
    task = crew._next(0, None)
    assert task is not None
    assert crew._next(0, (task, solver.work(solver.part(task), task))) is None
    assert crew._next(1, None) is None
    assert len(heard) == 1


class Relay(Solver):
    """Work for one of two workers at a time: the other has nothing to do until it is told."""

    n_workers = 2

    def __init__(self, fails_at=np.inf):
        self.turn, self.fails_at = 0, fails_at

    def ask(self, worker):
        return None if worker != self.turn % 2 else Task("step", worker, None, self.turn, 0, self.turn)

    def part(self, task):
        return self.fails_at

    def work(self, fails_at, task):
        if task.payload >= fails_at:
            raise ArithmeticError("a share has failed")

    def tell(self, arrivals):
        self.turn += 1
        return []


class Slow(Relay):
    """Work for all, asks and tells that take their time, and a count of those that were made meanwhile."""

    n_workers, inside, overlaps = 3, 0, 0

    def _alone(self):
        self.inside += 1
        self.overlaps += self.inside > 1
        time.sleep(0.002)
        self.inside -= 1

    def ask(self, worker):
        self._alone()
        return Task("step", worker, None, self.turn, 0, self.turn)

    def tell(self, arrivals):
        self._alone()
        return super().tell(arrivals)


def test_asks_and_tells_are_made_one_at_a_time():
    solver = Slow()
    threads.Threads().run(solver, lambda events, now: solver.turn >= 30)
    assert solver.overlaps == 0


def test_workers_that_sleep_are_served_and_woken():
    solver, before = Relay(), threading.active_count()
    threads.Threads().run(solver, lambda events, now: solver.turn == 31)
    assert solver.turn == 31
    assert threading.active_count() == before


def test_the_error_of_a_worker_wakes_and_ends_the_others():
    with pytest.raises(ArithmeticError, match="a share has failed"):
        threads.Threads().run(Relay(fails_at=20), lambda events, now: False)


@pytest.mark.parametrize("run", [{}, {"solver": "piag"}, {"solver": "piag", "metric": "lipschitz"}])
def test_a_run_that_is_cut_returns_its_last_iterate(run):
    X, y = regression()
    model = Lasso(alpha=1e-3, step_size="adaptive1", tol=0.0, max_iter=7, record="iterates", **run)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        model.fit(X, y)
    last, certified = model.history_.iterates[-1], model.history_.certificates[-1]
    assert last["update"] == model.n_updates_ - 1 >= certified["update"]
    assert model.objective_ <= last["objective"] * (1 + 1e-12)
    assert model.objective_ < certified["objective"]
    assert model.objective_ == pytest.approx(objective(model, X, y), rel=1e-12)


# -- drift -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [3, 200])
def test_no_drift_of_the_margins_is_in_what_is_returned(p, monkeypatch):
    X, y = regression(2000, p)
    y = y + X.sum(axis=1)
    told = RoundsBCD.tell

    def drifting(self, arrivals):
        events = told(self, arrivals)
        self.at.z = self.at.z + 1e-4 * np.sin(np.arange(len(self.at.z)))
        return events

    monkeypatch.setattr(RoundsBCD, "tell", drifting)
    model = ElasticNet(alpha=1e-3, tol=1e-4).fit(X, y)
    assert model.objective_ == pytest.approx(objective(model, X, y), rel=1e-13)


def test_margins_stay_those_of_the_coefficients():
    solver = AsyncBCD(make_problem(), Adaptive1(), n_workers=3, n_blocks=6, working_set=False)
    run_alone(solver, 3000)
    margins = solver.problem.design.mul(solver.at.w) + solver.at.b
    assert np.abs(solver.at.z - margins).max() <= 1e-13 * np.abs(margins).max()


def test_the_aggregate_of_gradients_is_summed_anew():
    solver = PIAG(make_problem(rows=True), Adaptive1(), n_workers=2, n_blocks=3)
    run_alone(solver, 5)
    solver._sums.total.w[:] += 1e-3
    run_alone(solver, 5 + REFRESH_EVERY)
    table = zip(solver._facts, solver._sums.entries, strict=True)
    assert_allclose(solver._sums.total.w, sum(fact.share * entry.w for fact, entry in table), atol=1e-15)


def test_the_sums_of_models_are_made_anew():
    rng = np.random.default_rng(0)
    shares = [0.3, 0.7]
    models = ModelSum(shares, 4)

    def renew(shard):
        F = rng.standard_normal((6, 4))
        models.renew(shard, rng.standard_normal(4), rng.standard_normal(4), F.T @ F, 9.0)

    for shard in (0, 1, 0):
        renew(shard)
    for total in models.sums.total:
        total[...] += 1e-3
    for turn in range(REFRESH_EVERY):
        renew(turn % 2)
    entries = models.sums.entries
    for name in ("A", "q"):
        right = sum(s * getattr(e, name) for s, e in zip(shares, entries, strict=True))
        assert_allclose(getattr(models.sums.total, name), right, rtol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_exact_step_falls_also_where_classes_are_nearly_separated(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((30, 4)), np.where(rng.random(30) < 0.5, -1.0, 1.0)
    problem = Problem(X, y, LogisticLoss(), ElasticNetPenalty(0.001, 0.001), fit_intercept=False)
    z, v = 40.0 * rng.standard_normal(30), 30.0 * rng.standard_normal(30)
    gradient = problem.loss.gradient(y, z)
    v *= -np.sign((problem.weights * gradient) @ v)
    nothing = np.zeros(4)
    direction = Direction(nothing, nothing, v, 0.0, 0.0, 0.0, 1.0, 1.0, 1)
    theta, slope, after, _ = exact_step(problem, z, gradient, direction)
    value = [problem.weights @ problem.loss.value(y, margins) for margins in (z, after)]
    assert 0.0 < theta <= 1.0
    safe = clipped_ratio(slope, (problem.weights * problem.loss.majorant(problem.y, z)) @ (v * v))
    assert value[1] <= value[0] - 0.5 * safe * slope * (1 - 1e-9)


def test_an_inexact_step_is_written_as_far_as_it_is_safe():
    solver = AsyncBCD(make_problem(), Adaptive1(), n_workers=1, n_blocks=3, working_set=False, inline=True)
    task = solver.ask(0)
    direction = solver.work(solver.part(task), task)._replace(damping=0.25)
    before, index = solver.at.w.copy(), task.payload.index
    [*_, update] = (e for e in solver.tell([(task, direction)]) if isinstance(e, Update))
    step = update.step / solver.step_unit
    assert 0.0 < step < 1.0
    assert_allclose(solver.at.w[index] - before[index], 0.25 * step * direction.move, rtol=1e-14)


# -- numbers ---------------------------------------------------------------------------------------------


def badly_conditioned(condition, n=120, p=15):
    rng = np.random.default_rng(3)
    left, right = (np.linalg.qr(rng.standard_normal((k, p)))[0] for k in (n, p))
    X = np.sqrt(n) * (left * np.geomspace(1.0, 1.0 / condition, p)) @ right.T
    return X, X @ rng.standard_normal(p) + 0.1 * rng.standard_normal(n)


def extended(model, X, y):
    """Objective of a Lasso, and the value of a dual point made from it, in extended precision."""
    X, y, w = (np.asarray(a, np.longdouble) for a in (X, y, model.coef_))
    X, y, n = X - X.mean(axis=0), y - y.mean(), len(y)
    r = y - X @ w
    s = min(1, model.alpha / (abs(X.T @ r).max() / n))
    return (r @ r) / (2 * n) + model.alpha * abs(w).sum(), s * (r @ y) / n - s * s * (r @ r) / (2 * n)


@pytest.mark.parametrize("condition", [1e0, 1e4, 1e8, 1e12])
@pytest.mark.parametrize("run", [{}, {"solver": "piag"}, {"n_jobs": 2}])
def test_what_the_tolerance_promises_at_any_condition(condition, run):
    X, y = badly_conditioned(condition)
    alpha = np.abs(X.T @ (y - y.mean())).max() / len(y) / 300
    for tol in (1e-3, 1e-7, 1e-11):
        model = Lasso(alpha, tol=tol, **run).fit(X, y)
        objective, dual = extended(model, X, y)
        best = extended(Lasso(alpha, tol=1e-14).fit(X, y), X, y)
        rounding = 1e-14 * y.var()
        assert model.history_.stopped == "converged"
        assert objective - max(dual, best[1]) <= model.dual_gap_ + rounding
        assert model.dual_gap_ <= tol * y.var()


@pytest.mark.parametrize("run", [{}, {"solver": "piag"}, {"step_size": "adaptive1", "metric": "lipschitz"}])
@pytest.mark.parametrize("factor", [1e8, 1e-8, 2.0**27, 2.0**-27])
def test_targets_and_penalty_times_a_factor_are_coefficients_times_it(run, factor):
    X, y = badly_conditioned(10.0)
    one = Lasso(0.01, max_iter=3000, **run).fit(X, y)
    two = Lasso(0.01 * factor, max_iter=3000, **run).fit(X, factor * y)
    # Powers of two change no digit; of others, what the last digits of the data have become is left.
    exact = np.log2(factor) % 1.0 == 0.0
    limit = 0.0 if exact else 1e-11 * np.abs(one.coef_).max()
    assert_allclose(two.coef_ / factor, one.coef_, rtol=0.0, atol=limit)
    assert two.n_iter_ == one.n_iter_
    assert two.dual_gap_ / factor**2 == pytest.approx(one.dual_gap_, rel=0.0 if exact else 1e-3)


@pytest.mark.parametrize(
    "model", [Lasso(0.01), LogisticRegression(l1_ratio=0.5), LogisticRegression(C=10.0)], ids=str
)
def test_single_precision_is_the_fit_of_its_numbers_rounded_at_the_end(model):
    X, y = (a.astype(np.float32) for a in badly_conditioned(100.0))
    y = y > 0 if hasattr(model, "C") else y
    single = clone(model).fit(X, y)
    double = clone(model).fit(X.astype(float), y if hasattr(model, "C") else y.astype(float))
    assert single.coef_.dtype == np.float32
    assert_allclose(single.coef_, double.coef_, rtol=0.0, atol=2.0**-23 * np.abs(double.coef_).max())
    assert single.dual_gap_ == pytest.approx(double.dual_gap_, rel=1e-6)


@pytest.mark.parametrize("factor", [1e150, 1e-150, 2.0**30])
@pytest.mark.parametrize("name", ["alpha", "C"])
def test_features_at_the_ends_of_the_range(factor, name):
    X, y = badly_conditioned(10.0)
    if name == "alpha":
        one, two = Lasso(0.01).fit(X, y), Lasso(0.01 * factor).fit(factor * X, y)
    else:
        one, two = (LogisticRegression(C=1.0 / f, l1_ratio=1.0).fit(f * X, y > 0) for f in (1.0, factor))
    assert_allclose(factor * two.coef_, one.coef_, rtol=0.0, atol=1e-11 * np.abs(one.coef_).max())
    assert two.objective_ == pytest.approx(one.objective_, rel=1e-12)


def test_an_l2_part_as_large_as_squares_of_features_stays_what_it_is():
    """Targets that call for units of their own leave it as it was given."""
    X, y = badly_conditioned(10.0)
    one = ElasticNet(0.5, l1_ratio=0.1).fit(X, y)
    two = ElasticNet(np.ldexp(0.5, 1008), l1_ratio=0.1).fit(np.ldexp(X, 504), np.ldexp(y, 504))
    assert_allclose(two.coef_, one.coef_, rtol=1e-11)
    assert np.ldexp(two.objective_, -1008) == pytest.approx(one.objective_, rel=1e-12)


# -- guards ----------------------------------------------------------------------------------------------


def test_a_minimisation_from_before_a_retreat_is_not_written_after_it():
    """What it was made of goes into the next write."""
    X, y = regression()
    problem = Problem(X, np.sign(y), LogisticLoss(), ElasticNetPenalty(0.01), rows=True)
    solver, turn = ModelPIAG(problem, ExactStep(), n_workers=2), 0
    while (task := solver.ask(turn % 2)) is None or task.kind != "solve" or not solver.n_updates:
        turn += 1
        if task is not None:
            solver.tell([(task, solver.work(solver.part(task), task))])
    found, waiting = solver.work(None, task), solver.pending
    solver._wait_for_all(solver.w, solver.b)
    before, n_updates = solver.w.copy(), solver.n_updates
    [shared] = solver.tell([(task, found)])
    assert shared.kind == "solve"
    assert solver.n_updates == n_updates
    assert solver.pending == waiting
    assert_array_equal(solver.w, before)


def test_what_is_not_a_number_meets_no_tolerance():
    problem = make_problem()
    rule = StopRule(problem, Options())
    certificate = problem.certify(*problem.start())._replace(objective=np.nan)
    assert not rule.meets(certificate, np.nan)


def test_the_constant_of_unequal_shards_is_the_mean_of_theirs():
    X, y = regression(60, 4)
    X[20:40] *= 10.0
    weights = np.repeat([1.0, 3.0, 0.5], 20)
    penalty = ElasticNetPenalty(0.1)
    problem = Problem(X, y, SquaredLoss(), penalty, weights, fit_intercept=False, rows=True)
    solver = PIAG(problem, Adaptive1(), n_workers=3, n_blocks=3)
    sizes = [np.linalg.norm(X[rows], 2) ** 2 for rows in np.split(np.arange(60), 3)]
    constant = np.array([1.0, 3.0, 0.5]) @ sizes / weights.sum()
    assert 0.9 * 0.99 / constant <= solver.step_unit <= 0.99 / constant


def test_a_small_coefficient_that_counts_is_kept():
    X = np.linalg.qr(np.random.default_rng(0).standard_normal((50, 2)))[0] * np.sqrt(50)
    y = 1000.0 * X[:, 0] + 0.5 * X[:, 1]
    problem = Problem(X, y, SquaredLoss(), ElasticNetPenalty(0.1), fit_intercept=False)
    certificate = problem.certify(np.array([999.9, 0.41]), 0.0)
    assert certificate.correlations[1] < 0.1
    assert tidy(problem, certificate, 1e-6) is certificate
    assert_array_equal(tidy(problem, certificate, 1e3).w, [999.9, 0.0])
    # Where it belongs, but for rounding, nothing is tried, however much is allowed.
    at_rest = problem.certify(np.array([999.9, 0.4 + 1e-9]), 0.0)
    assert at_rest.correlations[1] < 0.1
    assert tidy(problem, at_rest, 1e3) is at_rest


def test_a_tidied_model_is_certified_as_it_is():
    X = np.linalg.qr(np.random.default_rng(0).standard_normal((50, 2)))[0] * np.sqrt(50)
    X[:, 1] += 0.5 * X[:, 0]
    problem = Problem(X, 10.0 * X[:, 0], SquaredLoss(), ElasticNetPenalty(0.1), fit_intercept=False)
    certificate = problem.certify(np.array([9.9, 1e-4]), 0.0)
    tidied = tidy(problem, certificate, 1.0)
    afresh = problem.certify(np.array([9.9, 0.0]), 0.0)
    assert_array_equal(tidied.w, afresh.w)
    # Correlations go with the margins: mixed solutions of a path have their dual points from both.
    assert_array_equal(tidied.correlations, afresh.correlations)
    assert tidied[2:4] == afresh[2:4]
    assert (tidied.correlations != certificate.correlations).all()


def test_blocks_of_a_new_working_set_wait_for_those_of_the_old_one(monkeypatch):
    monkeypatch.setattr("sk_asyncprox.solvers.block_layout.FIRST_COLUMNS", 1)
    solver = AsyncBCD(make_problem(), ExactStep(), n_workers=3, n_blocks=3, working_set=True)

    def certify(worker):
        solver._gate.due = True
        task = solver.ask(worker)
        assert task.kind == "certificate"
        solver.tell([(task, solver.work(solver.part(task), task))])

    certify(0)
    task = solver.ask(0)
    solver.tell([(task, solver.work(solver.part(task), task))])
    solver._gate.due = False
    held = solver.ask(0)
    assert held.kind == "direction"
    certify(1)
    assert len(solver._layout.blocks) > 1
    assert solver.ask(1) is None
    solver.tell([(held, solver.work(solver.part(held), held))])
    solver._gate.due = False
    assert solver.ask(1).kind == "direction"


def test_what_is_written_while_a_certificate_is_made_is_not_in_it():
    solver = AsyncBCD(make_problem(), ExactStep(), n_workers=3, n_blocks=3, working_set=False)

    def tell(task):
        return solver.tell([(task, solver.work(solver.part(task), task))])[-1]

    def certificate():
        solver._gate.due = True
        return solver.ask(2)

    assert not tell(certificate()).complete
    late, other = solver.ask(0), solver.ask(1)
    tell(other)
    asked = certificate()
    tell(solver.ask(1))
    tell(late)
    assert not tell(asked).complete
    assert tell(certificate()).complete
    assert not tell(certificate()).complete


def test_a_model_without_its_history_is_small_and_predicts():
    X, y = regression(200)
    run = {"step_size": "adaptive1", "metric": "lipschitz", "tol": 1e-10, "max_iter": 10**4, "n_blocks": 6}
    model = Lasso(0.01, executor=Simulated(Trace.from_service_times(1.0, n_workers=4)), **run).fit(X, y)
    assert len(pickle.dumps(model)) > 10_000
    model.set_params(executor="auto")
    del model.history_
    small = pickle.dumps(model)
    assert len(small) < len(pickle.dumps(linear_model.Lasso(0.01).fit(X, y))) + 1000
    assert_array_equal(pickle.loads(small).predict(X), model.predict(X))

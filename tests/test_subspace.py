"""Steps joined with those before them, where the penalty makes no zeros."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression as PeerLogistic

from sk_asyncprox import LogisticRegression
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.kernels.bcd_iterate import Point, Read
from sk_asyncprox.kernels.column_part import ColumnPart
from sk_asyncprox.kernels.newton_cg import in_place
from sk_asyncprox.kernels.subspace_steps import Beside, Subspace, join, joint_step, lands
from sk_asyncprox.linear_model._enet_path import solutions_along
from sk_asyncprox.losses import LogisticLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solve import Options
from sk_asyncprox.solvers import (
    RoundsBCD,
    rounds,
    rounds_gram_steps,
    rounds_shared_products,
)


@pytest.fixture
def always(monkeypatch):
    """Small problems are joined as large ones are, and have no Gram matrix."""
    monkeypatch.setattr(rounds_gram_steps, "WIDEST_GRAM_ONCE", 0)


def data(kind="sparse", n=120, p=40, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < (0.2 if kind == "sparse" else 1.0))
    y = np.where(X[:, :4].sum(axis=1) + 0.5 * rng.standard_normal(n) > 0.3, 1.0, -1.0)
    return sp.csc_matrix(X) if kind == "sparse" else X, y


def problem_of(loss, l2=1e-2, fit_intercept=False, **kwargs):
    X, y = data(**kwargs)
    return Problem(X, y, loss, ElasticNetPenalty(0.0, l2), None, fit_intercept)


def read_at(problem, w, beside, effort=0):
    """What a step reads at the coefficients ``w``, and minus the weighted gradient of the loss there."""
    z = problem.design.mul(w)
    gradient = problem.loss.gradient(problem.y, z)
    pull, index = -problem.weights * gradient, np.arange(len(w))
    correlations = problem.design.tmul(pull)
    point, key = Point(z, gradient), ("support", 0, 0)
    return Read(key, index, w, point, problem.penalty, True, effort, correlations, beside.led_by(w, z)), pull


def test_joined_gradients_of_a_quadratic_are_conjugate_gradients():
    problem = problem_of(SquaredLoss(), p=7)
    part, w, beside = ColumnPart(problem, 1.0, True, None), np.zeros(7), Beside()
    for _ in range(7):
        read, pull = read_at(problem, w, beside)
        (move, v, *_), _ = in_place(joint_step(part, read, pull, part.model(read.point)), problem.design)
        beside, w = beside.newest(1).led_by(move, v), w + move
    X = problem.design.X.toarray()
    H = X.T @ (problem.weights[:, None] * X) + problem.penalty.l2 * np.eye(7)
    assert_allclose(w, np.linalg.solve(H, X.T @ (problem.weights * problem.y)), rtol=1e-5)


def test_the_subspace_is_searched_for_its_lowest_point():
    problem, rng = problem_of(LogisticLoss()), np.random.default_rng(1)
    part, w = ColumnPart(problem, 1.0, True, None), rng.standard_normal(40)
    moves = [rng.standard_normal(40) for _ in range(2)]
    basis = Beside()
    for move in (moves[1], w, moves[0]):
        basis = basis.led_by(move, problem.design.mul(move))
    read, _ = read_at(problem, w, Beside())
    a, _ = Subspace(part, basis, problem.penalty.l2).minimise(read.point, part.model(read.point))
    best = minimize(lambda a: problem.objective(w + a @ np.array(basis.moves), 0.0), np.zeros(3))
    found = problem.objective(w + a @ np.array(basis.moves), 0.0)
    assert best.fun <= found + 1e-8
    assert found - best.fun <= 0.01 * (problem.objective(w, 0.0) - best.fun)


@pytest.mark.parametrize(("apart", "trusted"), [(1e-3, False), (1.0, True)])
def test_a_combination_that_would_be_rounding_is_not_taken(apart, trusted):
    problem, rng = problem_of(LogisticLoss()), np.random.default_rng(2)
    part, w, move = ColumnPart(problem, 1.0, True, None), rng.standard_normal(40), rng.standard_normal(40)
    slope = read_at(problem, w, Beside())[0].correlations - problem.penalty.l2 * w
    # The best direction is the difference of two moves, which may be nearly alike.
    old = w + apart * slope / np.linalg.norm(slope)
    read, _ = read_at(problem, w, Beside().led_by(old, problem.design.mul(old)))
    joined, v, shift, _ = join(part, read, move, problem.design.mul(move), part.model(read.point))
    assert (shift is not None) == trusted
    assert (joined is not move) == trusted
    assert_allclose(v, problem.design.mul(joined), atol=1e-12)


def test_where_a_step_lands():
    problem = problem_of(SquaredLoss())
    part = ColumnPart(problem, 1.0, True, None)
    read, pull = read_at(problem, np.zeros(40), Beside())
    model, d = part.model(read.point), read.correlations
    v = problem.design.mul(d)
    best = (pull @ v) / (v @ model.times(v) + problem.penalty.l2 * (d @ d))
    assert lands(part, read, best * d, best * v, pull, model)
    assert not lands(part, read, 0.5 * best * d, 0.5 * best * v, pull, model)
    assert not lands(part, read, 1.5 * best * d, 1.5 * best * v, pull, model)


@pytest.mark.parametrize("kind", ["sparse", "dense"])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.usefixtures("always")
def test_joined_steps_find_scikit_learns_solution(kind, fit_intercept, n_jobs, monkeypatch):
    for module, name in ((rounds, "SMALL"), (rounds, "SMALL_FULL"), (rounds_shared_products, "SMALL_SHARE")):
        monkeypatch.setattr(module, name, 0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_shared_products.HAND_OVER", 0.0)
    monkeypatch.setattr(RoundsBCD, "head_start", 0.0)
    X, y = data(kind)
    weights = np.random.default_rng(3).integers(1, 4, len(y)).astype(float)
    model = LogisticRegression(C=10.0, fit_intercept=fit_intercept, tol=1e-11, n_jobs=n_jobs)
    model.fit(X, y, sample_weight=weights)
    peer = PeerLogistic(C=10.0, fit_intercept=fit_intercept, tol=1e-10, max_iter=10**4)
    peer.fit(X, y, sample_weight=weights)
    assert_allclose(model.coef_, peer.coef_, atol=1e-5 * np.abs(peer.coef_).max())
    assert_allclose(model.intercept_, peer.intercept_, atol=1e-5)
    assert set(model.history_.updates["phase"]) == {"newton"}
    assert (len(model.history_.shares) > 0) == (n_jobs > 1)


@pytest.mark.usefixtures("always")
def test_margins_stay_those_of_the_coefficients():
    problem = problem_of(LogisticLoss(), l2=1e-4, fit_intercept=True)
    options = Options(tol=1e-13, max_iter=10**4)
    penalties = [ElasticNetPenalty(0.0, l2) for l2 in (1e-1, 1e-2, 1e-4)]
    for solution in solutions_along(problem, penalties, options):
        solver = solution.solver
        assert isinstance(solver, RoundsBCD)
        assert_allclose(solver.at.z, problem.design.mul(solver.at.w) + solver.at.b, rtol=1e-10, atol=1e-10)
        assert solution.gap <= 1e-12


@pytest.mark.usefixtures("always")
def test_a_joined_run_is_replayed_from_its_history():
    X, y = data()
    live = LogisticRegression(tol=1e-8, record="iterates").fit(X, y)
    again = clone(live).set_params(executor=Simulated(Trace.from_history(live.history_))).fit(X, y)
    assert_array_equal(live.coef_, again.coef_)
    assert_array_equal(live.history_.updates["step"], again.history_.updates["step"])

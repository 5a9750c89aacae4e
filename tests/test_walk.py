"""Walks along penalties: certified as a fit alone is, and left where they would not be."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as peer
from sklearn.model_selection import KFold, ShuffleSplit

from sk_asyncprox import ElasticNetCV, LassoCV, enet_path, lasso_path
from sk_asyncprox._compat import block_cd, gram_cd
from sk_asyncprox.kernels import path_gram_cache, quadratic_minimiser
from sk_asyncprox.kernels.path_squared_loss import Walk
from sk_asyncprox.linear_model import _cv_scores
from sk_asyncprox.losses import SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solve import Options
from sk_asyncprox.solve_path import solutions_along

GRID = np.geomspace(1.0, 1e-3, 30)
OPTIONS = Options(record=None)


def drawn(n=120, p=20, seed=0, mean=2.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) @ rng.standard_normal((p, p)) / p**0.5 + mean
    return X, X @ (rng.standard_normal(p) * (rng.random(p) < 0.4)) + rng.standard_normal(n)


def grid_of(problem, l1_ratio, positive=False):
    largest = ElasticNetPenalty(positive=positive).pull(problem.quadratic.q).max() / l1_ratio
    return [ElasticNetPenalty(a * l1_ratio, a * (1 - l1_ratio), positive) for a in largest * GRID]


def walked(solutions):
    """Those that no run of their own has found."""
    return [solution.solver is None for solution in solutions]


@pytest.mark.parametrize("tol", [1e-3, 1e-4, 1e-8])
@pytest.mark.parametrize(
    "how", [(1.0, False), (0.5, False), (1.0, True), (0.3, True), (1e-3, False)], ids=str
)
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_gaps_hold_for_the_data(tol, how, fit_intercept):
    """The gap of every solution, computed from its coefficients and the data alone."""
    X, y = drawn()
    problem = Problem(X, y, SquaredLoss(), None, None, fit_intercept)
    penalties = grid_of(problem, *how)
    found = list(solutions_along(problem, penalties, OPTIONS._replace(tol=tol)))
    assert all(walked(found))
    for penalty, solution in zip(penalties, found, strict=True):
        alone = problem.with_penalty(penalty).certify(solution.certificate.w, solution.certificate.b)
        assert solution.gap <= tol * problem.scale
        assert alone.gap <= solution.gap + 1e-13 * problem.scale
        hidden = problem.quadratic.rounding(solution.certificate.w)
        assert hidden <= 1e-10 * problem.scale
        assert alone.gap >= solution.gap - 2.0 * hidden
        assert_allclose(alone.objective, solution.certificate.objective, rtol=1e-11)
        assert_allclose(alone.correlations, solution.certificate.correlations, atol=1e-11 * np.abs(y).max())
        assert (solution.status, solution.message, solution.n_updates) == ("converged", "", 1)


@pytest.mark.parametrize("p", [20, 400])
@pytest.mark.parametrize("weighted", [False, True])
def test_solutions_are_scikit_learns(p, weighted):
    X, y = drawn(600, p)
    X, y = X - X.mean(axis=0), y - y.mean()
    weights = np.linspace(1.0, 2.0, len(y)) if weighted else None
    alphas, coefs, _ = enet_path(X, y, alphas=200, l1_ratio=0.9, tol=1e-9, sample_weight=weights)
    for i in (5, 50, 199):
        reference = peer.ElasticNet(alphas[i], l1_ratio=0.9, fit_intercept=False, tol=1e-13, max_iter=10**6)
        assert_allclose(coefs[:, i], reference.fit(X, y, weights).coef_, atol=2e-3)


def test_what_rounding_could_hide_goes_in_rounds():
    """Columns all but alike: the bound on the rounding is above the tolerance, so the data are asked."""
    X, y = drawn()
    X[:, 1] = X[:, 0] + 1e-9 * X[:, 2]
    problem = Problem(X, y, SquaredLoss(), None, None, False)
    penalties = [ElasticNetPenalty(l1) for l1 in (1e-1, 1e-2)]
    problem.quadratic = problem.quadratic._replace(error=1e-3)
    found = list(solutions_along(problem, penalties * 10, OPTIONS))
    assert not any(walked(found))
    for solution in found:
        assert solution.gap <= 1e-4 * problem.scale


@pytest.mark.parametrize(
    "options", [{"tol": 1e-12}, {"solver": "piag"}, {"record": "updates"}, {"max_time": 60.0}], ids=str
)
def test_who_asks_for_more_gets_rounds(options):
    X, y = drawn()
    problem = Problem(X, y, SquaredLoss(), None, None, True, rows=options.get("solver") == "piag")
    found = list(
        solutions_along(problem, grid_of(problem, 1.0)[:12:4], OPTIONS._replace(**options, max_iter=10**5))
    )
    assert not any(walked(found))


def test_a_walk_that_costs_more_than_max_iter_is_left():
    X, y = drawn(60, 50)
    problem = Problem(X, y, SquaredLoss(), None, None, True)
    found = list(solutions_along(problem, grid_of(problem, 1.0), OPTIONS._replace(tol=1e-9, max_iter=3)))
    assert not all(walked(found))
    assert all(solution.passes <= 3 for solution in found if solution.solver is None)


def test_constant_targets_and_no_columns_that_vary():
    X, y = drawn()
    _, coefs, gaps = lasso_path(X, np.zeros(len(y)), alphas=[1.0, 0.1])
    assert_array_equal(coefs, 0.0)
    assert gaps.max() <= 1e-12
    model = LassoCV(alphas=5).fit(np.ones((30, 2)), y[:30])
    assert_array_equal(model.coef_, 0.0)


@pytest.mark.parametrize(
    "cv", [5, KFold(20), ShuffleSplit(4, random_state=0), [(np.arange(60), np.arange(60, 120))]]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_folds_by_subtraction_choose_as_scikit_learn(cv, weighted):
    X, y = drawn(p=8)
    weights = np.linspace(0.0, 3.0, len(y)).round() if weighted else None
    if weighted and isinstance(cv, KFold):
        weights += 1.0
    if weighted and isinstance(cv, list):
        weights = weights[::-1].copy()
    ours = ElasticNetCV(alphas=list(GRID), l1_ratio=[0.5, 1.0], cv=cv, tol=1e-9).fit(X, y, weights)
    theirs = peer.ElasticNetCV(alphas=list(GRID), l1_ratio=[0.5, 1.0], cv=cv, tol=1e-10, max_iter=10**5)
    theirs.fit(X, y, weights)
    assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-3, atol=1e-6)
    assert ours.alpha_ == pytest.approx(theirs.alpha_)
    assert ours.l1_ratio_ == theirs.l1_ratio_


@pytest.mark.parametrize("noise", [1.0, 1e-6])
def test_errors_by_second_moments_are_those_of_the_rows(noise, monkeypatch):
    """Also of models so exact that the moments of their errors cancel: these are found out."""
    X, y = drawn(400, 8)
    y = X[:, 0] - X[:, 3] + 5.0 + noise * (y - 5.0)
    seen, by_moments = [], _cv_scores.errors_by_moments
    monkeypatch.setattr(
        _cv_scores,
        "errors_by_moments",
        lambda *args: seen.append((args, by_moments(*args))) or seen[-1][1],
    )
    weights, splits = np.linspace(1.0, 2.0, 400), list(KFold(5).split(X))
    model = LassoCV(eps=1e-6, tol=1e-9, cv=splits).fit(X, y, weights)
    assert len(seen) == len(splits)
    for fold, ((_, W, means, mean_y), (errors, lost)) in enumerate(seen):
        test = splits[fold][1]
        squares = ((y[test] - mean_y)[:, None] - (X[test] - means) @ W.T) ** 2
        expected, kept = (
            np.average(squares, axis=0, weights=weights[test]),
            np.delete(np.arange(len(W)), lost),
        )
        assert_allclose(errors[kept], expected[kept], rtol=1e-10)
        assert_allclose(model.mse_path_[:, fold], expected, rtol=1e-10)
    assert any(len(lost) > 0 for _, (_, lost) in seen) == (noise < 1.0)


def test_data_are_read_once_for_all_folds(monkeypatch):
    """One matrix of all rows, and one of each fold's test rows; no design of any training rows."""
    rows, made = [], []
    count, make = path_gram_cache.Known.__init__, Problem.features.fget

    def counted(self, problem):
        rows.append(len(problem.y))
        count(self, problem)

    monkeypatch.setattr(path_gram_cache.Known, "__init__", counted)
    monkeypatch.setattr(Problem, "features", property(lambda self: (made.append(len(self.y)), make(self))[1]))
    X, y = drawn()
    LassoCV(cv=4).fit(X, y)
    assert rows == [90] * 4
    assert set(made) <= {120}


@pytest.mark.parametrize("positive", [False, True])
def test_the_kernel_sweeps_as_the_public_one(positive):
    X, y = drawn(mean=0.0)
    Q, q, w = X.T @ X, X.T @ y, np.linspace(0, 1, 20)
    penalty, before = ElasticNetPenalty(3.0, 0.5, positive), w.copy()
    new, gap, n_sweeps = gram_cd(w, penalty, 7, Q, q, y @ y, -1.0)
    assert_array_equal(w, before)
    assert n_sweeps == 7
    assert_allclose(new, block_cd(w, 3.0, 0.5, 7, Q=Q, q=q, positive=positive), rtol=1e-12)
    best, small, _ = gram_cd(new, penalty, 10_000, Q, q, y @ y, 1e-9 * (y @ y))
    assert small <= 1e-9 * (y @ y) < gap

    def objective(v):
        return 0.5 * v @ Q @ v - q @ v + 3.0 * np.abs(v).sum() + 0.25 * v @ v

    assert objective(new) - objective(best) <= gap


def test_sparse_data_go_in_rounds():
    X, y = drawn()
    _, coefs, _ = lasso_path(sp.csc_matrix(X), y, alphas=5, tol=1e-9)
    assert_allclose(coefs, lasso_path(X, y, alphas=5, tol=1e-9)[1], atol=1e-3)


@pytest.mark.parametrize("shape", [(60, 700), (400, 300), (300, 300)], ids=str)
@pytest.mark.parametrize("how", [(1.0, False), (0.5, False), (0.7, True)], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_few_columns_in_use_are_certified_against_all(shape, how, weighted, monkeypatch):
    """Columns come into use as looks at the data ask for them; where they become many, moments take over."""
    monkeypatch.setattr("sk_asyncprox.solve_path.COLUMNS_PER_PENALTY", 1)
    followed, follow = [], path_gram_cache.Kept.followed
    monkeypatch.setattr(
        path_gram_cache.Kept, "followed", lambda self, k: followed.append(follow(self, k)) or followed[-1]
    )
    X, y = drawn(*shape)
    weights = np.linspace(1.0, 3.0, len(y)) if weighted else None
    problem = Problem(X, y, SquaredLoss(), None, weights, True)
    penalties = grid_of(problem, *how)
    problem = Problem(X, y, SquaredLoss(), None, weights, True)  # whose moments nobody has asked for
    found = list(solutions_along(problem, penalties, OPTIONS))
    assert all(walked(found))
    for penalty, solution in zip(penalties, found, strict=True):
        alone = problem.with_penalty(penalty).certify(solution.certificate.w, solution.certificate.b)
        assert solution.gap <= 1e-4 * problem.scale
        assert alone.gap == pytest.approx(solution.gap, rel=1e-6, abs=1e-9 * problem.scale)
    assert any(isinstance(table, path_gram_cache.Known) for table in followed) == (shape[0] >= shape[1])


def test_columns_are_there_before_they_are_missed(monkeypatch):
    """Few stages have columns missing at their first look: where correlations go is expected."""
    asked, look = [], path_gram_cache.Kept.look
    monkeypatch.setattr(path_gram_cache.Kept, "look", lambda self, W: asked.append(len(W)) or look(self, W))
    X, y = drawn(60, 700)
    problem = Problem(X, y, SquaredLoss(), None, None, True)
    largest = np.abs((X - X.mean(axis=0)).T @ y).max() / len(y)
    penalties = [ElasticNetPenalty(l1) for l1 in largest * np.geomspace(1.0, 1e-3, 100)]
    assert all(walked(solutions_along(problem, penalties, OPTIONS)))
    assert len(asked) <= 2 * 14
    assert sum(asked) <= 1.4 * len(penalties)


@pytest.mark.parametrize("shape", [(200, 40), (60, 700)], ids=str)
@pytest.mark.parametrize("tol", [1e-4, 1e-9])
def test_solutions_between_two_are_made_of_them_where_that_will_do(shape, tol, monkeypatch):
    solved, solve = [], Walk._solve
    monkeypatch.setattr(
        Walk,
        "_solve",
        lambda self, *model: solved.append(model[0].l1) or solve(self, *model),
    )
    X, y = drawn(*shape)
    problem = Problem(X, y, SquaredLoss(), None, None, True)
    largest = np.abs((X - X.mean(axis=0)).T @ y).max() / len(y)
    grid = largest * np.exp(-np.cumsum(np.tile([0.01, 0.08], 50)))
    penalties = [ElasticNetPenalty(l1) for l1 in grid]
    found = list(solutions_along(problem, penalties, OPTIONS._replace(tol=tol)))
    made = len(grid) - len(set(solved))
    assert all(walked(found))
    assert made >= 40 if tol > 1e-6 else made == 0
    for penalty, solution in zip(penalties, found, strict=True):
        assert problem.with_penalty(penalty).certify(solution.certificate.w, 0.0).gap <= tol * problem.scale


@pytest.mark.parametrize("patience", [0, 32])
def test_sweeps_go_on_where_a_newton_step_costs_more(patience, monkeypatch):
    """The goal is reached either way: where the gap falls slowly and is nearly there, by sweeps alone."""
    steps, newton = [], quadratic_minimiser.newton_on_gram
    monkeypatch.setattr(quadratic_minimiser, "PATIENCE", patience)
    for name in ("FEW_ENTRIES", "FEW_SWEEPS", "MANY_SWEEPS"):
        monkeypatch.setattr(quadratic_minimiser, name, 4)
    monkeypatch.setattr(
        quadratic_minimiser, "newton_on_gram", lambda *model: steps.append(1) or newton(*model)
    )
    X, y = drawn(200, 40)
    Q, q, square, penalty = X.T @ X, X.T @ y, y @ y, ElasticNetPenalty(1e-3 * np.abs(X.T @ y).max())
    start, _, _ = gram_cd(np.zeros(40), penalty, 40, Q, q, square, 0.0)
    _, goal, _ = gram_cd(start, penalty, 12, Q, q, square, 0.0)
    _, first, _ = gram_cd(start, penalty, 4, Q, q, square, 0.0)
    assert goal < first < penalty.gap_on_gram(Q, q, start, square)
    w, gap, _ = quadratic_minimiser.descend_on_gram(Q, q, start, penalty, square, 1.01 * goal)
    assert penalty.gap_on_gram(Q, q, w, square) == pytest.approx(gap, rel=1e-6)
    assert gap <= 1.01 * goal
    assert bool(steps) == (patience == 0)


def test_without_an_l1_part_wide_data_go_in_rounds():
    X, y = drawn(40, 600)
    problem = Problem(X, y, SquaredLoss(), None, None, True)
    found = list(solutions_along(problem, [ElasticNetPenalty(0.0, l2) for l2 in (1.0, 0.1)], OPTIONS))
    assert not any(walked(found))
    assert all(solution.gap <= 1e-4 * problem.scale for solution in found)


@pytest.mark.parametrize("shape", [(100, 20), (40, 600)], ids=str)
def test_strong_penalties_and_long_steps(shape):
    """Above the largest that gives coefficients, and far below it at once."""
    X, y = drawn(*shape)
    problem = Problem(X, y, SquaredLoss(), None, None, True)
    largest = np.abs(problem.quadratic.q).max()
    penalties = [ElasticNetPenalty(largest * share) for share in (3.0, 1.0, 0.9, 1e-2, 0.5, 1e-3)]
    found = list(solutions_along(problem, penalties, OPTIONS))
    assert [np.count_nonzero(solution.certificate.w) > 0 for solution in found] == [False, False] + [True] * 4
    for penalty, solution in zip(penalties, found, strict=True):
        assert problem.with_penalty(penalty).certify(solution.certificate.w, 0.0).gap <= 1e-4 * problem.scale


@pytest.mark.parametrize("exponent", [-170, -160, 154])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_errors_of_features_whose_squares_are_no_numbers(exponent, fit_intercept):
    X, y = drawn(p=3)
    alphas, unit = np.array([1.0, 0.1, 0.01]), 10.0**exponent
    expected, found = (
        LassoCV(alphas=alphas * u, fit_intercept=fit_intercept, tol=1e-9).fit(X * u, y).mse_path_
        for u in (1.0, unit)
    )
    assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("failing", [5, 8])
def test_nothing_is_made_of_a_solution_that_was_not_found(failing, monkeypatch):
    """Rows of solutions between two others are certified only where both are there."""
    X, y = drawn(200, 400, mean=0.0)
    alphas, looks = np.abs(X.T @ y).max() / len(y) * np.geomspace(1.0, 0.01, 21), []
    descend, look = ElasticNetPenalty.descend_on_gram, Walk._look

    def fails(self, Q, q, w, square, goal, *most):
        found = descend(self, Q, q, w, square, goal, *most)
        return (w, np.inf, found[2]) if np.isclose(self.l1, alphas[failing], rtol=1e-9) else found

    def kept(self, W, *known):
        looks.append(W.copy())
        return look(self, W, *known)

    def marked(*args, **kinds):
        out = empty(*args, **kinds)
        if out.dtype == float:
            out.fill(-7.0)
        return out

    empty = np.empty
    monkeypatch.setattr(np, "empty", marked)
    monkeypatch.setattr(ElasticNetPenalty, "descend_on_gram", fails)
    monkeypatch.setattr(Walk, "_look", kept)
    lasso_path(X, y, alphas=alphas)
    assert looks
    assert not any((W == -7.0).any() for W in looks)


def test_rows_that_count_may_lie_far_from_zero():
    """Others, at zero, hide it; in weights the column is nearly constant there."""
    X, y = drawn(p=3, mean=0.0)
    weights = np.where(np.arange(len(y)) % 2, 1.0, 1e-12)
    far = X + np.array([1e5, 0.0, 0.0])
    far[::2, 0] = 0.0
    near = far - np.array([1e5, 0.0, 0.0])
    expected, found = (
        LassoCV(alphas=[0.1, 0.01], tol=1e-9).fit(Z, y, weights).mse_path_ for Z in (near, far)
    )
    assert_allclose(found, expected, rtol=1e-4)

"""Paths: values of scikit-learn, and what each solution gains from the one before."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as peer
from sklearn.exceptions import ConvergenceWarning

from sk_asyncprox import Lasso, enet_path, lasso_path
from sk_asyncprox.executors import Threads
from sk_asyncprox.kernels.path_extrapolation import Trail
from sk_asyncprox.kernels.working_set import dear_columns
from sk_asyncprox.linear_model import _enet_path
from sk_asyncprox.losses import LogisticLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solve import Options
from sk_asyncprox.solve_path import solutions_along
from sk_asyncprox.solvers import rounds

KINDS = {
    "C order": np.ascontiguousarray,
    "F order": np.asfortranarray,
    "csr": sp.csr_matrix,
    "csc array": sp.csc_array,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("l1_ratio", "positive"), [(1.0, False), (0.4, False), (0.7, True)])
def test_values_are_scikit_learns(data, kind, l1_ratio, positive):
    X, settings = KINDS[kind](data.X), {"l1_ratio": l1_ratio, "alphas": 12, "positive": positive}
    alphas, coefs, gaps, n_iters = enet_path(X, data.y, tol=1e-12, return_n_iter=True, **settings)
    expected = peer.enet_path(data.X, data.y, alphas=alphas, l1_ratio=l1_ratio, positive=positive, tol=1e-14)
    assert_allclose(coefs, expected[1], atol=1e-8)
    assert coefs.shape == expected[1].shape
    assert gaps.shape == (12,)
    assert gaps.max() <= 1e-12 * (data.y**2).mean()
    assert [type(n) for n in n_iters] == [int] * 12
    Xy = np.abs(data.X.T @ data.y) if not positive else data.X.T @ data.y
    assert_allclose(alphas, np.geomspace(1, 1e-3, 12) * Xy.max() / len(data.y) / l1_ratio, rtol=1e-12)


@pytest.mark.parametrize("weight", [0.3, 1.0, 5.0, 1e200])
def test_a_known_product_makes_the_grid_that_the_data_make(data, weight):
    s = weight * np.linspace(0.5, 1.0, len(data.y))
    Xy = data.X.T @ (s * data.y)
    own, given = (lasso_path(data.X, data.y, alphas=3, sample_weight=s, Xy=known)[0] for known in (None, Xy))
    assert_allclose(given, own, rtol=1e-12)


def test_lasso_path_takes_given_alphas_in_any_order(data):
    alphas, coefs, _ = lasso_path(data.X, data.y, alphas=[0.1, 1.0, 0.3], tol=1e-12)
    assert_array_equal(alphas, [1.0, 0.3, 0.1])
    for alpha, coef in zip(alphas, coefs.T, strict=True):
        assert_allclose(
            coef, Lasso(alpha, fit_intercept=False, tol=1e-12).fit(data.X, data.y).coef_, atol=1e-8
        )


def test_dtype_and_column_target(data):
    X = data.X.astype(np.float32)
    alphas, coefs, _ = lasso_path(X, data.y[:, None], alphas=4)
    assert coefs.dtype == np.float32
    assert coefs.shape == (1, 12, 4)
    assert coefs.shape == peer.lasso_path(X, data.y[:, None].astype(np.float32), alphas=list(alphas))[1].shape


def test_coef_init_is_begun_with(data):
    alphas, coefs, _ = lasso_path(data.X, data.y, alphas=[0.05], tol=1e-10)
    *_, from_zero = lasso_path(data.X, data.y, alphas=alphas, tol=1e-8, return_n_iter=True)
    *_, from_there = lasso_path(
        data.X, data.y, alphas=alphas, tol=1e-8, coef_init=coefs[:, 0], return_n_iter=True
    )
    assert from_there[0] < from_zero[0]


def test_weights_equal_repetition(data):
    counts = np.random.default_rng(1).integers(0, 4, len(data.y))
    settings = {"alphas": 8, "tol": 1e-12}
    alphas, coefs, _ = lasso_path(data.X, data.y, sample_weight=counts, **settings)
    repeated = np.repeat(data.X, counts, axis=0), np.repeat(data.y, counts)
    alphas_repeated, coefs_repeated, _ = lasso_path(*repeated, **settings)
    assert_allclose(alphas, alphas_repeated)
    assert_allclose(coefs, coefs_repeated, atol=1e-8)


@pytest.mark.parametrize(
    "how",
    [
        {"solver": "piag"},
        {"n_blocks": 4},
        {"step_size": "adaptive1", "n_jobs": 2},
        {"working_set": False},
        {"n_jobs": 2, "executor": Threads()},
    ],
    ids=str,
)
def test_every_solver_walks_a_path(data, how, nothing_left):
    expected = lasso_path(data.X, data.y, alphas=5, tol=1e-10)
    _, coefs, gaps = lasso_path(data.X, data.y, alphas=5, tol=1e-8, max_iter=100_000, **how)
    assert_allclose(coefs, expected[1], atol=1e-3)
    assert gaps.max() <= 1e-8 * (data.y**2).mean()


@pytest.mark.parametrize("loss", [SquaredLoss(), LogisticLoss()], ids=["squared", "logistic"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_resumed_runs_are_certified_afresh(data, loss, fit_intercept):
    """The gap of every solution, computed from its coefficients alone; down to no penalty and up again."""
    y = data.y if loss.quadratic else 2.0 * data.labels - 1.0
    problem = Problem(sp.csc_matrix(data.X), y, loss, None, data.weights, fit_intercept)
    penalties = [
        ElasticNetPenalty(l1, l2) for l1, l2 in [(0.2, 0), (0.1, 0), (0.05, 0.1), (0, 0.1), (0.1, 0)]
    ]
    options = Options(tol=1e-9, max_iter=10_000)
    for penalty, solution in zip(penalties, solutions_along(problem, penalties, options), strict=True):
        again = problem.with_penalty(penalty)
        certificate = again.certify(solution.certificate.w, solution.certificate.b)
        assert certificate.gap <= 1.01e-9 * problem.scale
        assert_allclose(certificate.objective, solution.certificate.objective, rtol=1e-12)


def sparse_problem(n=600, p=1500, seed=0):
    rng = np.random.default_rng(seed)
    X = sp.random(n, p, density=0.02, random_state=seed, format="csc")
    y = X @ (rng.standard_normal(p) * (rng.random(p) < 0.05)) + 0.1 * rng.standard_normal(n)
    return X, y - y.mean()


def test_a_path_costs_less_than_its_fits():
    X, y = sparse_problem()
    alphas, _, _, along = lasso_path(X, y, alphas=40, eps=1e-2, return_n_iter=True)
    alone = [Lasso(alpha, fit_intercept=False).fit(X, y).n_iter_ for alpha in alphas]
    assert sum(along) < 0.7 * sum(alone)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_gaps_bound_the_distance_from_the_optimum_along_rounds(fit_intercept, monkeypatch):
    """Against scikit-learn's; and products with the columns that are there are those of the design."""
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_gram_steps.GramRule.choose", lambda *_: None)
    X, y = sparse_problem(300, 400)
    penalties = [ElasticNetPenalty(alpha) for alpha in np.geomspace(2e-3, 1e-4, 8)]
    problem = Problem(X, y + 1.0, SquaredLoss(), None, None, fit_intercept)
    for penalty, solution in zip(penalties, solutions_along(problem, penalties, Options()), strict=True):
        best = peer.Lasso(penalty.l1, fit_intercept=fit_intercept, tol=1e-14, max_iter=10**6).fit(X, y + 1.0)
        optimum = problem.with_penalty(penalty).objective(
            best.coef_, best.intercept_ + problem.offset @ best.coef_ if fit_intercept else 0.0
        )
        assert -1e-12 <= solution.certificate.objective - optimum <= solution.gap <= 1e-4 * problem.scale
    solver, w, rng = solution.solver, np.zeros(400), np.random.default_rng(0)
    for index in (solver.active[::2], np.arange(400)):
        w[index] = rng.standard_normal(len(index))
        assert_allclose(solver.image(w), problem.design.mul(w), atol=1e-12)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_mixed_solutions_are_certified_as_well_as_those_of_runs(fit_intercept, l2):
    """Most of a path are mixed, and their gaps, objectives and correlations are those of the coefficients."""
    X, y = sparse_problem(300, 400)
    weights = np.random.default_rng(1).integers(1, 4, 300)
    penalties = [ElasticNetPenalty(alpha, l2 * alpha) for alpha in np.geomspace(5e-3, 2e-4, 60)]
    problem = Problem(X, y + 1.0, SquaredLoss(), None, weights, fit_intercept)
    found = list(solutions_along(problem, penalties, Options(record=None)))
    mixed = [solution.solver is None for solution in found]
    assert 0.4 <= np.mean(mixed) < 0.9
    for penalty, solution in zip(penalties, found, strict=True):
        w, b, objective, dual, correlations = solution.certificate
        again = problem.with_penalty(penalty).certify(w, b)
        assert_allclose([b, objective], [again.b, again.objective], rtol=1e-12)
        assert_allclose(correlations, again.correlations, atol=1e-12 * np.abs(again.correlations).max())
        assert dual <= objective * (1.0 + 1e-12)
        assert solution.gap <= 1e-4 * problem.scale
    for penalty, solution in list(zip(penalties, found, strict=True))[::7]:
        [best] = solutions_along(problem, [penalty], Options(tol=1e-10, max_iter=10_000))
        assert -1e-12 <= solution.certificate.objective - best.certificate.objective <= solution.gap + 1e-12


@pytest.mark.parametrize(
    ("penalties", "options"),
    [
        ([0.004, 0.004, 0.003, 0.003, 0.002], {}),
        ([0.002, 0.003, 0.001, 0.004, 0.003], {}),
        ([0.004, 0.003, 0.002, 0.001, 0.0], {"max_iter": 10_000}),
        ([0.004, 0.003, 0.002, 0.001, 0.0005], {"tol": 1e-7}),
        ([0.004, 0.003, 0.002, 0.001, 0.0005], {"record": "updates"}),
    ],
    ids=["equal", "unsorted", "none at the end", "exact", "recorded"],
)
def test_nothing_is_mixed_where_runs_are_wanted(penalties, options):
    X, y = sparse_problem(300, 200)
    problem = Problem(X, y, SquaredLoss(), None, None, False)
    options, penalties = Options(**{"record": None} | options), [ElasticNetPenalty(l1) for l1 in penalties]
    assert all(solution.solver is not None for solution in solutions_along(problem, penalties, options))


def test_a_path_that_begins_at_the_zero_model_is_mixed_all_the_same():
    """Near it the gap wanted is less, which nothing mixed meets: runs that go ahead there tell nothing."""
    X, y = sparse_problem(300, 400)
    problem = Problem(X, y, SquaredLoss(), None, None, False)
    top = np.abs(X.T @ y).max() / len(y)
    penalties = [ElasticNetPenalty(alpha) for alpha in np.geomspace(top, 1e-2 * top, 100)]
    found = list(solutions_along(problem, penalties, Options(record=None, tol=5e-5)))
    assert [solution.solver is None for solution in found[:4]] == [False] * 4
    assert np.mean([solution.solver is None for solution in found]) > 0.4


def test_where_mixing_is_not_good_enough_every_penalty_has_a_run():
    """Few penalties far apart: all gaps are met, in order, and nearly nothing was mixed."""
    X, y = sparse_problem(300, 400)
    problem = Problem(X, y, SquaredLoss(), None, None, False)
    penalties = [ElasticNetPenalty(alpha) for alpha in np.geomspace(8e-3, 1e-4, 9)]
    found = list(solutions_along(problem, penalties, Options(record=None, tol=1e-5)))
    assert sum(solution.solver is None for solution in found) <= 2
    for penalty, solution in zip(penalties, found, strict=True):
        posed = problem.with_penalty(penalty)
        assert_allclose(
            posed.objective(*solution.certificate[:2]), solution.certificate.objective, rtol=1e-12
        )
        assert solution.gap <= 1e-5 * problem.scale


def test_a_run_ends_at_once_where_the_last_one_has_ended():
    """The same penalty again takes one certificate, concluded from what the last run knew: no product."""
    X, y = sparse_problem()
    problem = Problem(X, y, SquaredLoss(), None, None, False)
    penalties = [ElasticNetPenalty(0.01)] * 2
    first, second = solutions_along(problem, penalties, Options(tol=1e-6, max_iter=10_000))
    assert second.passes == 0.0
    assert second.n_updates == 0
    assert_array_equal(first.certificate.w, second.certificate.w)


def test_trail_is_exact_between_kinks():
    """The squared loss without kinks: w(l1) is linear, so two solutions give the third."""
    trail, at = Trail(), {l1: np.array([1.0 - l1, 0.0, 2.0 * l1 - 3.0]) for l1 in (0.4, 0.3, 0.25)}
    trail.add(ElasticNetPenalty(0.4), at[0.4])
    assert trail.expected(ElasticNetPenalty(0.3)) is None
    trail.add(ElasticNetPenalty(0.3), at[0.3])
    assert_allclose(trail.expected(ElasticNetPenalty(0.25)), at[0.25], rtol=1e-14)
    # Farther than the last two are apart, to either side; and at one of them.
    for unknown in (0.55, 0.1, 0.4):
        assert trail.expected(ElasticNetPenalty(unknown)) is None


def test_a_trail_leads_on_from_the_nearer_of_two_and_between_them():
    """Whatever their order: a path that has gone ahead turns back to what was left out."""
    at = {l1: np.array([1.0 - l1, 0.0, 2.0 * l1 - 3.0]) for l1 in (0.4, 0.35, 0.3, 0.25)}
    trail = Trail()
    for l1 in (0.3, 0.4):
        trail.add(ElasticNetPenalty(l1), at[l1])
    for l1 in (0.35, 0.25):
        assert_allclose(trail.expected(ElasticNetPenalty(l1)), at[l1], rtol=1e-14)


def test_no_coefficient_crosses_zero_on_a_trail():
    trail = Trail()
    trail.add(ElasticNetPenalty(0.4), np.array([0.3, 1.0]))
    trail.add(ElasticNetPenalty(0.3), np.array([0.1, 1.0]))
    assert_array_equal(trail.expected(ElasticNetPenalty(0.2)), [0.0, 1.0])


def test_verbose_prints_a_line_per_certificate(data, capsys):
    lasso_path(data.X, data.y, alphas=3, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 3
    assert all(line.startswith("passes") for line in lines)


def test_one_warning_for_all_that_did_not_converge(data):
    with pytest.warns(ConvergenceWarning, match=r"of 10 fits did not reach.*alpha=") as caught:
        lasso_path(data.X, data.y, alphas=10, tol=1e-12, max_iter=1)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"l1_ratio": 0.0}, "Automatic alpha grid"),
        ({"alphas": [1.0, -1.0]}, r"alphas\[1\] must be .*, got -1"),
        ({"alphas": 0}, "'alphas' parameter"),
        ({"alphas": []}, "alphas"),
        ({"n_jobs": 0}, "'n_jobs' parameter"),
        ({"tol": -1.0}, "'tol' parameter"),
        ({"sample_weight": np.zeros(80)}, "(?i)sample weights.*zero"),
        ({"coef_init": np.zeros(3)}, "coef_init"),
        ({"eps": 0.0}, "'eps' parameter"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_input_gets_one_clear_sentence(data, wrong, message):
    with pytest.raises(ValueError, match=message):
        enet_path(data.X, data.y, **wrong)


def test_several_targets_are_refused(data):
    with pytest.raises(ValueError, match="a path is of one target"):
        lasso_path(data.X, np.column_stack([data.y, data.y]))


def test_targets_whose_squares_overflow_are_no_matter_for_paths():
    X = sp.random(40, 30, 0.3, format="csc", random_state=0)
    y = X @ np.arange(30.0)
    alphas, coefs, _ = lasso_path(X, y, alphas=5, tol=1e-8)
    large, of_large, _ = lasso_path(X, np.ldexp(y, 600), alphas=5, tol=1e-8)
    assert_allclose(np.ldexp(large, -600), alphas)
    assert_allclose(np.ldexp(of_large, -600), coefs, atol=1e-2)


def test_features_whose_squares_overflow_are_no_matter_for_what_is_mixed(recwarn):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 1000))
    y, alphas = X[:, :3].sum(axis=1) + rng.standard_normal(300), np.array([0.5, 0.1, 0.05])
    for order in "CF":
        large = np.asarray(np.ldexp(X, 560), order=order)
        _, coefs, gaps = enet_path(large, y, alphas=np.ldexp(alphas, 560), l1_ratio=0.5)
        assert gaps.max() <= 1e-4 * (y @ y) / len(y)
        _, beside, _ = lasso_path(X, y, alphas=0.5 * alphas)
        assert_allclose(np.ldexp(coefs, 560), beside, atol=1e-2)
    assert not recwarn


def test_few_columns_are_mended_alone_near_the_end(monkeypatch):
    """Those whose correlations cost at least a tenth of the gap wanted; and the path is certified."""
    w, c, penalty = np.tile([2.0, -3.0], 4), np.ones(8), ElasticNetPenalty(l1=1.0)
    c[[1, 2, 5]] = -1.3, 1.1, 1.005  # beyond 1 + 0.1 * 2 / 20
    assert dear_columns(penalty, w, c, gap=3.0, goal=2.0).tolist() == [1, 2]
    assert len(dear_columns(penalty, w, c, gap=9.0, goal=2.0)) == 0
    assert dear_columns(penalty, w, c, gap=9.0, goal=2.0, often=True).tolist() == [1, 2]
    assert len(dear_columns(penalty, w, 1.3 * np.ones(8), gap=3.0, goal=2.0)) == 0
    assert len(dear_columns(penalty, 0.0 * w, c, gap=3.0, goal=2.0)) == 0

    rng, found = np.random.default_rng(0), []
    X = sp.random(1500, 4000, 0.01, format="csc", random_state=rng)
    y = X @ (rng.standard_normal(4000) * (rng.random(4000) < 0.1)) + rng.standard_normal(1500)
    monkeypatch.setattr(rounds, "dear_columns", lambda *args: found.append(dear_columns(*args)) or found[-1])
    alphas, coefs, gaps = lasso_path(X, y, alphas=100, eps=1e-2, tol=1e-3)
    assert any(len(few) for few in found)
    assert gaps.max() <= 1e-3 * (y @ y) / len(y)
    for alpha, w, gap in list(zip(alphas, coefs.T, gaps, strict=True))[39::20]:
        best = peer.Lasso(alpha=alpha, fit_intercept=False, tol=1e-7, max_iter=100_000).fit(X, y).coef_
        objectives = [((y - X @ v) ** 2).sum() / (2 * len(y)) + alpha * np.abs(v).sum() for v in (w, best)]
        assert objectives[0] - objectives[1] <= gap + 1e-12


@pytest.mark.parametrize("shape", [(300, 5), (20, 50)], ids=["on moments", "on columns"])
def test_large_data_are_read_before_they_are_checked(shape, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    alphas, coefs, _ = lasso_path(X, y)
    monkeypatch.setattr(_enet_path, "is_large", lambda X: True)
    for found, expected in zip(lasso_path(X, y), (alphas, coefs), strict=False):
        assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    assert_allclose(alphas[0], np.abs(X.T @ y).max() / len(y), rtol=1e-12)
    for bad in (np.nan, np.inf):
        X[3, 2] = bad
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            lasso_path(X, y)

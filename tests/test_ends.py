"""How runs end: honest gaps, the best model seen, true causes, and numbers far from one."""

import threading
import warnings
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sk_asyncprox import ElasticNet, Lasso, LassoCV, LogisticRegression, lasso_path
from sk_asyncprox.data.design_matrix import Design
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.losses import SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.problem.certificate import Certificate, duality_gap
from sk_asyncprox.problem.scaling import OWN, Units, exponent_between
from sk_asyncprox.solvers.base import Certified
from sk_asyncprox.step_sizes import StepSize

pytestmark = pytest.mark.usefixtures("nothing_left")

RUNS = {
    "rounds": {},
    "blocks": {"working_set": False},
    "theta": {"step_size": "adaptive1"},
    "prox": {"step_size": "adaptive1", "metric": "lipschitz"},
    "threads": {"n_jobs": 2, "n_blocks": 4},
    "models": {"solver": "piag"},
    "piag": {"solver": "piag", "step_size": "adaptive1", "metric": "lipschitz"},
    "simulated": {"solver": "piag", "step_size": "adaptive1", "executor": Simulated(Trace.constant(3))},
}
each_run = pytest.mark.parametrize("run", RUNS)
FORMS = {"dense": np.asarray, "csc": sp.csc_matrix}


@pytest.fixture(scope="module")
def xy():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 6))
    return X, 2.0 * X[:, 0] - X[:, 1] + rng.standard_normal(80)


# -- gaps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("objective", "bound", "gap"),
    [(3.0, 1.0, 2.0), (1.0, 1.0 + 1e-16, 0.0), (1.0, -np.inf, np.inf), (np.inf, 0.0, np.inf)],
)
def test_gap(objective, bound, gap):
    assert duality_gap(objective, bound) == gap


@pytest.mark.parametrize(
    ("objective", "bound"), [(np.nan, 0.0), (1.0, np.nan), (np.inf, np.inf), (np.nan, -np.inf)]
)
def test_a_gap_that_cannot_be_computed_is_nan(objective, bound):
    certificate = Certificate(np.zeros(1), 0.0, objective, bound, np.zeros(1))
    event = Certified(certificate, bound, 0, 0, 0, 0)
    assert np.isnan([duality_gap(objective, bound), certificate.gap, event.gap]).all()


class Given(StepSize):
    """A policy of a user's own: the given steps, then the last of them."""

    warns_above_ceiling = False

    def __init__(self, steps=(), h=0.99):
        self.steps = steps
        self.h = h

    def make_rule(self, setting):
        steps = iter(self.steps)
        return lambda delay, window: next(steps, self.steps[-1])


@pytest.mark.parametrize("step", [np.nan, np.inf, -np.inf, -0.5, None, "long", 1j, np.ones(2)])
@pytest.mark.parametrize("run", [{"solver": "bcd"}, {"solver": "piag"}, {"solver": "piag", "n_jobs": 2}])
def test_what_is_no_step_is_refused_with_the_name_of_its_policy(xy, step, run):
    model = Lasso(0.01, tol=1e-12, n_blocks=4, step_size=Given([0.5, 0.5, step]), **run)
    with pytest.raises(ValueError, match=r"step_size Given\(.* gave the step .* for the delay \d"):
        model.fit(*xy)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("h", [np.nan, -1.0, 0.0, np.inf, "big"])
def test_factor_of_a_users_policy(xy, h):
    with pytest.raises(ValueError, match=r"'h' parameter of Given must be a float in the range \(0.0, inf\)"):
        Lasso(step_size=Given([0.5], h)).fit(*xy)


@pytest.mark.parametrize("run", [{"solver": "piag"}, {"solver": "bcd", "n_blocks": 1}])
@pytest.mark.parametrize("last", [10.0, 1e200])
def test_a_run_that_diverges_returns_the_best_it_has_seen(xy, run, last):
    steps = Given([1.0] * 5 + [last])
    model = Lasso(0.01, tol=1e-13, step_size=steps, metric="lipschitz", **run)
    model.set_params(executor=Simulated(Trace.constant(1)))
    with pytest.warns(ConvergenceWarning, match=r"step_size Given\(.* diverged: .*not safe .*best model"):
        model.fit(*xy)
    assert model.history_.stopped == "diverged"
    seen = model.history_.certificates
    assert not seen["objective"][-1] < 1e3
    assert_allclose(model.objective_, np.nanmin(seen["objective"]), rtol=1e-12)
    residual = xy[1] - model.predict(xy[0])
    objective = 0.5 * (residual @ residual) / 80 + 0.01 * np.abs(model.coef_).sum()
    assert_allclose(model.objective_, objective, rtol=1e-12)
    assert objective - Lasso(0.01, tol=1e-13).fit(*xy).objective_ <= model.dual_gap_ < np.inf


# -- starts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
@each_run
def test_a_start_that_is_not_finite_is_left(xy, run, value):
    from sk_asyncprox.solve import Options, solve
    from sk_asyncprox.solvers.base import Snapshot

    options = Options(tol=1e-6, **{"step_size": "auto", **RUNS[run]})
    problem = Problem(*xy, SquaredLoss(), ElasticNetPenalty(0.1), rows=options.solver == "piag")
    right = solve(problem, options)
    for start in (Snapshot(np.full(6, value), 0.0), Snapshot(np.zeros(6), value)):
        solution = solve(problem, options, start)
        assert solution.status == "converged"
        assert_allclose(solution.certificate.w, right.certificate.w, atol=3e-3)


@each_run
@pytest.mark.parametrize("far", [1e3, 1e6, 1e12, 1e200])
@pytest.mark.parametrize("model", [ElasticNet(0.1), LogisticRegression(), LogisticRegression(l1_ratio=1.0)])
def test_a_warm_start_from_far_off_is_no_worse_than_a_cold_one(xy, model, far, run):
    X, y = xy
    y = np.digitize(y, [0.0]) if isinstance(model, LogisticRegression) else y
    model = type(model)(**model.get_params()).set_params(warm_start=True, **RUNS[run])
    cold = model.fit(X, y)
    passes, objective = np.max(cold.n_iter_), cold.objective_
    coef, intercept, warm = np.full_like(cold.coef_, far), cold.intercept_ + far, []
    for _ in range(3 if run == "threads" else 1):  # whose delays are others every time
        model.coef_, model.intercept_ = coef.copy(), intercept.copy()
        model.fit(X, y)
        assert model.history_.stopped == "converged"
        assert_allclose(model.objective_, objective, atol=2e-4)
        warm.append(np.max(model.n_iter_))
    assert min(warm) <= (3 if run == "threads" else 1) * passes + 1


@each_run
def test_a_warm_start_whose_intercept_alone_is_off_is_kept(xy, run):
    X, y = xy
    model = Lasso(0.1, warm_start=True, tol=1e-8, **RUNS[run]).fit(X, y)
    cold = model.n_iter_
    model.fit(X, y + 1e3)
    assert model.n_iter_ <= max(3, cold // 2)


def test_a_path_to_a_stronger_penalty_falls_back_on_the_zero_model(xy):
    from sk_asyncprox.linear_model._enet_path import solutions_along
    from sk_asyncprox.solve import Options

    X, y = xy
    penalties = [ElasticNetPenalty(l1) for l1 in (0.01, 1e4, 0.1)]
    problem = Problem(X, y, SquaredLoss(), None)
    found = [s.certificate.w.copy() for s in solutions_along(problem, penalties, Options(tol=1e-10))]
    assert not found[1].any()
    assert_allclose(found[2], Lasso(0.1, tol=1e-10).fit(X, y).coef_, atol=1e-6)


# -- warnings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Lasso(max_iter=1), r"max_iter was reached\). Raise max_iter or tol"),
        (Lasso(max_iter=3, **RUNS["piag"]), r"max_iter was reached\). Raise max_iter or tol"),
        (Lasso(max_time=1e-9, **RUNS["piag"]), r"max_time was reached\). Raise max_time or tol"),
    ],
)
def test_warnings_are_in_the_words_of_the_parameters(xy, model, says):
    with pytest.warns(ConvergenceWarning, match=says) as caught:
        model.set_params(alpha=0.01, tol=1e-9).fit(*xy)
    [message] = [str(w.message) for w in caught]
    assert message.startswith(f"solver='{model.solver}' did not converge: duality gap")
    assert not any(name in message for name in ("RoundsBCD", "AsyncBCD", "PIAG"))


def test_a_trace_that_ends_is_no_fault_of_max_iter(xy, monkeypatch):
    trace = Trace.constant(2)
    events = trace.events
    monkeypatch.setattr(trace, "events", lambda: (e for _, e in zip(range(4), events(), strict=False)))
    with pytest.warns(ConvergenceWarning, match="the trace of the executor ended") as caught:
        Lasso(0.01, solver="piag", step_size="adaptive1", executor=Simulated(trace)).fit(*xy)
    assert "max_iter" not in str(caught[0].message)


@pytest.mark.parametrize("run", [{"max_iter": 2}, {"solver": "piag", "max_iter": 15}])
def test_no_warning_where_the_returned_model_meets_its_tolerance(run):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((2000, 50))
    y = X[:, 0] + rng.standard_normal(2000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Lasso(0.01, **run).fit(X, y)
    assert model.dual_gap_ <= 1e-4 * y.var()
    assert model.history_.stopped == "converged"


@pytest.mark.parametrize(("seed", "alpha"), [(96, 1e-4), (97, 1e-4), (113, 1e-3), (152, 1e-4)])
def test_the_gap_of_a_model_may_be_smaller_than_the_certificates(seed, alpha):
    """Of as many columns as rows, which explain all: by the model's gap there was no step to take."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((4, 4)), rng.standard_normal(4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = ElasticNet(alpha, l1_ratio=0.4, fit_intercept=False, tol=1e-3).fit(X, y)
    assert model.dual_gap_ <= 1e-3 * np.mean(y**2)


# -- runs that have nothing to do, or no way to do it -------------------------------------------------------


@each_run
@pytest.mark.parametrize("others", [0, 20_000])
def test_columns_that_store_nothing_do_not_keep_a_run_for_ever(run, others):
    rows = np.arange(others)
    full = sp.csc_matrix((np.ones(others), (rows, np.zeros(others, int))), shape=(max(3, others), 1))
    X = sp.hstack([sp.csc_matrix((max(3, others), 2)), full], format="csc")
    model = Lasso(0.1, positive=True, fit_intercept=False, tol=1e-12, max_iter=10, max_time=20.0, **RUNS[run])
    if run != "threads":
        model.set_params(n_blocks=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, -np.ones(X.shape[0]))
    assert_array_equal(model.coef_, 0.0)
    assert model.fit_time_ < 10.0
    assert model.dual_gap_ == 0.0


@each_run
def test_targets_far_from_zero_do_not_drown(xy, run):
    X, y = xy
    near = Lasso(0.1, tol=1e-9, **RUNS[run]).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        far = Lasso(0.1, tol=1e-9, **RUNS[run]).fit(X, y + 1e11)
    # The sum has been rounded to about 1e-5.
    assert_allclose(far.coef_, near.coef_, atol=1e-4)
    assert_allclose(far.intercept_ - 1e11, near.intercept_, atol=1e-4)
    assert far.dual_gap_ <= 1e-9 * y.var() * (1 + 1e-3)
    # Delays of real threads are others every time.
    more = [Lasso(0.1, tol=1e-9, **RUNS[run]).fit(X, y + 1e11).n_iter_ for _ in range(2 * (run == "threads"))]
    assert min([far.n_iter_, *more]) <= 2 * near.n_iter_ + 5
    assert_allclose(far.objective_, near.objective_, rtol=1e-4)


@each_run
def test_equal_targets(xy, run):
    model = Lasso(0.1, **RUNS[run]).fit(xy[0], np.full(80, 0.1))
    assert_array_equal(model.coef_, 0.0)
    assert model.intercept_ == 0.1


@each_run
def test_a_stall_above_the_tolerance_is_seen(xy, run):
    """Correlations of a column of 1e80 are known to 1e64: no bound that the other columns need follows. Where
    they happen to cancel to the last digit one does, and is true."""
    X, y = xy
    right = Lasso(0.1, penalty_weights=[1.0, 0.0, 1.0, 1.0, 1.0, 1.0]).fit(X, y).objective_
    for size in (1e80, 3e80, 9e80):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = Lasso(0.1, **RUNS[run]).fit(X * np.array([1.0, size, 1.0, 1.0, 1.0, 1.0]), y)
        assert model.n_iter_ < 600
        if caught:
            break
        assert_allclose(model.objective_, right, rtol=1e-3)
    assert [w.category for w in caught] == [ConvergenceWarning]
    assert "rounding allows no more" in str(caught[0].message)
    assert model.history_.stopped == "stalled"
    assert model.dual_gap_ > 0.1
    assert np.isfinite(model.coef_).all()


def test_a_late_worker_is_no_stall(xy):
    """The other worker has soon done all that can be done in the blocks that are free."""
    late = Simulated(Trace.from_service_times([1.0, 1e4], distribution="deterministic"))
    model = Lasso(0.1, step_size="adaptive1", n_blocks=6, working_set=False, executor=late, max_iter=900)
    with pytest.warns(ConvergenceWarning, match="max_iter was reached"):
        model.fit(np.roll(xy[0], 3, axis=1), xy[1])
    assert model.history_.stopped == "max_iter"


# -- numbers far from one ------------------------------------------------------------------------------------

SIZES = [(1e80, 1.0), (1e155, 1.0), (1e-160, 1.0), (1.0, 1e155), (1.0, 1e-160), (1e-160, 1e-140)]
SIZES += [(1e270, 1e30), (1e-290, 1.0)]


@pytest.fixture(scope="module")
def near_one(xy):
    """Fits the numbers as they are, each model of each form once."""

    @cache
    def fit(model, run, form, cuts=()):
        y = np.digitize(xy[1], cuts) if cuts else xy[1]
        return clone(MODELS_NEAR_ONE[model]).set_params(**RUNS[run]).fit(FORMS[form](xy[0]), y)

    return fit


MODELS_NEAR_ONE = {
    "lasso": Lasso(0.1, tol=1e-6),
    "logistic": LogisticRegression(C=1.0, l1_ratio=1.0, tol=1e-3),
}


# Every pair of a run, a size and a form.
@pytest.mark.parametrize(
    ("run", "x", "y", "form"),
    [(run, *size, [*FORMS][(i + k) % 2]) for i, run in enumerate(RUNS) for k, size in enumerate(SIZES)],
)
def test_squares_may_overflow_or_vanish(xy, near_one, run, x, y, form):
    X, target = xy
    options = {"tol": 1e-6, **RUNS[run]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = near_one("lasso", run, form)
        model = Lasso(0.1 * x * y, **options).fit(FORMS[form](X * x), target * y)
    assert_allclose(model.coef_ * (x / y), plain.coef_, atol=3e-3)
    assert_allclose(model.intercept_ / y, plain.intercept_, atol=3e-3)
    assert model.history_.stopped == "converged"
    assert not (model.history_.certificates["gap"] < 0.0).any()


# Every pair of two of them.
@pytest.mark.parametrize(
    ("run", "x", "l1_ratio", "cuts"),
    [
        (run, x, l1_ratio, [(0.0,), (-1.0, 1.0)][(i + k + int(l1_ratio)) % 2])
        for i, run in enumerate(RUNS)
        for k, x in enumerate([1e80, 1e155, 1e-160])
        for l1_ratio in (0.0, 1.0)
    ],
)
def test_squares_of_a_classifiers_features(xy, near_one, run, x, l1_ratio, cuts):
    X, labels = xy[0], np.digitize(xy[1], cuts)
    C = 1.0 / x if l1_ratio else 1.0 / x / x
    if not 0.0 < C < np.inf:
        C = 1.0
    options = {"tol": 1e-3, "l1_ratio": l1_ratio, **RUNS[run]}
    model = LogisticRegression(C=C, **options).fit(X * x, labels)
    assert model.history_.stopped == "converged"
    assert model.dual_gap_ <= 1e-3 * np.log(len(cuts) + 1.0)
    if l1_ratio:
        plain = near_one("logistic", run, "dense", cuts)
        assert_allclose(model.predict_proba(X * x), plain.predict_proba(X), atol=0.05)
        assert_allclose(model.objective_, plain.objective_, atol=3e-3)


@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_a_run_in_other_units_is_replayed_in_these(xy, solver):
    X, labels = xy[0] * 2.0**700, np.digitize(xy[1], (-1.0, 1.0))
    options = {"C": 2.0**-700, "l1_ratio": 1.0, "tol": 1e-5, "solver": solver}
    model = LogisticRegression(**options).fit(X, labels)
    trace = Trace.from_history(model.history_)
    again = LogisticRegression(**options, executor=Simulated(trace)).fit(X, labels)
    assert again.history_.stopped == model.history_.stopped == "converged"
    assert_array_equal(again.history_.updates["delay"], model.history_.updates["delay"])
    assert_allclose(again.coef_, model.coef_, rtol=1e-6)


@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_paths_and_several_targets_far_from_one(xy, solver):
    X, y = xy
    alphas = np.array([1.0, 0.3, 0.1])
    _, plain, _ = lasso_path(X, y, alphas=alphas, tol=1e-8, solver=solver)
    for x, scale in [(1e-160, 1e-140), (1.0, 1e155), (1e80, 1e30)]:
        _, coefs, gaps = lasso_path(X * x, y * scale, alphas=alphas * x * scale, tol=1e-8, solver=solver)
        assert_allclose(coefs * (x / scale), plain, atol=3e-4)
        assert (gaps >= 0.0).all()
    both = Lasso(0.1, tol=1e-8, solver=solver).fit(X, np.column_stack([y, y * 1e-160, y + 1e11]))
    alone = Lasso(0.1, tol=1e-8, solver=solver).fit(X, y)
    assert_allclose(both.coef_[0], alone.coef_, atol=1e-6)
    assert_array_equal(both.coef_[1], 0.0)
    assert_allclose(both.coef_[2], alone.coef_, atol=1e-4)


def test_recorded_numbers_are_those_of_the_problem_as_given(xy):
    X, y = xy
    model = Lasso(1e59, record="iterates", tol=1e-8).fit(X, y * 1e60)
    other = Lasso(1e79, record="iterates", tol=1e-8).fit(X, y * 1e80)
    for name in ("objective", "gap"):
        mine, theirs = (m.history_.certificates[name] for m in (model, other))
        assert_allclose(theirs, mine * 1e40, rtol=1e-6, atol=1e147)
    assert_allclose(other.history_.iterates["objective"], model.history_.iterates["objective"] * 1e40)
    residual = y * 1e80 - other.predict(X)
    assert_allclose(other.objective_, 0.5 * np.mean(residual**2) + 1e79 * np.abs(other.coef_).sum())


def test_ordinary_problems_keep_their_own_units(xy):
    problem = Problem(*xy, SquaredLoss(), ElasticNetPenalty(0.1))
    assert problem.in_range() is problem
    assert problem.in_range(features=True) is problem
    assert problem.units is OWN


@given(st.integers(-900, 900), st.integers(-900, 900), st.floats(-1e3, 1e3), st.integers(0, 99))
def test_units_change_no_digit(x, y, shift, seed):
    """There and back, and the same optimum: powers of two round nothing."""
    from sk_asyncprox.solvers.base import Snapshot

    units = Units(x, y, 0.0)
    w = np.random.default_rng(seed).standard_normal(4)
    w[1] = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        there = units.point(Snapshot(w, shift))
        back = units.certificate(Certificate(there.w, there.b, 1.0, 0.5, w))
        gap = duality_gap(units.value(1.0), units.value(0.5))
    if np.isfinite(there.w).all() and np.abs(there.w[w != 0]).min() > 1e-290:
        assert_array_equal(back.w, w)
    if np.isfinite(there.b) and (abs(there.b) > 1e-290 or shift == 0.0):
        assert back.b == shift
    assert back.gap == gap or np.isnan([back.gap, gap]).all()


@pytest.mark.parametrize(
    ("sizes", "exponent"),
    [((1.0, 1.0), 0), ((1e-69, 1e69), 0), ((2.0**300,) * 2, 301), ((2.0**-300, 2.0**-500), -399)],
)
def test_exponents(sizes, exponent):
    assert exponent_between(min(sizes), max(sizes)) == exponent


@pytest.mark.parametrize("exponent", [-900, -300, 300, 450])
@pytest.mark.parametrize("form", FORMS)
def test_smoothness_of_any_size(xy, exponent, form):
    weights = np.full(80, 1.0 / 80)
    plain = Design(FORMS[form](xy[0])).smoothness(weights)
    design = Design(FORMS[form](xy[0])).scaled(exponent)
    with np.errstate(over="ignore", under="ignore"):
        expected = np.ldexp(plain, 2 * exponent)
        found = design.smoothness(weights)
    if expected > 1e-290:
        assert found == pytest.approx(expected, rel=1e-12)
    else:
        assert 0.0 <= found < 1e-280


@pytest.mark.parametrize("y", [1e39, 1e300, 1e-50])
@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_coefficients_that_single_precision_cannot_hold(xy, y, solver):
    X, target = xy[0].astype(np.float32), xy[1] * y
    model = Lasso(0.1 * y, solver=solver)
    with pytest.raises(ValueError, match=r"too (large|small) for dtype\('float32'\), that of X"):
        model.fit(X, target)
    assert not hasattr(model, "coef_")
    assert not hasattr(model, "dual_gap_")
    with pytest.raises(ValueError, match=r"too (large|small) for dtype\('float32'\)"):
        lasso_path(X, target, alphas=[0.1 * y], solver=solver)
    assert_allclose(
        Lasso(0.1 * y, tol=1e-8).fit(xy[0], target).coef_ / y, Lasso(0.1, tol=1e-8).fit(*xy).coef_, atol=1e-4
    )


@each_run
def test_coefficients_that_no_precision_holds(xy, run):
    X, y = xy
    for x, scale, what in [(1e-200, 1e200, "large"), (1e200, 1e-200, "small")]:
        with pytest.raises(ValueError, match=rf"too {what} for dtype\('float64'\): scale X or y"):
            Lasso(0.1 * (x * scale), tol=1e-3, **RUNS[run]).fit(X * x, y * scale)
    model = Lasso(100.0, tol=1e-3, **RUNS[run]).fit(X * 1e200, y * 1e-200)
    assert_array_equal(model.coef_, 0.0)


@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_an_intercept_that_single_precision_cannot_hold(xy, solver):
    X, target = xy[0].astype(np.float32), (xy[1] + 2.0 * xy[1].std()) * 1e-50
    with pytest.raises(ValueError, match=r"too small for dtype\('float32'\)"):
        Lasso(1e-49, solver=solver).fit(X, target)
    # A mean of no account may vanish, and so may coefficients beside an intercept that stays.
    target -= target.mean() - 1e-60
    assert Lasso(1e-49, solver=solver).fit(X, target).intercept_ == 0.0
    model = Lasso(1e-49, solver=solver).fit(X, target + 1.0)
    assert_array_equal(model.coef_, 0.0)
    assert model.intercept_ == 1.0


def test_coefficients_of_no_account_may_vanish(xy):
    model = LogisticRegression(C=1e-60).fit(xy[0].astype(np.float32), xy[1] > 0)
    assert_array_equal(model.coef_, 0.0)
    assert model.coef_.dtype == np.float32


def test_weights_may_overflow_or_vanish(xy):
    X, y = xy
    weights = np.r_[np.ones(40), np.zeros(40)]
    plain = {run: Lasso(0.1, tol=1e-8, **RUNS[run]).fit(X, y, sample_weight=weights) for run in RUNS}
    for run, right in plain.items():
        for some in (
            weights * 1e307,
            weights * 1e308,
            np.where(weights > 0, 1e300, 1e-300),
            weights * 1e-310,
        ):
            model = Lasso(0.1, tol=1e-8, **RUNS[run]).fit(X, y, sample_weight=some)
            assert_allclose(model.coef_, right.coef_, atol=1e-3)


# -- many workers, few rows ---------------------------------------------------------------------------


@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 20), st.booleans())
def test_no_run_of_rows_is_empty(n, n_parts, p, sparse):
    X = np.random.default_rng(n).random((n, p)) < 0.2
    design = Design(sp.csc_matrix(X.astype(float)) if sparse else X.astype(float))
    runs = design.cut_rows(n_parts)
    assert all(a < b for a, b in runs)
    assert [a for a, _ in runs] == [0, *(b for _, b in runs[:-1])]
    assert runs[-1][1] == n
    assert len(runs) <= n_parts


def test_squares_of_rows_without_weight(xy):
    for X in (xy[0], sp.csc_matrix(xy[0])):
        assert_array_equal(Design(X).column_squares(np.zeros(80)), 0.0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_rows", [2, 3, 15])
@pytest.mark.parametrize(
    "model", [LogisticRegression(), LogisticRegression(l1_ratio=1.0, C=5.0), Lasso(0.01)]
)
def test_more_workers_than_rows(monkeypatch, form, n_rows, model):
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_looks.CALL", 0)
    for name in ("rounds.SMALL", "rounds.SMALL_FULL", "rounds_shared_products.SMALL_SHARE"):
        monkeypatch.setattr(f"sk_asyncprox.solvers.{name}", 0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds.RoundsBCD.head_start", 0.0)
    rng = np.random.default_rng(n_rows)
    X = rng.standard_normal((n_rows, 300)) * (rng.random((n_rows, 300)) < 0.3)
    classes = min(n_rows, 3)
    y = np.arange(n_rows) % classes if isinstance(model, LogisticRegression) else rng.standard_normal(n_rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, many = (
            type(model)(**model.get_params()).set_params(n_jobs=n_jobs, tol=1e-6).fit(FORMS[form](X), y)
            for n_jobs in (1, 8)
        )
    assert many.history_.stopped == "converged"
    assert_allclose(many.objective_, one.objective_, atol=2e-6)
    assert threading.active_count() < 20


def test_cross_validation_says_that_errors_overflow(xy):
    X, y = xy
    with pytest.raises(ValueError, match=r"mean squared errors .* scale y"):
        LassoCV(alphas=[1e160, 1e159], cv=3).fit(X, y * 1e160)
    with pytest.raises(ValueError, match=r"mean squared errors .* scale y"):
        LassoCV(alphas=[1e-170, 1e-171], cv=3).fit(X, y * 1e-170)


@pytest.mark.parametrize("shape", [(120, 6), (300, 400)])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("C", "l1_ratio"), [(np.inf, 0.0), (1.0, 0.0), (1.0, 0.5), (1.0, 1.0)])
@pytest.mark.parametrize("max_iter", [2, 4, 8])
def test_all_steps_of_logistic_fits_are_bounded(shape, n_classes, C, l1_ratio, max_iter):
    """By the passes allowed: the last step and the look that tells what it has done may go beyond."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    y = (X[:, :3] + rng.gumbel(size=(len(X), 3)))[:, :n_classes].argmax(axis=1)
    if np.isinf(C) and shape[0] < shape[1]:
        pytest.skip("nothing bounds the coefficients")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=C, l1_ratio=l1_ratio, max_iter=max_iter, tol=1e-12).fit(X, y)
    assert model.n_iter_[0] <= max_iter + 2
    assert model.history_.stopped in ("max_iter", "converged")

"""Proved bounds: exact small cases, random delays, measured delays, and real runs of the solvers."""

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression
from sk_asyncprox.delays import DelayTracker
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.losses import LogisticLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solvers import PIAG, AsyncBCD
from sk_asyncprox.solvers.base import Update
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep, NaiveStep, Setting
from sk_asyncprox.theory import (
    adaptive1_integral_bound,
    adaptive1_integral_from_delays,
    adaptive2_integral_bound,
    adaptive2_integral_from_delays,
    bcd_convex_bound,
    linear_bound,
    moves_bound,
    piag_convex_bound,
    proximal_pl_constant,
    residual_bound,
    satisfies_principle,
    step_size_integral,
    window_sums,
)

LOGS = sorted((Path(__file__).parents[2] / "shared/delays").glob("*.csv"))
ADAPTIVE = [Adaptive1(), Adaptive1(alpha=0.3), Adaptive1(alpha=1), Adaptive2()]
ROUNDING = 1 - 1e-9


def steps_of(policy, delays):
    """Steps of a policy for the given delays (a row of several: PIAG's ages), in units of gamma'."""
    delays = np.asarray(delays).reshape(len(delays), -1)
    rule, tracker, stamps, steps = policy.start(Setting("bcd")), DelayTracker(), [], []
    for k, ages in enumerate(delays):
        stamps.append(tracker.stamp())
        steps.append(rule(*tracker.measure(*(stamps[k - min(int(age), k)] for age in ages))))
        tracker.advance(steps[-1])
    return np.array(steps)


def check_policy(policy, delays, unit=1.0):
    """Principle and lower bounds of an adaptive policy; returns its step-size integral."""
    steps = unit * steps_of(policy, delays)
    assert satisfies_principle(delays, steps, unit).all()
    integral, counts = step_size_integral(steps), np.arange(1, len(steps) + 1)
    largest = int(np.max(delays))
    if isinstance(policy, Adaptive1):
        coarse = adaptive1_integral_bound(counts, largest, unit, policy.alpha)
        sharp = adaptive1_integral_from_delays(delays, unit, policy.alpha)
    else:
        coarse = adaptive2_integral_bound(counts, largest, unit)
        sharp = adaptive2_integral_from_delays(delays, unit)
    assert np.all(integral >= sharp * ROUNDING)
    assert np.all(sharp >= coarse * ROUNDING)
    return integral


# -- windows and the principle ---------------------------------------------------------------------


def test_window_sums_by_hand():
    assert_allclose(window_sums([0, 1, 2, 0, 3], [1.0, 2.0, 4.0, 8.0, 16.0]), [0, 1, 3, 0, 14])
    # Delays beyond the first update are clipped; of several reads the oldest counts.
    assert_allclose(window_sums([9, 9, 9], [1.0, 2.0, 4.0]), [0, 1, 3])
    assert_allclose(window_sums([[0, 0], [1, 0], [0, 2]], [1.0, 2.0, 4.0]), [0, 1, 3])
    assert_array_equal(window_sums([], []), [])
    assert_array_equal(step_size_integral([1, 2, 3]), [1, 3, 6])


@pytest.mark.parametrize(
    ("delays", "steps", "message"),
    [([-1, 0], [1, 1], "integers"), ([0.5, 0], [1, 1], "integers"), ([0, 0], [1.0], "2 delays and 1 steps")],
)
def test_bad_delays_are_refused(delays, steps, message):
    with pytest.raises(ValueError, match=message):
        window_sums(delays, steps)


def test_principle_by_hand():
    assert satisfies_principle([0, 1, 1], [0.5, 0.5, 0.5]).all()
    assert_array_equal(satisfies_principle([0, 1, 1], [0.5, 0.6, 0.4]), [True, False, True])
    # A zero step is legal behind any window; a negative one never is.
    assert_array_equal(satisfies_principle([0, 0, 2, 2], [1.0, 1.0, 0.0, -0.1]), [True, True, True, False])
    assert_array_equal(satisfies_principle([0, 1], [3.0, 1.0], largest_step=4.0), [True, True])
    assert_array_equal(satisfies_principle([0], [1 + 1e-13]), [True])
    assert_array_equal(satisfies_principle([0], [1 + 1e-13], slack=0.0), [False])


def test_broken_principle_is_seen():
    delays = np.arange(100) % 8
    fits = satisfies_principle(delays, steps_of(NaiveStep(), delays))
    assert np.argmin(fits) == 1
    delays = np.full(200, 5)
    sun, safe = FixedStep(5), FixedStep(5, rule="principle")
    assert satisfies_principle(delays, steps_of(safe, delays)).all()
    assert not satisfies_principle(delays, steps_of(sun, delays)).all()
    # It passes the bound by the factor (tau + 1) / (tau + 1/2).
    assert satisfies_principle(delays, steps_of(sun, delays), 6 / 5.5).all()


@pytest.mark.parametrize("period", [3, 4, 20])
def test_naive_step_diverges_on_a_parabola(period):
    """``f(x) = x^2 / 2`` and delays ``k mod T``: the periods multiply ``x`` by ``1 - sum of steps``."""
    delays = np.arange(40 * period) % period
    for policy, grows in [(NaiveStep(), period > 3), (Adaptive1(), False), (Adaptive2(), False)]:
        x = [1.0]
        for step, delay in zip(steps_of(policy, delays), delays, strict=True):
            x.append(x[-1] - step * 0.99 * x[len(x) - 1 - delay])
        factor = 1 - 0.99 * steps_of(policy, delays)[:period].sum()
        assert x[period] == pytest.approx(factor)
        assert (abs(x[-1]) > 10) == grows
        assert grows or abs(x[-1]) < 0.1


@pytest.mark.parametrize("metric", ["lipschitz", "gram"])
@pytest.mark.parametrize(("n_workers", "ends"), [(4, "converged"), (6, "diverged")])
def test_naive_step_diverges_on_real_data_where_workers_run_in_lockstep(metric, n_workers, ends):
    """The first principal component of six sizes of the same cells carries a share s of their variance: the
    error along it grows about where ``s (1 + ... + 1/T) > 2``."""
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X[:, [0, 2, 3, 20, 22, 23]])
    variances = np.linalg.eigvalsh(X.T @ X)
    reach = 0.99 * variances[-1] / variances.sum() * np.sum(1 / np.arange(1, n_workers + 1))
    assert (reach > 2.1) == (ends == "diverged")
    trace = Trace.from_service_times(1.0, n_workers, "deterministic")
    model = Lasso(alpha=0.01, metric=metric, executor=Simulated(trace))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        history = model.set_params(step_size=NaiveStep()).fit(X, y).history_
    assert history.stopped == ends
    assert model.set_params(step_size=Adaptive1()).fit(X, y).history_.stopped == "converged"


# -- step-size integrals ---------------------------------------------------------------------------


def test_integral_bounds_by_hand():
    assert adaptive1_integral_bound(7, 2, 2.0, 0.5) == pytest.approx(3.0)
    assert adaptive1_integral_bound(6, 2, 2.0, 0.5) == pytest.approx(2.0)
    assert adaptive2_integral_bound(9, 2, 3.0) == pytest.approx(6.0)
    assert adaptive2_integral_bound(9, 0, 3.0) == pytest.approx(27.0)
    # Windows [0], [1], [0..2], [3], [2..4]: at most 1, 2, 2, 3, 3 of them are disjoint.
    assert_allclose(adaptive1_integral_from_delays([0, 0, 2, 0, 2], 1.0, 0.5), [0.5, 1, 1, 1.5, 1.5])
    # After a read at the start: 1/3 more, or a window above 2/3.
    assert_allclose(adaptive2_integral_from_delays([0, 1, 2]), [1, 1, 1])
    assert_allclose(adaptive2_integral_from_delays([0, 0, 1, 0], 2.0), [2, 4, 4, 6])
    assert adaptive1_integral_bound(np.array([1, 2]), 0).shape == (2,)


@pytest.mark.parametrize("tau", [0, 1, 5])
def test_bound_of_adaptive1_is_attained_by_bursts(tau):
    """Alpha one and delays ``k mod (tau + 1)``: each window holds its first step only."""
    delays = np.arange(60) % (tau + 1)
    integral = check_policy(Adaptive1(alpha=1), delays)
    assert_allclose(integral, adaptive1_integral_bound(np.arange(1, 61), tau, alpha=1), rtol=1e-12)


@pytest.mark.parametrize("policy", ADAPTIVE, ids=repr)
@settings(max_examples=50, deadline=None)
@given(
    delays=st.integers(1, 4).flatmap(
        lambda m: st.lists(st.lists(st.integers(0, 25), min_size=m, max_size=m), min_size=1, max_size=120)
    ),
    cap=st.integers(0, 25),
    unit=st.sampled_from([1.0, 1e-6, 0.37, 1e5]),
)
def test_random_delays(policy, delays, cap, unit):
    check_policy(policy, np.minimum(delays, cap), unit)


@pytest.mark.parametrize("policy", ADAPTIVE, ids=repr)
@settings(max_examples=40, deadline=None)
@given(delays=st.lists(st.integers(0, 30), min_size=1, max_size=100))
def test_overlap_of_windows(policy, delays):
    """What all the proofs rest on: the positive steps whose windows hold a step fit beside it in gamma'."""
    steps, n = steps_of(policy, delays), len(delays)
    delays = np.minimum(delays, np.arange(n))
    k, t = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    holds = (t < k) & (t >= k - delays[:, None])
    assert np.all(holds.T @ steps <= 1 - steps + 1e-9)
    # And the double sum that carries a bound from the mean of the iterates to the last one.
    before = np.cumsum(steps) - steps
    between = np.where(holds, before[k] - before[t], 0.0)
    assert np.all((between * steps[:, None]).sum(axis=0) <= 0.5 + 1e-9)


def test_measured_delays():
    if not LOGS:
        pytest.skip("the measured delays are not here")
    # Integrals over that of the fixed step 1 / (largest delay + 1/2), as computed for these experiments.
    ranges = {
        "PIAG": ((1.66, 2.55), (1.42, 2.12)),
        "BCD_RCV1": ((2.80, 3.04), (2.48, 2.71)),
        "BCD_MNIST": ((2.12, 2.67), (1.67, 2.10)),
        "BCD_CIFAR100": ((1.65, 1.92), (1.34, 1.56)),
    }
    for log in LOGS:
        delays = np.loadtxt(log, delimiter=",", dtype=int, ndmin=2)
        solver, _, data = log.stem.split("_")
        fixed = len(delays) / (delays.max() + 0.5)
        expected = ranges["PIAG" if solver == "PIAG" else f"BCD_{data}"]
        for policy, (low, high) in zip((Adaptive1(), Adaptive2()), expected, strict=True):
            ratio = check_policy(policy, delays)[-1] / fixed
            assert low - 0.006 <= ratio <= high + 0.006, (log.name, policy)


# -- convergence -----------------------------------------------------------------------------------

TRACES = {
    "unequal": lambda: Trace.from_service_times([1.0, 1.0, 1.0, 3.0], random_state=2),
    "steady": lambda: Trace.constant(5),
    "alone": lambda: Trace.constant(1),
}
BURSTS = Trace.from_delays(np.concatenate([np.zeros(15, dtype=int), np.arange(15)]))
POLICIES = [Adaptive1(), Adaptive1(h=0.5), Adaptive2(h=0.3), FixedStep(60, rule="principle", h=0.8)]
each_policy = pytest.mark.parametrize("policy", POLICIES, ids=repr)
each_trace = pytest.mark.parametrize("trace", TRACES)
each_loss = pytest.mark.parametrize("loss", ["squared", "logistic"])


@cache
def make(loss, rows=False, intercept=True, n=40, p=8, l1=0.02, l2=0.05):
    """A small problem that no solver changes."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((n, p)) + 0.3 * rng.standard_normal((n, 1))
    z = 2 * X[:, 0] - X[:, 1] + 0.5 * rng.standard_normal(n)
    y = z if loss == "squared" else np.where(z > 0, 1.0, -1.0)
    kind = SquaredLoss() if loss == "squared" else LogisticLoss()
    return Problem(X, y, kind, ElasticNetPenalty(l1, l2), rows=rows, fit_intercept=intercept)


@cache
def solution(problem):
    """Solution ``(w, b)`` and optimum, by proximal gradient with restarted momentum."""
    w, b = problem.start()
    constant = problem.design.smoothness(problem.weights * problem.loss.curvature) + 1e-3
    v, t, last = w, 1.0, np.inf
    for _ in range(5000):
        z, b, _ = problem.settle(problem.design.mul(v) + b, b)
        gradient = problem.design.tmul(problem.weights * problem.loss.gradient(problem.y, z))
        new = problem.penalty.prox(v - gradient / constant, 1 / constant)
        value = problem.objective(new, b)
        t_new = 1.0 if value > last else 0.5 * (1 + np.sqrt(1 + 4 * t * t))
        v, w, t, last = new + (t - 1) / t_new * (new - w), new, t_new, value
    certificate = problem.certify(w, b)
    assert certificate.gap <= 1e-12
    return w, certificate.b, certificate.dual


class Run:
    """Iterates, objectives, steps and delays of a simulated run."""

    def __init__(self, solver, trace, n_updates):
        problem = self.problem = solver.problem
        at = getattr(solver, "at", solver)
        self.solver, self.w, self.b, self.updates = solver, [at.w.copy()], [at.b], []

        def on_events(events, now):
            for event in events:
                if isinstance(event, Update):
                    self.updates.append(event)
                    self.w.append(at.w.copy())
                    self.b.append(at.b)
            return len(self.updates) >= n_updates

        Simulated(trace).run(solver, on_events)
        self.steps = np.array([u.step for u in self.updates])
        self.delays = np.array([u.delay for u in self.updates])
        self.integral = np.concatenate([[0.0], step_size_integral(self.steps)])
        self.values = np.array([problem.objective(w, b) for w, b in zip(self.w, self.b, strict=True)])
        self.largest, self.h = solver.step_unit, solver.step_size.h
        assert satisfies_principle(self.delays, self.steps, self.largest).all()

    def moves(self, square):
        """Sum of the squared moves over their steps."""
        moved = [square(*pair) for pair in zip(np.diff(self.w, axis=0), np.diff(self.b), strict=True)]
        assert all(m == 0.0 for m, step in zip(moved, self.steps, strict=True) if step == 0.0)
        return sum(m / step for m, step in zip(moved, self.steps, strict=True) if step > 0.0)

    def residuals(self):
        """Prox-gradient residuals of ``w`` at the points of the updates, for the largest step."""
        problem, out = self.problem, []
        for w, b in zip(self.w[:-1], self.b[:-1], strict=True):
            slope = problem.weights * problem.loss.gradient(problem.y, problem.design.mul(w) + b)
            moved = problem.penalty.prox(w - self.largest * problem.design.tmul(slope), self.largest)
            out.append((w - moved) / self.largest)
        return np.array(out)


@each_policy
@each_trace
@pytest.mark.parametrize(("loss", "intercept"), [("squared", True), ("logistic", False), ("logistic", True)])
def test_piag_is_within_its_bounds(loss, intercept, policy, trace):
    problem = make(loss, rows=True, intercept=intercept)
    trace = TRACES[trace]()
    run = Run(PIAG(problem, policy, n_workers=trace.n_workers, n_blocks=6, inline=True), trace, 300)
    w, b, optimum = solution(problem)
    # A free logistic intercept is a column of constants, whose square is the scale.
    scale = run.solver._intercept_scale

    def square(move, shift):
        return move @ move + shift**2 / scale

    excess, distance = run.values[0] - optimum, np.sqrt(square(run.w[0] - w, run.b[0] - b))
    assert run.moves(square) <= moves_bound(excess, run.h)
    residuals = (run.residuals() ** 2).sum(axis=1)
    assert (residuals * run.steps).sum() <= residual_bound(1.0, excess, run.h)
    if run.steps.any():
        assert residuals[run.steps > 0].min() <= residual_bound(run.integral[-1], excess, run.h)
    errors = run.values - optimum
    bound = piag_convex_bound(run.integral, excess, distance, run.largest, run.h)
    assert np.all(errors <= bound)
    if loss == "squared":
        modulus = np.linalg.eigvalsh(problem.design.X.T @ (problem.weights[:, None] * problem.design.X))[0]
        constant = proximal_pl_constant(modulus, problem.penalty.l2, run.largest)
        linear = linear_bound(run.integral, excess, constant, run.h)
        assert np.all(errors <= linear * (1 + 1e-12) + 1e-12)
        assert run.h > 0.9 or linear[-1] < 0.99 * excess


def build_bcd(problem, policy, trace, metric, n_blocks=4, **options):
    return AsyncBCD(
        problem, policy, n_workers=trace.n_workers, n_blocks=n_blocks, metric=metric, working_set=False,
        inline=True, **options,
    )  # fmt: skip


@each_policy
@each_loss
@pytest.mark.parametrize("trace", [*TRACES, "bursts"])
def test_bcd_with_the_scalar_constant_is_within_its_bounds(trace, loss, policy):
    problem = make(loss, intercept=loss == "squared")
    trace = BURSTS if trace == "bursts" else TRACES[trace]()
    run = Run(build_bcd(problem, policy, trace, "lipschitz"), trace, 300)
    excess = run.values[0] - solution(problem)[2]
    assert run.moves(lambda move, shift: move @ move) <= moves_bound(excess, run.h)
    blocks = np.array_split(np.arange(8), 4)
    visited = [blocks[u.arrivals[0].block] for u in run.updates]
    squares = np.array([(r[j] ** 2).sum() for r, j in zip(run.residuals(), visited, strict=True)])
    assert (squares * run.steps).sum() <= residual_bound(1.0, excess, run.h)
    assert squares[run.steps > 0].min() <= residual_bound(run.integral[-1], excess, run.h)


@each_policy
@each_trace
@each_loss
@pytest.mark.parametrize("n_blocks", [5, 8])
def test_bcd_in_the_gram_metric_is_within_its_bounds(loss, policy, trace, n_blocks):
    """With ``Lhat = 1``; blocks of one column have exact steps, so that the residual is bounded too."""
    problem, trace = make(loss, intercept=loss == "squared"), TRACES[trace]()
    run = Run(build_bcd(problem, policy, trace, "gram", n_blocks), trace, 300)
    assert run.largest == run.h
    omega = problem.weights * problem.loss.curvature
    excess = run.values[0] - solution(problem)[2]
    assert run.moves(lambda move, _: omega @ problem.design.mul(move) ** 2) <= moves_bound(excess, run.h)
    if n_blocks < 8:
        return
    curvature, total = omega @ problem.design.X**2, 0.0
    for k, (w, b) in enumerate(zip(run.w[:-1], run.b[:-1], strict=True)):
        j = run.updates[k].arrivals[0].block
        slope = problem.weights * problem.loss.gradient(problem.y, problem.design.mul(w) + b)
        length = run.h / curvature[j]
        new = problem.penalty.prox(w[j] - length * (problem.design.X[:, j] @ slope), length)
        total += run.steps[k] * curvature[j] * (w[j] - new) ** 2 / run.h**2
    assert total <= residual_bound(1.0, excess, run.h) * (1 + 1e-9)


@pytest.mark.parametrize("policy", [Adaptive1(), Adaptive1(h=0.4), Adaptive2(h=0.6)], ids=repr)
@pytest.mark.parametrize("trace", ["unequal", "bursts"])
def test_expected_bounds_of_bcd(trace, policy):
    """Means over the draws of the blocks; delays and steps are those of the trace."""
    problem, m = make("squared"), 4
    trace = BURSTS if trace == "bursts" else TRACES[trace]()
    runs = [
        Run(build_bcd(problem, policy, trace, "lipschitz", m, cyclic=False, random_state=seed), trace, 300)
        for seed in range(12)
    ]
    assert all(np.array_equal(run.steps, runs[0].steps) for run in runs)
    assert len({tuple(u.arrivals[0].block for u in run.updates) for run in runs}) == 12
    run, (w, _, optimum) = runs[0], solution(problem)
    excess, errors = run.values[0] - optimum, np.mean([r.values for r in runs], axis=0) - optimum
    distance = np.linalg.norm(w - run.w[0])
    assert np.all(errors <= bcd_convex_bound(run.integral, excess, distance, run.largest, run.h, m))
    modulus = np.linalg.eigvalsh(problem.design.X.T @ (problem.weights[:, None] * problem.design.X))[0]
    constant = proximal_pl_constant(modulus, problem.penalty.l2, run.largest)
    assert np.all(errors <= linear_bound(run.integral, excess, constant, run.h, m) * (1 + 1e-12))
    residuals = np.mean([(r.residuals() ** 2).sum(axis=1) for r in runs], axis=0)
    assert residuals.min() <= residual_bound(run.integral[-1], excess, run.h, m)
    assert (residuals * run.steps).sum() <= residual_bound(1.0, excess, run.h, m)


def test_exact_step_falls_by_half_the_slope():
    """By at least ``theta_0 s / 2``, ``theta_0`` the length that the majorant of the loss proves safe."""
    problem, trace = make("logistic", intercept=False), TRACES["unequal"]()
    solver = build_bcd(problem, ExactStep(), trace, "gram")
    write, falls, at = solver._write_theta, [], solver.at

    def watched(task, direction, step):
        z, gradient, before = at.z, at.gradient, problem.objective(at.w, at.b, at.z)
        slope = -((problem.weights * gradient) @ direction.v + direction.change)
        majorant = (problem.weights * problem.loss.majorant(problem.y, z)) @ direction.v**2 + direction.ridge
        out = write(task, direction, step)
        safe = min(1.0, slope / majorant) if slope > 0 and majorant > 0 else 0.0
        falls.append((before - problem.objective(at.w, at.b, at.z), 0.5 * safe * slope, out[0]))
        return out

    solver._write_theta = watched
    Simulated(trace).run(solver, lambda events, now: len(falls) >= 300)
    fall, least, theta = np.array(falls).T
    assert np.all(fall >= least * (1 - 1e-6) - 1e-15)
    assert np.all((theta >= 0) & (theta <= 1))
    assert fall[0] > 0


@pytest.mark.filterwarnings("ignore", category=ConvergenceWarning)
@pytest.mark.parametrize("name", ["lasso", "elasticnet", "logistic"])
@pytest.mark.parametrize("trace", TRACES)
@pytest.mark.parametrize("policy", [Adaptive1(), Adaptive2(h=0.5)], ids=repr)
def test_estimators_are_within_the_bounds_of_piag(data, name, trace, policy):
    """All from what an estimator shows: ``history_``, ``objective_`` and ``coef_``."""
    settings = {"tol": 1e-12, "fit_intercept": name != "logistic"}
    model = {
        "lasso": lambda **k: Lasso(alpha=0.05, **settings | k),
        "elasticnet": lambda **k: ElasticNet(alpha=0.05, **settings | k),
        "logistic": lambda **k: LogisticRegression(C=0.5, l1_ratio=0.5, **settings | k),
    }[name]
    X, y = data.X, data.labels if name == "logistic" else data.y
    best = model().fit(X, y)
    optimum = best.objective_ - best.dual_gap_
    run = model(
        solver="piag", step_size=policy, n_blocks=5, record="iterates", max_iter=60,
        executor=Simulated(TRACES[trace]()),
    ).fit(X, y)  # fmt: skip
    history = run.history_
    assert satisfies_principle(history.updates["delay"], history.updates["step"], history.largest_step).all()
    start = np.log(2) if name == "logistic" else 0.5 * y.var()
    integral = step_size_integral(history.updates["step"])[history.iterates["update"]]
    bound = piag_convex_bound(
        integral, start - optimum, np.linalg.norm(best.coef_), history.largest_step, policy.h
    )
    assert len(integral) > 50
    assert np.all(history.iterates["objective"] - optimum <= bound)


def test_bounds_are_decreasing_and_begin_at_the_start():
    integral = np.linspace(0, 50, 20)
    for bound in (
        piag_convex_bound(integral, 2.0, 3.0, 0.1, 0.5),
        bcd_convex_bound(integral, 2.0, 3.0, 0.1, 0.5, 4),
        linear_bound(integral, 2.0, 0.7, 0.5, 2),
        residual_bound(integral, 2.0, 0.5, 3),
    ):
        assert np.all(np.diff(bound[1:]) < 0)
        assert bound[0] >= 2.0
    assert residual_bound(0.0, 2.0, 0.5) == np.inf
    assert residual_bound(9.0, 2.0, 0.5) == pytest.approx(1.0)
    assert linear_bound(4.0, 2.0, 0.5, 0.5) == pytest.approx(2 * np.exp(-0.5))
    assert moves_bound(2.0, 0.5) == pytest.approx(4.0)
    assert proximal_pl_constant(0.3, 0.0, 9.0) == pytest.approx(0.3)
    assert proximal_pl_constant(0.3, 0.2, 0.5) == pytest.approx(0.5 / 1.1)
    # a = 0.75 * 0.5 * 0.1 / 0.5, and with four blocks 0.2 * (2 + (0.5 + 0.25) / 0.5)
    assert piag_convex_bound(1.0, 2.0, 3.0, 0.1, 0.5) == pytest.approx((4.5 + 0.15) / 1.075)
    assert bcd_convex_bound(1.0, 2.0, 3.0, 0.1, 0.5, 4) == pytest.approx((18 + 1.4) / 1.7)

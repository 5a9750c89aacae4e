"""Bad input is refused in one clear sentence; the estimator and the process stay as they were."""

import itertools
import threading

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression
from sk_asyncprox.executors import Dask, Machine, Simulated, Threads, Trace
from sk_asyncprox.losses import LogisticLoss, SquaredLoss
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep, NaiveStep

pytestmark = pytest.mark.usefixtures("nothing_left")

MODELS = [Lasso(0.1), ElasticNet(0.1), LogisticRegression(l1_ratio=0.5, C=0.5)]
ROUND_ROBIN = Trace.constant(3)


@pytest.fixture
def large(monkeypatch):
    """Every dense array is large: its entries are checked as it is read."""
    for module in ("data.preprocessing", "linear_model._validation"):
        monkeypatch.setattr(f"sk_asyncprox.{module}.LARGE", 0)
    monkeypatch.setattr("sk_asyncprox.data.design_matrix.IN_CACHE", 0)


def target(model, data):
    return data.labels if isinstance(model, LogisticRegression) else data.y


def state(model):
    """Everything a fit has set, but the number of features, which scikit-learn sets first."""
    return {
        name: value for name, value in vars(model).items() if name.endswith("_") and name != "n_features_in_"
    }


def refused(model, data, X, y, match, error=ValueError, sample_weight=None, **params):
    """The fit fails with the message, first on a fresh estimator and then on a fitted one."""
    fresh = clone(model).set_params(**params)
    with pytest.raises(error, match=match):
        fresh.fit(X, y, sample_weight=sample_weight)
    assert state(fresh) == {}

    fitted = clone(model).fit(data.X, target(model, data))
    before = state(fitted)
    coef = fitted.coef_.copy()
    assert before.keys() >= {"coef_", "intercept_", "n_iter_", "history_"}
    fitted.set_params(**params)
    with pytest.raises(error, match=match):
        fitted.fit(X, y, sample_weight=sample_weight)
    after = state(fitted)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)
    np.testing.assert_array_equal(fitted.coef_, coef)


# -- data -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("value", "says"), [(np.nan, "contains NaN"), (np.inf, "contains infinity")])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, sp.csc_matrix])
def test_not_finite_X(model, data, value, says, form):
    X = data.X.copy()
    X[3, 4] = value
    refused(model, data, form(X), target(model, data), f"Input X {says}")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("value", "says"), [(np.nan, "contains NaN"), (-np.inf, "contains infinity")])
@pytest.mark.parametrize("solver", ["bcd", "piag"])
@pytest.mark.parametrize("weighted", [False, True])
def test_not_finite_X_of_large_data(model, data, value, says, solver, weighted, large):
    weights = np.append(np.zeros(4), data.weights[4:] + 1.0) if weighted else None
    for order in "CF":
        X = data.X.copy(order)
        X[3, 4] = value
        for jobs in (1, 2):
            params = {"sample_weight": weights, "solver": solver, "n_jobs": jobs}
            refused(model, data, X, target(model, data), f"Input X {says}", **params)


def test_finite_X_whose_sums_are_not(large):
    X = np.full((4, 3), 1e308) * np.array([[1.0], [1.0], [-1.0], [-1.0]])
    fitted = Lasso(1e-3).fit(X * [1.0, 0.9, 1e-305], [1.0, 2.0, 3.0, 1.0])
    assert np.isfinite(fitted.coef_).all()


@pytest.mark.parametrize("model", MODELS[:2])
@pytest.mark.parametrize(("value", "says"), [(np.nan, "contains NaN"), (np.inf, "contains infinity")])
def test_not_finite_y(model, data, value, says):
    y = data.y.copy()
    y[3] = value
    refused(model, data, data.X, y, f"Input y {says}")
    as_objects = y.astype(object)
    as_objects[3] = None if np.isnan(value) else value
    refused(model, data, data.X, as_objects, f"Input y {says}")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite_weights(model, data, value):
    s = data.weights.copy()
    s[5] = value
    refused(model, data, data.X, target(model, data), "sample_weight contains", sample_weight=s)
    says = r"sample_weight must be a float in the range \[0.0, inf\), got (nan|inf)"
    refused(model, data, data.X, target(model, data), says, sample_weight=value)


@pytest.mark.parametrize("model", MODELS)
def test_a_number_is_the_weight_of_every_sample(model, data):
    y = target(model, data)
    one, each = (clone(model).fit(data.X, y, sample_weight=s) for s in (3.0, np.full(80, 3.0)))
    np.testing.assert_array_equal(one.coef_, each.coef_)


@pytest.mark.parametrize("model", MODELS)
def test_wrong_shapes(model, data):
    y = target(model, data)
    refused(model, data, data.X[0], y, "Expected 2D array, got 1D array")
    refused(model, data, data.X[None], y, r"array with dim 3|Expected 2D array|expected <= 2")
    refused(model, data, data.X, y[:-1], "inconsistent numbers of samples")
    two = np.column_stack([y, y])
    if isinstance(model, LogisticRegression):
        refused(model, data, data.X, two, "y should be a 1d array")
    refused(model, data, data.X, np.stack([two, two], axis=2), "array with dim 3|y should be a 1d array")
    refused(model, data, data.X, y, r"sample_weight.shape ==", sample_weight=data.weights[:-1])
    refused(model, data, data.X, y, "1D array or scalar", sample_weight=np.ones((80, 2)))
    refused(model, data, data.X, None, "requires y to be passed")


@pytest.mark.parametrize("model", MODELS)
def test_empty(model, data):
    y = target(model, data)
    refused(model, data, np.empty((0, 12)), y[:0], r"Found array with 0 sample\(s\)")
    refused(model, data, np.empty((80, 0)), y, r"Found array with 0 feature\(s\)")
    refused(model, data, sp.csr_matrix((80, 0)), y, r"Found array with 0 feature\(s\)")


@pytest.mark.parametrize("model", MODELS)
def test_object_dtype(model, data):
    words = data.X.astype(object)
    words[0, 0] = "word"
    refused(model, data, words, target(model, data), "could not convert string to float")
    words[0, 0] = {}
    refused(model, data, words, target(model, data), "must be a string or a real number", error=TypeError)


def test_numbers_of_object_dtype_are_numbers(data):
    a = ElasticNet(0.1).fit(data.X.astype(object), data.y)
    np.testing.assert_array_equal(a.coef_, ElasticNet(0.1).fit(data.X, data.y).coef_)


def test_classes(data):
    model = MODELS[2]
    refused(
        model, data, data.X, np.zeros(80), "needs samples of 2 classes in the data, but .* only one class"
    )
    refused(model, data, data.X[:1], [1], "only one class")
    refused(model, data, data.X, data.y, "Unknown label type: continuous")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_weights(model, data, solver):
    y, negative = target(model, data), data.weights.copy()
    negative[7] = -1.0
    says = "Negative values in data passed to `?sample_weight`?"
    refused(model, data, data.X, y, says, sample_weight=negative, solver=solver)
    refused(
        model, data, data.X, y, "(?i)weight.*zero|zero.*weight", sample_weight=np.zeros(80), solver=solver
    )


def test_what_is_no_client(data):
    pytest.importorskip("distributed")
    with pytest.raises(TypeError, match=r"Dask needs a distributed\.Client, not 'tcp://localhost:8786'"):
        Lasso(executor=Dask("tcp://localhost:8786")).fit(data.X, data.y)


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_told_before_a_fit(model, data):
    for ask in (model.predict, lambda X: model.score(X, target(model, data))):
        with pytest.raises(NotFittedError, match="is not fitted yet"):
            ask(data.X)


# -- parameters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("solver", "sgd"),
        ("step_size", "adaptive3"),
        ("step_size", 0.1),
        ("step_size", Adaptive1),
        ("executor", "fibres"),
        ("executor", Threads),
        ("executor", ROUND_ROBIN),
        ("metric", "euclid"),
        ("working_set", "maybe"),
        ("record", "everything"),
        ("n_blocks", 0),
        ("n_blocks", 2.5),
        ("n_jobs", 1.5),
        ("n_jobs", "two"),
        ("max_time", 0),
        ("max_time", -1.0),
        ("max_iter", 0),
        ("tol", -1e-4),
        ("random_state", "seed"),
        ("fit_intercept", "no"),
        ("warm_start", None),
    ],
)
def test_parameter(model, data, name, value):
    says = rf"The '{name}' parameter of {type(model).__name__} must be"
    refused(model, data, data.X, target(model, data), says, **{name: value})


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        (MODELS[0], "alpha", -1.0),
        (MODELS[1], "alpha", -1.0),
        (MODELS[1], "l1_ratio", 1.5),
        (MODELS[1], "selection", "greedy"),
        (MODELS[1], "positive", "yes"),
        (MODELS[2], "C", 0.0),
        (MODELS[2], "C", -1.0),
        (MODELS[2], "l1_ratio", -0.1),
        (MODELS[2], "class_weight", "even"),
    ],
)
def test_parameter_of_one_model(model, data, name, value):
    says = rf"The '{name}' parameter of {type(model).__name__} must be"
    refused(model, data, data.X, target(model, data), says, **{name: value})


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("executor", ["auto", "threads", Threads()])
def test_n_jobs_zero(model, data, executor):
    refused(
        model,
        data,
        data.X,
        target(model, data),
        "'n_jobs' parameter of .* Got 0 instead",
        n_jobs=0,
        executor=executor,
    )


def test_negative_n_jobs_is_joblibs(data):
    assert ElasticNet(0.1, n_jobs=-1).fit(data.X, data.y).history_.n_workers >= 1


POLICIES = [
    (FixedStep(max_delay=-1), "'max_delay' parameter of FixedStep must be an int .* Got -1"),
    (FixedStep(max_delay=2.5), "'max_delay' parameter of FixedStep must be an int .* Got 2.5"),
    (FixedStep(max_delay=3, rule="moon"), "'rule' parameter of FixedStep must be a str among .* Got 'moon'"),
    (FixedStep(max_delay=3, h=1.0), r"'h' parameter of FixedStep must be a float in the range \(0.0, 1.0\)"),
    (Adaptive1(alpha=0.0), r"'alpha' parameter of Adaptive1 must be a float in the range \(0.0, 1.0\]"),
    (Adaptive1(alpha=1.5), "'alpha' parameter of Adaptive1 .* Got 1.5"),
    (Adaptive1(alpha="a"), "'alpha' parameter of Adaptive1 .* Got 'a'"),
    (Adaptive1(h=np.nan), "'h' parameter of Adaptive1 .* Got nan"),
    (Adaptive2(h=0.0), "'h' parameter of Adaptive2 .* Got 0.0"),
    (NaiveStep(c=0.0), "'c' parameter of NaiveStep .* Got 0.0"),
    (NaiveStep(b=-1.0), "'b' parameter of NaiveStep .* Got -1.0"),
    (FixedStep(), "needs a simulated run whose trace tells the largest delay; give max_delay"),
    ("fixed", "needs a simulated run whose trace tells the largest delay; give max_delay"),
]


@pytest.mark.parametrize(("policy", "says"), POLICIES)
@pytest.mark.parametrize("solver", ["bcd", "piag"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_policy(data, policy, says, solver, n_jobs):
    for model in MODELS[1:]:
        params = {"step_size": policy, "solver": solver, "n_jobs": n_jobs}
        refused(model, data, data.X, target(model, data), says, **params)


def test_fixed_step_without_a_bound_where_the_tasks_decide_the_schedule(data):
    says = "needs a simulated run whose trace tells the largest delay"
    refused(MODELS[1], data, data.X, data.y, says, step_size="fixed", executor=Machine(3))


@pytest.mark.parametrize("model", [ElasticNet(l1_ratio=0.0), LogisticRegression(l1_ratio=0.0)])
@pytest.mark.parametrize("policy", ["exact", ExactStep()])
@pytest.mark.parametrize("run", [{}, {"n_jobs": 2}, {"executor": Simulated(ROUND_ROBIN)}])
def test_piag_with_the_exact_step_and_too_many_columns_without_zeros(model, data, policy, run):
    says = "step_size ExactStep of solver 'piag' keeps matrices of all coefficients where no l1 part"
    X = sp.csr_matrix((data.X.shape[0], 2001))
    refused(model, data, X, target(model, data), says, solver="piag", step_size=policy, **run)


def test_davis_is_for_bcd(data):
    says = r"FixedStep\(rule='davis'\) is a rule for solver 'bcd', not for 'piag'"
    policy = FixedStep(max_delay=3, rule="davis")
    refused(MODELS[1], data, data.X, data.y, says, solver="piag", step_size=policy)


# -- traces ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_trace_of_the_other_solver(model, data):
    y = target(model, data)
    bcd, piag = Trace.from_delays([0, 1, 2]), Trace.from_delays([[0, 0], [0, 1], [1, 0]])
    says = "The trace is a schedule for solver '{}' and does not fit solver '{}'"
    refused(model, data, data.X, y, says.format("bcd", "piag"), solver="piag", executor=Simulated(bcd))
    refused(model, data, data.X, y, says.format("piag", "bcd"), solver="bcd", executor=Simulated(piag))
    recorded = clone(model).set_params(n_jobs=2).fit(data.X, y).history_
    replay = Simulated(Trace.from_history(recorded))
    refused(model, data, data.X, y, says.format("bcd", "piag"), solver="piag", executor=replay)


@pytest.mark.parametrize(
    ("delays", "says"),
    [
        ([0, 1, -1], "Row 2 of the trace has a negative delay, a read from the future"),
        ([[0, 0], [1, -2]], "Row 1 of the trace has a negative delay, a read from the future"),
        ([], "at least one row"),
        ([0.5], "integer delays"),
        ([np.nan], "integer delays"),
        (["a"], "integer delays"),
        ([[0, 0], [1, 1]], "Row 1 of the trace renews no worker"),
    ],
)
def test_trace_log(delays, says):
    with pytest.raises(ValueError, match=says):
        Trace.from_delays(delays)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((1.0,), "needs n_workers"),
        ((0.0, 3), "positive and finite"),
        (([1.0, np.inf],), "positive and finite"),
        (([1.0, 2.0], 3), "2 entries for n_workers=3"),
        ((1.0, 0), "positive integer"),
        ((1.0, 2, "uniform"), "distribution must be one of"),
    ],
)
def test_trace_service_times(args, says):
    with pytest.raises(ValueError, match=says):
        Trace.from_service_times(*args)


def test_trace_of_what_was_not_recorded(data):
    history = ElasticNet(0.1, record=None).fit(data.X, data.y).history_
    with pytest.raises(ValueError, match="was not recorded"):
        Trace.from_history(history)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("policy", ["exact", "adaptive1"])
def test_more_simulated_workers_than_blocks(model, data, policy):
    run = {"executor": Simulated(Trace.constant(5)), "step_size": policy, "metric": "gram"}
    y = target(model, data)
    refused(model, data, data.X, y, "5 workers need at least 5 blocks", n_blocks=3, **run)
    refused(model, data, data.X[:, :4], y, "5 workers need at least 5 blocks", **run)


# -- faults in a worker ---------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["bcd", "piag"])
@pytest.mark.parametrize("model", MODELS[1:])
@pytest.mark.parametrize("run", [{"n_jobs": 1}, {"n_jobs": 2}, {"executor": Simulated(ROUND_ROBIN)}])
def test_worker_exception(model, data, solver, run, monkeypatch):
    """The 20th gradient fails: in ``work`` for PIAG, in ``work`` or ``tell`` for Async-BCD."""
    cls = LogisticLoss if isinstance(model, LogisticRegression) else SquaredLoss
    gradient, calls = cls.gradient, itertools.count(1)

    def fail_once(self, y, z):
        if next(calls) == 20:
            raise ZeroDivisionError("the 20th gradient")
        return gradient(self, y, z)

    model = clone(model).set_params(solver=solver, n_blocks=6, tol=1e-13, max_iter=100_000, **run)
    monkeypatch.setattr(cls, "gradient", fail_once)
    with pytest.raises(ZeroDivisionError, match="the 20th gradient"):
        model.fit(data.X, target(model, data))
    assert state(model) == {}
    monkeypatch.undo()
    model.set_params(tol=1e-2).fit(data.X, target(model, data))
    assert model.history_.stopped == "converged"


@pytest.mark.parametrize("kind", ["direction", "certificate"])
@pytest.mark.parametrize("error", [MemoryError("full"), KeyboardInterrupt(), SystemExit(3)])
def test_worker_exception_of_any_kind(data, kind, error, monkeypatch):
    """Whatever a worker thread raises comes out of ``fit`` in the caller's thread, unchanged."""
    from sk_asyncprox.solvers import bcd

    work, seen = bcd.AsyncBCD.work, []

    def fail(part, task):
        if task.kind == kind:
            seen.append(threading.current_thread())
            raise error
        return work(part, task)

    monkeypatch.setattr(bcd.AsyncBCD, "work", staticmethod(fail))
    with pytest.raises(type(error)) as caught:
        ElasticNet(0.1, n_jobs=2, n_blocks=6).fit(data.X, data.y)
    assert caught.value is error
    assert threading.main_thread() not in seen

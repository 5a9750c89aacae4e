"""Traces, the simulator and the threads; histories and their replay."""

import json
import warnings
from copy import copy
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning

from sk_asyncprox import Lasso, LogisticRegression
from sk_asyncprox.executors import Simulated, Threads, Trace
from sk_asyncprox.executors.base import Plan
from sk_asyncprox.history import TABLES, History
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, FixedStep

LOGS = Path(__file__).parents[2] / "shared" / "delays"


def data(n=120, p=40, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, X[:, :5].sum(axis=1) + 0.5 * rng.standard_normal(n)


def delays_of(trace, n):
    """Delays that the schedule gives when every tell is one write."""
    reads, delays, k = {}, [], 0
    for _, asks, tells in trace.events():
        for worker in asks:
            assert worker not in reads, "a worker reads while it holds a task"
            reads[worker] = k
        for worker in tells:
            delays.append(k - reads.pop(worker))
            k += 1
        if k >= n:
            return np.array(delays[:n])


@pytest.mark.parametrize("log", [[0, 1, 2, 3], [5], [0, 0, 4, 1, 0, 7], list(range(30))])
def test_one_column_traces_give_back_their_delays(log):
    trace = Trace.from_delays(log)
    k = np.arange(200)
    expected = np.minimum(np.array(log)[k % len(log)], k)
    assert_array_equal(delays_of(trace, 200), expected)
    assert trace.max_delay == max(log)


@pytest.mark.parametrize("name", ["BCD_Adaptive1_RCV1", "BCD_Adaptive1_MNIST", "BCD_sun_RCV1"])
def test_real_logs_of_one_column_need_eight_workers(name):
    path = LOGS / f"{name}.csv"
    if not path.exists():
        pytest.skip("the authors' logs are not here")
    trace = Trace.from_delays(path)
    log = np.loadtxt(path, dtype=int)
    assert trace.n_workers == 8
    assert_array_equal(delays_of(trace, len(log)), np.minimum(log, np.arange(len(log))))


@pytest.mark.parametrize("name", ["PIAG_Adaptive1_RCV1", "PIAG_Adaptive1_MNIST", "PIAG_sun_MNIST"])
def test_real_logs_of_eight_columns_give_back_the_ages(name):
    path = LOGS / f"{name}.csv"
    if not path.exists():
        pytest.skip("the authors' logs are not here")
    log = np.loadtxt(path, dtype=int, delimiter=",")
    stamps = np.zeros(8, dtype=int)
    reads = np.zeros(8, dtype=int)
    for k, (_, asks, tells) in enumerate(islice(Trace.from_delays(path).events(), len(log))):
        reads[asks] = k
        stamps[tells] = reads[tells]
        assert_array_equal(k - stamps, log[k])
    X, y = data(p=10)
    model = Lasso(alpha=0.1, solver="piag", executor=Simulated(Trace.from_delays(path)), tol=1e-8).fit(X, y)
    measured = model.history_.updates["delay"]
    assert_array_equal(measured, log.max(axis=1)[np.arange(len(measured)) % len(log)])


def test_constant_trace_is_a_round_robin():
    delays = delays_of(Trace.constant(5), 60)
    assert_array_equal(delays, np.minimum(np.arange(60), 4))


def test_slow_workers_have_long_delays_and_the_mean_is_kept():
    trace = Trace.from_service_times([1.0, 1.0, 1.0, 8.0], random_state=1)
    delays = delays_of(trace, 20_000)
    assert delays.mean() == pytest.approx(3.0, rel=0.02)
    assert delays.max() > 40
    assert_array_equal(delays_of(trace, 500), delays[:500])


def test_equal_deterministic_service_times_arrive_together():
    trace = Trace.from_service_times(2.0, 3, distribution="deterministic")
    for i, (now, asks, tells) in enumerate(islice(trace.events(), 4)):
        assert (now, asks, tells) == (2.0 * (i + 1), [0, 1, 2], [0, 1, 2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Trace.from_delays([0, -1]), "Row 1 .* negative delay, a read from the future"),
        (lambda: Trace.from_delays([0.5]), "integer delays"),
        (lambda: Trace.from_delays(["a"]), "integer delays"),
        (lambda: Trace.from_delays([]), "at least one row"),
        (lambda: Trace.from_delays([[0, 0], [1, 1]]), "Row 1 .* renews no worker"),
        (
            lambda: Trace.from_delays([[0, 0], [0, 1], [1, 2], [2, 0], [2, 2]]),
            "renews no worker|last arrival",
        ),
        (lambda: Trace.constant(0), "positive integer"),
        (lambda: Trace.from_service_times(1.0), "n_workers"),
        (lambda: Trace.from_service_times([1.0, -1.0]), "positive and finite"),
        (lambda: Trace.from_service_times([1.0], 2), "1 entries for n_workers=2"),
        (lambda: Trace.from_service_times(1.0, 2, distribution="cauchy"), "distribution must be one of"),
    ],
)
def test_bad_traces_say_why(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_simulated_runs_are_bit_equal(solver):
    X, y = data()
    executor = Simulated(Trace.from_service_times(1.0, 6))
    model = Lasso(alpha=0.05, solver=solver, executor=executor, tol=1e-8)
    one, two = clone(model).fit(X, y), clone(model).fit(X, y)
    assert_array_equal(one.coef_, two.coef_)
    assert_array_equal(one.history_.updates, two.history_.updates)
    assert one.history_.executor == "Simulated"


@pytest.mark.parametrize(
    ("solver", "step_size"),
    [("bcd", "exact"), ("bcd", Adaptive1()), ("bcd", Adaptive2()), ("piag", "adaptive1")],
)
@pytest.mark.parametrize(("n_jobs", "kind"), [(2, "regression"), (4, "classification")])
@pytest.mark.filterwarnings("ignore:.*max_iter was reached:sklearn.exceptions.ConvergenceWarning")
def test_a_threaded_run_is_replayed_from_its_history(solver, step_size, n_jobs, kind):
    X, y = data(n=300, p=80)
    settings = {"solver": solver, "step_size": step_size, "tol": 1e-6, "max_iter": 100, "record": "iterates"}
    settings["n_blocks"] = 8
    if kind == "regression":
        model = Lasso(alpha=0.05, **settings)
    else:
        model, y = LogisticRegression(C=1.0, l1_ratio=1.0, **settings), y > 0
    live = clone(model).set_params(n_jobs=n_jobs).fit(X, y)
    again = clone(model).set_params(executor=Simulated(Trace.from_history(live.history_))).fit(X, y)
    assert_array_equal(live.history_.arrivals, again.history_.arrivals)
    assert_array_equal(live.history_.updates["delay"], again.history_.updates["delay"])
    if step_size == "exact":
        assert_allclose(live.history_.updates["step"], again.history_.updates["step"], atol=1e-10)
    else:
        assert_array_equal(live.history_.updates["step"], again.history_.updates["step"])
    assert_allclose(live.coef_, again.coef_, atol=1e-10)
    assert_allclose(live.history_.iterates["objective"], again.history_.iterates["objective"], rtol=1e-10)
    assert live.n_updates_ == again.n_updates_


class Batches(BaseEstimator):
    """An executor that tells some results at once, in any order, and lets some workers wait."""

    def __init__(self, n_workers=5, seed=0):
        self.n_workers, self.seed = n_workers, seed

    def plan(self, n_jobs):
        return Plan(n_workers=self.n_workers)

    def run(self, solver, on_events):
        rng, held, now = np.random.default_rng(self.seed), {}, 0.0
        while True:
            for worker in rng.permutation(solver.n_workers).tolist():
                task = None if worker in held or (held and rng.random() < 0.3) else solver.ask(worker)
                if task is not None:
                    held[worker] = task
            told = rng.permutation(list(held))[: rng.integers(1, len(held) + 1)].tolist()
            tasks = [held.pop(worker) for worker in told]
            arrivals = [(task, solver.work(solver.part(task), task)) for task in tasks]
            solver.now = now = now + 1.0
            if on_events(solver.tell(arrivals), now):
                return list(held.values())


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "piag", "step_size": "adaptive1", "n_blocks": 8},
        {"solver": "piag", "step_size": "adaptive2"},
        {"solver": "piag", "step_size": "exact", "n_blocks": 8},
        {"step_size": "adaptive2", "n_blocks": 8},
        {"step_size": "adaptive1", "metric": "lipschitz", "working_set": False},
        {"working_set": False},
        {},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:.*max_iter was reached:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_what_was_told_at_once_is_told_at_once_again(settings, seed, kind):
    X, y = data(n=150, p=40)
    model = Lasso(alpha=0.02, tol=1e-6, max_iter=60, **settings)
    if kind == "classification":
        model = LogisticRegression(C=1.0, l1_ratio=0.8, tol=1e-6, max_iter=60, **settings)
        y = np.digitize(y, [-2.0, 1.0]) if seed == 0 else y > 0
    live = clone(model).set_params(executor=Batches(seed=seed)).fit(X, y)
    again = clone(model).set_params(executor=Simulated(Trace.from_history(live.history_))).fit(X, y)
    one, two = live.history_, again.history_
    for table in ("arrivals", "updates", "certificates", "shares"):
        assert_array_equal(getattr(one, table), getattr(two, table), err_msg=table)
    assert sorted(one.unfinished.tolist()) == sorted(two.unfinished.tolist())
    assert_array_equal(live.coef_, again.coef_)
    assert one.stopped == two.stopped
    told = np.concatenate([getattr(one, table)["told"] for table in ("arrivals", "certificates", "shares")])
    # So small a problem is one worker's in rounds.
    assert settings == {} or np.any(np.diff(np.sort(told)) == 1)


def test_an_unrecorded_run_cannot_be_replayed():
    model = Lasso(alpha=0.1, record=None).fit(*data())
    assert len(model.history_.updates) == len(model.history_.arrivals) == 0
    assert model.n_updates_ > 0
    with pytest.raises(ValueError, match="not recorded"):
        Trace.from_history(model.history_)


def test_a_trace_for_the_other_solver_is_refused():
    X, y = data()
    with pytest.raises(ValueError, match="schedule for solver 'bcd' and does not fit solver 'piag'"):
        Lasso(solver="piag", executor=Simulated(Trace.from_delays([0, 1, 2]))).fit(X, y)
    with pytest.raises(ValueError, match="schedule for solver 'piag' and does not fit solver 'bcd'"):
        Lasso(executor=Simulated(Trace.from_delays([[0, 0], [0, 1]]))).fit(X, y)


def test_fixed_step_takes_the_bound_from_the_trace():
    X, y = data()
    trace = Trace.from_delays(np.random.default_rng(0).integers(0, 9, 100))
    model = Lasso(alpha=0.1, step_size=FixedStep(rule="principle"), n_blocks=20, executor=Simulated(trace))
    model.fit(X, y)
    assert_allclose(model.history_.updates["step"], 0.99 / (trace.max_delay + 1))
    assert model.history_.n_over_bound == 0


SCHEDULES = {
    "round robin": (Trace.constant(4), None),
    "service times": (Trace.from_service_times([1.0] * 3 + [4.0]), None),
    "equal service times": (Trace.from_service_times(1.0, 4, "deterministic"), None),
    "log": (Trace.from_delays([0, 3, 1, 2, 2]), "bcd"),
    "table": (Trace.from_delays(Trace.from_service_times([1.0, 2.0, 5.0]).delays(60, "piag")), "piag"),
}


@pytest.mark.parametrize("n_blocks", ["auto", 4, 12])
@pytest.mark.parametrize("solver", ["bcd", "piag"])
@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_fixed_step_is_made_for_the_largest_delay_of_every_trace(name, solver, n_blocks):
    X, y = data()
    trace, only = SCHEDULES[name]
    if only not in (None, solver):
        pytest.skip("a log of the other solver")
    model = Lasso(alpha=0.1, solver=solver, n_blocks=n_blocks, max_iter=20, tol=0.0)
    model.set_params(step_size=FixedStep(rule="principle"), executor=Simulated(trace)).fit(X, y)
    history = model.history_
    largest = trace.largest_delay(42 * history.n_blocks, solver, history.n_blocks)
    assert_allclose(history.updates["step"], history.largest_step / (largest + 1))
    assert history.updates["delay"].max() <= largest
    assert history.n_over_bound == 0


@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_the_fixed_step_is_made_for_the_largest_delay_of_a_recorded_run(solver):
    X, y = data()
    settings = {"alpha": 0.1, "solver": solver, "n_blocks": 8, "tol": 1e-3}
    past = Lasso(n_jobs=2, step_size="adaptive1", **settings).fit(X, y).history_
    again = Lasso(step_size="fixed", executor=Simulated(Trace.from_history(past)), **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Certificates of other steps fall elsewhere, which may put one update more before a late one.
        warnings.filterwarnings("ignore", "1 of .* updates had a delay above max_delay", RuntimeWarning)
        steps = again.fit(X, y).history_.updates["step"]
    assert_allclose(steps, past.largest_step / (past.updates["delay"].max() + 0.5))


@pytest.mark.parametrize("n_shards", [2, 4, 7])
def test_largest_delay_counts_what_piag_measures(n_shards):
    X, y = data()
    trace = Trace.from_service_times([1.0, 1.5, 2.0, 6.0])
    model = Lasso(alpha=0.1, solver="piag", n_blocks=n_shards, executor=Simulated(trace)).fit(X, y)
    delays = model.history_.updates["delay"]
    assert trace.largest_delay(len(delays), "piag", n_shards) == delays.max()


def test_history_columns_and_frame():
    X, y = data()
    model = Lasso(alpha=0.05, record="iterates", n_jobs=2, n_blocks=6).fit(X, y)
    history = model.history_
    updates, arrivals, certificates = history.updates, history.arrivals, history.certificates
    assert_array_equal(updates["update"], np.arange(model.n_updates_))
    assert_array_equal(arrivals["update"], updates["update"])
    assert_array_equal(updates["update"] - arrivals["stamp"], updates["delay"])
    assert np.all(np.diff(updates["time"]) >= 0)
    assert set(arrivals["worker"]) <= {0, 1}
    assert set(updates["phase"]) == {"descent"}
    assert certificates["gap"][-1] <= 1e-4 * y.var()
    iterates = history.iterates
    assert np.all(iterates["objective"][1:] <= iterates["objective"][:-1] * (1 + 1e-12))
    assert iterates["objective"][-1] >= model.objective_ - model.dual_gap_ - 1e-12
    pandas = pytest.importorskip("pandas")
    frame = history.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == model.n_updates_
    assert {"update", "time", "delay", "step", "phase", "worker", "block", "stamp"} <= set(frame.columns)
    assert "History of bcd" in repr(history)


def test_iterates_are_thinned():
    X, y = data()
    executor = Simulated(Trace.from_service_times(1.0, 8))
    plain = {"solver": "piag", "step_size": "adaptive1", "metric": "lipschitz"}
    model = Lasso(alpha=0.1, **plain, executor=executor, record="iterates", tol=1e-7).fit(X, y)
    assert model.n_updates_ > 1000
    assert 64 <= len(model.history_.iterates) <= 256


@pytest.mark.parametrize("executor", [Threads(), Simulated(Trace.constant(3))])
def test_executors_are_cloned(executor):
    X, y = data()
    copy = clone(Lasso(alpha=0.1, executor=executor)).fit(X, y)
    assert type(copy.executor) is type(executor)


def test_joblib_context_is_respected():
    X, y = data()
    with parallel_config("threading", n_jobs=3):
        assert Lasso(alpha=0.1, n_blocks=6).fit(X, y).history_.n_workers == 3
    assert Lasso(alpha=0.1).fit(X, y).history_.n_workers == 1


class OneByOne:
    """A state machine with one task for each of these workers, given out in this order."""

    def __init__(self, *workers):
        self.workers, self.told = list(workers), []

    def ask(self, worker):
        return self.workers.pop(0) if self.workers[:1] == [worker] else None

    def part(self, task):
        return None

    def work(self, part, task):
        return task

    def tell(self, arrivals):
        self.told += arrivals
        return []


def test_a_slow_worker_with_the_only_task_is_waited_for():
    executor = Simulated(Trace.from_service_times([500.0, 1.0, 1.0], random_state=0))
    solver = OneByOne(1, 0)
    executor.run(solver, lambda events, now: len(solver.told) == 2)
    assert solver.told == [(1, 1), (0, 0)]


def test_nobody_is_waited_for_where_nothing_is_left_to_do():
    executor = Simulated(Trace.from_service_times([500.0, 1.0, 1.0], random_state=0))
    with pytest.raises(RuntimeError, match="nothing to do"):
        executor.run(OneByOne(1), lambda events, now: False)


@pytest.mark.filterwarnings("ignore:.*max_iter was reached:sklearn.exceptions.ConvergenceWarning")
def test_a_thousand_simulated_workers():
    X = sp.random(500, 1500, density=0.02, format="csc", random_state=0)
    y = X @ np.r_[np.ones(10), np.zeros(1490)]
    executor = Simulated(Trace.from_service_times(1.0, 1000))
    model = Lasso(alpha=1e-3, executor=executor, n_blocks=1200, max_iter=30).fit(X, y)
    assert model.history_.n_workers == 1000
    assert model.history_.updates["delay"][5000:].mean() == pytest.approx(999, rel=0.1)


def test_schedules_are_written_as_logs_and_read_back(tmp_path):
    path = tmp_path / "log.csv"
    one = Trace.from_service_times([1.0, 2.0, 4.0], random_state=5, distribution="lognormal")
    for solver in ("bcd", "piag"):
        one.to_csv(path, 400, solver=solver)
        again = Trace.from_delays(path)
        assert (again.solver, again.n_workers) == (solver, 3)
        assert_array_equal(again.delays(400), one.delays(400, solver))
        again.to_csv(tmp_path / "again.csv")
        assert (tmp_path / "again.csv").read_text() == path.read_text()
    with pytest.raises(ValueError, match="fits both solvers"):
        one.to_csv(path)


@pytest.mark.parametrize("solver", ["bcd", "piag"])
def test_a_threaded_run_is_written_as_a_log(tmp_path, solver):
    X, y = data()
    model = Lasso(alpha=0.1, solver=solver, step_size="adaptive1", n_jobs=3, tol=0.1).fit(X, y)
    trace = Trace.from_history(model.history_)
    trace.to_csv(tmp_path / "log.csv")
    again = Trace.from_delays(tmp_path / "log.csv").delays(model.n_updates_)
    assert_array_equal(again.reshape(model.n_updates_, -1).max(axis=1), model.history_.updates["delay"])


@pytest.mark.parametrize("name", sorted(path.stem for path in LOGS.glob("*.csv")))
def test_real_logs_are_written_as_they_were(tmp_path, name):
    Trace.from_delays(LOGS / f"{name}.csv").to_csv(tmp_path / "again.csv")
    log = np.loadtxt(LOGS / f"{name}.csv", dtype=int, delimiter=",", ndmin=2)
    again = np.loadtxt(tmp_path / "again.csv", dtype=int, delimiter=",", ndmin=2)
    assert_array_equal(again, np.minimum(log, np.arange(len(log))[:, None]))


@pytest.mark.parametrize("distribution", ["deterministic", "exponential", "lognormal", "pareto"])
def test_service_times_have_the_mean_asked_for(distribution):
    shape = {"pareto": 4.0}.get(distribution)
    trace = Trace.from_service_times([2.0], distribution=distribution, shape=shape, random_state=1)
    times = [now for now, _, _ in islice(trace.events(), 20_000)]
    assert times[-1] / len(times) == pytest.approx(2.0, rel=0.05)
    burst = Trace.from_service_times([2.0], distribution=distribution, shape=shape, burst_probability=0.1)
    times = [now for now, _, _ in islice(burst.events(), 20_000)]
    assert times[-1] / len(times) == pytest.approx(2.0 * 1.9, rel=0.1)


@pytest.mark.parametrize(
    "options",
    [{"distribution": "pareto", "shape": 1.0}, {"distribution": "lognormal", "shape": -1.0},
     {"burst_probability": 1.5}, {"burst_factor": 0.5}],
)  # fmt: skip
def test_bad_laws_of_service_times(options):
    with pytest.raises(ValueError, match=r"too small|Bursts need"):
        Trace.from_service_times(1.0, 2, **options)


@pytest.mark.parametrize("record", [None, "updates", "iterates"])
def test_histories_are_saved_and_loaded(tmp_path, record):
    X, y = data()
    model = Lasso(alpha=0.1, n_jobs=2, record=record).fit(X, y)
    history = model.history_
    history.save(tmp_path / "run.npz")
    again = History.load(tmp_path / "run.npz")
    for name in ("arrivals", "updates", "certificates", "iterates", "unfinished"):
        assert_array_equal(getattr(again, name), getattr(history, name))
    assert repr(again) == repr(history)
    assert again.largest_step == history.largest_step
    if record is not None:
        replay = Lasso(alpha=0.1, record=record, executor=Simulated(Trace.from_history(again))).fit(X, y)
        assert_array_equal(replay.history_.arrivals, history.arrivals)


def test_results_of_a_worker_may_come_in_another_order():
    history = History()
    history._rows["updates"] = [(k, 0.0, 0, 1.0, "block", 0.0) for k in range(2)]
    history._rows["arrivals"] = [(0, 1, 0, 0, 2, 3), (1, 0, 0, 0, 4, 6)]
    history._rows["certificates"] = [(1, 0.0, 0.0, 0.0, 0.0, 0, 1, 8), (1, 0.0, 0.0, 0.0, 0.0, -1, -1, 9)]
    history._rows["unfinished"] = [(0, 2, 7)]
    assert {worker: list(places) for worker, places in history.places().items()} == {0: [1, 0], 1: [0]}


def test_older_histories_are_read_and_replayed(tmp_path):
    """They do not say of which block what was in flight was, nor how many workers there could be."""
    X, y = data()
    model = Lasso(alpha=0.1, n_blocks=4, n_jobs=2).fit(X, y)
    history = model.history_
    assert len(history.unfinished)
    tables = {name: getattr(history, name) for name in TABLES}
    tables["unfinished"] = history.unfinished[["worker", "asked"]]
    state = {name: value for name, value in vars(history).items() if name != "most_workers"}
    facts = json.dumps({name: value for name, value in state.items() if name[0] != "_"})
    np.savez(tmp_path / "run.npz", facts=facts, **tables)
    pickled = History.__new__(History)
    state["_rows"] = history._rows | {"unfinished": [row[::2] for row in history._rows["unfinished"]]}
    pickled.__setstate__(state)
    for older in (History.load(tmp_path / "run.npz"), pickled):
        assert older.unfinished["block"].tolist() == [-1] * len(history.unfinished)
        taken = older.visits()
        assert sum(map(len, taken.values())) == len(history.arrivals) + len(history.shares)
        assert all(type(worker) is int for worker in taken)
        again = clone(model).set_params(executor=Simulated(Trace.from_history(older))).fit(X, y)
        assert_array_equal(again.history_.updates["step"], history.updates["step"])


def test_a_recorded_schedule_of_an_older_pickle_is_read():
    X, y = data()
    model = Lasso(alpha=0.1, step_size="adaptive1", n_jobs=2, n_blocks=4).fit(X, y)
    schedule = Trace.from_history(model.history_)._events
    older = copy(schedule)
    positions = {position: event[:2] for position, *event in reversed(schedule._events)}
    older.__setstate__(vars(schedule) | {"_events": positions})
    assert list(older) == list(schedule)


def test_a_run_that_grew_working_sets_in_the_scalar_metric_is_replayed():
    X, y = data()
    model = Lasso(alpha=0.1, metric="lipschitz", step_size="adaptive1", n_jobs=2)
    live = clone(model).set_params(working_set=True).fit(X, y)
    again = clone(model).set_params(executor=Simulated(Trace.from_history(live.history_))).fit(X, y)
    assert_array_equal(live.history_.updates["step"], again.history_.updates["step"])
    assert_array_equal(live.history_.arrivals, again.history_.arrivals)


def test_steps_of_the_exact_step_are_shares_of_the_full_step():
    X, y = data()
    history = Lasso(alpha=0.1, metric="lipschitz").fit(X, y).history_
    assert history.largest_step == 1.0
    assert history.updates["step"].max() == 1.0


@pytest.mark.parametrize("trace", [None, [0, 1, 2]])
def test_simulated_needs_a_trace(trace):
    with pytest.raises(TypeError, match="Simulated needs a Trace"):
        Lasso(executor=Simulated(trace)).fit(*data())


def test_setting_up_a_huge_log_is_quick():
    X, y = data()
    trace = Trace.from_delays([0, 0, 10_000])
    model = Lasso(alpha=0.1, executor=Simulated(trace), metric="lipschitz", step_size="adaptive1", max_iter=5)
    with pytest.warns(ConvergenceWarning, match="max_iter was reached"):
        model.fit(X, y)
    assert model.history_.n_workers > 3000

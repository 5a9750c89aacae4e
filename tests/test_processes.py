"""Workers that are processes: what travels, what is limited in them, and what is left of them."""

import multiprocessing
import os
import signal
import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from threadpoolctl import threadpool_info

from sk_asyncprox import Lasso, LogisticRegression
from sk_asyncprox.delays import Stamp
from sk_asyncprox.executors import Processes, Simulated, Trace, WorkersLost, processes
from sk_asyncprox.losses import SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solve import Options, solve
from sk_asyncprox.solvers.base import Solver, Task

rng = np.random.default_rng(0)
X = rng.standard_normal((100, 12))
Y = X[:, :3] @ [1.0, -2.0, 3.0] + 0.1 * rng.standard_normal(100)
BLOCKS = {"n_blocks": 4, "n_jobs": 2, "executor": "processes", "tol": 1e-10}


@pytest.fixture(autouse=True)
def no_process_left(nothing_left):
    before = multiprocessing.active_children()  # those of joblib, which other tests have started
    yield
    assert set(multiprocessing.active_children()) <= set(before)


class Part:
    """Counts how often it is sent."""

    sent = 0

    def __getstate__(self):
        Part.sent += 1
        return {}


class Questions(Solver):
    """Asks every worker, four times, who it is and how it may calculate."""

    n_workers, n_blocks, step_unit, touched, over_bound = 2, 2, 1.0, 1, 0

    def __init__(self):
        self.parts, self.left, self.answers, self.dropped = [Part(), None], [4, 4], [], 0

    def ask(self, worker):
        self.left[worker] -= 1
        return Task("question", worker, Stamp(0, 0.0), 0, worker, None) if self.left[worker] >= 0 else None

    def part(self, task):
        return self.parts[task.block]

    @staticmethod
    def work(part, task):
        blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
        with np.errstate():
            return os.getpid(), type(part).__name__, max(blas, default=1), np.geterr()["over"]

    def tell(self, arrivals):
        self.answers += [(task.worker, *result) for task, result in arrivals]
        return []

    def drop(self, task):
        self.left[task.worker] += 1
        self.dropped += 1


def test_every_worker_is_a_process_that_is_sent_its_part_once():
    solver, Part.sent = Questions(), 0
    assert Processes().run(solver, lambda events, now: len(solver.answers) == 8) == []
    assert {(worker, kind) for worker, _, kind, *_ in solver.answers} == {(0, "Part"), (1, "NoneType")}
    assert len({pid for _, pid, *_ in solver.answers} | {os.getpid()}) == 3
    assert {(blas, over) for *_, blas, over in solver.answers} == {(1, "ignore")}
    assert Part.sent == 1


@pytest.mark.parametrize("options", [{"step_size": "exact"}, {"step_size": "adaptive1"}], ids=str)
def test_solutions_and_replays(options):
    model = Lasso(0.1, **BLOCKS | options).fit(X, Y)
    best = Lasso(0.1, tol=1e-13).fit(X, Y)
    assert model.history_.executor == "Processes"
    assert set(model.history_.arrivals["worker"]) <= {0, 1}
    assert_allclose(model.coef_, best.coef_, atol=1e-4)
    replayed = clone(model).set_params(executor=Simulated(Trace.from_history(model.history_))).fit(X, Y)
    assert_array_equal(replayed.history_.arrivals, model.history_.arrivals)
    for column in ("delay", "step"):
        assert_allclose(replayed.history_.updates[column], model.history_.updates[column], rtol=1e-6)
    assert_allclose(replayed.coef_, model.coef_, atol=1e-8)


@pytest.mark.parametrize("estimator", [Lasso(0.05), LogisticRegression(C=0.1, l1_ratio=1.0)], ids=str)
@pytest.mark.parametrize("step_size", ["adaptive1", "exact"])
def test_shards_that_moved_are_where_they_were_in_a_replay(estimator, step_size):
    y = Y if isinstance(estimator, Lasso) else Y > 0
    live = clone(estimator).set_params(solver="piag", step_size=step_size, n_jobs=2, executor="processes")
    live.fit(X, y)
    history = live.history_
    again = clone(live).set_params(executor=Simulated(Trace.from_history(history))).fit(X, y)
    assert_array_equal(again.history_.arrivals, history.arrivals)
    assert_array_equal(again.history_.updates[["delay", "step"]], history.updates[["delay", "step"]])
    assert_array_equal(again.coef_, live.coef_)


def test_what_each_process_keeps_is_as_old_in_a_replay():
    """A Gram matrix of a block is made anew where the curvature has changed, in every process by itself."""
    model = LogisticRegression(**BLOCKS | {"n_blocks": 6}, C=1.0)
    live = clone(model).fit(X[:, :6], np.digitize(Y, [-1.0, 1.0]))
    trace = Trace.from_history(live.history_)
    again = clone(model).set_params(executor=Simulated(trace)).fit(X[:, :6], np.digitize(Y, [-1.0, 1.0]))
    assert_array_equal(again.history_.arrivals, live.history_.arrivals)
    assert_array_equal(again.coef_, live.coef_)


def test_a_short_fit_starts_no_process(monkeypatch):
    monkeypatch.setattr(processes, "ProcessPoolExecutor", None)
    for n_jobs in (None, 2):
        LogisticRegression(n_jobs=n_jobs, executor=Processes()).fit(X, Y > 0)


def killing(monkeypatch, times):
    """Processes are killed, one for each of their first arrivals; their numbers."""
    killed, arrival = [], processes._Crew._arrival

    def kill(crew, future):
        found = arrival(crew, future)
        if found is not None and len(killed) < times:
            [pid] = crew._pools[found[0].worker][0]._processes
            killed.append(pid)
            os.kill(pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        return found

    monkeypatch.setattr(processes._Crew, "_arrival", kill)
    return killed


def test_a_killed_process_is_replaced(monkeypatch):
    killed = killing(monkeypatch, 2)
    model = Lasso(0.1, **BLOCKS).fit(X, Y)
    assert len(killed) == 2
    assert model.history_.stopped == "converged"
    assert_allclose(model.coef_, Lasso(0.1, tol=1e-13).fit(X, Y).coef_, atol=1e-4)


def test_processes_that_end_again_and_again_end_the_run(monkeypatch):
    killing(monkeypatch, 100)
    model = Lasso(0.1, **BLOCKS | {"step_size": "adaptive1"})
    with pytest.raises(WorkersLost, match="A worker process has ended 3 times"):
        model.fit(X, Y)


class Failing(SquaredLoss):
    """Fails where it is not at home."""

    def value(self, y, z):
        if multiprocessing.parent_process() is not None:
            raise FloatingPointError("not here")
        return super().value(y, z)


def test_the_error_of_a_process_is_raised_here():
    problem = Problem(X, Y, Failing(), ElasticNetPenalty(0.1))
    with pytest.raises(FloatingPointError, match="not here"):
        solve(problem, Options(executor="processes", n_jobs=2, n_blocks=4))


@pytest.mark.skipif(os.name == "nt", reason="os.kill(SIGINT) ends a Windows process outright")
def test_an_interrupt_ends_the_processes(monkeypatch):
    """Raised when they have ended."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    arrival = processes._Crew._arrival

    def interrupted(crew, future):
        if len(crew.held) and not timer.is_alive() and not timer.finished.is_set():
            timer.start()
        return arrival(crew, future)

    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    monkeypatch.setattr(processes._Crew, "_arrival", interrupted)
    model = Lasso(1e-4, **BLOCKS | {"step_size": "adaptive1", "tol": 0.0, "max_iter": 10**9, "max_time": 60})
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
    assert not hasattr(model, "coef_")

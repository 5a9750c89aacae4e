"""Ctrl-C during a fit: a real SIGINT, after which workers stop and the process is as it was; and failures of
one thread, after which the others stop."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import environment
from joblib import parallel_config
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from soak_signals import CLUSTER_KINDS, KINDS

from sk_asyncprox import ElasticNet, ElasticNetCV, LassoCV, LogisticRegressionCV, enet_path
from sk_asyncprox._interrupts import Deferred, Stop
from sk_asyncprox.step_sizes import Adaptive1

pytestmark = pytest.mark.skipif(os.name == "nt", reason="os.kill(SIGINT) ends a Windows process outright")

# The slow policies and the faint penalty keep a fit going for longer than any signal waits.
CHILD = """
import faulthandler, os, signal, sys, threading, time
import numpy as np
from threadpoolctl import threadpool_info
from sk_asyncprox import ElasticNet
from sk_asyncprox.step_sizes import Adaptive1

# Jobs in a shell's background ignore it, and so do the processes that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
solver, *moments = sys.argv[1:]
faulthandler.dump_traceback_later(100, exit=True)
rng = np.random.default_rng(0)
X = rng.standard_normal((2000, 400))
y = X[:, :20].sum(axis=1) + rng.standard_normal(2000)
slow = Adaptive1(alpha=1e-3)
model = ElasticNet(1e-4, solver=solver, step_size=slow, tol=0, max_iter=10**9)
model.set_params(max_time=20)


def limits():
    return [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]


def kill_later(delay):
    def kill():
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=kill, daemon=True).start()


before = limits()
for number, moment in enumerate(map(float, moments)):
    caught, by_itself = None, moment > 0
    moment = abs(moment)
    model.set_params(n_jobs=1 + (number % 3 > 0))
    try:
        if by_itself:
            kill_later(moment)
        else:
            print("begun", flush=True)
        begin = time.monotonic()
        model.fit(X, y)
    except KeyboardInterrupt:
        caught = time.monotonic()
    if caught is None:
        sys.exit(f"the fit ended before the signal of {moment} s")
    late = caught - begin - moment
    if late > 2.0:
        sys.exit(f"interrupted {late:.2f} s after the signal of {moment} s")
    while threading.active_count() > 1 and time.monotonic() < caught + 2.0 - max(late, 0.0):
        time.sleep(0.005)
    if threading.active_count() > 1:
        sys.exit(f"threads left after {moment} s: {threading.enumerate()}")
    if limits() != before:
        sys.exit(f"BLAS limits after {moment} s: {limits()}, before {before}")
    if hasattr(model, "coef_"):
        sys.exit("an interrupted fit has set coef_")
model.set_params(max_time=0.05)
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    model.fit(X, y)
print("done", flush=True)
"""

MOMENTS = [f"{moment:.3f}" for moment in np.linspace(0.02, 0.6, 12)]


def start(*args):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *args],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(child, timeout):
    try:
        out, err = child.communicate(timeout=timeout)
    finally:
        child.kill()
    assert child.returncode == 0, err
    assert out.endswith("done\n")


@pytest.mark.parametrize(("solver", "moments"), [("bcd", MOMENTS[::2]), ("piag", MOMENTS[1::2])])
def test_many_moments(solver, moments):
    """The parent sends two signals, at moments that are written as negative ones; the others the child sends
    itself, so that one start-up serves many of them."""
    parents = ["-0.1", "-0.4"]
    child = start(solver, *parents, *moments)
    try:
        for moment in parents:
            assert child.stdout.readline() == "begun\n"
            time.sleep(-float(moment))
            child.send_signal(signal.SIGINT)
    except BaseException:
        child.kill()
        raise
    finish(child, timeout=90)


def interrupted(kind, signals):
    """A run of the script that interrupts fits of one kind at random moments; says when the signals came."""
    run = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("soak_signals.py")),
            "--kind",
            kind,
            "--signals",
            str(signals),
        ],
        capture_output=True,
        text=True,
        timeout=120 + 20 * signals,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_random_moments():
    assert interrupted("rounds", 12)["in the fit"] > 0


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("kind", KINDS)
def test_many_random_moments(kind):
    if kind in CLUSTER_KINDS:
        pytest.importorskip("distributed")
    signals = max(10, round(2 * float(os.environ.get("SOAK_MINUTES", 60))))
    assert interrupted(kind, signals)["in the fit"] > signals / 10


# -- threads that end together ---------------------------------------------------------------------------

SLOW = {"step_size": Adaptive1(alpha=1e-3), "tol": 0.0, "max_iter": 10**9, "max_time": 60}
X = np.random.default_rng(0).standard_normal((400, 200))
Y = X[:, :5].sum(axis=1)
ALL_CV = [
    LassoCV(alphas=[0.01], cv=3, n_jobs=3, **SLOW),
    ElasticNetCV(alphas=[0.01], cv=3, n_jobs=2, solver="piag", **SLOW),
    LogisticRegressionCV(Cs=[1.0], cv=3, n_jobs=3, **SLOW),
]


def labels(model):
    return Y > 0 if hasattr(model, "predict_proba") else Y


@pytest.fixture
def alarm():
    """Sends this process a SIGINT, whose handler raises here as it does in a foreground process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timers = []

    def send_after(delay):
        timers.append(threading.Timer(delay, lambda: os.kill(os.getpid(), signal.SIGINT)))
        timers[-1].start()

    yield send_after
    for timer in timers:
        timer.join()
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("model", ALL_CV, ids=lambda model: type(model).__name__)
def test_an_interrupt_ends_all_folds(model, alarm, nothing_left):
    model, begin = clone(model), time.monotonic()
    alarm(0.7)
    with pytest.raises(KeyboardInterrupt) as caught:
        model.fit(X, labels(model))
    assert time.monotonic() - begin < 15
    assert caught.value.__context__ is None
    assert not hasattr(model, "coef_")


def test_an_interrupt_ends_a_path_in_threads(alarm, nothing_left):
    begin = time.monotonic()
    alarm(0.7)
    with pytest.raises(KeyboardInterrupt):
        enet_path(X, Y, alphas=[0.01, 0.001], n_jobs=2, **SLOW)
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize("where", ["main thread", "other thread"])
@pytest.mark.parametrize("model", ALL_CV[:2], ids=lambda model: type(model).__name__)
def test_an_error_in_one_fold_ends_the_others(model, where, nothing_left):
    """One fold trains on rows without weight, others are tested on such: the first one to be refused ends
    all."""
    model, begin, caught = clone(model), time.monotonic(), []
    weights = np.r_[np.ones(134), np.zeros(266)]

    def fit():
        try:
            model.fit(X, Y, sample_weight=weights)
        except ValueError as error:
            caught.append(str(error))

    if where == "main thread":
        fit()
    else:
        thread = threading.Thread(target=fit)
        thread.start()
        thread.join()
    assert time.monotonic() - begin < 15
    [said] = caught
    assert said.endswith("fold are zero; at least one must be positive.")


def test_an_error_of_the_scorer_ends_the_other_folds(nothing_left):
    error = ArithmeticError("no score")

    def score(model, X, y):
        raise error

    # The first fold trains on rows of zeros, and has nothing to do.
    X_zeros, folds = X.copy(), [(np.arange(300), np.arange(300, 400)), (np.arange(300, 400), np.arange(300))]
    X_zeros[:300] = 0.0
    model, begin = clone(ALL_CV[2]).set_params(scoring=score, cv=folds, tol=1e-9), time.monotonic()
    with pytest.raises(ArithmeticError) as caught:
        model.fit(X_zeros, np.sign(np.sin(np.arange(400))))
    assert caught.value is error
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.soak)])
def test_folds_in_threads_and_in_processes_are_the_same(backend):
    model = LassoCV(alphas=5, cv=3).fit(X, Y)
    with parallel_config(backend, n_jobs=2):
        again = clone(model).fit(X, Y)
        with pytest.raises(ValueError, match="fold are zero"):
            clone(model).fit(X, Y, np.r_[np.ones(134), np.zeros(266)])
    np.testing.assert_array_equal(again.mse_path_, model.mse_path_)


def test_a_handler_that_does_not_raise_ends_nothing(alarm, nothing_left):
    seen = []
    signal.signal(signal.SIGINT, lambda *_: seen.append(time.monotonic()))
    begin = time.monotonic()
    alarm(0.3)
    model = ElasticNet(0.01, n_jobs=2, **SLOW | {"max_time": 1.0})
    with pytest.warns(ConvergenceWarning):
        model.fit(X, Y)
    assert model.history_.stopped == "max_time"
    assert len(seen) == 1
    assert seen[0] - begin < 1.0


def test_a_second_interrupt_is_raised_at_once_when_the_threads_take_long(monkeypatch, alarm):
    monkeypatch.setattr("sk_asyncprox._interrupts.PATIENCE", 0.2)
    stop = Stop()
    alarm(0.1), alarm(0.6)
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Deferred(stop):
        time.sleep(20)
    assert stop.asked
    assert 0.3 < time.monotonic() - begin < 10
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

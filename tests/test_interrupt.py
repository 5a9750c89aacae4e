"""Ctrl-C during a fit: a real SIGINT, after which workers stop and the process is as it was."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import sk_asyncprox

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
solver, n_jobs, source, *moments = sys.argv[1:]
faulthandler.dump_traceback_later(100, exit=True)
rng = np.random.default_rng(0)
X = rng.standard_normal((2000, 400))
y = X[:, :20].sum(axis=1) + rng.standard_normal(2000)
slow = Adaptive1(alpha=1e-3)
model = ElasticNet(1e-4, solver=solver, step_size=slow, n_jobs=int(n_jobs), tol=0, max_iter=10**9)
model.set_params(max_time=20)


def limits():
    return [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]


def kill_later(delay):
    def kill():
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=kill, daemon=True).start()


before = limits()
for moment in map(float, moments):
    caught = None
    try:
        if source == "child":
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

MOMENTS = [f"{moment:.3f}" for moment in np.linspace(0.05, 1.5, 20)]


def start(*args):
    path = os.pathsep.join([str(Path(sk_asyncprox.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *args],
        env={**os.environ, "PYTHONPATH": path},
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
    """The child sends itself the signals, so that one start-up serves many of them."""
    finish(start(solver, "2", "child", *moments), timeout=90)


@pytest.mark.parametrize(("solver", "n_jobs"), [("bcd", "2"), ("piag", "1")])
def test_signal_from_the_parent(solver, n_jobs):
    moments = ["0.1", "0.4"]
    child = start(solver, n_jobs, "parent", *moments)
    try:
        for moment in moments:
            assert child.stdout.readline() == "begun\n"
            time.sleep(float(moment))
            child.send_signal(signal.SIGINT)
    except BaseException:
        child.kill()
        raise
    finish(child, timeout=60)

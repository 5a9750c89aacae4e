"""Fixtures that several test files share."""

import gc
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import hypothesis
import numpy as np
import pytest
import sklearn
from sklearn.utils.fixes import parse_version
from threadpoolctl import threadpool_info

import sk_asyncprox

# A minute of random fits runs beside all other tests, in a process that takes only what time they leave.
# It is judged last.
BESIDE = pytest.StashKey()
SHARED_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID")
"""Where several processes share the tests: what they all know of their run."""

# An example may wait for other processes: the time of the whole test is limited, not that of one of them.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def environment():
    """Variables of a child process that imports this package."""
    path = [str(Path(sk_asyncprox.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is imported and collected stays: to look through it again and again takes a tenth of all time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("beside") is not None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    if session.config.option.collectonly or not any(i.get_closest_marker("beside") for i in session.items):
        return
    path = Path(tempfile.gettempdir()) / f"random_fits_{SHARED_RUN or os.getpid()}.txt"
    session.config.stash[BESIDE] = path, None
    try:
        output = open(path, "x")  # noqa: SIM115 (the process has it)
    except FileExistsError:  # another process that shares the tests was first
        return
    fuzz = Path(__file__).with_name("fuzzing.py")
    process = subprocess.Popen(
        [sys.executable, str(fuzz), "--minutes", "1", "--cases", "10000", "--nice", "19"],
        env=environment(),
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    output.close()
    session.config.stash[BESIDE] = path, process


def pytest_sessionfinish(session):
    path, process = session.config.stash.get(BESIDE, (None, None))
    if process is not None and not SHARED_RUN:  # others may still wait for it
        process.kill()
        process.wait()
        path.unlink(missing_ok=True)


@pytest.fixture
def random_fits(request):
    """What the random fits print, once they have ended."""
    path, _ = request.config.stash[BESIDE]
    deadline = time.monotonic() + 240.0
    while " s of work)" not in (output := path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    path.unlink()
    return output


class Data(NamedTuple):
    """A small well-conditioned problem with zeros in X, real targets and binary labels."""

    X: np.ndarray
    y: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


def make_data(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 0.5 * rng.standard_normal((n, 1))
    X[rng.random((n, p)) < 0.3] = 0.0
    w = np.where(np.arange(p) % 3, rng.standard_normal(p), 0.0)
    y = X @ w + 1.0 + 0.5 * rng.standard_normal(n)
    labels = np.where(X @ w + rng.standard_normal(n) > 0, 1, 0)
    return Data(X, y, labels, rng.uniform(0.2, 2.0, n))


@pytest.fixture(scope="session")
def data():
    """80 samples of 12 features, read-only."""
    made = make_data(80, 12)
    for array in made:
        array.flags.writeable = False
    return made


def penalty_of_peer(l1_ratio):
    """What scikit-learn's LogisticRegression needs before 1.8 to heed ``l1_ratio``."""
    if parse_version(sklearn.__version__) >= parse_version("1.8"):
        return {}
    return {"penalty": "elasticnet"} if l1_ratio else {"penalty": "l2", "l1_ratio": None}


def blas_limits():
    """Threads of every BLAS in the process."""
    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture
def nothing_left():
    """The test leaves no thread behind (after two seconds) and the BLAS limits as they were."""
    threads, limits = threading.active_count(), blas_limits()
    yield
    deadline = time.monotonic() + 2.0
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= threads
    assert blas_limits() == limits

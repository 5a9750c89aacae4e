"""Fixtures that several test files share."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import sklearn
from sklearn.utils.fixes import parse_version
from threadpoolctl import threadpool_info

import sk_asyncprox

# A minute of random fits runs beside all other tests, in a process that takes only what time they leave: most
# of them keep one core busy. It is judged last.
BESIDE = pytest.StashKey()


def environment():
    """Variables of a child process that imports this package."""
    path = [str(Path(sk_asyncprox.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("beside") is not None)


def pytest_runtestloop(session):
    if session.config.option.collectonly or not any(i.get_closest_marker("beside") for i in session.items):
        return
    output = tempfile.TemporaryFile("w+")  # noqa: SIM115 (open until the session ends)
    fuzz = Path(__file__).with_name("fuzzing.py")
    process = subprocess.Popen(
        [sys.executable, str(fuzz), "--minutes", "1", "--cases", "10000", "--nice", "19"],
        env=environment(),
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    session.config.stash[BESIDE] = process, output


def pytest_sessionfinish(session):
    if BESIDE in session.config.stash:
        process, output = session.config.stash[BESIDE]
        process.kill()
        process.wait()
        output.close()


@pytest.fixture
def random_fits(request):
    """Exit code and output of the random fits, once they have ended."""
    process, output = request.config.stash[BESIDE]
    code = process.wait(timeout=240)
    output.seek(0)
    return code, output.read()


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

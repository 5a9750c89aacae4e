"""L1 logistic regression on a large text set: work, certificate and memory (skipped without the data)."""

import runpy
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from sk_asyncprox import LogisticRegression
from sk_asyncprox._blas_limit import one_blas_thread
from sk_asyncprox.executors import Trace

DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="module")
def news20():
    if not (DATA / "news20_X.npz").exists():
        pytest.skip("the text set is not here")
    X = sp.load_npz(DATA / "news20_X.npz")
    y = np.load(DATA / "news20_y.npz", allow_pickle=True)["y_bin"]
    C = 10.0 / np.abs(X.astype(np.float64).T @ (y - y.mean())).max()
    return X, y, LogisticRegression(C=C, l1_ratio=1.0, tol=1e-6)


def test_gradient_units_and_gap(news20):
    X, y, model = news20
    X = X.astype(np.float64).tocsc()
    w, u = np.ones(X.shape[1]), np.ones(X.shape[0])
    units = []
    # Processor time, so that other programs on the machine do not count.
    with one_blas_thread():
        for _ in range(7):
            begin = time.process_time()
            X @ w, X.T @ u
            units.append(time.process_time() - begin)
        begin = time.process_time()
        model.fit(X, y)
    assert time.process_time() - begin <= 500 * np.median(units)
    assert model.dual_gap_ <= 1e-6 * np.log(2)
    z = X @ model.coef_.ravel() + model.intercept_
    signs = np.where(y == model.classes_[1], 1.0, -1.0)
    objective = np.logaddexp(0, -signs * z).mean() + np.abs(model.coef_).sum() / (model.C * len(y))
    assert model.objective_ == pytest.approx(objective, rel=1e-10)


def test_memory_above_the_data(news20):
    X, y, model = news20
    size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    tracemalloc.start()
    try:
        model.fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 3 * size
    print(f"peak {peak / size:.2f} times the data")


def test_steps_on_a_real_log_gain_what_their_integrals_say():
    log = DATA.parent / "delays" / "BCD_Adaptive1_RCV1.csv"
    if not (log.exists() and (DATA / "news20_X.npz").exists()):
        pytest.skip("the log or the text set is not here")
    path = Path(__file__).parents[1] / "benchmarks" / "lasso_on_logs.py"
    script = runpy.run_path(str(path))
    updates, integrals = script["compare"](*script["load"](DATA / "news20"), Trace.from_delays(log), 1)
    gain = updates["sun"][-1] / updates["adaptive 1"][-1]
    assert gain >= 2.3
    assert gain == pytest.approx(integrals["adaptive 1"] / integrals["sun"], rel=0.15)
    assert updates["exact, gram"][-1] <= 0.1 * updates["adaptive 1"][-1]

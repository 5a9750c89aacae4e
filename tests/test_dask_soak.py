"""Dask under faults and beyond the caller's memory. Left out unless asked for (-m soak)."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Dask

distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
    ),
]

KILLS = 20


def test_a_worker_is_killed_twenty_times():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 60)) + 0.2 * rng.standard_normal((4000, 1))
    y = X[:, :8].sum(axis=1) + rng.standard_normal(4000)
    best = Lasso(alpha=0.001, tol=1e-12).fit(X, y)
    arrays = da.from_array(X, chunks=(400, -1)), da.from_array(y, chunks=400)
    with (
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        first_order = {"solver": "piag", "step_size": "adaptive1", "executor": Dask(client)}
        model = Lasso(alpha=0.001, tol=1e-11, max_iter=10**5, **first_order)
        model.fit(X, y)
        threads = threading.active_count()
        for turn in range(KILLS):
            client.wait_for_workers(3, timeout=60)
            pids = list(client.run(os.getpid).values())
            pid = pids[turn % len(pids)]
            killer = threading.Timer(0.2 + 0.1 * turn, os.kill, (pid, signal.SIGKILL))
            killer.start()
            model.fit(*((X, y) if turn % 2 else arrays))
            assert not killer.is_alive(), "the fit ended before the kill"
            print(f"kill {turn + 1}: {model.n_updates_} updates, {model.fit_time_:.1f} s", flush=True)
            assert model.history_.stopped == "converged", turn
            assert model.dual_gap_ <= 1e-11 * y.var(), turn
            np.testing.assert_allclose(model.coef_, best.coef_, atol=1e-4)
            deadline = time.monotonic() + 10.0
            while client.futures and time.monotonic() < deadline:
                gc.collect()
                time.sleep(0.05)
            assert not client.futures, turn
        assert threading.active_count() <= threads + 1


CALLER = """
import resource, sys, time
import numpy as np, dask.array as da
from distributed import Client, wait
from sk_asyncprox import Lasso

if __name__ == "__main__":
    with Client(sys.argv[1]) as client:
        rows, p, spare = 1_700_000, 100, 128 * 2**20
        X = da.random.default_rng(0).standard_normal((rows, p), chunks=(100_000, p))
        X = X.persist()
        y = (X[:, :5].sum(axis=1) + da.random.default_rng(1).standard_normal(rows, chunks=100_000)).persist()
        wait([X, y])
        Lasso(alpha=0.1, tol=0.5).fit(X, y)
        used = int(open("/proc/self/statm").read().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (used + spare, used + spare))
        try:
            np.ones(X.nbytes // 8)
        except MemoryError:
            print("X does not fit:", X.nbytes // spare, "times the allowance")
        begin = time.perf_counter()
        model = Lasso(alpha=0.1, tol=1e-6).fit(X, y)
        print("fit", round(time.perf_counter() - begin, 1), "s", model.history_.stopped, model.coef_[:3])
        answers = model.predict(X)
        print("predicted", answers.shape, float(((answers - y) ** 2).mean().compute()))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory limit is Linux's")
def test_the_caller_holds_vectors_only(tmp_path):
    """X is ten times as large as what the caller may allocate from the start of the fit on."""
    script = tmp_path / "caller.py"
    script.write_text(CALLER)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as cluster:
        run = subprocess.run(
            [sys.executable, str(script), cluster.scheduler_address],
            capture_output=True,
            text=True,
            timeout=900,
        )
    print(run.stdout, run.stderr[-2000:])
    assert run.returncode == 0
    assert "X does not fit: 10 times" in run.stdout
    assert "converged" in run.stdout
    assert "predicted" in run.stdout

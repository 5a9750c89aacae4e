"""Dask under faults and beyond the caller's memory. Left out unless asked for (-m soak)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

distributed = pytest.importorskip("distributed")
pytest.importorskip("dask.array")

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(4 * 3600),
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
    ),
]

SHARE = float(os.environ.get("SOAK_MINUTES", 60)) / 60
COUNTS = {"kill": 50, "stop": 12, "long stop": 2, "adaptive": 12, "memory": 1, "reading": 1, "scheduler": 3}


@pytest.mark.parametrize("fault", COUNTS)
def test_fits_end_whatever_becomes_of_the_cluster(fault):
    """Right, or with one clear error; see the script, which says what else has to be so."""
    count = max(1, round(SHARE * COUNTS[fault]))
    script = Path(__file__).with_name("soak_cluster.py")
    run = subprocess.run(
        [sys.executable, str(script), "--fault", fault, "--count", str(count)],
        capture_output=True,
        text=True,
        timeout=600 + 60 * count,
    )
    print(run.stdout)
    assert run.returncode == 0, run.stderr


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

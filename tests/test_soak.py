"""Long runs with real threads: many random fits against one worker. Left out unless asked for (-m soak)."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


def random_fit(seed):
    """A random problem, estimator and way to run it."""
    rng = np.random.default_rng(seed)
    n, p = rng.integers(20, 400), rng.integers(2, 300)
    X = rng.standard_normal((n, p)) + rng.random() * rng.standard_normal((n, 1))
    z = X[:, :3].sum(axis=1) + rng.standard_normal(n)
    if rng.random() < 0.5:
        X = sp.csr_matrix(X * (rng.random((n, p)) < 0.2))
    options = {
        "n_jobs": int(rng.integers(2, 7)),
        "step_size": str(rng.choice(["exact", "adaptive1", "adaptive2"])),
        "random_state": seed,
        "max_iter": 3000,
    }
    l1_ratio = float(rng.choice([0.1, 0.5, 1.0]))
    if rng.random() < 0.5:
        return ElasticNet(alpha=0.1 * z.std(), l1_ratio=l1_ratio, **options), X, z
    return LogisticRegression(C=20.0 / n, l1_ratio=l1_ratio, **options), X, np.where(z > 0, 1, 0)


@pytest.mark.filterwarnings("ignore:.*max_iter was reached:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("batch", range(5))
def test_random_threaded_fits_reach_the_optimum(batch):
    before = threading.active_count()
    for seed in range(100 * batch, 100 * batch + 100):
        model, X, y = random_fit(seed)
        model.fit(X, y)
        alone = type(model)(**{**model.get_params(), "n_jobs": 1, "step_size": "exact", "tol": 1e-7}).fit(
            X, y
        )
        assert model.objective_ - alone.objective_ <= model.dual_gap_ + 1e-12, seed
        assert model.objective_ >= alone.objective_ - alone.dual_gap_ - 1e-12, seed
        delays = model.history_.updates["delay"]
        assert (delays >= 0).all(), seed
    assert threading.active_count() == before


@pytest.fixture
def load():
    """Two processes that never rest, beside the fits."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for process in processes:
        process.kill()
        process.wait()


def test_no_fit_under_load_stalls(load, monkeypatch):
    """500 fits by two threads from the first task on: none takes three times its problem's median, in
    passes, which a stall of the algorithm would show, nor in seconds, which a sleeping thread would."""
    for name in ("rounds.SMALL", "rounds.SMALL_FULL", "rounds_shared_products.SMALL_SHARE"):
        monkeypatch.setattr(f"sk_asyncprox.solvers.{name}", 0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds.RoundsBCD.head_start", 0.0)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = sp.random(2000, 1500, 0.02, format="csc", random_state=seed)
        z = X @ (rng.standard_normal(1500) * (rng.random(1500) < 0.05))
        z += 0.3 * z.std() * rng.standard_normal(2000)
        if seed % 2:
            y = np.where(z > np.median(z), 1, 0)
            model = LogisticRegression(C=0.5, l1_ratio=1.0, tol=1e-6, n_jobs=2, max_iter=100_000)
        else:
            y = z
            model = Lasso(
                np.abs(X.T @ (z - z.mean())).max() / 2000 / 100, tol=1e-6, n_jobs=2, max_iter=100_000
            )
        passes, seconds = [], []
        for _ in range(50):
            begin = time.perf_counter()
            model.fit(X, y)
            seconds.append(time.perf_counter() - begin)
            passes.append(np.max(model.n_iter_))
        print(f"problem {seed}: passes {np.median(passes):.0f} (most {np.max(passes)}), seconds ", end="")
        print(f"{np.median(seconds):.3f} (most {np.max(seconds):.3f})", flush=True)
        assert np.max(passes) <= 3 * np.median(passes)
        assert np.max(seconds) <= 3 * np.median(seconds)

"""Long runs with real threads: many random fits against one worker. Left out unless asked for (-m soak)."""

import threading

import numpy as np
import pytest
import scipy.sparse as sp

from sk_asyncprox import ElasticNet, LogisticRegression

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

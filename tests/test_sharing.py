"""Sharing by measured times, and the simulated machine."""

import numpy as np
import pytest

from sk_asyncprox import ElasticNet, Lasso
from sk_asyncprox.executors import Machine
from sk_asyncprox.solvers.rounds_shared_products import WAYS, Sharing


def products(sharing, seconds, n):
    """Ways of the next products, which take the given seconds per entry."""
    ways = []
    for _ in range(n):
        ways.append(sharing.choose())
        sharing.shared(ways[-1], seconds[ways[-1]], 1)
    return ways


@pytest.mark.parametrize("fastest", WAYS)
def test_the_fastest_way_is_found_and_the_others_seldom_tried(fastest):
    seconds = {way: 1.0 if way == fastest else 3.0 for way in WAYS}
    ways = products(Sharing(4), seconds, 1000)
    assert set(ways[:2]) == set(ways[:7]) == {"split", "dynamic"}
    assert "alone" in ways[:10]
    assert ways.count(fastest) >= 960


def test_a_change_of_the_machine_is_noticed():
    sharing = Sharing(2)
    products(sharing, {"split": 1.0, "dynamic": 2.0, "alone": 2.0}, 100)
    assert products(sharing, {"split": 9.0, "dynamic": 3.0, "alone": 1.0}, 300)[-200:].count("alone") >= 180


def test_sharing_has_to_be_faster_by_its_cost():
    assert products(Sharing(2), {"split": 0.97, "dynamic": 0.97, "alone": 1.0}, 50)[-1] == "alone"
    assert products(Sharing(2), {"split": 0.8, "dynamic": 0.9, "alone": 1.0}, 50)[-1] == "split"


def test_shares_follow_the_speeds():
    sharing = Sharing(4)
    for worker, speed in enumerate([1.0, 1.0, 0.5, 0.5]):
        sharing.worked(worker, 1.0 / speed, 1)
    np.testing.assert_allclose(sharing.speeds(), [1.0, 1.0, 0.5, 0.5])
    assert [b - a for a, b in sharing.group("split", 12)] == [4, 4, 2, 2]
    assert sharing.group("alone", 12) == [(0, 12)]
    assert len(sharing.group("dynamic", 12)) == 12
    assert [sharing.is_slow(worker) for worker in range(4)] == [False, False, True, True]


def test_without_a_clock_all_workers_count_as_equal():
    sharing = Sharing(3)
    sharing.worked(1, 0.0, 5)
    sharing.shared(sharing.choose(), 0.0, 5)
    assert sharing.speeds().tolist() == [1.0] * 3
    assert sharing.choose() == WAYS[0]


@pytest.fixture
def large(monkeypatch):
    """Small problems are shared as large ones are."""
    for name in ("rounds.SMALL", "rounds.SMALL_FULL", "rounds_shared_products.SMALL_SHARE"):
        monkeypatch.setattr(f"sk_asyncprox.solvers.{name}", 0)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_gram_steps.GramRule.choose", lambda *_: None)
    monkeypatch.setattr("sk_asyncprox.solvers.rounds.RoundsBCD.head_start", 0.0)


def sparse_data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 300)) * (rng.random((400, 300)) < 0.2)
    return X, X[:, :20].sum(axis=1) + rng.standard_normal(400)


def entries(task, result):
    """A microsecond per stored entry that the task touches."""
    if task.kind in ("product", "rows_product"):
        return 1e-6 * result[1]
    return 1e-6 * (result.touched if hasattr(result, "touched") else 24_000 if task.kind == "look" else 100)


def virtual(speeds, **options):
    import scipy.sparse as sp

    X, y = sparse_data()
    machine = Machine(speeds, cost=entries, lock=0.0, **options)
    model = Lasso(0.005, fit_intercept=False, tol=1e-8, executor=machine).fit(sp.csc_matrix(X), y)
    assert model.dual_gap_ <= 1e-8 * (y @ y) / len(y)
    return model.history_.certificates["time"][-1]


def test_a_machine_is_deterministic_and_faster_with_more_workers(large):
    alone = virtual(1)
    assert virtual(1) == alone
    assert virtual([0.5]) == pytest.approx(2.0 * alone)
    assert virtual(4) < 0.6 * alone
    assert virtual(4) == virtual(4)


def test_the_memory_ends_the_gain(large):
    assert virtual(4, streams=1.0) > 0.8 * virtual(1)


class EqualShares(Sharing):
    """Lock-step: equal shares, whatever is measured."""

    def __init__(self, n_workers):
        super().__init__(n_workers, ("split",))

    def speeds(self):
        return np.ones(self.n_workers)


def test_nobody_waits_for_a_slow_worker(large, monkeypatch):
    equal, unequal = virtual(8), virtual([1.0] * 7 + [0.2])
    assert unequal < 1.7 * equal
    monkeypatch.setattr("sk_asyncprox.solvers.rounds_shared_products.Sharing", EqualShares)
    assert unequal < 0.5 * virtual([1.0] * 7 + [0.2])


def test_plain_block_steps_run_on_a_machine():
    X, y = sparse_data()
    machine = Machine([1.0, 0.5, 1.0], cost=lambda task, result: 1.0, lock=0.0)
    model = ElasticNet(0.01, n_blocks=6, executor=machine, tol=1e-6).fit(X, y)
    delays, workers = model.history_.updates["delay"], model.history_.arrivals["worker"]
    assert delays.max() >= 2
    assert np.bincount(workers)[1] < 0.7 * np.bincount(workers)[0]


@pytest.mark.parametrize("speeds", [0, [1.0, 0.0], [[1.0]], [np.nan]])
def test_speeds_are_checked(speeds):
    with pytest.raises(ValueError, match="speeds must be"):
        Lasso(executor=Machine(speeds)).fit(*sparse_data())

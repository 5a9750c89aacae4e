"""A plan to thousands of workers: the master's measured work per update, and simulated runs with it.

    python benchmarks/dask_scaling.py

First the cost of the master's ``tell`` per arrival, for vectors of several lengths, alone and in batches.
Then PIAG (Adaptive 1) in virtual time on many workers, one shard each, whose service times are
exponential around ``SERVICE`` seconds: passes and virtual seconds to the gap.
"""

import time

import numpy as np

from sk_asyncprox import Lasso
from sk_asyncprox.delays import Stamp
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.losses import SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.shards.shard import Constants
from sk_asyncprox.shards.sharded_certificate import Facts, ShardGradient
from sk_asyncprox.solvers import PIAG
from sk_asyncprox.solvers.base import Task
from sk_asyncprox.step_sizes import Adaptive1

SERVICE, GAP = 0.1, 1e-4


class Nowhere:
    """A problem of which only the vectors' length counts."""

    loss, penalty, free_intercept, pass_size = SquaredLoss(), ElasticNetPenalty(0.1), False, 1

    def __init__(self, p, shards):
        self.p, self.shards, self.homes = p, [None] * shards, np.arange(shards)
        self.facts = [Facts(1 / shards, 1 / shards)] * shards

    def start(self):
        return np.zeros(self.p), 0.0

    def constants(self):
        return [Constants(1.0, 0.0)] * len(self.shards)


def master(p, batch, shards=64, repeats=200):
    """Microseconds per arrival of ``tell``, certificates left out."""
    solver = PIAG(Nowhere(p, shards), Adaptive1(), n_workers=shards)
    gradients = [ShardGradient(np.full(p, 1e-3 * i), 0.0) for i in range(2)]
    tasks = [Task("shard", i, Stamp(0, 0.0), i, i, None) for i in range(shards)]
    solver.tell([(task, (None, gradients[0])) for task in tasks])
    begin = time.perf_counter()
    for turn in range(repeats):
        told = [tasks[(turn * batch + i) % shards] for i in range(batch)]
        stamp = solver.ledger.stamp()
        solver.tell([(task._replace(stamp=stamp), (None, gradients[turn % 2])) for task in told])
    return 1e6 * (time.perf_counter() - begin) / (repeats * batch)


def simulated(workers, n=20_480, p=60):
    """Passes, virtual seconds and mean delay to the gap."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    y = X[:, :5].sum(axis=1) + rng.standard_normal(n)
    trace = Trace.from_service_times(SERVICE, workers, random_state=1)
    model = Lasso(
        0.05,
        solver="piag",
        step_size="adaptive1",
        metric="lipschitz",
        tol=GAP,
        executor=Simulated(trace),
        max_iter=5000,
    ).fit(X, y)
    updates = model.history_.updates
    return model.n_iter_, updates["time"][-1], updates["delay"].mean()


def main():
    print("length    microseconds per arrival, batches of 1, 8, 32")
    for p in (1_000, 10_000, 100_000, 1_000_000):
        repeats = 200 if p < 10**6 else 20
        print(f"{p:9d} " + " ".join(f"{master(p, batch, repeats=repeats):9.0f}" for batch in (1, 8, 32)))
    print("workers   passes   virtual s   mean delay   updates/s")
    for workers in (4, 16, 64, 256):
        passes, seconds, delay = simulated(workers)
        print(f"{workers:7d} {passes:8d} {seconds:11.2f} {delay:12.0f} {workers / SERVICE:11.0f}", flush=True)


if __name__ == "__main__":
    main()

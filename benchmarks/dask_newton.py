"""Four Dask workers, equal or one ten times slower: PIAG's models, and Newton's method in lock-step.

    python benchmarks/dask_newton.py [--slow 1 10] [--repeats 3] [--milliseconds 160] [--tol 1e-6]

The workers are processes. As in ``dask_straggler.py`` a machine of their own is imitated: a visit of a shard
does its work and then sleeps, in all ``--milliseconds`` for a worker's fourth of the rows (the slow worker
``--slow`` times that). A visit brings the same on both sides, made by the same code: the shard's gradient and
curvature, and its share of a certificate when one is wanted. In lock-step every worker has one shard, all
wait for the last, and the step after that is Newton's on all rows, halved where the objective has risen. The
other side is the library's default on a cluster, four shards per worker. Passes are visits per shard.
"""

import argparse
import statistics
import time
import warnings
from functools import partial

import numpy as np
from dask_straggler import WORKERS, paced
from distributed import Client, LocalCluster

from sk_asyncprox import Lasso, LogisticRegression
from sk_asyncprox.executors import Dask
from sk_asyncprox.kernels.server_aggregate import ModelSum
from sk_asyncprox.losses import LogisticLoss, SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.shards.shard import cut_rows
from sk_asyncprox.shards.sharded_certificate import conclude
from sk_asyncprox.solvers import piag
from sk_asyncprox.solvers.base import Task


def correlated(n=40_000, p=100, seed=0):
    """Columns of scales 100 to 0.1, correlated by 0.95 with their neighbours; a target and labels."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = 0.95 * X[:, j - 1] + np.sqrt(1 - 0.95**2) * X[:, j]
    margins = X[:, ::5] @ rng.standard_normal(p // 5)
    labels = np.where(rng.random(n) < 1 / (1 + np.exp(-margins)), 1.0, -1.0)
    scales = np.geomspace(100.0, 0.1, p)[rng.permutation(p)]
    return X * scales, margins + rng.standard_normal(n), labels


def asynchronous(client, model, X, y, args, slow):
    """Seconds to the certified gap, passes, and what has happened."""
    before, pace = piag.PIAG.work, args.milliseconds * WORKERS / model.n_blocks
    piag.PIAG.work = staticmethod(partial(paced, before, pace, slow))
    try:
        model.set_params(executor=Dask(client), solver="piag").fit(X, y)
    finally:
        piag.PIAG.work = before
    history = model.history_
    served = np.bincount(history.arrivals["worker"], minlength=WORKERS)
    visits = f"visits by worker {served.tolist()}, largest delay {history.updates['delay'].max()}"
    return history.certificates["time"][-1], served.sum() / model.n_blocks, visits


class LockStep:
    """Newton's method, every shard at the same point."""

    def __init__(self, client, problem, args, slow):
        self.client, self.problem, self._slow, self._pace = client, problem, slow, args.milliseconds
        shards, self.facts = cut_rows(problem, WORKERS)
        self.homes = list(client.nthreads())
        self.lying = [
            client.scatter(s, workers=[h], hash=False) for s, h in zip(shards, self.homes, strict=True)
        ]

    def visit(self, w, b):
        """Looks and models of all the shards; waits for all."""
        work = partial(paced, piag.PIAG.work, self._pace, self._slow)
        task = Task("model look", 0, None, 0, 0, (w, b, None, None, None, None))
        futures = [
            self.client.submit(work, part, task, workers=[home], pure=False)
            for part, home in zip(self.lying, self.homes, strict=True)
        ]
        return zip(*self.client.gather(futures), strict=True)

    def run(self, target):
        """Seconds to the certified gap, passes, and nothing to say."""
        problem, (w, b), best = self.problem, self.problem.start(), None
        free = problem.fit_intercept and not problem.loss.quadratic
        begin, rounds = time.perf_counter(), 0
        while True:
            looks, models = self.visit(w, b)
            rounds += 1
            certificate = conclude(problem, w, b, list(looks), self.facts)
            if certificate.gap <= target:
                return time.perf_counter() - begin, rounds, ""
            if best is not None and certificate.objective > best.objective:
                w, b = 0.5 * (w + best.w), 0.5 * (b + best.b)
                continue
            best, total = certificate, ModelSum([fact.share for fact in self.facts], len(w), int(free))
            for i, model in enumerate(models):
                point = (np.append(w, b), np.append(*model.gradient)) if free else (w, model.gradient.w)
                total.renew(i, *point, model.curvature, model.size)
            quadratic = total.quadratic()
            w = quadratic.minimiser(w, problem.penalty, 0.01 * target)
            b = float(quadratic.intercepts(w)[0]) if free else b


def lock_step(client, problem, args, slow):
    """The same of Newton's method."""
    return LockStep(client, problem, args, slow).run(args.tol * problem.scale)


def compare(name, client, model, X, y, problem, args):
    """Both sides, with equal workers and with a slow one."""
    for slow in args.slow:
        sides = {
            "lock-step": partial(lock_step, client, problem, args, slow),
            "models": partial(asynchronous, client, model, X, y, args, slow),
        }
        first = None
        for label, run in sides.items():
            seconds, passes, said = zip(*(run() for _ in range(args.repeats)), strict=True)
            first = first or statistics.median(seconds)
            print(
                f"{name:9} slow {slow:4g} {label:10} {statistics.median(seconds):7.2f} s "
                f"{statistics.median(seconds) / first:5.2f}  passes {np.round(passes, 1).tolist()} "
                f"{np.round(seconds, 2).tolist()} {said[-1]}",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slow", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--milliseconds", type=float, default=160.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tol", type=float, default=1e-6)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    X, y, labels = correlated()
    common = {"tol": args.tol, "n_blocks": 4 * WORKERS}
    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        l1 = 0.01 * np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / len(y)
        problem = Problem(X, y, SquaredLoss(), ElasticNetPenalty(l1), rows=True)
        compare("lasso", client, Lasso(l1, **common), X, y, problem, args)
        l1 = 0.01 * np.abs(X.T @ (labels - labels.mean())).max() / len(y) / 2
        problem = Problem(X, labels, LogisticLoss(), ElasticNetPenalty(l1), rows=True)
        model = LogisticRegression(C=1 / (l1 * len(y)), l1_ratio=1.0, **common)
        compare("logistic", client, model, X, labels, problem, args)


if __name__ == "__main__":
    main()

"""One of four Dask workers ten times slower: asynchronous PIAG, synchronous proximal gradient, dask-glm.

    python benchmarks/dask_straggler.py [--slow 10] [--repeats 3] [--pinned] [--dask-glm]

The workers are processes. A machine of their own is imitated: each task takes its kernel's time and then
sleeps, in all ``--milliseconds`` for one shard (the slow worker ``--slow`` times that). The kernels are the
same ones, the shards of rows of :mod:`sk_asyncprox.shards.shard`; the synchronous method waits for all shards
and takes the step 1/L; the asynchronous one may move shards, or ``--pinned`` may not.
"""

import argparse
import functools
import statistics
import time

import numpy as np
from distributed import Client, LocalCluster, get_worker

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Dask
from sk_asyncprox.losses import SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.shards.shard import cut_rows
from sk_asyncprox.shards.sharded_certificate import conclude
from sk_asyncprox.solvers import piag

WORKERS, ALPHA, TOL = 4, 0.05, 1e-4


def data(n=40_000, p=200, seed=0):
    """Correlated columns, so that it takes some tens of passes."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 0.1 * rng.standard_normal((n, 1))
    return X, X[:, :20] @ rng.standard_normal(20) + rng.standard_normal(n)


def paced(work, milliseconds, slow, part, task):
    """The task's work, and a pause that makes it take as long as on a machine of its own."""
    begin = time.perf_counter()
    result = work(part, task)
    factor = slow if get_worker().name == 0 else 1.0
    time.sleep(max(0.0, factor * milliseconds / 1000 - (time.perf_counter() - begin)))
    return result


def asynchronous(client, X, y, args, shards_per_worker, pinned=False):
    """Seconds of PIAG to the gap, delays, homes."""
    pace = args.milliseconds / shards_per_worker
    before, start = piag.PIAG.work, piag.Placement
    piag.PIAG.work = staticmethod(functools.partial(paced, before, pace, args.slow))
    if pinned:
        piag.Placement = lambda homes, movable, visits: start(homes, False, visits)
    try:
        model = Lasso(
            ALPHA, solver="piag", step_size="adaptive1", metric="lipschitz", tol=TOL,
            executor=Dask(client), n_blocks=shards_per_worker * WORKERS,
            max_iter=100_000,
        )  # fmt: skip
        model.fit(X, y)
    finally:
        piag.PIAG.work, piag.Placement = before, start
    delays = model.history_.updates["delay"]
    served = np.bincount(model.history_.arrivals["worker"], minlength=WORKERS)
    return (
        float(model.history_.updates["time"][-1]),
        f"updates {len(delays)}, delays {delays.mean():.0f} mean "
        f"{delays.max()} max, tasks per worker {served.tolist()}",
    )


def synchronous(client, X, y, args):
    """Seconds of proximal gradient to the gap; the shards are one per worker and stay there."""
    problem = Problem(X, y, SquaredLoss(), ElasticNetPenalty(ALPHA), rows=True)
    shards, facts = cut_rows(problem, WORKERS)
    homes = list(client.nthreads())
    lying = [client.scatter(s, workers=[h], hash=False) for s, h in zip(shards, homes, strict=True)]
    length = 1.0 / sum(f.share * s.constants().smoothness for f, s in zip(facts, shards, strict=True))
    (w, b), target = problem.start(), TOL * problem.scale
    begin, rounds, wait, since = time.perf_counter(), 0, 1, 1
    work = functools.partial(paced, lambda part, call: getattr(part, call[0])(*call[1:]))
    while True:
        # Certificates come out of a round of gradients, as often as PIAG makes them.
        kind = "look" if since >= wait else "gradient"
        futures = [
            client.submit(work, args.milliseconds, args.slow, part, (kind, w, b), workers=[home], pure=False)
            for part, home in zip(lying, homes, strict=True)
        ]
        answers = client.gather(futures)
        rounds, since = rounds + 1, since + 1
        if kind == "look":
            if conclude(problem, w, b, answers, facts).gap <= target:
                return time.perf_counter() - begin, f"rounds {rounds}"
            answers, wait, since = [a.gradient for a in answers], min(10, 2 * wait), 0
        g = sum(f.share * a.w for f, a in zip(facts, answers, strict=True))
        w = problem.penalty.prox(w - length * g, length)


def dask_glm(client, X, y, args):
    """Seconds of dask-glm's synchronous proximal gradient, same chunks, to the same objective."""
    import dask.array as da
    from dask_glm.algorithms import proximal_grad
    from dask_glm.families import Normal

    centred, target = X - X.mean(axis=0), y - y.mean()
    dX = da.from_array(centred, chunks=(len(X) // WORKERS, -1)).persist()
    dy = da.from_array(target, chunks=len(X) // WORKERS).persist()
    best = Lasso(ALPHA, tol=1e-10).fit(X, y).objective_
    begin = time.perf_counter()
    # Its objective is the sum over the rows of (y - x.w)^2, so that alpha is doubled and scaled by n.
    w = proximal_grad(
        dX, dy, family=Normal, lamduh=2 * ALPHA * len(X), max_iter=args.glm_iter, normalize=False
    )
    seconds = time.perf_counter() - begin
    value = 0.5 * np.mean((target - centred @ w) ** 2) + ALPHA * np.abs(w).sum()
    return seconds, f"suboptimality {(value - best) / np.var(y):.1e} of var(y), no slow worker imitated"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slow", type=float, default=10.0)
    parser.add_argument("--milliseconds", type=float, default=160.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pinned", action="store_true", help="also with shards that may not move")
    parser.add_argument("--dask-glm", action="store_true")
    parser.add_argument("--glm-iter", type=int, default=100)
    args = parser.parse_args()
    X, y = data()
    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        runs = {
            "synchronous proximal gradient": lambda: synchronous(client, X, y, args),
            "Adaptive 1, 4 shards per worker": lambda: asynchronous(client, X, y, args, 4),
        }
        if args.pinned:
            runs["Adaptive 1, 4 per worker, pinned"] = lambda: asynchronous(client, X, y, args, 4, True)
        if args.dask_glm:
            runs["dask-glm proximal_grad"] = lambda: dask_glm(client, X, y, args)
        first = None
        for name, run in runs.items():
            results = [run() for _ in range(args.repeats)]
            median = statistics.median(seconds for seconds, _ in results)
            first = first or median
            seconds = [round(s, 2) for s, _ in results]
            print(f"{name:34} {median:7.2f} s {median / first:5.2f}  {seconds}  {results[-1][1]}", flush=True)


if __name__ == "__main__":
    main()

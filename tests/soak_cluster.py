"""Faults of a real Dask cluster under fits of every kind, in one process.

    python tests/soak_cluster.py --fault kill --count 50 --seed 0

A fit has to end: right, or with one clear error that leaves the estimator as it was; nothing may be left on
the scheduler. Ends with an error where that is not so, and with the stacks of all threads where a fit hangs.
"""

import argparse
import contextlib
import faulthandler
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter

import dask
import dask.array as da
import distributed
import numpy as np
from distributed.scheduler import KilledWorker
from sklearn.base import clone

from sk_asyncprox import ElasticNet, Lasso, LogisticRegression, LogisticRegressionCV
from sk_asyncprox.executors import Dask
from sk_asyncprox.executors.base import WorkersLost

CLUSTER = """
import time
from distributed import LocalCluster

if __name__ == "__main__":
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50)
    print(cluster.scheduler_address, flush=True)
    time.sleep(600)
"""

HANGS = 240
"""Seconds after which a fit hangs: longer than any wait that ends by itself."""

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2000, 30)) + 0.2 * RNG.standard_normal((2000, 1))
Y = X[:, :8].sum(axis=1) + RNG.standard_normal(2000)
ROWS, TARGETS, LABELS = (da.from_array(a, chunks=(200, *a.shape[1:])) for a in (X, Y, Y > 0))
PLAIN = {"solver": "piag", "step_size": "adaptive1", "max_iter": 10**5}


def jobs(client):
    """Fits of every kind: estimator, data, and the same data in memory."""
    on, memory = {"executor": Dask(client)}, (X, Y)
    return {
        "server": (Lasso(1e-3, tol=1e-5, **PLAIN, **on), memory, memory),
        "blocks": (ElasticNet(1e-3, tol=1e-5, step_size="adaptive2", max_iter=10**4, **on), memory, memory),
        "rounds": (LogisticRegression(l1_ratio=1.0, C=0.01, tol=1e-8, **on), (X, Y > 0), (X, Y > 0)),
        "rows, plain": (Lasso(1e-3, tol=1e-5, **PLAIN, **on), (ROWS, TARGETS), memory),
        "rows": (LogisticRegression(l1_ratio=1.0, C=0.01, tol=1e-8, **on), (ROWS, LABELS), (X, Y > 0)),
        "rows cv": (LogisticRegressionCV(Cs=2, cv=2, tol=1e-4, **on), (ROWS, LABELS), (X, Y > 0)),
    }


def right_answer(model, data):
    """Coefficients of the same problem on one machine."""
    names = {"solver": "bcd", "step_size": "auto", "executor": "auto", "tol": 1e-10}
    return clone(model).set_params(**names).fit(*data).coef_


class Soak:
    """Fits on a cluster, whose faults come at random moments of them."""

    def __init__(self, client, seed, names):
        self.client, self.rng, self.outcomes = client, np.random.default_rng(seed), Counter()
        self.jobs = {name: jobs(client)[name] for name in names}
        self.right, self.length = {}, {}
        for name, (model, data, memory) in self.jobs.items():
            self.right[name] = right_answer(model, memory)
            clone(model).fit(*data)  # workers import what they need
            begin = time.perf_counter()
            self._end(name, clone(model).fit(*data))
            self.length[name] = time.perf_counter() - begin
            print(f"{name}: {self.length[name]:.2f} s without faults", flush=True)

    def _end(self, name, model):
        scale = np.abs(self.right[name]).max()
        np.testing.assert_allclose(model.coef_, self.right[name], atol=2e-2 * scale)

    def fit(self, name, fault):
        """One fit, and a fault at a random moment of it; counts how it ends."""
        model, data, _ = self.jobs[name]
        model, moment = clone(model), self.rng.uniform(0.0, 0.5 * self.length[name])
        begin, done = time.perf_counter(), threading.Event()

        def strike():
            done.wait(moment)
            fault()

        striker = threading.Thread(target=strike)
        faulthandler.dump_traceback_later(HANGS, exit=True)
        striker.start()
        try:
            self._end(name, model.fit(*data))
            outcome = "right"
        except (WorkersLost, KilledWorker) as error:
            outcome = f"{type(error).__name__}: {str(error)[:60]}"
            if hasattr(model, "coef_") and getattr(error, "solution", None) is None:
                sys.exit(f"half a fit: {outcome}")
        done.set()
        striker.join()
        faulthandler.cancel_dump_traceback_later()
        self.outcomes[name, outcome] += 1
        print(f"{name}: {outcome}, {time.perf_counter() - begin:.1f} s, fault at {moment:.2f} s", flush=True)

    def nothing_left(self):
        """Or an error that says what is."""
        deadline = time.monotonic() + 20.0
        while found := self._left():
            if time.monotonic() > deadline:
                sys.exit(f"left on the cluster: {found}")
            gc.collect()
            time.sleep(0.05)

    def _left(self):
        tasks = self.client.run_on_scheduler(lambda dask_scheduler: list(map(str, dask_scheduler.tasks)))
        return [*self.client.futures, *tasks]

    def pids(self):
        """Processes of the workers that answer. A nanny may give up one that is killed while it starts."""
        with contextlib.suppress(TimeoutError):
            self.client.wait_for_workers(3, timeout=60)
        self.client.wait_for_workers(2, timeout=300)
        time.sleep(1.0)
        return list(self.client.run(os.getpid, on_error="ignore").values())

    def one_of(self, pids):
        """One of them."""
        return int(self.rng.choice(pids))


def send(pid, number):
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill(soak, count):
    """Workers are killed, one a fit; their nannies start others."""
    names = list(soak.jobs)
    for turn in range(count):
        pid = soak.one_of(soak.pids())
        soak.fit(names[turn % len(names)], lambda pid=pid: send(pid, signal.SIGKILL))
        soak.nothing_left()


def stop(soak, count, seconds):
    """Workers stand still for so long, one a fit."""
    names = list(soak.jobs)
    for turn in range(count):
        pid = soak.one_of(soak.pids())

        def fault(pid=pid):
            send(pid, signal.SIGSTOP)
            time.sleep(seconds)
            send(pid, signal.SIGCONT)

        soak.fit(names[turn % len(names)], fault)
        soak.nothing_left()


def memory(client):
    """A chunk that no worker has memory for: the error is the cluster's, and says so."""
    big = da.map_blocks(lambda: np.ones((2_000_000, 60)), chunks=((2_000_000,), (60,)), dtype=float)
    try:
        Lasso(0.1, executor=Dask(client)).fit(big, np.zeros(2_000_000))
    except (WorkersLost, KilledWorker, MemoryError) as error:
        return f"{type(error).__name__}: {str(error)[:100]}"
    return "no error"


def reading(client):
    """Chunks that cannot be read, at once and after a while."""
    said = []
    for late in (False, True):

        def read(block, late=late):
            if not block.any() or not late:
                raise OSError("disk on fire")
            return block

        data = X.copy()
        data[1000:1200] = 0.0
        rows = da.from_array(data, chunks=(200, -1)).map_blocks(read, dtype=float, meta=np.empty((0, 0)))
        for model, y in ((Lasso(0.1), TARGETS), (LogisticRegressionCV(cv=2), LABELS)):
            model = clone(model).set_params(executor=Dask(client))
            try:
                model.fit(rows, y)
            except OSError as error:
                said.append(str(error))
            assert not hasattr(model, "coef_")
    return said


def adaptive(soak, cluster, count):
    """Workers come and go by themselves."""
    cluster.adapt(minimum=0, maximum=3, interval="200ms", wait_count=2)
    names = list(soak.jobs)
    for turn in range(count):
        time.sleep(soak.rng.uniform(0.0, 2.0))
        soak.fit(names[turn % len(names)], lambda: None)
        soak.nothing_left()


def lost_scheduler(seed):
    """The scheduler is killed in mid-fit: an error soon, and the client closes."""
    said = []
    for name in ("server", "rows, plain", "rows cv"):
        with elsewhere() as (scheduler, client):
            soak = Soak(client, seed, [name])
            soak.fit(name, lambda scheduler=scheduler: scheduler.kill())
            said += [outcome for _, outcome in soak.outcomes]
            client.close(timeout=1)
    return said


@contextlib.contextmanager
def elsewhere():
    """A cluster in a process of its own, whose end is the scheduler's; and a client."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        with distributed.Client(process.stdout.readline().strip(), timeout=5) as client:
            yield process, client
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def here(n_workers=3, **options):
    """A cluster of processes, and a client."""
    # On a busy machine a worker takes longer to come back than the cluster waits for one by default.
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "300s"}):
        cluster = distributed.LocalCluster(
            n_workers=n_workers, threads_per_worker=1, dashboard_address=":0", silence_logs=50, **options
        )
        try:
            with distributed.Client(cluster) as client:
                yield cluster, client
        finally:
            # After many kills it may not know a worker that it hears has gone.
            with contextlib.suppress(KeyError):
                cluster.close()


FAULTS = "kill", "stop", "long stop", "adaptive", "memory", "reading", "scheduler"


def run(fault, count, seed):
    """Outcomes of one kind of fault, and how many fits ended so."""
    if fault == "scheduler":
        return lost_scheduler(seed)
    limit = {"n_workers": 2, "memory_limit": "300MB"} if fault == "memory" else {}
    with here(**limit) as (cluster, client):
        if fault == "memory":
            return memory(client)
        if fault == "reading":
            return reading(client)
        soak = Soak(client, seed, list(jobs(client)))
        if fault == "kill":
            kill(soak, count)
        elif fault == "adaptive":
            adaptive(soak, cluster, count)
        else:
            stop(soak, count, seconds=60.0 if fault == "long stop" else 5.0)
    return {f"{name}: {outcome}": n for (name, outcome), n in soak.outcomes.items()}


def main():
    """Run one kind of fault, and print how the fits ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fault", default="kill", choices=FAULTS)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(json.dumps({"fault": options.fault, "ends": run(options.fault, options.count, options.seed)}))


if __name__ == "__main__":
    main()

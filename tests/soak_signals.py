"""Real SIGINTs at random moments of fits of one kind, in one process.

    python tests/soak_signals.py --kind cv --signals 150 --seed 0

After each one the process has to be as it was: no thread more, the limits of BLAS, the estimator unfitted or
as before, nothing on the cluster, and the next fit right. Ends with an error where it is not.
"""

import argparse
import gc
import json
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
from sklearn.base import clone
from threadpoolctl import ThreadpoolController

from sk_asyncprox import ElasticNet, ElasticNetCV, Lasso, LogisticRegression, LogisticRegressionCV, enet_path
from sk_asyncprox.executors import Dask

LATE = 15.0
"""Seconds in which an interrupt has to be through, on a machine with other work."""

KICKER = """
import os, signal, sys, time
for line in sys.stdin:
    time.sleep(float(line))
    os.kill(os.getppid(), signal.SIGINT)
"""
# Its own session: the terminal's Ctrl-C is not for it.

RNG = np.random.default_rng(0)
X = RNG.standard_normal((600, 60)) + 0.3 * RNG.standard_normal((600, 1))
Y = X[:, :8].sum(axis=1) + RNG.standard_normal(600)
LARGE = RNG.standard_normal((8000, 400))
LONG = {"tol": 0.0, "max_iter": 10**9, "max_time": 0.15}


class Path:
    """A path as if it were an estimator, that has no state."""

    def __init__(self, **options):
        self.options = options

    def fit(self, X, y):
        self.coef_ = None
        _, self.coef_, _ = enet_path(X, y, **self.options)
        return self


def kinds(client):
    """The fits: estimator and data."""
    few = X[:200, :20]
    labels = np.digitize(Y[:200], [-1.0, 1.0])
    return {
        "set-up": (Lasso(0.1), (LARGE, LARGE[:, 0])),
        "rounds": (LogisticRegression(C=10.0, l1_ratio=0.5, n_jobs=2, **LONG), (X, Y > 0)),
        "blocks": (ElasticNet(1e-3, step_size="adaptive1", n_jobs=3, **LONG), (X, Y)),
        "server": (ElasticNet(1e-3, solver="piag", step_size="adaptive1", n_jobs=2, **LONG), (X, Y)),
        "cv": (ElasticNetCV(alphas=20, cv=3, n_jobs=2, l1_ratio=[0.5, 1.0]), (X, Y)),
        "classes cv": (LogisticRegressionCV(Cs=4, cv=3, n_jobs=2), (few, labels)),
        "path": (Path(alphas=100, l1_ratio=0.5, n_jobs=2, tol=1e-9), (LARGE[:, :200], LARGE[:, 200])),
        "dask": (ElasticNet(1e-3, solver="piag", executor=Dask(client), tol=1e-10), (X, Y)),
        "collection": (ElasticNet(1e-3, executor=Dask(client), tol=1e-10), chunks(client)),
    }


def chunks(client):
    if client is None:
        return None
    import dask.array as da

    return da.from_array(X, chunks=(200, -1)), da.from_array(Y, chunks=200)


KINDS = list(kinds(None))
CLUSTER_KINDS = "dask", "collection"


class Watch:
    """What has to be as before."""

    def __init__(self, client):
        self.client, self.blas = client, ThreadpoolController()
        self.threads, self.limits = threading.active_count(), self._limits()

    def _limits(self):
        return [pool["num_threads"] for pool in self.blas.info()]

    def _left(self):
        found = {}
        # Threads of a client's own come and go.
        if self.client is None and threading.active_count() > self.threads:
            found["threads"] = [thread.name for thread in threading.enumerate()]
        if self._limits() != self.limits:
            found["limits of BLAS"] = self._limits()
        if self.client is not None:
            gc.collect()
            tasks = self.client.run_on_scheduler(lambda dask_scheduler: list(map(str, dask_scheduler.tasks)))
            if self.client.futures or tasks:
                found["tasks"] = [*self.client.futures, *tasks]
        return found

    def left(self):
        """What is left a while after a fit."""
        deadline = time.monotonic() + LATE
        while (found := self._left()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return found


class Soak:
    """Fits of one kind, interrupted."""

    def __init__(self, kind, client, seed):
        self.model, self.data = kinds(client)[kind]
        self.rng, self.came, self.armed, self.dropped = np.random.default_rng(seed), None, False, []
        self.kicker = subprocess.Popen(
            [sys.executable, "-c", KICKER], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        signal.signal(signal.SIGINT, self._handle)
        # What a handler raises in a finaliser is lost in Python itself.
        sys.unraisablehook = lambda said: self.dropped.append(str(said.object))
        self.right = self._fit(self.model)
        begin = time.perf_counter()
        self._fit(self.model)
        self.length = time.perf_counter() - begin
        self.watch = Watch(client)

    def _handle(self, number, frame):
        self.came = time.monotonic()
        self.raised = self.armed
        if self.armed:
            raise KeyboardInterrupt

    def _fit(self, model):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(*self.data).coef_

    def interrupt(self, fitted):
        """One signal; returns when it came, or what is wrong."""
        model = clone(self.model) if hasattr(self.model, "get_params") else Path(**self.model.options)
        if fitted:
            vars(model).update(vars(self.model))
        before, self.came, self.armed, self.dropped[:] = dict(vars(model)), None, False, []
        self.kicker.stdin.write(f"{self.rng.uniform(0, 1.05 * self.length):.6f}\n")
        self.kicker.stdin.flush()
        phase, done = "in the fit", False
        try:
            self.armed, begin = True, time.perf_counter()
            self._fit(model)
            done, self.length = True, time.perf_counter() - begin  # as it is on a busy machine, now
            while self.came is None:
                time.sleep(0.001)
        except KeyboardInterrupt:
            late = time.monotonic() - self.came
            if late > LATE:
                return f"{late:.1f} s late"
            phase = "after the fit" if done else "in the fit"
        else:
            # It came before all, or had nowhere to go.
            if self.raised and not self.dropped:
                return "the interrupt was lost"
            phase = "lost in a finaliser" if self.raised else "before the fit"
        if phase == "in the fit" and not isinstance(model, Path):
            kept = vars(model).keys() == before.keys() and all(vars(model)[k] is before[k] for k in before)
            if not kept and self._is_whole(model, before):
                phase = "after the fit"  # on the way back from it
            elif not kept:
                return f"attributes {vars(model).keys() ^ before.keys() or 'changed'}"
        left = self.watch.left()
        return f"left: {left}" if left else phase

    def _is_whole(self, model, before):
        """Whether all that a fit leaves is there, and nothing of an earlier one."""
        old = [name for name in ("coef_", "history_") if vars(model).get(name) is before.get(name)]
        return vars(model).keys() == vars(self.model).keys() and not old

    def run(self, signals):
        """So many signals; returns how many came when, and ends at what is wrong."""
        counts = dict.fromkeys(["before the fit", "in the fit", "after the fit", "lost in a finaliser"], 0)
        for number in range(signals):
            found = self.interrupt(fitted=number % 2)
            if found not in counts:
                sys.exit(f"signal {number}: {found}")
            counts[found] += 1
            if number % 10 == 9 and "max_time" not in str(self.model):
                np.testing.assert_allclose(self._fit(self.model), self.right, rtol=1e-3, atol=1e-4)
        self.kicker.kill()
        self.kicker.wait()
        return counts


def main():
    """Interrupt fits of one kind, and print when the signals came."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kind", default="rounds", choices=KINDS)
    parser.add_argument("--signals", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    client = None
    if options.kind in CLUSTER_KINDS:
        import distributed

        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        )
        client = distributed.Client(cluster)
    counts = Soak(options.kind, client, options.seed).run(options.signals)
    print(json.dumps({"kind": options.kind, **counts}), flush=True)
    if client is not None:
        client.close()
        cluster.close()


if __name__ == "__main__":
    main()

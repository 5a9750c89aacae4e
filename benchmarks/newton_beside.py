"""A Newton worker beside a descent worker: what two workers could gain at best.

Usage: newton_beside.py [TEXT ...] [--divisors 100,1000]

In the library's rounds the Newton step follows the block steps and joins what they have found. Here both are
computed from the same point, as two workers would that do not wait for each other, and written one after the
other by the exact step. The tasks' own processor seconds tell what one worker needs in turn, and what two
would need at best: the longer of the two tasks in every round, and the certificates. Lasso and l1 logistic
regression to a gap of 1e-6 on random sparse data, or on text sets as ``paths.py`` reads them.
"""

import argparse
import collections
import time
import warnings

import numpy as np
from growth import make
from paths import load

from sk_asyncprox import ElasticNet, LogisticRegression
from sk_asyncprox.kernels.bcd_iterate import Read
from sk_asyncprox.solvers import registry
from sk_asyncprox.solvers.rounds import RoundsBCD
from sk_asyncprox.solvers.rounds_newton_cg import PRODUCTS, RISE_OF_NEWTON, NewtonSteps

WORK, SECONDS = RoundsBCD.work, collections.defaultdict(list)


def timed(part, task):
    """The task's work; its seconds are kept."""
    begin = time.thread_time()
    result = WORK(part, task)
    SECONDS[task.kind].append(time.thread_time() - begin)
    return result


class InTurn(RoundsBCD):
    """The library's rounds."""

    work = staticmethod(timed)


class NoNewtonSteps(NewtonSteps):
    """None of their own, as they are taken beside block steps."""

    def step(self, run):
        yield from ()


class Beside(InTurn):
    """Rounds whose Newton step does not know of their block steps."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.newton = NoNewtonSteps()

    def _write_block(self, task, direction):
        """Write the block step after a Newton step from the point that it was read at."""
        key, support = self.newton._columns(self)
        if len(support):
            point, penalty = task.payload.point, self.penalty.on(support)
            read = Read(key, support, self.at.w[support], point, penalty, True, PRODUCTS)
            newton = timed(self.columns, task._replace(kind="newton", payload=read))
            self.write(task.stamp, "newton", support, newton, RISE_OF_NEWTON)
        super()._write_block(task, direction)


def compare(name, model, X, y):
    """Fit in turn and beside; print rounds and seconds."""
    for label, solver in (("in turn", InTurn), ("beside", Beside)):
        registry.RoundsBCD = solver
        SECONDS.clear()
        model.fit(X, y)
        if not SECONDS:
            raise RuntimeError("The fit was not one of the solver that is timed.")
        newton, descent = (np.array(SECONDS[kind]) for kind in ("newton", "direction"))
        total = sum(map(sum, SECONDS.values()))
        if label == "beside":
            total -= np.minimum(newton, descent[len(descent) - len(newton) :]).sum()
        rounds, end = len(model.history_.certificates), f"gap {model.dual_gap_:.1e}, {model.history_.stopped}"
        print(f"{name:24} {label:8} rounds {rounds:3} seconds {total:6.2f}  {end}", flush=True)


def problems(texts):
    """Name, matrix, centred target."""
    X, y, _ = make(20_000, 20_000)
    yield "random", X, y - y.mean()
    for text in texts:
        X, y = load(text, None)
        yield text.rsplit("/", 1)[-1], X, y


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--divisors", default="100,1000")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    options = {"fit_intercept": False, "tol": 1e-6, "n_jobs": 1}
    for name, X, y in problems(args.texts):
        largest, labels = np.abs(X.T @ y).max(), np.where(y > 0, 1, -1)
        half = np.abs(X.T @ labels).max() / 2
        for divisor in (float(d) for d in args.divisors.split(",")):
            lasso = ElasticNet(largest / divisor / len(y), l1_ratio=1.0, **options)
            compare(f"{name} lasso /{divisor:g}", lasso, X, y)
            logistic = LogisticRegression(C=divisor / half, l1_ratio=1.0, **options)
            compare(f"{name} logistic /{divisor:g}", logistic, X, labels)


if __name__ == "__main__":
    main()

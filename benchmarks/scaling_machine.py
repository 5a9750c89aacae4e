"""Plain Async-BCD and PIAG on simulated machines: the problems, the machine of measured costs, the watch.

The problems: a Lasso at lambda_max / 10 on two million random entries, each method on the shape it is for:
2,000 x 20,000 with columns of unit size for Async-BCD, 20,000 x 2,000 for PIAG. ``scaling_costs.py`` measures
the costs, ``scaling_policies.py`` draws the curves.
"""

import csv
import threading
import time
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Machine
from sk_asyncprox.losses import SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solvers import PIAG, AsyncBCD
from sk_asyncprox.solvers.base import Update
from sk_asyncprox.step_sizes import Adaptive1, ExactStep

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
FEWEST_BLOCKS, BLOCKS_PER_WORKER = 16, 2
ENTRIES, SHAPES = 2_000_000, {"bcd": (2_000, 20_000), "piag": (20_000, 2_000)}
TARGET = 1e-3
FORMS = {
    "scalar": ("lipschitz", Adaptive1()),
    "gram": ("gram", Adaptive1()),
    "exact": ("gram", ExactStep()),
    "piag": (None, Adaptive1()),
}
JITTER = np.random.default_rng(0).standard_normal(4096)


class Task(NamedTuple):
    """A problem, its optimum and its objective at zero."""

    problem: Problem
    optimum: float
    start: float

    def error(self, solver):
        """Relative suboptimality of the iterate."""
        at = getattr(solver, "at", solver)
        margins = getattr(at, "z", None)
        return (self.problem.objective(at.w, at.b, margins) - self.optimum) / self.start


def make(method, entries=ENTRIES, shape=None, seed=0):
    """Random sparse Lasso whose columns differ in frequency."""
    n, p = shape or SHAPES[method]
    rng = np.random.default_rng(seed)
    at = rng.integers(0, n, entries), (p * rng.random(entries) ** 1.5).astype(int)
    X = sp.csc_matrix((rng.standard_normal(entries), at), shape=(n, p))
    if method == "bcd":
        size = np.sqrt(np.asarray(X.multiply(X).mean(axis=0)).ravel())
        X = sp.csc_matrix(X @ sp.diags(1.0 / np.where(size > 0.0, size, 1.0)))
    w = np.zeros(p)
    w[rng.choice(p, 50, replace=False)] = rng.standard_normal(50)
    y = X @ w
    y += y.std() * rng.standard_normal(n)
    alpha = np.abs(X.T @ y).max() / n / 10
    optimum = Lasso(alpha, fit_intercept=False, tol=1e-9, max_iter=100_000).fit(X, y).objective_
    rows = method == "piag"
    problem = Problem(
        X.tocsr() if rows else X, y, SquaredLoss(), ElasticNetPenalty(alpha), None, False, rows=rows
    )
    return Task(problem, optimum, 0.5 * (y @ y) / n)


def seconds_together(work, arguments):
    """Seconds of the calls of ``work``, one thread for each argument."""
    threads = [threading.Thread(target=work, args=(argument,)) for argument in arguments]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begin


def task_of(tasks, form):
    """The problem that a form of block step is run on."""
    return tasks["piag" if form == "piag" else "bcd"]


def build(problem, form, policy, n, bound=None):
    """Solver for ``n`` workers."""
    if form == "piag":
        return PIAG(problem, policy, n_workers=n, by_shards=True, max_delay=bound)
    return AsyncBCD(
        problem, policy, n_workers=n, n_blocks=max(FEWEST_BLOCKS, BLOCKS_PER_WORKER * n),
        metric=FORMS[form][0], working_set=False, cyclic=False, max_delay=bound,
    )  # fmt: skip


def size_of(solver, task):
    """Stored entries that a task is about."""
    if task.kind == "certificate":
        return solver.problem.design.size
    if isinstance(solver, PIAG):
        return solver.part(task).features.size
    return solver._part.block(task.payload.key, task.payload.index).design.size


def lock_seconds(costs, form, n):
    """Seconds per task that are one after the other for all: commit, snapshot, the interpreter's part."""
    return costs[form, "commit", n] + costs[form, "snapshot", n] + costs[form, "call", 0]


def machine(costs, form, n, solver, *, slow=False, lock=True, streams=np.inf):
    """Simulated machine with the measured costs, the same in every run."""
    entry, spread = costs[form, "entry", n], costs[form, "spread", 0]
    product = costs["scalar", "entry", 1]

    def cost(task, result):
        if task.kind == "certificate":
            return product * size_of(solver, task)
        return entry * size_of(solver, task) * np.exp(spread * JITTER[task.asked % len(JITTER)])

    speeds = np.ones(n)
    if slow and n > 1:
        speeds[-1] = 0.2
    return Machine(speeds, cost, streams, lock_seconds(costs, form, n) if lock else 0.0)


class Watch:
    """Listens to a run until the target, or for too long."""

    def __init__(self, task, solver, most_updates=np.inf, most_seconds=np.inf, every=1):
        self.task, self.solver, self.every = task, solver, every
        self.most_updates, self.most_seconds = most_updates, most_seconds
        self.updates, self.delays, self.first, self.now, self.reached = 0, [], None, 0.0, False

    def __call__(self, events, now):
        for event in events:
            if isinstance(event, Update):
                self.first = now if self.first is None else self.first
                self.updates += 1
                self.delays.append(event.delay)
                if self.updates % self.every == 0:
                    self.reached = self.reached or self.task.error(self.solver) <= TARGET
        self.now = now
        return self.reached or self.updates >= self.most_updates or now > self.most_seconds


def write(costs, path):
    """Table of costs."""
    with open(path, "w", newline="") as file:
        rows = [(*key, f"{value:.4g}") for key, value in costs.items()]
        csv.writer(file).writerows([("form", "quantity", "workers", "value"), *rows])


def read(path):
    """The same, from a file."""
    with open(path, newline="") as file:
        return {
            (r["form"], r["quantity"], int(r["workers"])): float(r["value"]) for r in csv.DictReader(file)
        }

"""Lasso by Async-BCD on logs of real delays: updates to a relative error, over several seeds.

Usage: lasso_on_logs.py TEXT LOG.csv [LOG.csv ...] [--seeds N]

TEXT is the common beginning of ``TEXT_X.npz`` (a sparse matrix, of which 9,100 rows and the columns with 60
entries or more are taken) and ``TEXT_y.npz`` (with ``y_bin``, the target after centring). The penalty is
lambda_max / 100, there are 20 blocks, and the error is ``(P - P*) / P(0)``. Prints, for every log, the
geometric mean over the seeds of the updates to 1e-1 and 1e-2, and the step-size integral per update.
"""

import argparse
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.losses import SquaredLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solvers import AsyncBCD
from sk_asyncprox.solvers.base import Update
from sk_asyncprox.step_sizes import Adaptive1, ExactStep, FixedStep

TARGETS = (1e-1, 1e-2)
RUNS = {
    "sun": (FixedStep(), "lipschitz"),
    "adaptive 1": (Adaptive1(), "lipschitz"),
    "exact, gram": (ExactStep(), "gram"),
}
MOST_UPDATES = 30_000


def load(text, rows=9100, entries=60):
    """Problem, its optimum and its objective at zero."""
    X = sp.load_npz(f"{text}_X.npz").astype(np.float64).tocsr()[:rows].tocsc()
    X = X[:, np.diff(X.indptr) >= entries]
    y = np.load(f"{text}_y.npz", allow_pickle=True)["y_bin"][:rows].astype(float)
    y -= y.mean()
    alpha = np.abs(X.T @ y).max() / len(y) / 100
    reference = Lasso(alpha, fit_intercept=False, tol=1e-8, max_iter=100_000).fit(X, y)
    problem = Problem(X, y, SquaredLoss(), ElasticNetPenalty(alpha), None, False)
    return problem, reference.objective_, 0.5 * (y @ y) / len(y)


def updates_to(problem, optimum, start, policy, metric, trace, seed):
    """Updates to every target, and the step-size integral per update in units of gamma'."""
    solver = AsyncBCD(
        problem, policy, n_workers=trace.n_workers, n_blocks=20, metric=metric, working_set=False,
        random_state=seed, inline=True, max_delay=trace.max_delay,
    )  # fmt: skip
    reached, steps = {}, []

    def on_events(events, now):
        steps.extend(event.step for event in events if isinstance(event, Update))
        error = (problem.objective(solver.at.w, solver.at.b, solver.at.z) - optimum) / start
        for target in TARGETS:
            if error <= target:
                reached.setdefault(target, len(steps))
        return len(reached) == len(TARGETS) or len(steps) >= MOST_UPDATES

    Simulated(trace).run(solver, on_events)
    return [reached.get(target, np.inf) for target in TARGETS], np.mean(steps) / solver.step_unit


def compare(problem, optimum, start, trace, n_seeds):
    """Geometric means of the updates, and mean integrals, by run."""
    updates, integrals = {}, {}
    for name, (policy, metric) in RUNS.items():
        runs = [updates_to(problem, optimum, start, policy, metric, trace, seed) for seed in range(n_seeds)]
        updates[name] = np.exp(np.mean(np.log([run[0] for run in runs]), axis=0))
        integrals[name] = np.mean([run[1] for run in runs])
    return updates, integrals


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text")
    parser.add_argument("logs", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    problem, optimum, start = load(args.text)
    print(f"Lasso, {problem.design.shape[0]} x {problem.design.shape[1]}, lambda_max / 100, 20 blocks")
    for log in args.logs:
        updates, integrals = compare(problem, optimum, start, Trace.from_delays(log), args.seeds)
        for name, found in updates.items():
            cells = "  ".join(f"to {t:g}: {k:9.1f}" for t, k in zip(TARGETS, found, strict=True))
            print(f"{log.stem:20} {name:12} {cells}  integral per update {integrals[name]:.4f}")
        gain = updates["sun"][-1] / updates["adaptive 1"][-1]
        of_integrals = integrals["adaptive 1"] / integrals["sun"]
        beyond = updates["adaptive 1"][-1] / updates["exact, gram"][-1]
        print(
            f"{log.stem:20} sun / adaptive 1 = {gain:.2f} (integrals {of_integrals:.2f}), "
            f"adaptive 1 / exact = {beyond:.1f}"
        )


if __name__ == "__main__":
    main()

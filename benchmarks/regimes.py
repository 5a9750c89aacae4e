"""Where asynchrony pays: designs against each other, on this machine and on simulated ones.

Usage: regimes.py REGIME [REGIME ...] [--out FOLDER] [--repeats N]

Regimes: ``idle`` (two workers, nothing else), ``busy`` (a foreign process pinned to the last core),
``crowded`` (four workers), and simulated with the tasks' own seconds: ``equal``, ``unequal`` (8 and 64
workers; one 5 times slower). Designs: *lock-step* (equal shares, everybody waits for everybody),
*dynamic* (small shares for whoever is free), *rule* (what the library does) and *asynchronous* (plain
block steps, certificates beside them, nobody waits). Lasso on random sparse data of six million entries
at lambda_max / 1000, to a relative gap of 1e-6 (1e-4 in simulations). Writes ``regimes_REGIME.csv`` and
``regimes_REGIME.png``.
"""

import argparse
import contextlib
import csv
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from growth import make

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Machine
from sk_asyncprox.solvers import rounds_shared_products
from sk_asyncprox.solvers.rounds_shared_products import Sharing

ROWS, COLUMNS, DIVISOR = 60_000, 60_000, 1000
TARGETS = {"threads": 1e-6, "executor": 1e-4}
WAKE, START = 1e-4, 0.02
"""Measured: seconds of a hand-over, and of starting threads."""

MOST_SECONDS = 4.0
"""Of the asynchronous design on this machine; as many times ten to simulate it."""

COLOURS = {
    "one worker": "#000000", "lock-step": "#0072B2", "dynamic": "#56B4E9", "rule": "#D55E00",
    "asynchronous": "#009E73",
}  # fmt: skip


class LockStep(Sharing):
    """Equal shares, whatever is measured."""

    def speeds(self):
        return np.ones(self.n_workers)


DESIGNS = {
    "lock-step": lambda n: LockStep(n, ("split",)),
    "dynamic": lambda n: Sharing(n, ("dynamic",)),
    "rule": Sharing,
}


@contextlib.contextmanager
def foreign_process(core):
    """A process that keeps one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    os.sched_setaffinity(process.pid, {core})
    try:
        yield
    finally:
        process.kill()
        process.wait()


def fit(data, design, tol, **where):
    """Seconds on the executor's clock, gaps at the certificates, and passes."""
    X, y, alpha = data
    model = Lasso(alpha, fit_intercept=False, tol=tol / 2, max_iter=100_000, **where)
    if design == "asynchronous":
        model.set_params(working_set=True, n_blocks=2 * n_workers(where))
        model.set_params(max_time=MOST_SECONDS * (10 if "executor" in where else 1))
    else:
        rounds_shared_products.Sharing = DESIGNS.get(design, Sharing)
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    rows, scale = model.history_.certificates, 0.5 * (y @ y) / len(y)
    real = not isinstance(where.get("executor"), Machine)
    end = time.perf_counter() - begin if real else float(rows["time"][-1])
    print(f"{design:14} {end:8.3f} s", file=sys.stderr, flush=True)
    return end, rows["time"], np.maximum(rows["gap"], 1e-16) / scale, model.n_iter_


def n_workers(where):
    """Workers of a run."""
    return len(where["executor"]._rates()) if "executor" in where else where["n_jobs"]


def real(data, regime, repeats):
    """Designs on this machine, in turn, so that its moods meet all."""
    jobs = 4 if regime == "crowded" else 2
    cases = {"one worker": ("rule", 1)} | {name: (name, jobs) for name in (*DESIGNS, "asynchronous")}
    if regime == "crowded":
        cases["rule, two workers"] = ("rule", 2)
    context = foreign_process(max(os.sched_getaffinity(0))) if regime == "busy" else contextlib.nullcontext()
    runs = {name: [] for name in cases}
    with context:
        for _ in range(repeats):
            for name, (design, n) in cases.items():
                if design == "asynchronous" and runs[name]:
                    continue
                runs[name].append(fit(data, design, 1e-6, n_jobs=n))
    return {(regime, name): middle(found) for name, found in runs.items()}


def middle(runs):
    """The run of median length."""
    return sorted(runs, key=lambda run: run[0])[len(runs) // 2]


def simulated(data, regime, repeats):
    """Designs on simulated machines."""
    out = {}
    for n in (8, 64):
        speeds = np.ones(n)
        speeds[-1] = 0.2 if regime == "unequal" else 1.0
        for name in (*DESIGNS, "asynchronous"):
            if name == "asynchronous" and n > 8:
                continue  # Minutes: 128 blocks, and each block step is done in this thread.
            machine = Machine(speeds, wake=WAKE, start=START)
            out[f"{n} workers", name] = middle(
                [fit(data, name, 1e-4, executor=machine) for _ in range(repeats)]
            )
    return out


REGIMES = {"idle": real, "busy": real, "crowded": real, "equal": simulated, "unequal": simulated}


def draw(runs, path, title):
    """A panel per machine: gap against time, a line per design."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    panels = list(dict.fromkeys(where for where, _ in runs))
    size = 4.6 * len(panels), 3.6
    figure, axes = plt.subplots(
        1, len(panels), figsize=size, squeeze=False, sharey=True, layout="constrained"
    )
    for axis, panel in zip(axes[0], panels, strict=True):
        for (where, name), (seconds, times, gaps, _) in runs.items():
            if where == panel:
                style = "--" if name == "rule, two workers" else "-"
                colour, label = COLOURS.get(name, COLOURS["rule"]), f"{name}: {seconds:.2f} s"
                if gaps[-1] > TARGETS["executor" if len(panels) > 1 else "threads"]:
                    label = f"{name}: not in {seconds:.2f} s"
                axis.plot(times, gaps, style, color=colour, marker="o", ms=3, label=label)
        axis.set(yscale="log", xlabel="seconds", title=panel if len(panels) > 1 else title)
        axis.grid(alpha=0.3)
        ends = sorted(run[0] for (where, _), run in runs.items() if where == panel)
        axis.set_xlim(0, 1.6 * ends[-2])
        axis.legend(frameon=False, fontsize=8)
    if len(panels) > 1:
        figure.suptitle(title)
    axes[0][0].set_ylabel("relative gap")
    figure.savefig(path, dpi=120)
    plt.close(figure)


TITLES = {
    "idle": "two idle cores",
    "busy": "one of two cores busy",
    "crowded": "four workers, two cores",
    "equal": "simulated, equal workers",
    "unequal": "simulated, one worker 5 times slower",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("regimes", nargs="+", choices=REGIMES)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    X, y, _ = make(ROWS, COLUMNS)
    data = X, y, np.abs(X.T @ y).max() / len(y) / DIVISOR
    for regime in args.regimes:
        runs = REGIMES[regime](data, regime, args.repeats)
        with open(args.out / f"regimes_{regime}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("machine", "design", "seconds", "gap", "passes", "certificates"))
            for (where, name), (seconds, times, gaps, passes) in runs.items():
                row = where, name, f"{seconds:.3f}", f"{gaps[-1]:.1e}", passes, len(times)
                writer.writerow(row)
                print(*row, sep="\t", flush=True)
        draw(runs, args.out / f"regimes_{regime}.png", TITLES[regime])


if __name__ == "__main__":
    main()

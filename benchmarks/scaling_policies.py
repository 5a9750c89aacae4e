"""How far workers carry plain Async-BCD and PIAG with every step policy, and what ends the gain.

Usage: scaling_policies.py [--costs FILE.csv] [--out FOLDER] [--streams S] [--most N]

Runs every method and policy on simulated machines of 1 to 256 workers, fed with the costs that
``scaling_costs.py`` has measured (without ``--costs`` they are measured now), to a relative suboptimality of
1e-3: equal workers, one worker 5 times slower, and equal workers without lock and with memory that grows,
which leaves the delays. The memory feeds S workers at full speed (16 by default: an assumption). A run ends
when it takes five times as long as one worker, or 40,000 writes. The bound of a fixed step is the largest
delay that the same machine shows to Adaptive 1. With the same costs every call gives the same table.

What ends the gain is found by lifting one limit at a time, at the best number of workers and at twice that:
the lock (no seconds), the memory (feeds all), the delays (as many passes as one worker needs). The limit
whose factor grows most from the one to the other eats up the doubling. Where it is the lock, the runs are
made without it once more, to see what would be next.
Writes ``scaling_policies.csv``, ``scaling_policies_summary.csv`` and ``scaling_policies.png``.
"""

import argparse
import csv
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scaling_costs import measure_all
from scaling_figure import draw
from scaling_machine import COUNTS, SHAPES, Watch, build, lock_seconds, machine, make, read, task_of, write

from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep

CASES = {
    "Async-BCD, scalar metric": {
        "Adaptive 1": ("scalar", Adaptive1()),
        "Adaptive 2": ("scalar", Adaptive2()),
        "fixed, Sun": ("scalar", FixedStep()),
        "fixed, Davis": ("scalar", FixedStep(rule="davis")),
    },
    "Async-BCD, Gram metric": {
        "Adaptive 1": ("gram", Adaptive1()),
        "Adaptive 2": ("gram", Adaptive2()),
        "fixed, Sun": ("gram", FixedStep()),
        "exact": ("exact", ExactStep()),
    },
    "PIAG": {
        "Adaptive 1": ("piag", Adaptive1()),
        "Adaptive 2": ("piag", Adaptive2()),
        "fixed, Sun": ("piag", FixedStep()),
    },
}
MACHINES = {
    "equal": {},
    "one slow": {"slow": True},
    "no lock": {"lock": False},
    "delays only": {"lock": False, "streams": np.inf},
}
LIMITS = "lock", "memory", "delays"
PATIENCE, MOST_UPDATES = 5.0, 40_000
COLUMNS = (
    "method", "policy", "machine", "workers", "reached", "seconds", "updates", "passes", "mean_delay",
    "max_delay", "lock",
)  # fmt: skip


class Run(NamedTuple):
    """What a simulated run has come to."""

    reached: bool
    """Whether it has come to the target in time."""

    seconds: float
    """Virtual, until then."""

    updates: int
    passes: float
    mean_delay: float
    max_delay: int
    lock: float
    """Share of the time for which the lock is held."""


class Study:
    """All runs, each made once.

    Parameters
    ----------
    costs : dict
    streams : float
        Workers that the memory feeds.
    """

    def __init__(self, costs, streams):
        self.costs, self.streams, self._runs = costs, streams, {}
        self.tasks = {method: make(method) for method in SHAPES}

    def run(self, method, policy, n, **limits):
        """The run of a policy with ``n`` workers."""
        key = method, policy, n, *sorted(limits.items())
        if key not in self._runs:
            self._runs[key] = self._simulate(method, policy, n, limits)
        return self._runs[key]

    def _simulate(self, method, policy, n, limits):
        form, step = CASES[method][policy]
        bound = None
        if isinstance(step, FixedStep):
            bound = self.run(method, "Adaptive 1", n, **limits).max_delay
        task = task_of(self.tasks, form)
        solver = build(task.problem, form, step, n, bound)
        longest = np.inf if n == 1 else PATIENCE * self.run(method, policy, 1).seconds
        every = solver.n_blocks if form == "piag" else 4
        watch = Watch(task, solver, MOST_UPDATES, longest, every)
        limits = {"streams": self.streams} | limits
        machine(self.costs, form, n, solver, **limits).run(solver, watch)
        locked = lock_seconds(self.costs, form, n) if limits.get("lock", True) else 0.0
        return Run(
            watch.reached,
            watch.now,
            watch.updates,
            watch.updates / solver.n_blocks,
            float(np.mean(watch.delays)),
            max(watch.delays),
            min(1.0, watch.updates * locked / watch.now),
        )

    def curve(self, method, policy, limits, counts):
        """Runs by workers; after two in a row that do not arrive no more are tried."""
        found = {}
        for n in counts:
            begin = time.process_time()
            found[n] = self.run(method, policy, n, **limits)
            row = method, policy, limits, n, *found[n]
            print(*row, f"{time.process_time() - begin:.1f} s", sep="\t", flush=True)
            if not any(run.reached for run in list(found.values())[-2:]):
                break
        return found

    def lifted(self, method, policy, n, limits):
        """Factors by which the time falls when one limit is lifted; at least these, where a run was ended."""
        run, one = self.run(method, policy, n, **limits), self.run(method, policy, 1)
        lock = self.run(method, policy, n, **limits | {"lock": False}).seconds
        memory = self.run(method, policy, n, **limits | {"streams": np.inf}).seconds
        return np.array([run.seconds / lock, run.seconds / memory, run.passes / one.passes])


def summarise(study, method, policy, name, curve):
    """A row of the summary: where the curve is best, and what ends it."""
    best = min((n for n in curve if curve[n].reached), key=lambda n: curve[n].seconds)
    beyond = min(2 * best, max(COUNTS))
    before, after = (study.lifted(method, policy, n, MACHINES[name]) for n in (best, beyond))
    speedup = curve[1].seconds / curve[best].seconds
    cells = [f"{factor:.1f}" for factor in after / before]
    return method, policy, name, best, f"{speedup:.1f}", *cells, LIMITS[np.argmax(after / before)]


def tabulate(study, counts):
    """Rows of all runs, and of the summary. Where the lock ends the gain, the next limit is looked for."""
    rows, summary = [], []
    for method, policies in CASES.items():
        for policy in policies:
            ends = {}
            for name, limits in MACHINES.items():
                if name == "no lock" and ends["equal"] != "lock":
                    continue
                curve = study.curve(method, policy, limits, counts)
                for n, run in curve.items():
                    rows.append((method, policy, name, n, int(run.reached), *(f"{v:.4g}" for v in run[1:])))
                if name != "delays only":
                    summary.append(summarise(study, method, policy, name, curve))
                    ends[name] = summary[-1][-1]
                    print(*summary[-1], sep="\t", flush=True)
    return rows, summary


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--costs", type=Path)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--streams", type=float, default=16.0)
    parser.add_argument("--most", type=int, default=256)
    args = parser.parse_args()
    study = Study({}, args.streams)
    study.costs = read(args.costs) if args.costs else measure_all(study.tasks, 3)
    if not args.costs:
        write(study.costs, args.out / "scaling_costs.csv")
    rows, summary = tabulate(study, [n for n in COUNTS if n <= args.most])
    header = "method", "policy", "workers", "best", "speed-up", *LIMITS, "ended by"
    for name, table in ("", [COLUMNS, *rows]), ("_summary", [header, *summary]):
        with open(args.out / f"scaling_policies{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows(table)
    draw(args.out)


if __name__ == "__main__":
    main()

"""What block steps, shard gradients and their commits cost here; two workers predicted and measured.

Usage: scaling_costs.py [--out FILE.csv] [--costs FILE.csv] [--repeats N] [--compare]

For Async-BCD (*scalar* metric; *Gram* metric; *exact* step in it) and PIAG, with the blocks that 1 to 256
workers need: seconds of a task as ``call + entry * stored entries`` (``call`` is the interpreter's part,
which Python's own lock lets one thread do at a time), the spread of these seconds, seconds of a ``commit``
(tell) and of a ``snapshot`` (ask). Processor time, so that other processes disturb little.

``--compare``: fits by one and two threads, predicted from these costs (those of ``--costs``, if given) and
measured: seconds of as many writes as the target needs in the simulation, and the relative suboptimality
after them. How many workers the memory feeds when two are at work is measured before. Wants the machine for
itself.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from scaling_machine import (
    COUNTS,
    FORMS,
    SHAPES,
    Watch,
    build,
    machine,
    make,
    read,
    seconds_together,
    size_of,
    task_of,
    write,
)  # fmt: skip

from sk_asyncprox.executors import Machine, Threads


class Timed:
    """A solver whose calls are timed."""

    def __init__(self, solver):
        self.solver, self.told = solver, 0
        self.tasks, self.commits, self.snapshots = [], [], []

    def __getattr__(self, name):
        return getattr(self.solver, name)

    def ask(self, worker):
        begin = time.thread_time()
        task = self.solver.ask(worker)
        if task is not None and task.kind != "certificate":
            self.snapshots.append(time.thread_time() - begin)
        return task

    def work(self, part, task):
        begin = time.thread_time()
        result = self.solver.work(part, task)
        # The first steps on a block cut its columns.
        if task.kind != "certificate" and self.told > 2 * self.solver.n_blocks:
            self.tasks.append((time.thread_time() - begin, size_of(self.solver, task)))
        return result

    def tell(self, arrivals):
        begin = time.thread_time()
        events = self.solver.tell(arrivals)
        self.commits.append(time.thread_time() - begin)
        self.told += 1
        return events


def measure(problem, form, n, most=500):
    """Medians of the seconds of a task, its entries, the spread, and seconds of commit and snapshot."""
    timed = Timed(build(problem, form, FORMS[form][1], n))
    Machine(n, cost=lambda task, result: 1.0, lock=0.0).run(
        timed, lambda events, now: len(timed.tasks) >= most
    )
    seconds, sizes = np.array(timed.tasks).T
    low, high = np.quantile(np.log(seconds), (0.16, 0.84))
    return [
        np.median(seconds),
        np.median(sizes),
        0.5 * (high - low),
        np.median(timed.commits),
        np.median(timed.snapshots),
    ]


def measure_streams(problem, form, repeats=60):
    """Speed of two threads, each with tasks of its own, relative to one."""
    solver = build(problem, form, FORMS[form][1], 2)
    tasks = [solver.ask(0), solver.ask(1)]

    def do(task, times=repeats):
        for _ in range(times):
            solver.work(solver.part(task), task)

    for task in tasks:
        do(task, 1)
    alone = sum(seconds_together(do, [task]) for task in tasks)
    return min(2.0, alone / seconds_together(do, tasks))


def measure_all(tasks, repeats):
    """Table of costs: ``{(form, quantity, workers): value}``; workers 0 where it is for all."""
    costs = {}
    for form in FORMS:
        problem = task_of(tasks, form).problem
        found = np.array(
            [np.min([measure(problem, form, n) for _ in range(repeats)], axis=0) for n in COUNTS]
        )
        seconds, sizes, spreads, commits, snapshots = found.T
        # Relative errors count, else the largest tasks alone would say what a call costs.
        A = np.column_stack([np.ones_like(sizes), sizes]) / seconds[:, None]
        call = max(0.0, np.linalg.lstsq(A, np.ones_like(seconds), rcond=None)[0][0])
        costs[form, "call", 0], costs[form, "spread", 0] = call, np.median(spreads)
        # By the number of workers, as small blocks stay in the cache and large ones do not.
        for i, n in enumerate(COUNTS):
            costs[form, "entry", n] = (seconds[i] - call) / sizes[i]
            costs[form, "commit", n], costs[form, "snapshot", n] = commits[i], snapshots[i]
    return costs


def timed_run(executor, solver, watch):
    """Seconds from the first write to the end."""
    executor.run(solver, watch)
    return watch.now - watch.first


def compare(tasks, costs, repeats):
    """Rows: form, workers, streams, seconds predicted and measured, and the error that was reached."""
    rows = []
    for form, (_, policy) in FORMS.items():
        task = task_of(tasks, form)
        streams = float(np.median([measure_streams(task.problem, form) for _ in range(repeats)]))
        for n in (1, 2):
            solver = build(task.problem, form, policy, n)
            simulated = machine(costs, form, n, solver, streams=streams)
            watch = Watch(task, solver)
            predicted, found = timed_run(simulated, solver, watch), []
            for _ in range(repeats):
                solver = build(task.problem, form, policy, n)
                real = Watch(task, solver, most_updates=watch.updates, every=watch.updates + 1)
                found.append((timed_run(Threads(), solver, real), task.error(solver)))
            rows.append((form, n, streams, predicted, *np.median(found, axis=0)))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("scaling_costs.csv"))
    parser.add_argument("--costs", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--compare", action="store_true")
    args = parser.parse_args()
    tasks = {method: make(method) for method in SHAPES}
    costs = read(args.costs) if args.costs else measure_all(tasks, args.repeats)
    if not args.costs:
        write(costs, args.out)
    for (form, quantity, n), value in costs.items():
        print(f"{form:8} {quantity:9} {n or '':4} {value:.4g}")
    rows = compare(tasks, costs, args.repeats) if args.compare else []
    for form, n, streams, predicted, seconds, error in rows:
        print(f"{form:8} {n} worker(s), memory feeds {streams:.2f}: predicted {predicted:.4f} s,", end=" ")
        print(f"measured {seconds:.4f} s ({predicted / seconds - 1:+.0%}), error {error:.1e}", flush=True)


if __name__ == "__main__":
    main()

"""The experiments of "Delay-adaptive step-sizes for asynchronous learning", on real delays.

Usage: paper.py [--data TEXT] [--delays FOLDER] [--out FOLDER]

L1 + l2 logistic regression with eight workers, by PIAG and by Async-BCD (20 blocks), with every step policy.
DELAYS holds logs of real delays, ``PIAG_*.csv`` with eight columns and ``BCD_*.csv`` with one; without it,
only service-time schedules are run. TEXT is the common beginning of ``TEXT_X.npz`` (a sparse matrix) and
``TEXT_y.npz`` (with ``y_bin``); without it, scikit-learn's digits serve.

Prints a table (updates to relative suboptimality 1e-1, 1e-2, 1e-3, step-size integral per update in units of
gamma', share of zero steps, share of windows above gamma'), writes it as paper.csv and draws paper_*.png.

What it shows is the use of measured delays: Adaptive 1 against the fixed rules, which are told the largest
one. The last lines give that ratio. The naive step is no warning here: on these schedules it diverges nowhere
and needs about as many updates as Adaptive 1, with most of its windows above gamma'. Where it diverges is the
subject of ``examples/plot_naive_diverges.py``.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_digits
from sklearn.preprocessing import scale

from sk_asyncprox import LogisticRegression
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.losses import LogisticLoss
from sk_asyncprox.penalties import ElasticNetPenalty
from sk_asyncprox.problem import Problem
from sk_asyncprox.solvers import PIAG, AsyncBCD
from sk_asyncprox.solvers.base import Update
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep, NaiveStep
from sk_asyncprox.theory import satisfies_principle

L1, L2 = {"digits": 1e-3, "text": 1e-4}, 1e-4
TARGETS = (1e-1, 1e-2, 1e-3)
MOST_UPDATES = {"piag": 6_000, "bcd": 20_000}
COMMON = {
    "adaptive 1": Adaptive1(),
    "adaptive 2": Adaptive2(),
    "sun": FixedStep(),
    "principle": FixedStep(rule="principle"),
    "naive": NaiveStep(),
}
# Policy and metric; the last two are no part of the paper.
RUNS = {
    "piag": {name: (policy, {}) for name, policy in COMMON.items()},
    "bcd": {
        **{name: (policy, {"metric": "lipschitz"}) for name, policy in COMMON.items()},
        "davis": (FixedStep(rule="davis"), {"metric": "lipschitz"}),
        "adaptive 1, gram": (Adaptive1(), {"metric": "gram"}),
        "exact, gram": (ExactStep(), {"metric": "gram"}),
    },
}
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#999999", "#000000"]


def load(text):
    """Data with labels -1 and +1."""
    if text is None:
        X, y = load_digits(return_X_y=True)
        return scale(X[:, X.std(axis=0) > 0]), np.where(y < 5, 1.0, -1.0)
    X = sp.load_npz(f"{text}_X.npz").astype(np.float64).tocsr()
    y = np.load(f"{text}_y.npz", allow_pickle=True)["y_bin"]
    X = X[:, np.diff(X.tocsc().indptr) >= 30]
    return X, np.where(y == y.max(), 1.0, -1.0)


def traces(folder):
    """Schedules by solver: the real logs, and eight workers of which one is three times slower."""
    slow = Trace.from_service_times([1.0] * 7 + [3.0], distribution="lognormal", shape=0.3)
    found = {"piag": {}, "bcd": {}}
    for path in sorted(Path(folder).glob("*.csv")) if folder else []:
        solver = path.stem.split("_")[0].lower()
        found[solver][path.stem] = Trace.from_delays(path)
    for solver in found:
        # As a log, so that the fixed rules know the largest delay.
        found[solver]["one slow worker"] = Trace.from_delays(slow.delays(MOST_UPDATES[solver], solver))
    return found


def run(solver, problem, policy, options, trace, optimum, start):
    """Updates to the targets, errors after every update, the steps, and which windows are too long."""
    if solver == "bcd":
        options = {"n_blocks": 20, "working_set": False, **options}
    machine = {"piag": PIAG, "bcd": AsyncBCD}[solver](
        problem, policy, n_workers=trace.n_workers, inline=True, max_delay=trace.max_delay, **options
    )
    errors, steps, delays = [1.0], [], []

    def on_events(events, now):
        writes = [event for event in events if isinstance(event, Update)]
        steps.extend(write.step / machine.step_unit for write in writes)
        delays.extend(write.delay for write in writes)
        margins = machine.z if solver == "bcd" else None
        errors.append((problem.objective(machine.w, machine.b, margins) - optimum) / start)
        return errors[-1] <= TARGETS[-1] or not errors[-1] < 1e3 or len(steps) >= MOST_UPDATES[solver]

    with np.errstate(over="ignore", invalid="ignore"):
        Simulated(trace).run(machine, on_events)
    errors, steps = np.array(errors), np.array(steps)
    reached = [int(np.argmax(errors <= target)) if errors.min() <= target else None for target in TARGETS]
    # The exact step is a share of the full one, which the principle does not bind.
    long = np.zeros(len(steps), bool) if policy.exact else ~satisfies_principle(delays, steps)
    return reached, errors, steps, long


def experiment(X, y, l1, found):
    """Rows of the table, and the curves by (solver, trace)."""
    penalty = ElasticNetPenalty(l1, L2)
    total = l1 + L2
    reference = LogisticRegression(
        C=1.0 / (len(y) * total), l1_ratio=l1 / total, fit_intercept=False, tol=1e-8, max_iter=100_000
    ).fit(X, y)
    rows, curves = [], {}
    for solver, schedules in found.items():
        problem = Problem(X, y, LogisticLoss(), penalty, None, False, rows=solver == "piag")
        start = problem.objective(np.zeros(X.shape[1]), 0.0)
        for trace_name, trace in schedules.items():
            for name, (policy, options) in RUNS[solver].items():
                begin = time.perf_counter()
                reached, errors, steps, long = run(
                    solver, problem, policy, options, trace, reference.objective_, start
                )
                integral, zeros, long = steps.mean(), (steps == 0).mean(), long.mean()
                rows.append((solver, trace_name, name, *reached, integral, zeros, long))
                curves.setdefault((solver, trace_name), {})[name] = errors
                cells = " ".join(f"{'-' if k is None else k:>7}" for k in reached)
                seconds = time.perf_counter() - begin
                who = f"{solver:5} {trace_name:22} {name:17}"
                print(f"{who} {cells} {integral:9.4f} {zeros:7.1%} {long:7.1%} {seconds:6.1f} s")
    return rows, curves


def compare(rows):
    """Print how many updates a policy needs to the first target, relative to Adaptive 1."""
    needed = {(solver, trace, name): reached for solver, trace, name, reached, *_ in rows}
    for name in ("sun", "naive"):
        ratios = [
            reached / needed[solver, trace, "adaptive 1"]
            for (solver, trace, policy), reached in needed.items()
            if policy == name and reached is not None
        ]
        span = f"{min(ratios):.2f} to {max(ratios):.2f} times the updates of Adaptive 1"
        print(f"{name}: {span} to {TARGETS[0]:g}, on {len(ratios)} schedules")


def draw(curves, folder):
    """One figure per solver: objective error against updates, an axis per schedule."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        print("No figures: matplotlib is not installed.")
        return
    for solver in {key[0] for key in curves}:
        mine = {key[1]: value for key, value in curves.items() if key[0] == solver}
        fig, axes = plt.subplots(
            1, len(mine), figsize=(4 * len(mine), 4), sharey=True, layout="constrained", squeeze=False
        )
        for ax, (trace_name, lines) in zip(axes[0], mine.items(), strict=True):
            for (name, errors), colour in zip(lines.items(), COLOURS, strict=False):
                k, style = np.arange(1, len(errors)), "--" if name == "principle" else "-"
                ax.loglog(k, np.maximum(errors[1:], 1e-12), style, color=colour, label=name)
            ax.set(title=trace_name, xlabel="updates", ylim=(TARGETS[-1] * 0.8, 3.0))
        axes[0, 0].set_ylabel("objective error, relative to the start")
        fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
        fig.suptitle("PIAG" if solver == "piag" else "Async-BCD, 20 blocks")
        fig.savefig(folder / f"paper_{solver}.png", dpi=110)
        print(f"Figure: {folder / f'paper_{solver}.png'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data")
    parser.add_argument("--delays")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    X, y = load(args.data)
    l1 = L1["text" if args.data else "digits"]
    print(f"l1 + l2 logistic regression on {X.shape[0]} x {X.shape[1]}, l1 = {l1:g}, l2 = {L2:g}, 8 workers")
    header = ["solver", "schedule", "policy", *(f"to {t:g}" for t in TARGETS), "integral", "zeros", "long"]
    print("{:5} {:22} {:17} {:>7} {:>7} {:>7} {:>9} {:>7} {:>7}".format(*header))
    rows, curves = experiment(X, y, l1, traces(args.delays))
    compare(rows)
    with open(args.out / "paper.csv", "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    draw(curves, args.out)


if __name__ == "__main__":
    main()

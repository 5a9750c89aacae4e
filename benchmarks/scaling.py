"""How far workers carry the default fit: two of them predicted and measured, then up to 256 simulated.

Usage: scaling.py [--out FOLDER] [--repeats N] [--most N] [--streams S]

Measures what sharing costs on this machine (``streams``: how many workers the memory feeds, from
products by two threads at once; ``wake``: seconds until a sleeping thread goes on), predicts a fit with
two workers in lock-step on the simulated machine, measures it, and prints the error. Then the virtual
seconds to a gap of 1e-4 with more workers: on machines whose memory grows with the workers, the same without
lock (tells and asks take no time), and with this machine's memory; all equal, and one 5 times slower. With
``--streams`` nothing is measured but the tasks. Lasso as in ``regimes.py``, at lambda_max / 100. Writes
``scaling.csv`` and ``scaling.png``. Plain block steps and PIAG: ``scaling_policies.py``.
"""

import argparse
import csv
import threading
import time
from pathlib import Path

import numpy as np
from growth import make
from regimes import COLUMNS, ROWS, START, WAKE, fit
from scaling_machine import seconds_together

from sk_asyncprox.executors import Machine

DIVISOR = 100


def measure_streams(X, repeats=15):
    """Speed of two threads, each with half of the columns, relative to one."""
    halves = np.array_split(np.arange(X.shape[1]), 2)
    parts, ones = [X[:, half].T.tocsr() for half in halves], np.ones(X.shape[0])

    def multiply(part):
        for _ in range(repeats):
            part @ ones

    alone = sum(seconds_together(multiply, [part]) for part in parts)
    return alone / seconds_together(multiply, parts)


def measure_wake(repeats=300):
    """Median seconds from the release of a lock to the start of the thread that waits for it."""
    gate, back, seconds = threading.Lock(), threading.Lock(), []
    gate.acquire()
    back.acquire()

    def sleeper():
        for _ in range(repeats):
            gate.acquire()
            seconds.append(time.perf_counter() - released[0])
            back.release()

    released, thread = [0.0], threading.Thread(target=sleeper)
    thread.start()
    for _ in range(repeats):
        time.sleep(1e-3)
        released[0] = time.perf_counter()
        gate.release()
        back.acquire()
    thread.join()
    return float(np.median(seconds))


def predict(data, streams, wake, repeats):
    """Seconds of a fit with one and two workers: measured, and predicted for two."""
    one, two, predicted = [], [], []
    for _ in range(repeats):
        one.append(fit(data, "lock-step", 1e-6, n_jobs=1)[0])
        two.append(fit(data, "lock-step", 1e-6, n_jobs=2)[0])
        machine = Machine(2, streams=streams, wake=wake, start=START)
        predicted.append(fit(data, "lock-step", 1e-6, executor=machine)[0])
    return np.median(one), np.median(two), np.median(predicted)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--most", type=int, default=256)
    parser.add_argument("--streams", type=float)
    args = parser.parse_args()
    X, y, _ = make(ROWS, COLUMNS)
    data = X, y, np.abs(X.T @ y).max() / len(y) / DIVISOR
    streams, wake = args.streams, WAKE
    if streams is None:
        streams, wake = min(2.0, measure_streams(X)), measure_wake()
        print(f"memory feeds {streams:.2f} workers, a sleeping thread needs {1e6 * wake:.0f} us")
        one, two, predicted = predict(data, streams, wake, args.repeats)
        print(f"one worker {one:.3f} s, two {two:.3f} s, predicted {predicted:.3f} s", end=" ")
        print(f"({predicted / two - 1:+.0%})")
    counts = [n for n in (1, 2, 4, 8, 16, 32, 64, 128, 256) if n <= args.most]
    rows = []
    for memory, fed, lock in (
        ("grows", np.inf, None),
        ("grows, no lock", np.inf, 0.0),
        ("this machine's", streams, None),
    ):
        for slow in (False, True):
            for design in ("lock-step", "rule"):
                for n in counts:
                    speeds = np.ones(n)
                    speeds[-1] = 0.2 if slow and n > 1 else 1.0
                    machine = Machine(speeds, streams=fed, lock=lock, wake=wake, start=START)
                    seconds = fit(data, design, 1e-4, executor=machine)[0]
                    rows.append((memory, "one slow" if slow else "equal", design, n, round(seconds, 3)))
                    print(*rows[-1], sep="\t", flush=True)
        write(rows, args.out)


def write(rows, folder):
    """Table and figure of what is there so far."""
    with open(folder / "scaling.csv", "w", newline="") as file:
        csv.writer(file).writerows([("memory", "workers", "design", "n", "seconds"), *rows])
    draw(rows, folder / "scaling.png")


def draw(rows, path):
    """A panel per kind of memory."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    memories = list(dict.fromkeys(row[0] for row in rows))
    size = 4.8 * len(memories), 3.8
    figure, axes = plt.subplots(1, len(memories), figsize=size, sharey=True, squeeze=False)
    axes = axes[0]
    colours = {"lock-step": "#0072B2", "rule": "#D55E00"}
    for axis, memory in zip(axes, memories, strict=True):
        for workers, style in (("equal", "-"), ("one slow", "--")):
            for design, colour in colours.items():
                points = [(n, s) for m, w, d, n, s in rows if (m, w, d) == (memory, workers, design)]
                label = f"{design}, {workers}"
                axis.loglog(*zip(*points, strict=True), style, color=colour, marker="o", ms=3.5, label=label)
        axis.set(xlabel="workers", title=f"memory: {memory}")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("virtual seconds to a gap of 1e-4")
    axes[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()

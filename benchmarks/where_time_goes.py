"""Where the time of a fit goes: compiled kernels, under the executor's lock, Python.

Usage: where_time_goes.py [TEXT]

Profiles L1 logistic regression (relative gap 1e-6) on a small problem, scikit-learn's breast-cancer data,
and on a large one: random sparse data, or TEXT, the common beginning of ``TEXT_X.npz`` (a sparse matrix) and
``TEXT_y.npz`` (with ``y_bin``). Each with the plain block steps of one block ("before") and with the
algorithm in rounds ("after"). Shares come from one profiled fit, seconds from the median of five others, and
the lock's share from a fit with two workers.
"""

import argparse
import cProfile
import pstats
import time

import numpy as np
import scipy.sparse as sp
from growth import make, median_seconds
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from sk_asyncprox import LogisticRegression
from sk_asyncprox.executors import threads

REPEATS = 5


def problems(text):
    """Name, data and labels."""
    X, y = load_breast_cancer(return_X_y=True)
    yield "breast cancer, 569 x 30", np.asfortranarray(scale(X)), y == 1, 100
    if text is None:
        X, _, y = make(20_000, 50_000)
    else:
        X = sp.load_npz(f"{text}_X.npz").astype(np.float64).tocsc()
        y = np.load(f"{text}_y.npz", allow_pickle=True)["y_bin"] > 0
    yield f"sparse, {X.shape[0]:,} x {X.shape[1]:,}", X, y, 100


def shares(model, X, y):
    """Shares of compiled code and of the interpreter in one profiled fit."""
    profile = cProfile.Profile()
    profile.enable()
    model.fit(X, y)
    profile.disable()
    stats = pstats.Stats(profile).stats
    total = sum(row[2] for row in stats.values())
    # Compiled code that the profiler sees as such, and the one Python frame that runs a kernel in line.
    compiled = sum(row[2] for key, row in stats.items() if key[0] == "~" or key[2] == "enet_path")
    return compiled / total, 1.0 - compiled / total


class TimedTurn:
    """A turn that notes how long it was held."""

    def __init__(self, turn, held):
        self._turn, self._held, self._begin = turn, held, time.perf_counter()

    def release(self):
        self._held.append(time.perf_counter() - self._begin)
        self._turn.release()


def locked_share(model, X, y):
    """Share of the time that a turn was held by one of two workers, and the median turn's microseconds."""
    held, take = [], threads._Turns.take
    threads._Turns.take = lambda turns: TimedTurn(take(turns), held)
    try:
        begin = time.perf_counter()
        model.set_params(n_jobs=2).fit(X, y)
        total = time.perf_counter() - begin
    finally:
        threads._Turns.take = take
        model.set_params(n_jobs=None)
    return sum(held) / total, 1e6 * float(np.median(held)) if held else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?")
    text = parser.parse_args().text
    columns = ("seconds", "gradients", "compiled", "Python", "lock", "turn")
    print(" " * 40 + "{:>8} {:>9} {:>8} {:>7} {:>6} {:>8}".format(*columns))
    for name, X, y, divisor in problems(text):
        signs, ones = np.where(y, 1.0, -1.0), np.ones(X.shape[1])
        C = 2.0 * divisor / np.abs(X.T @ (signs - signs.mean())).max()
        unit = median_seconds(lambda X=X, ones=ones: X.T @ (X @ ones), REPEATS)
        model = LogisticRegression(C=C, l1_ratio=1.0, tol=1e-6, max_iter=100_000)
        for label, options in {"before": {"n_blocks": 1}, "after": {"n_blocks": "auto"}}.items():
            model.set_params(**options).fit(X, y)
            seconds = median_seconds(lambda model=model, X=X, y=y: model.fit(X, y), REPEATS)
            compiled, python = shares(model, X, y)
            lock, turn = locked_share(model, X, y) if label == "after" else (0.0, 0.0)
            print(
                f"{name:32s} {label:7s} {seconds:8.4f} {seconds / unit:9.0f} {compiled:8.0%} {python:7.0%} "
                f"{lock:6.1%} {turn:6.0f}us"
            )


if __name__ == "__main__":
    main()

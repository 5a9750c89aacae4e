"""The picture of README and the first page: what a delay is, and what knowing it is worth.

Usage: first_picture.py, which writes doc/images/first.png.
"""

import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import TimelineDisplay

X, y = load_diabetes(return_X_y=True)
X, y = scale(X), scale(y)
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"


def timeline(ax):
    """Four workers, one of them slow, and the writes that make the delay of one of its tasks."""
    trace = Trace.from_service_times([1.0, 1.2, 0.9, 4.0], distribution="deterministic")
    model = Lasso(alpha=0.05, n_blocks=8, executor=Simulated(trace)).fit(X, y)
    history = model.history_
    update = int(np.flatnonzero(history.arrivals["worker"] == 3)[0])
    TimelineDisplay.from_estimator(model, stop=20, write=update, ax=ax)
    delay = history.updates["delay"][update]
    sentence = f"The first task of worker 3 has the delay {delay}: so many writes (dots)"
    ax.set(title="Nobody waits for anybody", xlabel=f"{sentence}\nlie between its read and its own write")
    ax.get_legend().remove()


def convergence(ax):
    """Error against virtual time on eight workers, one of them four times slower."""
    eight = Simulated(Trace.from_service_times([1.0] * 7 + [4.0]))
    best = Lasso(alpha=0.05, tol=1e-13).fit(X, y).objective_
    settings = {"alpha": 0.05, "metric": "lipschitz", "n_blocks": 10, "record": "iterates"}
    settings |= {"executor": eight, "max_iter": 120, "tol": 1e-9}
    looks = {
        "fixed": ("fixed step, safe for the longest delay", RED, ":"),
        "adaptive1": ("Adaptive 1, from the measured delays", BLUE, "--"),
        "exact": ("exact step, from their measured effect", GREEN, "-"),
    }
    for step_size, (label, color, line) in looks.items():
        with warnings.catch_warnings(action="ignore"):
            points = Lasso(step_size=step_size, **settings).fit(X, y).history_.iterates
        error = points["objective"] - best
        shown = error > 1e-9
        ax.semilogy(points["time"][shown], error[shown], line, color=color, label=label, linewidth=2)
    ax.set(xlim=(0, 130), ylim=(1e-8, 1), title="The same delays, three step sizes")
    ax.set(xlabel="virtual time", ylabel="objective error")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8.5, loc="upper right", bbox_to_anchor=(1.02, 0.76))


if __name__ == "__main__":
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
    timeline(left)
    convergence(right)
    figure.savefig(Path(__file__).parent / "images" / "first.png", dpi=110)

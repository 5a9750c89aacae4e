"""
Anatomy of a run, as a film
===========================

What happens between a read and a write? Play the film: bars grow while
workers compute; when one writes, the reads that are still under way grow
older by one.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace

X, y = load_diabetes(return_X_y=True)
X, y = scale(X), scale(y)
four = Trace.from_service_times([1.0, 1.3, 0.8, 4.0])
model = Lasso(
    alpha=0.05, metric="lipschitz", n_blocks=5, step_size="adaptive1",
    record="iterates", executor=Simulated(four),
).fit(X, y)  # fmt: skip
history = model.history_

# %%
# A task was read right after the write before its stamp. Where several arrive
# at once, or nothing is yet written, the time of the read is that of the
# write before, or zero.

writes = history.updates["time"][:40]
stamps, workers = (
    history.arrivals["stamp"][:40],
    history.arrivals["worker"][:40],
)
reads = np.where(
    stamps > 0, history.updates["time"][np.maximum(stamps - 1, 0)], 0.0
)
steps = history.updates["step"][:40] / history.largest_step
colors = np.array(["#0072B2", "#E69F00", "#009E73", "#CC79A7"])

fig, (top, below) = plt.subplots(
    2,
    1,
    figsize=(7, 4.6),
    sharex=True,
    layout="constrained",
    height_ratios=[3, 2],
)
bars = top.barh(
    workers, np.zeros(40), left=reads, color=colors[workers], edgecolor="white"
)
ages = [
    top.text(0, w, "", va="center", ha="center", color="white", weight="bold")
    for w in range(4)
]
top.set(
    yticks=range(4),
    yticklabels=[f"worker {w}" for w in range(4)],
    xlim=(0, writes[-1]),
    ylim=(3.6, -0.6),
)
(dots,) = below.plot([], [], "o", color="#0072B2")
below.set(xlabel="time", ylabel="step / γ′", ylim=(-0.05, 1))


def draw(now):
    """The state at a time."""
    for bar, read, write in zip(bars, reads, writes, strict=True):
        bar.set_width(np.clip(now, read, write) - read)
    for worker, age in enumerate(ages):
        under_way = (workers == worker) & (reads <= now) & (now < writes)
        age.set_text("")
        if under_way.any():
            k = np.argmax(under_way)
            age.set_text(str(np.sum(writes <= now) - stamps[k]))
            age.set_x(min(reads[k] + 0.15, writes[-1]))
    done = writes <= now
    dots.set_data(writes[done], steps[done])
    top.set_title(
        f"time {now:5.2f}: {done.sum()} writes. In the bars: the delay so far"
    )


draw(6.0)
film = FuncAnimation(
    fig, draw, frames=np.linspace(3.0, writes[-1], 40), interval=150
)

plt.show()

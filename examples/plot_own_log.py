"""
A log of your own: from CSV, or from times of reads and writes
==============================================================

You have measured delays on your own cluster, or logged when every task began
and ended. Which policy would have suited it?
"""

import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.comparison import compare_policies
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import TimelineDisplay
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, FixedStep

# %%
# A file of delays, one per write, as other programs write them: a header,
# then a line for each. The delay is a *count* of writes. Of PIAG there is a
# column per worker, the age of its entry in the gradient table.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "delays.csv"
path.write_text("delay\n0\n1\n2\n2\n5\n3\n0\n4\n1\n2\n")
print(Trace.from_delays(path))

# %%
# Times of reads and writes, in any unit and order: here three workers log for
# two minutes, and the third is busy with something else from second 40 to
# second 80.

rng = np.random.default_rng(0)
reads, writes, workers = [], [], []
for worker in ("a", "b", "c"):
    now = 0.0
    while now < 120:
        busy = 8.0 if worker == "c" and 40 < now < 80 else 1.0
        end = now + busy * rng.gamma(4, 0.25)
        reads.append(now)
        writes.append(end)
        workers.append(worker)
        now = end + 0.05  # it writes its log
trace = Trace.from_events(reads, writes, workers)
print(trace)

# %%
# What is in the log can be seen before anything is fitted along it.

start = int(np.searchsorted(np.sort(writes), 36))
display = TimelineDisplay.from_trace(trace, start=start, stop=start + 60)
display.ax_.set(title="Worker c is busy from second 40 on")

# %%
# The schedule drives a simulated fit as any other does; after its last write
# it starts again.

X, y = load_diabetes(return_X_y=True)
X, y = scale(X), scale(y)
model = Lasso(
    alpha=0.05,
    metric="lipschitz",
    n_blocks=5,
    max_iter=150,
    tol=1e-3,
    executor=Simulated(trace),
)
policies = {
    "Adaptive 1": Adaptive1(),
    "Adaptive 2": Adaptive2(),
    "fixed": FixedStep(),
}
with warnings.catch_warnings(action="ignore"):
    comparison = compare_policies(model, policies, X, y)
print(comparison)

# %%
# The timeline of that spell with the blocks of the fit (hatched: steps of
# zero), and the delays: those of worker c are long, those of the others are
# even shorter, as there are fewer writes.

fig, (top, below) = plt.subplots(2, 1, figsize=(7, 5), layout="constrained")
history = comparison.histories["Adaptive 1", ""]
TimelineDisplay.from_history(history, start=start, stop=start + 60, ax=top)
delays, times = history.updates["delay"], history.updates["time"]
slow = history.arrivals["worker"] == 2
for rows, name, look in ((~slow, "a and b", "."), (slow, "c", "x")):
    shown = rows & (times < 120)
    below.plot(times[shown], delays[shown], look, label=name)
below.set(xlabel="time", ylabel="delay")
below.legend(frameon=False)

plt.show()
folder.cleanup()

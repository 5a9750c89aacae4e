"""
Does one slow worker hold up the others?
========================================

No: nobody waits for it. But what it writes rests on an old read, and the step
policy decides whether that does harm, good, or nothing.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import TimelineDisplay

X, y = load_diabetes(return_X_y=True)
X, y = scale(X), scale(y)
four = Simulated(Trace.from_service_times([1.0, 1.2, 0.8, 6.0]))
settings = {"alpha": 0.05, "n_blocks": 8, "tol": 1e-3, "executor": four}
models = {
    name: Lasso(step_size=name, **settings).fit(X, y)
    for name in ("adaptive1", "exact")
}

# %%
# Worker 3 is six times slower. Under Adaptive 1 its windows are full when it
# comes to write: the steps of the others since its read leave nothing, and
# its bars are hatched. Most of its work is lost, and nothing else.

display = TimelineDisplay.from_estimator(models["adaptive1"], stop=40)
display.ax_.set_title(
    "Adaptive 1: most that the slow worker writes comes to nothing"
)

# %%
# The exact step asks whether the old direction still descends, and by how
# much. Most of what the slow worker has found is still of use.

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for i, (name, model) in enumerate(models.items()):
    history = model.history_
    largest = history.updates["step"].max()
    slow = history.arrivals["worker"] == 3
    means = [
        history.updates["step"][rows].mean() / largest for rows in (slow, ~slow)
    ]
    bars = ax.bar(
        np.arange(2) + 0.4 * i,
        means,
        0.38,
        label=name,
        color=("#D55E00", "#0072B2")[i],
    )
    bars[0].set_hatch("//")
    print(
        f"{name}: {model.n_updates_} updates, {history.updates['time'][-1]:.0f} units of time"
    )
ax.set(ylabel="mean step / largest step", title="Worth of a write")
ax.set_xticks([0.2, 1.2], ["slow worker", "the other three"])
ax.legend(frameon=False)

plt.show()

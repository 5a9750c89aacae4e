"""
Replay a run of threads
=======================

Threads never run twice in the same order. Their history does: it holds every
read and every write, and a simulated run can follow it step by step, with the
same delays and blocks.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sk_asyncprox import LogisticRegression
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import TimelineDisplay

X, y = load_breast_cancer(return_X_y=True)
X = make_pipeline(
    PolynomialFeatures(2, include_bias=False), StandardScaler()
).fit_transform(X)

# %%
# A live run of three threads ...

model = LogisticRegression(
    C=0.05, l1_ratio=1.0, tol=1e-3, step_size="adaptive1", n_jobs=3
)
live = model.fit(X, y).history_
print(live)

# %%
# ... and its replay in one thread.

again = (
    model.set_params(executor=Simulated(Trace.from_history(live)))
    .fit(X, y)
    .history_
)
print(
    "same delays:",
    np.array_equal(live.updates["delay"], again.updates["delay"]),
)
print(
    "same steps: ", np.array_equal(live.updates["step"], again.updates["step"])
)

# %%
# The virtual time of the replay is the time that was recorded, in seconds.

fig, axes = plt.subplots(2, 1, figsize=(6, 5), layout="constrained")
window = {"start": 20, "stop": 60}
TimelineDisplay.from_history(live, ax=axes[0], **window).ax_.set_title(
    "Threads"
)
TimelineDisplay.from_history(again, ax=axes[1], **window).ax_.set_title(
    "Replay"
)

plt.show()

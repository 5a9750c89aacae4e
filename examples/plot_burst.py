"""
A burst of delays
=================

A machine is busy for a while, and every task takes twenty times as long. How
long does the fit remember it?
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.step_sizes import Adaptive1, FixedStep

X, y = load_diabetes(return_X_y=True)
X, y = scale(X), scale(y)

# %%
# A log of delays: two workers in turn, a burst of thirty writes on reads that
# are up to 30 writes old, and calm again.

log = np.r_[np.ones(120), np.arange(1, 31), np.ones(450)].astype(int)
trace = Trace.from_delays(log)
policies = {"Adaptive 1": Adaptive1(), "fixed": FixedStep()}
settings = {
    "alpha": 0.05, "metric": "lipschitz", "n_blocks": 5, "tol": 1e-9,
    "max_iter": 120, "record": "iterates", "executor": Simulated(trace),
}  # fmt: skip
best = Lasso(alpha=0.05, tol=1e-12).fit(X, y).objective_

runs = {}
for name, policy in policies.items():
    with warnings.catch_warnings(action="ignore"):
        runs[name] = Lasso(step_size=policy, **settings).fit(X, y).history_

# %%
# The adaptive step is short while the delays are long, and as long as before
# right after it. The fixed step, which is safe for the burst, is short all
# the time.

fig, axes = plt.subplots(
    3, 1, figsize=(6.4, 6), sharex=True, layout="constrained"
)
n = 600
axes[0].fill_between(np.arange(n), log[:n], step="mid", color="0.6")
axes[0].set(ylabel="delay", title="A burst of delays, and who remembers it")
for (name, history), color, line in zip(
    runs.items(), ("#0072B2", "#D55E00"), ("-", "--"), strict=True
):
    u = history.updates[:n]
    mean = np.convolve(
        u["step"] / history.largest_step, np.full(10, 0.1), mode="same"
    )
    axes[1].plot(u["update"], mean, line, color=color, label=name)
    points = history.iterates[history.iterates["update"] < n]
    axes[2].semilogy(
        points["update"],
        points["objective"] - best,
        line,
        color=color,
        label=name,
    )
axes[1].set(ylabel="step / γ′\n(mean of 10)")
axes[2].set(ylabel="objective\nless its optimum", xlabel="update")
axes[1].legend(frameon=False)

plt.show()

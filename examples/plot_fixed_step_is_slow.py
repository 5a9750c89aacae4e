r"""
Why a fixed step is slow
========================

A fixed step must be safe for the largest delay that may ever come,
:math:`\gamma = h / (L (\tau_{\max} + 1/2))`. Most delays are far below the
largest. What is lost by being ready for the worst all the time?
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace

X, y = load_diabetes(return_X_y=True)
X, y = scale(X), scale(y)

# %%
# Eight workers, and the last one is 1, 2, 4, ... times slower. The mean delay
# stays about 7, whatever it does: every write lies between read and write of
# the seven other tasks. The largest delay grows.

factors = [1, 2, 4, 8, 16, 32]
traces = [Trace.from_service_times([1.0] * 7 + [float(f)]) for f in factors]
delays = [trace.delays(3000, solver="bcd") for trace in traces]


def updates(trace, step_size):
    """Updates until the duality gap is below 5 % of the variance."""
    model = Lasso(
        alpha=0.1, tol=5e-2, max_iter=6000, metric="lipschitz", n_blocks=5,
        step_size=step_size, executor=Simulated(trace),
    )  # fmt: skip
    with warnings.catch_warnings(action="ignore"):
        model.fit(X, y)
    return model.n_updates_ if model.history_.stopped == "converged" else np.nan


needed = {
    name: [updates(trace, name) for trace in traces]
    for name in ("fixed", "adaptive2", "adaptive1")
}

# %%
# The fixed step pays for the largest delay, the adaptive ones for those that
# come.

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
left.loglog(
    factors, [d.max() for d in delays], "s--", color="#D55E00", label="largest"
)
left.loglog(
    factors, [d.mean() for d in delays], "o-", color="#0072B2", label="mean"
)
left.set(
    title="Delays", ylabel="writes", xlabel="how many times slower is worker 7"
)
looks = {"fixed": "s--", "adaptive2": "^:", "adaptive1": "o-"}
for (name, look), color in zip(
    looks.items(), ("#D55E00", "#009E73", "#0072B2"), strict=True
):
    right.loglog(factors, needed[name], look, color=color, label=name)
right.set(
    title="Updates to a gap of 5 %", xlabel="how many times slower is worker 7"
)
for ax in (left, right):
    ax.set_xticks(factors, factors)
    ax.minorticks_off()
    ax.legend(frameon=False)
for name, counts in needed.items():
    print(name, counts)

plt.show()

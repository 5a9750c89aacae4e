r"""
A step that looks adaptive and diverges
=======================================

Dividing by the delay, :math:`\gamma_k = c \gamma' / (\tau_k + b)`, looks as safe as it is simple. On
:math:`f(w) = (1 - w)^2 / 2` with the delays :math:`\tau_k = k \bmod T` it diverges: in a run of
:math:`T` updates all read the same point, and their steps add up to :math:`1 + 1/2 + \dots + 1/T`, more
than the gradient at that point can bear. Adaptive 1 and 2 look at the steps inside the window as well.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import ConvergenceDisplay, StepSizeDisplay
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, NaiveStep

# %%
# One sample, one coefficient and no penalty make the Lasso this very function. ``metric="lipschitz"`` is
# the algorithm of the paper with its scalar constant.

T = 10
model = Lasso(
    alpha=0.0,
    fit_intercept=False,
    metric="lipschitz",
    executor=Simulated(Trace.from_delays(np.arange(T))),
    record="iterates",
    tol=1e-14,
    max_iter=100,
)
policies = {"naive": NaiveStep(), "Adaptive 1": Adaptive1(), "Adaptive 2": Adaptive2()}
histories = {}
with warnings.catch_warnings():
    # No penalty, and no convergence: both are meant.
    warnings.simplefilter("ignore")
    for name, policy in policies.items():
        histories[name] = model.set_params(step_size=policy).fit(np.ones((1, 1)), np.ones(1)).history_

display = ConvergenceDisplay.from_history(histories, optimum=0.0)
display.ax_.set(title=f"Delays k mod {T}", xlim=(-1, 90), ylim=(1e-16, 1e7))

# %%
# The window of an update sums the steps since its read. The naive steps pass the ceiling again and
# again.

display = StepSizeDisplay.from_history(histories["naive"], step_size=policies["naive"], kind="steps")
display.ax_.set(title="Naive: windows above the ceiling", xlim=(-1, 60))

# %%
# Adaptive 1 spends most of the ceiling at once and next to nothing until the next fresh read.

display = StepSizeDisplay.from_history(
    histories["Adaptive 1"], step_size=policies["Adaptive 1"], kind="steps"
)
display.ax_.set(title="Adaptive 1: no window above the ceiling", xlim=(-1, 60))

plt.show()

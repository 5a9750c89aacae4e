"""
What delays look like
=====================

A delay is the number of writes between the read that a result rests on and
its own write. Here are the delays of Async-BCD and of PIAG on the same eight
simulated workers, one of them four times slower.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from sk_asyncprox import LogisticRegression
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import DelayDisplay

X, y = load_breast_cancer(return_X_y=True)
X = scale(X)
eight = Simulated(Trace.from_service_times([1.0] * 7 + [4.0]))
model = LogisticRegression(C=0.1, l1_ratio=1.0, executor=eight)
histories = {
    "Async-BCD": model.set_params(solver="bcd", tol=1e-6).fit(X, y).history_,
    "PIAG": model.set_params(solver="piag", step_size="adaptive1")
    .fit(X, y)
    .history_,
}

# %%
# In Async-BCD every result is written alone, and the mean delay is the number
# of workers less one. In PIAG a step rests on a table with one gradient of
# every worker, and its delay is the age of the oldest.

display = DelayDisplay.from_history(histories)
display.ax_.set_title("Typical delays are far below the largest one")

# %%
# A worst-case bound must cover the peaks; an adaptive step is short at the
# peaks only.

display = DelayDisplay.from_history(histories["PIAG"], kind="time")
display.ax_.set_title("PIAG: age of the oldest gradient")

# %%
# The slow worker's results are the old ones.

display = DelayDisplay.from_history(histories["Async-BCD"], kind="workers")
display.ax_.set_title("Async-BCD")

plt.show()

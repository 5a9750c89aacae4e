"""
Who works when
==============

Every task is a bar from its read to its write. The writes of other workers
inside that span are its delay.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import TimelineDisplay

X, y = load_diabetes(return_X_y=True)
X = scale(X)


def fit(trace, **settings):
    """Fit on the workers of a trace."""
    return Lasso(
        alpha=1.0, tol=1e-3, executor=Simulated(trace), **settings
    ).fit(X, y)


# %%
# A steady round robin: once all four workers have begun, every delay is 3. The
# dots are the writes that make the delay of the framed task.

display = TimelineDisplay.from_estimator(
    fit(Trace.constant(4), n_blocks=8), stop=24, write=13
)
display.ax_.set_title("Round robin: every bar spans three writes of others")

# %%
# Random service times, and one worker four times slower. Adaptive 2 takes the
# step of the delay or none; the hatched tasks came to nothing.

slow = Trace.from_service_times([1.0] * 5 + [4.0])
display = TimelineDisplay.from_estimator(
    fit(slow, step_size="adaptive2", n_blocks=8), start=10, stop=60
)
display.ax_.set_title("Async-BCD with Adaptive 2, worker 5 is slow")

# %%
# PIAG on the same workers. Each has a shard of the rows, and the first step
# waits for all of them: who comes back before has nothing to do.

display = TimelineDisplay.from_estimator(
    fit(slow, solver="piag", step_size="adaptive1"), stop=40
)
display.ax_.set_title("PIAG with Adaptive 1, worker 5 is slow")

plt.show()

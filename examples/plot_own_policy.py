"""
A policy of your own in 15 lines
================================

What does a step policy of your own take? A class with parameters and one
method, which returns a function of the measured delay and of the sum of the
steps in its window: those that others have taken between read and write.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.comparison import compare_policies
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import StepSizeDisplay
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, StepSize
from sk_asyncprox.theory import satisfies_principle


class SquareRoot(StepSize):
    """``c / sqrt(delay + 1)``, cut off at what the window leaves."""

    # Then blocks are drawn at random, so that none is starved.
    can_be_zero = True

    def __init__(self, c=1.0, h=0.99):
        self.c = c
        self.h = h  # safety factor of the largest step; 0.99 if left out

    def make_rule(self, setting):  # solver, number of blocks and the like
        c = self.c
        return lambda delay, window: min(
            c / (delay + 1) ** 0.5, max(0.0, 1.0 - window)
        )


# %%
# The rule's steps are in units of the largest safe one, ``h / L``; those of
# the history are lengths. A rule that returns at most ``max(0, 1 - window)``
# keeps the :ref:`step-size principle <policies>`, and the theorems hold for
# it. It is checked on a run:

X, y = load_diabetes(return_X_y=True)
X, y = scale(X), scale(y)
eight = Simulated(Trace.from_service_times([1.0] * 7 + [4.0]))
model = Lasso(
    alpha=0.05,
    metric="lipschitz",
    n_blocks=5,
    tol=1e-3,
    step_size=SquareRoot(),
    executor=eight,
)
history = model.fit(X, y).history_
kept = satisfies_principle(
    history.updates["delay"], history.updates["step"], history.largest_step
)
print(
    f"{model}: the principle holds in {kept.mean():.0%} of {len(kept)} updates."
)

# %%
# No registration: it is a parameter like others, with parameters of its own.

policies = {"Adaptive 1": Adaptive1(), "Adaptive 2": Adaptive2()}
policies |= {f"square root, c={c}": SquareRoot(c) for c in (0.25, 0.5, 1.0)}
print(compare_policies(model, policies, X, y))

# %%
# Its first steps, and the sums of its windows below the ceiling.

display = StepSizeDisplay.from_history(
    history, step_size=SquareRoot(), kind="steps"
)
display.ax_.set(
    title="Square root of the delay", xlim=(-1, 120), ylim=(-0.05, 2)
)

plt.show()

# %% [markdown]
# # Lab 3: delays that cost nothing, and your own threads (25 minutes)
#
# A stale *gradient* is wrong by all that has happened since its read. What if
# a worker answered with more than a gradient? And how do you find out what
# happened in a run of real threads, which never happens twice?

# %%
import warnings

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace

X, y = load_diabetes(return_X_y=True)
X, y = scale(X), scale(y)


def slow(factor):
    """Eight workers, the first of them slower by the factor."""
    return Simulated(Trace.from_service_times([factor] + [1.0] * 7))


def writes(factor, **settings):
    """Writes until the optimum is reached."""
    model = Lasso(
        alpha=0.05,
        solver="piag",
        executor=slow(factor),
        max_iter=3000,
        **settings,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y).n_updates_


# %% [markdown]
# ## Exercise 8: what does a slow worker cost?
#
# PIAG: every worker holds a shard of the *rows* and answers with the gradient
# of its shard; the server steps along the mean of the newest ones. Measure
# what one slow worker costs Adaptive 1:

# %%
for factor in (1.0, 10.0):
    print(
        f"{factor:4.0f} times slower: {writes(factor, step_size='adaptive1')} writes with Adaptive 1"
    )

# %% [markdown]
# With `step_size="exact"` a worker answers with its second-order model
# $f_i(x_i) + g_i^\top (v - x_i) + \frac12 (v - x_i)^\top H_i (v - x_i)$, made
# where it read, and the server goes to the minimiser of their sum. The loss
# is *squared*. How wrong is a model that was made long ago? Predict the
# number of writes for a worker that is 1, 10 and 100 times slower, before you
# run it.

# %% exercise 8
# your answer: three whole numbers
predicted = ...
# solution
# A quadratic is its own second-order model, wherever that is made:
# once all shards have answered, one write.
predicted = [1, 1, 1]
# end

# %% check 8
measured = [writes(factor, step_size="exact") for factor in (1.0, 10.0, 100.0)]
print(measured)
assert list(predicted) == measured

# %% [markdown]
# ## Exercise 9: replay your own threads
#
# Two threads of this machine. Run the cell twice: the delays differ.

# %%
live = Lasso(alpha=0.05, step_size="adaptive1", n_blocks=5, n_jobs=2).fit(X, y)
print(live.history_, live.history_.updates["delay"][:20])

# %% [markdown]
# `Trace.from_history(history)` is the schedule of a recorded run, and
# `Simulated(trace)` follows a schedule. Write a function that fits the same
# model again along the schedule of the fitted one, and returns it.


# %% exercise 9
def replay(fitted, X, y):
    # your answer
    ...
    # solution
    again = Lasso(**fitted.get_params())
    return again.set_params(
        executor=Simulated(Trace.from_history(fitted.history_))
    ).fit(X, y)
    # end


# %% check 9
again = replay(live, X, y)
assert again is not live, "fit another model, so that the first stays as it is"
assert isinstance(again.get_params()["executor"], Simulated)
assert np.array_equal(
    again.history_.updates["delay"], live.history_.updates["delay"]
)
assert np.array_equal(
    again.history_.updates["step"], live.history_.updates["step"]
)
assert np.allclose(again.coef_, live.coef_)

# %% [markdown]
# ## Exercise 10: trust nobody
#
# How do you know that either of them is right? A *duality gap* is a proof:
# the objective is at most `dual_gap_` above its optimum, whatever happened in
# the run. Compute the objective of `live` yourself, and that of a much more
# accurate fit. How far is `live` from the optimum?


# %% exercise 10
def objective(model):
    # your answer: |y - X w - b|^2 / (2 n) + alpha |w|_1
    ...
    # solution
    residual = y - model.predict(X)
    return (
        residual @ residual / (2 * len(y))
        + model.alpha * np.abs(model.coef_).sum()
    )
    # end


# %% check 10
best = Lasso(alpha=0.05, tol=1e-12).fit(X, y)
assert np.isclose(objective(live), live.objective_, rtol=1e-12)
excess = objective(live) - objective(best)
print(f"above the optimum: {excess:.1e}; proved: at most {live.dual_gap_:.1e}")
assert excess <= live.dual_gap_ + 1e-12

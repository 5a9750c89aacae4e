# %% [markdown]
# # Lab 2: which step is safe, which is fast? (35 minutes)
#
# A rule gets two numbers at every write: its delay, and the window sum of lab
# 1, in units of the largest safe step. You will break a rule that looks safe,
# write one that is, and find a schedule for which it is the better one.

# %%
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, NaiveStep, StepSize
from sk_asyncprox.theory import satisfies_principle

# Six measures of the size of the same cells: nearly the same feature six times.
cells, kind = load_breast_cancer(return_X_y=True)
cells = scale(cells[:, [0, 2, 3, 20, 22, 23]])


def run(policy, trace, X=cells, y=kind, alpha=0.01):
    """A fitted model of the paper's plain Async-BCD, whether it converges or not."""
    model = Lasso(
        alpha=alpha,
        step_size=policy,
        metric="lipschitz",
        executor=Simulated(trace),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


# %% [markdown]
# ## Exercise 5: break the naive rule
#
# $\gamma_k = \gamma' / (\tau_k + 1)$ takes short steps at long delays, and
# that looks safe. It is not: it never looks at the window. Find a schedule
# (`Trace.from_service_times(..., distribution="deterministic")`,
# `Trace.constant`, `Trace.from_delays`) of at most eight workers on which it
# diverges. With random service times you will hardly find one: what must
# happen that many writes rest on one and the same read?

# %% exercise 5
# your answer
breaking = ...
# solution
breaking = Trace.from_service_times(
    1.0, n_workers=8, distribution="deterministic"
)
# end

# %% check 5
assert breaking.n_workers <= 8
naive, safe = run(NaiveStep(), breaking), run(Adaptive1(), breaking)
print("naive:", naive.history_.stopped, " Adaptive 1:", safe.history_.stopped)
assert naive.history_.stopped == "diverged", "it survives this one"
assert safe.history_.stopped == "converged"
u = naive.history_.updates
kept = satisfies_principle(u["delay"], u["step"], naive.history_.largest_step)
print(f"{1 - kept.mean():.0%} of the naive steps break the principle")

# %% [markdown]
# ## Exercise 6: a rule that keeps the principle
#
# *Adaptive 2* takes $\gamma' / (\tau_k + 1)$ as well, but only where it fits
# into what the window has left, else it takes nothing. `delay` is a whole
# number, `window` is in units of $\gamma'$. (Leave `1e-9` of slack: at a
# constant delay the two are equal, up to rounding.)


# %% exercise 6
def adaptive2(delay, window):
    # your answer
    ...
    # solution
    left = max(0.0, 1.0 - window)
    return (
        min(1.0 / (delay + 1), left)
        if 1.0 / (delay + 1) <= left + 1e-9
        else 0.0
    )
    # end


class Mine(StepSize):
    """The rule above as a policy of the library."""

    can_be_zero = True

    def make_rule(self, setting):
        return adaptive2


# %% check 6
assert adaptive2(0, 0.0) == 1.0
assert adaptive2(3, 0.5) == 0.25
assert adaptive2(3, 0.76) == 0.0
assert np.isclose(adaptive2(2, 2 / 3), 1 / 3)
random = Trace.from_service_times([1.0, 1.0, 1.0, 4.0])
mine, theirs = run(Mine(), random).history_, run(Adaptive2(), random).history_
assert np.allclose(mine.updates["step"], theirs.updates["step"])
assert run(Mine(), breaking).history_.stopped == "converged"

# %% [markdown]
# ## Exercise 7: when is it the better one?
#
# *Adaptive 1* takes 90 % of what the window has left, whatever the delay.
# With random service times it is mostly the faster one. Find a schedule on
# which Adaptive 2 needs at least 5 % fewer writes on the diabetes data. Think
# of writes that rest on the same read: what does each rule give to the first
# of them, what to the others?

# %% exercise 7
# your answer
better = ...
# solution
# In lockstep the first of eight writes has the delay 0 and an empty
# window: Adaptive 2 takes all of it, Adaptive 1 keeps a tenth back for writes
# that rest on old reads.
better = Trace.from_service_times(
    1.0, n_workers=8, distribution="deterministic"
)
# end

# %% check 7
X, y = load_diabetes(return_X_y=True)
X, y = scale(X), scale(y)
for name, trace in {"random": random, "yours": better}.items():
    first, second = (
        run(policy, trace, X, y, 0.05) for policy in (Adaptive1(), Adaptive2())
    )
    assert first.history_.stopped == second.history_.stopped == "converged"
    print(
        f"{name}: Adaptive 1 {first.n_updates_} writes, Adaptive 2 {second.n_updates_}"
    )
assert second.n_updates_ <= 0.95 * first.n_updates_

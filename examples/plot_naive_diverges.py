r"""
A step that looks adaptive and diverges
=======================================

Dividing by the delay, :math:`\gamma_k = c \gamma' / (\tau_k + b)`, looks as
safe as it is simple. Eight equal workers in lockstep read the same point and
write one after the other, with the delays 0, 1, ..., 7. Their steps add up to
:math:`1 + 1/2 + \dots + 1/8 = 2.7` of the largest safe step, all along what
one point had told. Adaptive 1 and 2 look at the steps inside the window as
well.
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import ConvergenceDisplay, StepSizeDisplay
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, NaiveStep
from sk_asyncprox.theory import satisfies_principle

# %%
# Six features of the breast-cancer data are sizes: radius, perimeter and
# area, means and worst values. They carry nearly the same, so that the steps
# of different blocks add up. ``metric="lipschitz"`` is the algorithm of the
# paper with its scalar constant; in the default metric six such workers
# diverge as well.

data = load_breast_cancer()
sizes = (
    "mean radius",
    "mean perimeter",
    "mean area",
    "worst radius",
    "worst perimeter",
    "worst area",
)
X = scale(
    data.data[:, [list(data.feature_names).index(name) for name in sizes]]
)
y = data.target.astype(float)
policies = {
    "naive": NaiveStep(),
    "Adaptive 1": Adaptive1(),
    "Adaptive 2": Adaptive2(),
}
best = Lasso(alpha=0.01, tol=1e-12).fit(X, y).objective_


def runs(trace):
    """One run of every policy on the trace."""
    settings = {
        "alpha": 0.01,
        "metric": "lipschitz",
        "tol": 1e-5,
        "record": "iterates",
    }
    models = {}
    for name, policy in policies.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            models[name] = Lasso(
                step_size=policy, executor=Simulated(trace), **settings
            ).fit(X, y)
        history = models[name].history_
        kept = satisfies_principle(
            history.updates["delay"],
            history.updates["step"],
            history.largest_step,
        )
        facts = f"{history.stopped:9} {models[name].n_updates_:5} updates"
        print(
            f"{name:10} {facts}, {1 - kept.mean():4.0%} of the windows too long"
        )
    return models


lockstep = runs(
    Trace.from_service_times(1.0, n_workers=8, distribution="deterministic")
)
display = ConvergenceDisplay.from_estimator(lockstep, optimum=best)
display.ax_.set(
    title="Eight workers in lockstep", xlim=(-100, 6000), ylim=(1e-7, 1e4)
)

# %%
# The window of an update sums the steps since its read. In each round of
# eight the naive steps pass the ceiling.

policy = policies["naive"]
display = StepSizeDisplay.from_history(
    lockstep["naive"].history_, step_size=policy, kind="steps"
)
display.ax_.set(title="Naive: windows above the ceiling", xlim=(-1, 60))

# %%
# Adaptive 1 spends most of the ceiling at once and next to nothing until the
# next fresh read.

policy = policies["Adaptive 1"]
display = StepSizeDisplay.from_history(
    lockstep["Adaptive 1"].history_, step_size=policy, kind="steps"
)
display.ax_.set(title="Adaptive 1: no window above the ceiling", xlim=(-1, 60))

# %%
# Where it does not diverge
# -------------------------
# The naive steps are not safe, and mostly good luck sees them through. With
# service times that vary at random, the same eight workers seldom share a
# read; more than half of the windows are still above the ceiling, and the
# naive step is as fast as the others. So it is with up to four workers in
# lockstep (five diverge), and with all 30 features, which have less in
# common: there 64 workers in lockstep still converge, and 80 diverge. On the
# eight schedules of ``benchmarks/paper.py`` it diverges on none and is among
# the fastest.
#
# Why: the principle is safe for the worst problem, on which all blocks push
# in one direction. If the first principal component carries a share s of the
# variance, the error along it is multiplied by about 1 - s (1 + 1/2 + ... +
# 1/T) in a round of T workers, and grows where that is below -1. For the six
# sizes s is 0.98, and that is so from T = 4 on; for all 30 features s is
# 0.44, and T is 54.

random = runs(Trace.from_service_times(1.0, n_workers=8))
display = ConvergenceDisplay.from_estimator(random, optimum=best)
display.ax_.set(title="Eight workers with exponential service times")

plt.show()

"""
The experiment of the paper, in small
=====================================

L1 + l2 logistic regression with eight workers, one of them three times
slower, by PIAG and by Async-BCD with 20 blocks: what the step policies make
of the same delays. ``benchmarks/paper.py`` does the same on logs of real
delays and larger data.

To be seen: the fixed step is made for the slow worker's delay, which is rare,
and so needs several times the updates of the adaptive ones, which see it when
it happens. The naive step keeps up with them, though most of its windows are
longer than is safe: these data forgive it, and :doc:`others do not
<plot_naive_diverges>`. The exact step, which is no part of the paper, looks
at what a delay has done instead of how long it was.
"""

# %%
# Every policy runs on the same schedule of reads and writes, so that only the
# steps differ. The fixed rule is told the largest delay of the schedule; the
# adaptive ones find out.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from sk_asyncprox import LogisticRegression
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import ConvergenceDisplay
from sk_asyncprox.step_sizes import (
    Adaptive1,
    Adaptive2,
    ExactStep,
    FixedStep,
    NaiveStep,
)
from sk_asyncprox.theory import satisfies_principle

X, y = load_digits(return_X_y=True)
X, y = scale(X[:, X.std(axis=0) > 0]), y < 5
l1, l2 = 1e-3, 1e-4

slow = Trace.from_service_times(
    [1.0] * 7 + [3.0], distribution="lognormal", shape=0.3
)
schedules = {
    solver: Trace.from_delays(slow.delays(4000, solver))
    for solver in ("piag", "bcd")
}
lipschitz = {"metric": "lipschitz", "working_set": False, "n_blocks": 20}
policies = {
    "adaptive 1": (Adaptive1(), lipschitz),
    "adaptive 2": (Adaptive2(), lipschitz),
    "fixed (sun)": (FixedStep(), lipschitz),
    "naive": (NaiveStep(), lipschitz),
    "exact, gram": (ExactStep(), {"working_set": False, "n_blocks": 20}),
}


def fit(solver, policy, options):
    """Fit within 150 passes and keep thinned iterates."""
    model = LogisticRegression(
        C=1.0 / (len(y) * (l1 + l2)),
        l1_ratio=l1 / (l1 + l2),
        fit_intercept=False,
        solver=solver,
        step_size=policy,
        executor=Simulated(schedules[solver]),
        record="iterates",
        max_iter=150,
        tol=1e-6,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.set_params(**options).fit(X, y)


plain = {"metric": "lipschitz"}
piag = {
    name: fit("piag", policy, plain)
    for name, (policy, _) in policies.items()
    if not policy.exact
}
bcd = {
    name: fit("bcd", policy, options)
    for name, (policy, options) in policies.items()
}

# %%
# A table: updates to a relative objective error, the step-size integral per
# update in units of the largest safe step, the share of zero steps, and the
# share of windows that are too long (the exact step is bound by none).
best = LogisticRegression(
    C=1.0 / (len(y) * (l1 + l2)),
    l1_ratio=l1 / (l1 + l2),
    fit_intercept=False,
    tol=1e-9,
).fit(X, y)

columns = f"{'to 1e-1':>8} {'to 1e-2':>8} {'to 1e-3':>8} {'integral':>9} {'zeros':>6} {'long':>6}"
print(f"{'solver':7} {'policy':12} {columns}")
for solver, models in (("piag", piag), ("bcd", bcd)):
    for name, model in models.items():
        history = model.history_
        iterates, updates, largest = (
            history.iterates,
            history.updates,
            history.largest_step,
        )
        steps = updates["step"]
        error = (iterates["objective"] - best.objective_) / np.log(2)
        reached = [
            iterates["update"][error <= target] for target in (1e-1, 1e-2, 1e-3)
        ]
        cells = " ".join(
            f"{found[0] if len(found) else '-':>8}" for found in reached
        )
        long = (
            0.0
            if "exact" in name
            else 1
            - satisfies_principle(updates["delay"], steps, largest).mean()
        )
        numbers = f"{steps.mean() / largest:9.4f} {(steps == 0).mean():6.1%} {long:6.1%}"
        print(f"{solver:7} {name:12} {cells} {numbers}")

# %%
# On the left PIAG, on the right Async-BCD.
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, title, models in zip(
    axes, ("PIAG", "Async-BCD, 20 blocks"), (piag, bcd), strict=True
):
    ConvergenceDisplay.from_estimator(
        models, x="updates", optimum=best.objective_, ax=ax
    )
    ax.set_title(title)
plt.show()

"""
Four policies on one trace
==========================

A trace fixes who reads when and whose result arrives when. So different step
policies can be compared on exactly the same delays.
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import ConvergenceDisplay, StepSizeDisplay
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep

X, y = load_diabetes(return_X_y=True)
X = make_pipeline(
    PolynomialFeatures(2, include_bias=False), StandardScaler()
).fit_transform(X)

# %%
# The log: the delays of 400 updates by eight workers, one of them four times
# slower. It is read as a ring: after its last row it starts again.

model = Lasso(alpha=1.0, tol=1e-6, max_iter=300, n_blocks=20, record="iterates")
workers = Simulated(Trace.from_service_times([1.0] * 7 + [4.0]))
log = (
    model.set_params(executor=workers).fit(X, y).history_.updates["delay"][:400]
)
model.set_params(executor=Simulated(Trace.from_delays(log)))
print(f"Delays: mean {log.mean():.1f}, largest {log.max()}.")

# %%
# ``FixedStep`` takes the largest delay of the trace, which nobody knows in a
# real run. Its first ``max_iter`` passes are not enough.

policies = {
    "exact": ExactStep(),
    "Adaptive 1": Adaptive1(),
    "Adaptive 2": Adaptive2(),
    "fixed": FixedStep(),
}
histories = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name, policy in policies.items():
        histories[name] = model.set_params(step_size=policy).fit(X, y).history_

best = Lasso(alpha=1.0, tol=1e-12).fit(X, y).objective_
display = ConvergenceDisplay.from_history(histories, optimum=best)
display.ax_.set(title="Lasso, diabetes, one log of delays", xlim=(-100, 6000))

# %%
# The faster the running integral of the steps grows, the faster the proved
# convergence. Both adaptive policies stay far above what is proved for the
# largest delay, and the fixed step has no more than that.

adaptive = {
    name: histories[name] for name in ("Adaptive 1", "Adaptive 2", "fixed")
}
display = StepSizeDisplay.from_history(
    adaptive, step_size=policies, kind="integral"
)
display.ax_.set(
    title="Running integral of the steps",
    xscale="log",
    yscale="log",
    ylim=(1e-3, None),
)

# %%
# The first updates one by one. Adaptive 1 takes 0.9 of what the steps in the
# window leave of the ceiling; Adaptive 2 takes the step of the delay or
# nothing. No window of either exceeds the ceiling.

shown = {name: histories[name] for name in ("Adaptive 1", "Adaptive 2")}
display = StepSizeDisplay.from_history(shown, step_size=policies, kind="steps")
for ax in display.ax_:
    ax.set(xlim=(-2, 150))

plt.show()

"""
A first fit
===========

The Lasso on the diabetes data with products of its features, on eight
simulated workers. One of them is four times slower than the others; nobody
waits for it.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import ConvergenceDisplay, DelayDisplay

X, y = load_diabetes(return_X_y=True)
X = make_pipeline(
    PolynomialFeatures(2, include_bias=False), StandardScaler()
).fit_transform(X)

# %%
# The estimator is scikit-learn's ``Lasso`` with a few parameters more.
# ``executor`` says who does the work: leave it out for real threads.
# ``record="iterates"`` keeps copies of the iterate, from which the objective
# is computed after the run.

eight = Trace.from_service_times([1.0] * 7 + [4.0])
model = Lasso(
    alpha=1.0, tol=1e-6, executor=Simulated(eight), record="iterates"
).fit(X, y)
print(
    f"{model.n_updates_} updates; the objective is within {model.dual_gap_:.1e} of the optimum."
)

# %%
# The optimum is that of a much more accurate fit. (Without it, the figure
# takes the lower bound that the run's own certificates prove, and shows an
# upper bound of the error.)

best = Lasso(alpha=1.0, tol=1e-12).fit(X, y).objective_
display = ConvergenceDisplay.from_estimator(model, x="passes", optimum=best)
display.ax_.set_title("Lasso, diabetes, eight simulated workers")

# %%
# Every delay was measured. The slow worker's are the long ones.

display = DelayDisplay.from_estimator(model, kind="workers")
display.ax_.set_title("The slow worker is number 7")

plt.show()

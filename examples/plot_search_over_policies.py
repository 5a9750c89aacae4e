"""
A search over policies that does not mislead
============================================

``GridSearchCV`` can search over step policies as over any parameter. By which
score? Policies that converge predict the same, and those that do not may even
predict better.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sk_asyncprox import Lasso
from sk_asyncprox.comparison import compare_policies
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.metrics import neg_virtual_time_scorer
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep

X, y = load_diabetes(return_X_y=True)
X = make_pipeline(
    PolynomialFeatures(2, include_bias=False), StandardScaler()
).fit_transform(X)
eight = Simulated(Trace.from_service_times([1.0] * 7 + [4.0]))
model = Lasso(alpha=0.1, tol=0.1, max_iter=60, n_blocks=16, executor=eight)
policies = [FixedStep(), Adaptive2(), Adaptive1(), ExactStep()]
names = ["fixed", "Adaptive 2", "Adaptive 1", "exact"]

# %%
# Scored by prediction, and by the virtual time to the tolerance. A fit that
# has not converged has no such time (nan), and a search ranks it last.

results = {}
for title, scoring in {
    "R² of predictions": "r2",
    "virtual time": neg_virtual_time_scorer,
}.items():
    search = GridSearchCV(model, {"step_size": policies}, scoring=scoring, cv=3)
    with warnings.catch_warnings(action="ignore"):
        search.fit(X, y)
    results[title] = search.cv_results_["mean_test_score"]
    print(f"{title}: best is {names[search.best_index_]}")

# %%
# The best by its predictions has not converged: it has stopped at 60 passes,
# where the model is still smaller than the penalty asked for, which on these
# data happens to predict better. That is no merit of a policy: a larger
# penalty does the same. Only the exact step has arrived.

fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for ax, (title, score) in zip(axes, results.items(), strict=True):
    ax.barh(names, np.nan_to_num(np.abs(score)), color="#0072B2")
    for i in np.flatnonzero(np.isnan(score)):
        ax.text(0, i, "  not converged", va="center")
    ax.set_title(title)
axes[0].set_xlim(0.3, 0.5)

# %%
# The table of one fit each says how every run ended, and what it cost.

with warnings.catch_warnings(action="ignore"):
    print(
        compare_policies(model, dict(zip(names, policies, strict=True)), X, y)
    )

plt.show()

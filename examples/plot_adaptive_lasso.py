"""
The adaptive lasso: penalty weights
===================================

The lasso shrinks what it finds, and where features are correlated it finds too
many. Weights of their penalties, from a first fit, help with both.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge

from sk_asyncprox import LassoCV, lasso_path

rng = np.random.default_rng(3)
n, p, truth = 200, 60, np.zeros(60)
truth[[0, 5, 10, 15, 20]] = [3.0, -2.0, 1.5, -1.0, 1.0]
common = rng.standard_normal((n, 6))
X = np.repeat(common, 10, axis=1) + rng.standard_normal((n, p))
y = X @ truth + 1.5 * rng.standard_normal(n)

# %%
# The weights are inverse sizes of coefficients that nothing has made zero: what
# is small there pays more [1]_. They multiply ``alpha``; a weight of 0 would
# leave a feature unpenalised.

first = Ridge(alpha=10.0).fit(X, y).coef_
weights = 1.0 / np.abs(first)

plain = LassoCV(cv=10).fit(X, y)
adaptive = LassoCV(cv=10, penalty_weights=weights).fit(X, y)
for name, model in [("lasso", plain), ("adaptive lasso", adaptive)]:
    kept = np.flatnonzero(model.coef_)
    wrong = np.setdiff1d(kept, np.flatnonzero(truth))
    error = np.abs(model.coef_ - truth).sum()
    print(
        f"{name}: {len(kept)} features, {len(wrong)} wrong; error {error:.1f}"
    )

# %%
# The paths: features of the model in colour, all others in grey. Dotted is the
# truth, dashed the penalty that ten folds have chosen.

fig, axes = plt.subplots(
    1, 2, figsize=(9, 3.8), sharey=True, layout="constrained"
)
for ax, model, title in [
    (axes[0], plain, "Lasso"),
    (axes[1], adaptive, "Adaptive lasso"),
]:
    alphas, coefs, _ = lasso_path(
        X - X.mean(axis=0),
        y - y.mean(),
        penalty_weights=model.penalty_weights,
    )
    ax.semilogx(alphas, coefs[truth == 0].T, color="0.75", linewidth=0.7)
    for values, value in zip(coefs[truth != 0], truth[truth != 0], strict=True):
        (line,) = ax.semilogx(alphas, values)
        ax.axhline(value, color=line.get_color(), linestyle=":", linewidth=1)
    ax.axvline(model.alpha_, color="0.3", linestyle="--")
    ax.set(xlabel="alpha", title=title)
    ax.invert_xaxis()
axes[0].set(ylabel="coefficient")

plt.show()

# %%
# .. [1] H. Zou. The adaptive lasso and its oracle properties. Journal of the
#    American Statistical Association, 2006.

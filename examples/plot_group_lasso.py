"""
Features that belong together
=============================

A categorical feature is several columns, and so is the curve of a numerical
one. The lasso takes single columns of them; the group lasso takes a feature
with all of its columns, or leaves it out.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import SplineTransformer

from sk_asyncprox import GroupLasso, Lasso

# %%
# Ten features, of which three matter, each along a curve of its own: a wave,
# a step and a line. Eight columns of splines describe a feature.

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (600, 10))
y = np.sin(4 * X[:, 0]) + (X[:, 3] > 0.2) + 0.8 * X[:, 6]
y += 0.5 * rng.standard_normal(len(y))
columns = SplineTransformer(n_knots=6).fit_transform(X)
size = columns.shape[1] // X.shape[1]
train, test, y_train, y_test = train_test_split(columns, y, random_state=0)

# %%
# Alpha goes down; every fit starts from the last one. A feature is in the model
# where any of its columns is.


def path(model, alphas):
    """Norms of the features' coefficients, and errors on held-out rows."""
    norms, errors = [], []
    for alpha in alphas:
        model.set_params(alpha=alpha).fit(train, y_train)
        norms.append(np.linalg.norm(model.coef_.reshape(-1, size), axis=1))
        errors.append(np.mean((y_test - model.predict(test)) ** 2))
    return np.array(norms), np.array(errors)


alphas = np.geomspace(0.05, 0.001, 40)
norms, errors = path(GroupLasso(groups=size, warm_start=True, tol=1e-6), alphas)
lasso_norms, lasso_errors = path(Lasso(warm_start=True, tol=1e-6), alphas)
for name, found, wrong in (
    ("group lasso", norms, errors),
    ("lasso", lasso_norms, lasso_errors),
):
    three = np.count_nonzero(found, axis=1) == 3
    print(f"{name}: error {wrong[three].min():.3f} with three features")

# %%
# Left: the three features are there long before the others, each with all of
# its columns. Right: with as few features the lasso, which has to shrink the
# columns of the three as well, is further from the noise, whose error is 0.25.

blue, orange, grey = "#0072B2", "#D55E00", "0.7"
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
left.semilogx(alphas, norms, color=grey)
for j, name, shift in ((0, "wave", 0), (3, "step", 5), (6, "line", -5)):
    left.semilogx(alphas, norms[:, j], color=blue)
    left.annotate(
        name, (alphas[-1], norms[-1, j]), xytext=(4, shift),
        textcoords="offset points", color=blue, va="center", fontsize=8,
    )  # fmt: skip
left.set(xlabel="alpha", ylabel="norm of the coefficients", title="Group lasso")
left.invert_xaxis()
for found, wrong, name, color, marker in (
    (norms, errors, "group lasso", blue, "o"),
    (lasso_norms, lasso_errors, "lasso", orange, "s"),
):
    count = np.count_nonzero(found, axis=1)
    right.plot(count, wrong, marker, color=color, label=name, alpha=0.6)
right.axhline(0.25, color=grey, linestyle="--")
right.set(
    xlabel="features in the model", ylabel="squared error, held-out rows",
    title="Forty alphas each", ylim=(0.2, 0.6),
)  # fmt: skip
right.legend()

plt.show()

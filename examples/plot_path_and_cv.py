"""
A path, and the penalty that predicts best
==========================================

How do the coefficients come in as the penalty goes down, and where should one
stop?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import LassoCV, lasso_path

X, y = load_diabetes(return_X_y=True, as_frame=True)
names, X, y = list(X.columns), scale(X), np.asarray(y)

# %%
# The path: each fit starts from the last two. Every point has a duality gap
# of its own.

alphas, coefs, gaps = lasso_path(X, y - y.mean(), alphas=60)
model = LassoCV(cv=10, alphas=60).fit(X, y)
print(f"largest gap of the path {gaps.max():.1e}; alpha_ = {model.alpha_:.3f}")

# %%
# On the left features come in one by one. On the right the error of ten
# folds: the line is the penalty of the smallest mean, the band is the mean
# and its standard error.

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for place, j in enumerate(np.argsort(coefs[:, -1])):
    (line,) = left.semilogx(alphas, coefs[j])
    # Neighbours have their names in two columns.
    left.annotate(
        names[j], (alphas[-1], coefs[j, -1]), xytext=(4 + 22 * (place % 2), 0),
        textcoords="offset points", color=line.get_color(), fontsize=8,
        va="center",
    )  # fmt: skip
left.set(xlabel="alpha", ylabel="coefficient", title="Path of the Lasso")
left.set_xlim(1.3 * alphas[0], alphas[-1] / 4)
mean = model.mse_path_.mean(axis=1)
error = model.mse_path_.std(axis=1) / np.sqrt(10)
right.semilogx(model.alphas_, mean, color="#0072B2")
right.fill_between(
    model.alphas_, mean - error, mean + error, color="#0072B2", alpha=0.2
)
right.axvline(model.alpha_, color="0.3", linestyle="--")
right.set(
    xlabel="alpha", ylabel="squared error, held-out folds", title="Ten folds"
)
right.invert_xaxis()

plt.show()

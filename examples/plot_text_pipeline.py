"""
Text, categories and numbers in one pipeline
============================================

Do the estimators take what a ``ColumnTransformer`` makes of a table:
thousands of sparse columns, string labels, no centring? And are their
coefficients those of scikit-learn?
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn.linear_model
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sk_asyncprox import LogisticRegression

# %%
# A table of invented tickets. Whether one is urgent depends on a few words,
# on the queue, and on the hours it has waited.

rng = np.random.default_rng(0)
words = np.array(
    [f"word{i}" for i in range(3000)] + ["down", "outage", "thanks", "typo"]
)
chance = np.r_[1 / np.arange(10, 3010), np.full(4, 0.02)]
texts = np.array(
    [
        " ".join(rng.choice(words, 30, p=chance / chance.sum()))
        for _ in range(1500)
    ]
)
queue = rng.choice(["web", "mail", "billing"], 1500)
hours = rng.exponential(10.0, 1500)
score = 2.5 * np.char.count(texts, "outage") + 2.0 * np.char.count(
    texts, "down"
)
score -= 2.5 * np.char.count(texts, "thanks") + 2.0 * np.char.count(
    texts, "typo"
)
score += 1.5 * (queue == "web") + 0.08 * hours - 1.8
label = np.where(rng.random(1500) < 1 / (1 + np.exp(-score)), "urgent", "later")
table = np.array(list(zip(texts, queue, hours, strict=True)), dtype=object)

# %%
# Sparse columns are not centred, so they stay sparse; the intercept is not
# penalised all the same.

columns = make_column_transformer(
    (TfidfVectorizer(), 0),
    (OneHotEncoder(), [1]),
    (StandardScaler(with_mean=False), [2]),
)
model = make_pipeline(
    columns, LogisticRegression(C=2.0, l1_ratio=1.0, tol=1e-8)
)
print("accuracy", cross_val_score(model, table, label, cv=3).mean().round(3))
fitted = model.fit(table, label)[-1]
Z = columns.transform(table)
print(
    f"{Z.shape[1]} columns, {Z.nnz / np.prod(Z.shape):.2%} of them stored,",
    end=" ",
)
print(f"{np.count_nonzero(fitted.coef_)} used; gap {fitted.dual_gap_:.0e}")

# %%
# The same coefficients as scikit-learn's, which are computed by another
# algorithm.

other = sklearn.linear_model.LogisticRegression(
    C=2.0, l1_ratio=1.0, solver="liblinear", tol=1e-6
)
other.set_params(intercept_scaling=100.0, max_iter=3000).fit(Z, label)
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
left.plot(other.coef_[0], fitted.coef_[0], "o", color="#0072B2")
left.axline((0, 0), slope=1, color="0.5", linewidth=1)
left.set(xlabel="scikit-learn", ylabel="sk_asyncprox", title="Coefficients")
names = np.array(
    [name.split("__")[1] for name in columns.get_feature_names_out()]
)
strongest = np.argsort(np.abs(fitted.coef_[0]))[-10:]
value = fitted.coef_[0][strongest]
right.barh(
    names[strongest], value, color=np.where(value > 0, "#D55E00", "#009E73")
)
right.set(title="later ← the strongest → urgent")

plt.show()

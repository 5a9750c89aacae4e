"""Data of the interactive page: second moments of two small Lasso problems, computed when it is built."""

import json
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.step_sizes import NaiveStep

SIZES = [0, 2, 3, 20, 22, 23]
"""Six measures of the size of the same cells, of the thirty in the breast cancer data."""


def data():
    """``{title: (X, y, alpha)}``, centred and scaled."""
    X, y = load_breast_cancer(return_X_y=True)
    cells = scale(X[:, SIZES]), scale(y.astype(float)), 0.01
    X, y = load_diabetes(return_X_y=True)
    return {
        "diabetes: ten features": (scale(X), scale(y), 0.05),
        "cell sizes: six features, nearly the same": cells,
    }


def problem(X, y, alpha, counts=None):
    """Second moments; for every number of blocks their columns and the constant L."""
    n, p = X.shape
    blocks, smoothness = {}, {}
    for count in counts or range(1, p + 1):
        model = Lasso(alpha=alpha, metric="lipschitz", n_blocks=count, step_size=NaiveStep(), max_iter=1)
        with warnings.catch_warnings(action="ignore"):
            model.fit(X, y)
        smoothness[count] = float(1.0 / model.history_.largest_step)
        # As the solver cuts them: runs of columns, of nearly equal length.
        cuts = np.ceil((n + 1.0) * p * np.arange(1, count) / count / (n + 1.0)).astype(int)
        blocks[count] = [part.tolist() for part in np.split(np.arange(p), cuts)]
    return {
        "Q": (X.T @ X / n).tolist(),
        "q": (X.T @ y / n).tolist(),
        "half": float(y @ y / n / 2),
        "alpha": alpha,
        "smoothness": smoothness,
        "blocks": blocks,
    }


def write(path):
    """Write the problems as a script: a page that is opened as a file may not fetch anything."""
    problems = {title: problem(*parts) for title, parts in data().items()}
    path.write_text(f"const PROBLEMS = {json.dumps(problems)};\n", encoding="utf-8")

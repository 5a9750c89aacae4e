"""Fit real data with every step policy: on one worker, on two threads and on eight simulated workers.

Usage: quickstart.py [TEXT]

TEXT is the common beginning of two files, ``TEXT_X.npz`` (a sparse matrix
saved by scipy) and ``TEXT_y.npz`` (with an array ``y_bin`` of two labels);
with it, l1 logistic regression is fitted to a large text set as well. A
figure is saved as quickstart.png when matplotlib is installed.
"""

import sys
import warnings

import numpy as np
import scipy.sparse as sp
import sklearn.linear_model
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import PolynomialFeatures, scale
from sklearn.utils.fixes import parse_version

from sk_asyncprox import Lasso, LogisticRegression
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.step_sizes import Adaptive1, Adaptive2, ExactStep, FixedStep

# Eight workers, one of them four times slower than the others.
UNEQUAL = Trace.from_service_times([1.0] * 7 + [4.0])
POLICIES = {
    "exact": ExactStep(),
    "adaptive 1": Adaptive1(),
    "adaptive 2": Adaptive2(),
    "fixed (sun)": FixedStep(max_delay=60),
}
RUNS = {
    "1 worker": {"n_jobs": 1},
    "n_jobs=2": {"n_jobs": 2},
    "8 simulated": {"executor": Simulated(UNEQUAL)},
}
COLUMNS = (
    "updates",
    "passes",
    "seconds",
    "rel. gap",
    "delay",
    "max",
    "nonzero",
    "vs sklearn",
)
WIDTHS = (8, 7, 8, 9, 6, 4, 8, 11)


def polynomial(load):
    """Standardised products of the features of one of scikit-learn's data sets, each product once."""
    X, y = load(return_X_y=True)
    products = PolynomialFeatures(2, include_bias=False).fit_transform(scale(X))
    products = scale(products[:, products.std(axis=0) > 1e-9])
    _, first = np.unique(products.round(9), axis=1, return_index=True)
    return products[:, np.sort(first)], y


def l1_reference(C):
    """Scikit-learn's liblinear; a large constant feature frees its intercept from the penalty."""
    settings = {
        "solver": "liblinear",
        "C": C,
        "tol": 1e-8,
        "max_iter": 10_000,
        "intercept_scaling": 1e4,
    }
    if parse_version(sklearn.__version__) < parse_version("1.8"):
        return sklearn.linear_model.LogisticRegression(penalty="l1", **settings)
    return sklearn.linear_model.LogisticRegression(l1_ratio=1.0, **settings)


def compare(
    title,
    estimator,
    X,
    y,
    scale_of_gap,
    reference,
    policies=POLICIES,
    runs=RUNS,
):
    """Fit with every policy and executor and print a row for each; return the histories."""
    print(
        f"\n{title}: {X.shape[0]} x {X.shape[1]}, tolerance {estimator.tol:g}"
    )
    print(
        f"{'policy':12} {'workers':12}",
        *(f"{c:>{w}}" for c, w in zip(COLUMNS, WIDTHS, strict=True)),
    )
    largest = np.abs(reference.coef_).max()
    histories = {}
    for policy in policies:
        for run, settings in runs.items():
            estimator.set_params(
                step_size=POLICIES[policy], executor="auto"
            ).set_params(**settings)
            estimator.fit(X, y)
            delays = estimator.history_.updates["delay"]
            row = (
                f"{estimator.n_updates_}",
                f"{np.ravel(estimator.n_iter_)[0]}",
                f"{estimator.fit_time_:.3f}",
                f"{estimator.dual_gap_ / scale_of_gap:.1e}",
                f"{delays.mean():.1f}",
                f"{delays.max()}",
                f"{np.count_nonzero(estimator.coef_)}",
                f"{np.abs(estimator.coef_ - reference.coef_).max() / largest:.1e}",
            )
            print(
                f"{policy:12} {run:12}",
                *(f"{c:>{w}}" for c, w in zip(row, WIDTHS, strict=True)),
            )
            histories[policy, run] = estimator.history_
    return histories


def breast_cancer():
    """L1 logistic regression on products of the features of the breast-cancer data."""
    X, y = polynomial(load_breast_cancer)
    C = 30.0 / np.abs(X.T @ (y - y.mean())).max()
    model = LogisticRegression(
        C=C, l1_ratio=1.0, tol=1e-5, max_iter=1000, record="iterates"
    )
    return compare(
        "L1 logistic regression, breast cancer",
        model,
        X,
        y,
        np.log(2),
        l1_reference(C).fit(X, y),
    )


def diabetes():
    """Lasso on products of the features of the diabetes data."""
    X, y = polynomial(load_diabetes)
    alpha = np.abs(X.T @ (y - y.mean())).max() / len(y) / 30.0
    model = Lasso(alpha=alpha, tol=1e-5, record="iterates")
    reference = sklearn.linear_model.Lasso(
        alpha=alpha, tol=1e-10, max_iter=100_000
    ).fit(X, y)
    return compare("Lasso, diabetes", model, X, y, y.var(), reference)


def text(path):
    """L1 logistic regression on a large sparse text set."""
    X, y = (
        sp.load_npz(f"{path}_X.npz"),
        np.load(f"{path}_y.npz", allow_pickle=True)["y_bin"],
    )
    C = 10.0 / np.abs(X.T @ (y - y.mean())).max()
    model = LogisticRegression(C=C, l1_ratio=1.0, tol=1e-5, record="iterates")
    runs = {name: RUNS[name] for name in ("1 worker", "n_jobs=2")}
    reference = l1_reference(C).fit(X.astype(np.float64), y)
    title = "L1 logistic regression, text"
    return compare(
        title, model, X, y, np.log(2), reference, ["exact", "adaptive 1"], runs
    )


def draw(histories, title, path="quickstart.png"):
    """Objective error against updates, and the delays, of the simulated workers."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        print("\nNo figure: matplotlib is not installed.")
        return
    simulated = {
        policy: h
        for (policy, run), h in histories.items()
        if run == "8 simulated"
    }
    best = min(h.certificates["objective"].min() for h in histories.values())
    fig, (left, right) = plt.subplots(
        1, 2, figsize=(10, 4), layout="constrained"
    )
    colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]
    for (policy, history), colour in zip(
        simulated.items(), colours, strict=True
    ):
        iterates = history.iterates
        error = (iterates["objective"] - best) / iterates["objective"][0]
        seen = error > 1e-9
        left.semilogy(
            iterates["update"][seen], error[seen], color=colour, label=policy
        )
    left.set(xlabel="updates", ylabel="relative objective error", title=title)
    left.legend()
    delays = simulated["exact"].updates["delay"]
    right.hist(delays, bins=np.arange(delays.max() + 2) - 0.5, color=colours[0])
    right.set(
        xlabel="delay (writes between read and write)",
        ylabel="updates",
        title=f"Measured delays, mean {delays.mean():.1f}",
    )
    fig.savefig(path, dpi=120)
    print(f"\nFigure: {path}")


def main():
    # A fixed step is no match for its worst case; its rows show the gap that was reached.
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings(
        "ignore",
        message=".*had a delay above max_delay.*",
        category=RuntimeWarning,
    )
    breast_cancer()
    histories = diabetes()
    if len(sys.argv) > 1:
        text(sys.argv[1].removesuffix("_X.npz"))
    draw(histories, "Lasso, diabetes, 8 simulated workers")


if __name__ == "__main__":
    main()

"""Time of a fit against the stored entries of sparse data, growing in rows and in columns.

Usage: growth.py [--figure FILE.png] [--repeats N] [--largest NNZ]

Lasso and L1 logistic regression at lambda_max / 10 to a relative gap of 1e-6, one worker, on random sparse
data with 100 entries per row. In rows: 2,000 columns and 1e4 to 1e7 entries. In columns: as many columns as
rows. Prints the median seconds, the time of one gradient, and the exponent of a power law fitted to the
medians; draws them when matplotlib is there.
"""

import argparse
import time

import numpy as np
import scipy.sparse as sp

from sk_asyncprox import Lasso, LogisticRegression

PER_ROW = 100


def make(n, p, seed=0):
    """Sparse data with columns of very different frequency, a target, and labels."""
    rng = np.random.default_rng(seed)
    columns = (p * rng.random(n * PER_ROW) ** 2).astype(np.int32)
    rows = np.repeat(np.arange(n, dtype=np.int32), PER_ROW)
    X = sp.csc_matrix((rng.uniform(0.1, 1.0, n * PER_ROW), (rows, columns)), shape=(n, p))
    X.sum_duplicates()
    w = np.zeros(p)
    chosen = rng.choice(p, 20, replace=False)
    w[chosen] = rng.standard_normal(20)
    z = X @ w
    noise = z.std() * rng.standard_normal(n)
    return X, z + noise - (z + noise).mean(), z + noise > np.median(z + noise)


def median_seconds(call, repeats):
    """Median over the repeats."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds))


def measure(n, p, repeats):
    """Stored entries, and seconds of one gradient, the Lasso and the logistic fit."""
    X, y, labels = make(n, p)
    ones, signs = np.ones(p), np.where(labels, 1.0, -1.0)
    gradient = median_seconds(lambda: X.T @ (X @ ones), repeats)
    alpha = np.abs(X.T @ y).max() / n / 10
    C = 20.0 / np.abs(X.T @ signs).max()
    lasso = Lasso(alpha, fit_intercept=False, tol=0.5e-6)
    logistic = LogisticRegression(C=C, l1_ratio=1.0, fit_intercept=False, tol=1e-6)
    fits = (lambda: lasso.fit(X, y)), (lambda: logistic.fit(X, labels))
    return X.nnz, gradient, *(median_seconds(fit, repeats) for fit in fits)


def exponent(entries, seconds):
    """Of the power law through the points from 1e5 entries on, where fixed costs are small."""
    large = entries >= 1e5
    return float(np.polyfit(np.log(entries[large]), np.log(seconds[large]), 1)[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--largest", type=float, default=1e7)
    args = parser.parse_args()
    rows = [int(n) for n in np.geomspace(1e4, args.largest, 7) / PER_ROW]
    tables = {}
    for name, shapes in {
        "rows": [(n, 2000) for n in rows],
        "rows and columns": [(n, n) for n in rows],
    }.items():
        print(f"growing in {name}")
        print(f"{'entries':>10} {'gradient':>10} {'lasso':>10} {'logistic':>10}")
        table = []
        for n, p in shapes:
            table.append(measure(n, p, args.repeats))
            print("{:10d} {:10.5f} {:10.4f} {:10.4f}".format(*table[-1]), flush=True)
        tables[name] = np.array(table)
        powers = [exponent(tables[name][:, 0], tables[name][:, j]) for j in (1, 2, 3)]
        print("exponent   {:10.2f} {:10.2f} {:10.2f}\n".format(*powers))
    if args.figure:
        draw(tables, args.figure)


def draw(tables, path):
    """Two panels, one per direction of growth."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
    for axis, (name, table) in zip(axes, tables.items(), strict=True):
        for j, label in ((2, "Lasso"), (3, "L1 logistic"), (1, "one gradient")):
            power = exponent(table[:, 0], table[:, j])
            axis.loglog(table[:, 0], table[:, j], "o-", ms=4, label=f"{label}, exponent {power:.2f}")
        axis.set(title=f"growing in {name}", xlabel="stored entries")
        axis.legend(frameon=False)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("seconds to a gap of 1e-6")
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()

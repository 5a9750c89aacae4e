"""Times of paths of solutions against celer and scikit-learn, on a text set.

Usage: paths.py TEXT [--rows N] [--alphas N] [--eps E] [--repeats N] [--peers ours,celer,sklearn]
                [--cv] [--n-jobs N]

TEXT is the common beginning of ``TEXT_X.npz`` (a sparse matrix) and ``TEXT_y.npz`` (with ``y_bin``, the
target, centred). The alphas go from the smallest with a zero model down to ``--eps`` times that. Every
tolerance is the same multiple of ``|y|^2``, so that each alpha is to reach a gap of 1e-4 of the objective at
zero; the largest gap is computed again from the returned coefficients, in the same way for all. With ``--cv``
LassoCV (5 folds) is timed instead. Prints one line per library: median, all times, what was reached. A
library that raises is reported with its error.
"""

import argparse
import importlib
import statistics
import time
import warnings

import numpy as np
import scipy.sparse as sp

GAP = 1e-4


def load(text, rows):
    X = sp.load_npz(f"{text}_X.npz").astype(np.float64).tocsr()
    y = np.load(f"{text}_y.npz", allow_pickle=True)["y_bin"].astype(float)
    if rows:
        X, y = X[:rows], y[:rows]
    return X.tocsc(), y - y.mean()


def relative_gaps(X, y, alphas, coefs):
    """Duality gaps relative to the objective at zero, from the coefficients alone."""
    n, gaps = len(y), []
    for alpha, w in zip(alphas, np.asarray(coefs).T, strict=True):
        residual = y - X @ w
        scale = min(1.0, alpha * n / np.abs(X.T @ residual).max())
        primal = 0.5 * residual @ residual / n + alpha * np.abs(w).sum()
        dual = (scale * (y @ residual) - 0.5 * scale**2 * (residual @ residual)) / n
        gaps.append((primal - dual) / (0.5 * y @ y / n))
    return np.array(gaps)


def ours_path(X, y, alphas, n_jobs):
    from sk_asyncprox import lasso_path

    return lasso_path(X, y, alphas=alphas, tol=GAP / 2, max_iter=100_000, n_jobs=n_jobs)


def celer_path(X, y, alphas, n_jobs):
    from celer import celer_path

    return celer_path(X, y, pb="lasso", alphas=alphas, tol=GAP / 2, max_iter=200, max_epochs=100_000)


def sklearn_path(X, y, alphas, n_jobs):
    from sklearn.linear_model import lasso_path

    return lasso_path(X, y, alphas=alphas, tol=GAP / 2, precompute=False, max_iter=100_000)


def cross_validated(module, X, y, alphas, n_jobs):
    cls = importlib.import_module(module).LassoCV
    return cls(alphas=alphas, cv=5, n_jobs=n_jobs, tol=GAP / 2, max_iter=100_000).fit(X, y)


PATHS = {"ours": ours_path, "celer": celer_path, "sklearn": sklearn_path}
MODULES = {"ours": "sk_asyncprox", "celer": "celer", "sklearn": "sklearn.linear_model"}


def reached(found, X, y, alphas):
    """What is printed of a result: the gap of a path, or what was chosen."""
    if hasattr(found, "alpha_"):
        return f"alpha {found.alpha_:.4e}, mean error {found.mse_path_.mean(axis=-1).min():.6f}"
    gaps = relative_gaps(X, y, alphas, found[1])
    return f"largest gap {gaps.max():.1e}, {np.sum(gaps > 1.01 * GAP)} above {GAP:g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--alphas", type=int, default=100)
    parser.add_argument("--eps", type=float, default=1e-3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", default="ours,celer,sklearn")
    parser.add_argument("--cv", action="store_true")
    parser.add_argument("--n-jobs", type=int)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    X, y = load(args.text, args.rows)
    alpha_max = np.abs(X.T @ y).max() / len(y)
    alphas = np.geomspace(alpha_max, alpha_max * args.eps, args.alphas)
    print(f"{X.shape[0]} x {X.shape[1]}, {X.nnz} entries, {args.alphas} alphas to lambda_max * {args.eps:g}")
    for name in args.peers.split(","):
        # The imports and the first, short run (compilers, threads) do not count.
        times, found = [], None
        try:
            for k in range(args.repeats + 1):
                grid = alphas[:3] if k == 0 else alphas
                begin = time.perf_counter()
                if args.cv:
                    found = cross_validated(MODULES[name], X, y, grid, args.n_jobs)
                else:
                    found = PATHS[name](X, y, grid, args.n_jobs)
                times.append(time.perf_counter() - begin)
        except Exception as error:
            print(f"{name:8} {type(error).__name__}: {error}", flush=True)
            continue
        listed = " ".join(f"{t:.2f}" for t in times[1:])
        median = statistics.median(times[1:])
        print(f"{name:8} median {median:8.2f} s ({listed})  {reached(found, X, y, alphas)}", flush=True)


if __name__ == "__main__":
    main()

"""What people run every day: cross-validation, paths and default fits of full data, against the peers.

Usage: everyday.py [--rows cv,logistic,paths,fits,growth] [--libraries ours,sklearn,...] [--repeats N] [--cpu]

Libraries that this environment lacks are left out: adelie wants another NumPy, so run the script once in
every environment; data come from seeds and are the same. Repeats of the libraries take turns. Printed are the
medians of seconds (with --cpu of the process, for machines that other work shares) and, for paths, the
largest duality gap over the alphas, relative to the objective at zero, computed from the coefficients in the
same way for all; of a library's ladder of tolerances the first that reaches 2e-4 counts, else the last.
"""

import argparse
import importlib
import statistics
import time
import warnings
from functools import partial
from itertools import product

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import LeaveOneOut
from sklearn.preprocessing import scale

GAP, CLOCK = 2e-4, time.perf_counter
MODULES = {"ours": "sk_asyncprox", "sklearn": "sklearn.linear_model", "celer": "celer", "adelie": "adelie"}
SOLVERS = "lbfgs", "newton-cholesky", "saga"
LADDER = {"ours": (1e-4,), "sklearn": (1e-4, 1e-5), "celer": (1e-4, 3e-5), "adelie": (1e-7, 1e-9, 1e-11)}


def drawn(n, p, seed=0):
    """Data with a twentieth of the coefficients not zero, and noise of half the signal's size."""
    rng = np.random.default_rng(seed)
    X, w = rng.standard_normal((n, p)), np.zeros(p)
    some = rng.choice(p, max(3, p // 20), replace=False)
    w[some] = rng.standard_normal(len(some))
    y = X @ w
    return X, y + 0.5 * y.std() * rng.standard_normal(n)


def largest_gap(X, y, alphas, coefs):
    """Largest relative duality gap of a path."""
    n, gaps = len(y), []
    for alpha, w in zip(alphas, coefs.T, strict=True):
        residual = y - X @ w
        s = min(1.0, alpha * n / np.abs(X.T @ residual).max())
        primal = 0.5 * residual @ residual / n + alpha * np.abs(w).sum()
        dual = (s * (y @ residual) - 0.5 * s**2 * (residual @ residual)) / n
        gaps.append((primal - dual) / (0.5 * y @ y / n))
    return max(gaps)


def path(name, X, y, alphas, tol):
    """Coefficients along the alphas, one column each."""
    if name == "ours":
        return importlib.import_module("sk_asyncprox").lasso_path(X, y, alphas=alphas, tol=tol)[1]
    if name == "sklearn":
        module = importlib.import_module("sklearn.linear_model")
        return module.lasso_path(
            X, y, alphas=alphas, tol=tol, precompute=len(y) > X.shape[1], max_iter=10**5
        )[1]
    if name == "celer":
        return importlib.import_module("celer").celer_path(X, y, pb="lasso", alphas=alphas, tol=tol)[1]
    adelie = importlib.import_module("adelie")
    state = adelie.grpnet(
        X=X, glm=adelie.glm.gaussian(y=y), lmda_path=alphas, intercept=False, early_exit=False, tol=tol,
        progress_bar=False,
    )  # fmt: skip
    found = np.zeros((X.shape[1], len(alphas)))
    found[:, : state.betas.shape[0]] = state.betas.toarray().T
    return found


def turns(calls, repeats):
    """Median seconds of each call, taking turns after one that does not count; and their last results."""
    times, found = {name: [] for name in calls}, {}
    for k in range(repeats + 1):
        for name, call in calls.items():
            begin = CLOCK()
            found[name] = call()
            if k:
                times[name].append(CLOCK() - begin)
    return {name: statistics.median(listed) for name, listed in times.items()}, found


def report(row, times, notes=None):
    peers = [seconds for name, seconds in times.items() if name in ("sklearn", *SOLVERS)]
    reference = min(peers, default=None)
    for name, seconds in times.items():
        ratio = f"{seconds / reference:6.2f}" if reference else "     -"
        note = (notes or {}).get(name, "")
        print(f"{row:34} {name:8} {1e3 * seconds:10.2f} ms {ratio}  {note}", flush=True)


def cv_rows(libraries, repeats):
    rows = {"diabetes": (load_diabetes(return_X_y=True), 5), "60 x 15": (drawn(60, 15), 5)}
    rows["60 x 15, leave one out"] = drawn(60, 15), LeaveOneOut()
    for n, p in [(2_000, 500), (500, 2_000), (50_000, 100)]:
        rows[f"{n} x {p}"] = drawn(n, p), 5
    for row, ((X, y), cv) in rows.items():
        models = {
            name: importlib.import_module(MODULES[name]).LassoCV(cv=cv)
            for name in libraries
            if name in ("ours", "sklearn")
        }
        times, found = turns({name: partial(m.fit, X, y) for name, m in models.items()}, repeats)
        report(f"LassoCV {row}", times, {name: f"alpha {m.alpha_:.3e}" for name, m in found.items()})


def logistic_rows(libraries, repeats):
    """LogisticRegressionCV: with l2 against scikit-learn's solvers of second order, with l1 against saga,
    which has not converged under weak penalties when its passes are used up."""
    rng, sets = np.random.default_rng(0), {}
    for row, load in [("wine", load_wine), ("cancer", load_breast_cancer), ("digits", load_digits)]:
        X, y = load(return_X_y=True)
        sets[row] = (X / 16.0 if row == "digits" else scale(X)), y
    X, y = drawn(2_000, 100)
    sets["2000 x 100"] = X, (y + rng.logistic(size=2_000) > 0).astype(int)
    how = {"use_legacy_attributes": False, "scoring": "neg_log_loss", "max_iter": 300}
    for (row, data), ratio in product(sets.items(), (0.0, 1.0)):
        models = {}
        if "ours" in libraries:
            module = importlib.import_module("sk_asyncprox")
            models["ours"] = module.LogisticRegressionCV(cv=5, l1_ratios=(ratio,))
        if "sklearn" in libraries:
            module = importlib.import_module("sklearn.linear_model")
            for solver in ("saga",) if ratio else ("lbfgs", "newton-cholesky"):
                models[solver] = module.LogisticRegressionCV(cv=5, l1_ratios=(ratio,), solver=solver, **how)
        times, found = turns({name: partial(m.fit, *data) for name, m in models.items()}, repeats)
        notes = {
            name: f"C {m.C_:.3g}, log loss {-m.scores_.mean(axis=0).max():.5f}" for name, m in found.items()
        }
        report(f"LogisticRegressionCV {row}, l1_ratio {ratio:g}", times, notes)


def path_row(libraries, repeats, X, y, n_alphas=100):
    X, y = np.asfortranarray(X - X.mean(axis=0)), y - y.mean()
    top = np.abs(X.T @ y).max() / len(y)
    alphas = np.geomspace(top, top / 1000, n_alphas)
    times, notes = {}, {}
    for name in libraries:
        for tol in LADDER[name]:
            taken, found = turns({name: partial(path, name, X, y, alphas, tol)}, repeats)
            gap = largest_gap(X, y, alphas, found[name])
            times[name], notes[name] = taken[name], f"gap {gap:.1e}"
            if gap <= 1.01 * GAP:
                break
    report(f"path {X.shape[0]} x {X.shape[1]}, {n_alphas} alphas", times, notes)


def path_rows(libraries, repeats):
    for n, p in [(2_000, 500), (500, 5_000), (200_000, 100), (64, 6_829)]:
        path_row(libraries, repeats, *drawn(n, p))


def growth_rows(libraries, repeats):
    for n_alphas in (10, 30, 100, 300):
        path_row(libraries, repeats, *drawn(2_000, 100), n_alphas)


def fit_rows(libraries, repeats):
    known = [name for name in libraries if name in ("ours", "sklearn")]
    modules = {name: importlib.import_module(MODULES[name]) for name in known}
    for n, p in [(100, 10), (1_000, 100), (10_000, 30), (2_000, 300), (200, 1_000), (20_000, 300)]:
        X, y = drawn(n, p)
        top = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / n
        for kind, alpha in [("Lasso", top / 30), ("ElasticNet", top / 15)]:
            models = {name: getattr(module, kind)(alpha=alpha) for name, module in modules.items()}
            times, _ = turns({name: partial(m.fit, X, y) for name, m in models.items()}, 3 * repeats)
            report(f"{kind} {n} x {p}", times)
    for row, load in [("iris", load_iris), ("wine", load_wine), ("cancer", load_breast_cancer)]:
        X, y = load(return_X_y=True)
        models = {name: module.LogisticRegression() for name, module in modules.items()}
        times, _ = turns({name: partial(m.fit, scale(X), y) for name, m in models.items()}, 3 * repeats)
        report(f"LogisticRegression {row}", times)


ROWS = {"cv": cv_rows, "logistic": logistic_rows, "paths": path_rows, "fits": fit_rows, "growth": growth_rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", default="cv,logistic,paths,fits,growth")
    parser.add_argument("--libraries", default=",".join(MODULES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cpu", action="store_true")
    args = parser.parse_args()
    if args.cpu:
        global CLOCK
        CLOCK = time.process_time
    warnings.simplefilter("ignore")
    libraries = [n for n in args.libraries.split(",") if importlib.util.find_spec(MODULES[n].split(".")[0])]
    for rows in args.rows.split(","):
        ROWS[rows](libraries, args.repeats)


if __name__ == "__main__":
    main()

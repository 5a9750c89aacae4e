"""Single fits by two builds of the package, in turns: has anything become slower?

Usage: two_builds.py NEW OLD [--only PART,...] [--skip PART,...] [--repeats N] [--peer]

NEW and OLD are checkouts; each is served by a process of its own, whose fits take turns with the other's.
Printed are the medians of processor seconds (fits below 30 ms are repeated), their ratio, the ratio of the
minima, and the objectives' difference relative to the objective at zero; at the end the geometric mean. With
``--peer`` scikit-learn takes OLD's place: coordinate descent for the squared loss, for logistic fits with l2
the faster of lbfgs and newton-cholesky, else saga. Text sets and images are read from the folder that
BENCHMARK_DATA names (files as in ``datasets/folder.py``); rows whose data are missing are left out.
"""

import argparse
import os
import pickle
import statistics
import subprocess
import sys
import time
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn import datasets, linear_model
from sklearn.preprocessing import scale

FOLDER = Path(os.environ.get("BENCHMARK_DATA", "."))
SHORT = 0.03
WIDEST = 5_000  # columns whose Hessian fits into memory
FULL = "100x10 1000x100 10000x30 200x1000 500x3000 2000x300 2000x1000 20000x300 50000x100"
LABELLED = (
    "300x10x2 2000x50x3 2000x300x2 2000x1000x2 2000x3000x2 10000x1000x2 50000x10x10 50000x100x2 20000x100x5"
)


def gaussian(n, p, rho=0.0, seed=0):
    """Columns correlated with their neighbours by ``rho``, a twentieth of the coefficients not zero."""
    rng = np.random.default_rng(seed)
    X, w = rng.standard_normal((n, p)), np.zeros(p)
    for j in range(1, p if rho else 0):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    some = rng.choice(p, max(3, p // 20), replace=False)
    w[some] = rng.standard_normal(len(some))
    y = X @ w
    return X, y + 0.5 * y.std() * rng.standard_normal(n)


def classes(n, p, k, seed=0):
    """Labels of ``k`` classes drawn by the probabilities of a linear model."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    z = X @ rng.standard_normal((p, k)) / np.sqrt(p / 4) + rng.gumbel(size=(n, k))
    return X, z.argmax(axis=1)


def random_sparse(n, p):
    """Columns of very different frequency, 30 entries a row."""
    rng = np.random.default_rng(0)
    columns = (p * rng.random(n * 30) ** 2).astype(np.int32)
    X = sp.csc_matrix((rng.uniform(0.1, 1, n * 30), (np.repeat(np.arange(n), 30), columns)), shape=(n, p))
    X.sum_duplicates()
    z = X @ (rng.standard_normal(p) * (rng.random(p) < 0.01))
    return X, z + z.std() * rng.standard_normal(n)


def from_folder(name):
    if (FOLDER / f"{name}_X.npz").exists():
        arrays = np.load(FOLDER / f"{name}_y.npz", allow_pickle=False)
        return sp.load_npz(FOLDER / f"{name}_X.npz").astype(float).tocsc(), arrays["y_bin"].astype(float)
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as arrays:
        X = next(arrays[key] for key in ("X", "X_train") if key in arrays.files)
        y = next(arrays[key] for key in ("y_bin", "y", "y_train") if key in arrays.files)
    return (X / 255.0 if X.dtype == np.uint8 else scale(X)), y.astype(float)


def loaded(name):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return (X / 16.0 if name == "digits" else scale(X)), y


@cache
def data(name):
    kind, _, rest = name.partition(":")
    if kind == "file":
        return from_folder(rest)
    numbers = [float(part) if "." in part else int(part) for part in rest.split("x") if part]
    makers = {"gaussian": gaussian, "classes": classes, "sparse": random_sparse}
    return makers[kind](*numbers) if kind in makers else loaded(kind)


def alpha_max(X, y):
    return np.abs(X.T @ (y - y.mean())).max() / len(y)


def regression(kind, name, divisor, **settings):
    def make(module, _):
        X, y = data(name)
        more = {"max_iter": 100_000} if module is linear_model else {}
        ratio = settings.get("l1_ratio", 1.0)
        top = alpha_max(X - (0 if sp.issparse(X) else X.mean(axis=0)), y)
        yield getattr(module, kind)(alpha=top / ratio / divisor, **settings, **more), X, y

    return make


def logistic(name, l1_ratio, divisor=None, C=1.0, **settings):
    def make(module, solvers):
        X, y = data(name)
        few = len(np.unique(y)) < 30
        y = y.astype(int) if few else (y > np.median(y)).astype(int)
        strength = C if divisor is None else divisor / (len(y) * alpha_max(X, y == y.max()))
        for solver in solvers[l1_ratio > 0]:
            if solver == "newton-cholesky" and X.shape[1] > WIDEST:
                continue
            more = {"solver": solver, "max_iter": 1_000} if solver else {}
            model = module.LogisticRegression(C=strength, l1_ratio=l1_ratio, **settings, **more)
            yield model, X, y

    return make


def rows():
    """The fits by their names."""
    found = {}
    for size in FULL.split():
        for divisor in (30, 300):
            found[f"lasso {size} /{divisor}"] = regression("Lasso", f"gaussian:{size}", divisor)
        found[f"net {size} /30"] = regression("ElasticNet", f"gaussian:{size}", 30, l1_ratio=0.5)
    for size in ("200x1000", "2000x300"):
        found[f"lasso {size} /100 tol 1e-6"] = regression("Lasso", f"gaussian:{size}", 100, tol=1e-6)
        found[f"lasso {size} rho /100"] = regression("Lasso", f"gaussian:{size}x0.95", 100)
    found["lasso diabetes /100"] = regression("Lasso", "diabetes", 100)
    for text in ("file:news20", "file:spamassassin", "sparse:5000x20000", "sparse:50000x5000"):
        short = text.split(":")[1]
        for divisor in (10, 100):
            found[f"lasso {short} /{divisor}"] = regression("Lasso", text, divisor)
            found[f"l1 {short} /{divisor}"] = logistic(text, 1.0, divisor)
        found[f"lasso {short} /10 tol 1e-6"] = regression("Lasso", text, 10, tol=1e-6)
        found[f"net {short} /100"] = regression("ElasticNet", text, 100, l1_ratio=0.5)
        found[f"l2 {short}"] = logistic(text, 0.0)
    found["lasso golub /100"] = regression("Lasso", "file:golub", 100)
    found["l1 golub /100"] = logistic("file:golub", 1.0, 100)
    for name in ("iris", "wine", "breast_cancer", "digits"):
        for penalty, ratio in [("l2", 0.0), ("l1", 1.0), ("l1r .5", 0.5)]:
            found[f"{penalty} {name}"] = logistic(name, ratio)
    found["l2 digits C 100"] = logistic("digits", 0.0, C=100.0)
    for size in LABELLED.split():
        found[f"l2 {size}"] = logistic(f"classes:{size}", 0.0)
        if not size.startswith(("10000", "20000")):
            found[f"l1r .5 {size} /30"] = logistic(f"classes:{size}", 0.5, 30)
    found["l1 fashion /100"] = logistic("file:fashion_mnist", 1.0, 100)
    found["l2 fashion"] = logistic("file:fashion_mnist", 0.0, C=0.01)
    return found


def serve(peer):
    """Answer names of rows with one fit's processor seconds and objective, over standard input and output."""
    warnings.simplefilter("ignore")
    if peer:
        module, solvers = linear_model, {False: ("lbfgs", "newton-cholesky"), True: ("saga",)}
    else:
        import sk_asyncprox as module

        solvers = {False: (None,), True: (None,)}
    answers, sys.stdout, made = os.fdopen(os.dup(1), "wb"), sys.stderr, {}
    for line in sys.stdin:
        try:
            if line.strip() not in made:
                made = {line.strip(): list(rows()[line.strip()](module, solvers))}
            answer = min(timed(*fit) for fit in made[line.strip()])
        except Exception as error:
            answer = repr(error)
        pickle.dump(answer, answers)
        answers.flush()


def timed(model, X, y):
    begin, fits = time.process_time(), 0
    while not fits or time.process_time() - begin < SHORT:
        model.fit(X, y)
        fits += 1
    return (time.process_time() - begin) / fits, objective(model, X, y)


def objective(model, X, y):
    """The objective relative to that of zero coefficients; by what the library's estimators minimise."""
    z = X @ np.atleast_2d(model.coef_).T + model.intercept_
    ratio = getattr(model, "l1_ratio", 1.0)
    w = model.coef_
    penalty = ratio * np.abs(w).sum() + (1 - ratio) / 2 * (w * w).sum()
    if not hasattr(model, "classes_"):
        return (0.5 * ((y - z[:, 0]) ** 2).mean() + model.alpha * penalty) / (0.5 * y.var())
    if z.shape[1] == 1:
        z = np.hstack([np.zeros_like(z), z])
    picked = z[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    top = z.max(axis=1)
    loss = (top + np.log(np.exp(z - top[:, None]).sum(axis=1)) - picked).mean()
    return (loss + penalty / (model.C * len(y))) / np.log(len(model.classes_))


class Server:
    def __init__(self, checkout, *options):
        command = [sys.executable, __file__, "serve", *options]
        environ = {**os.environ, "PYTHONPATH": str(checkout), "OPENBLAS_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe)

    def ask(self, row):
        self.process.stdin.write(f"{row}\n".encode())
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)


def compare(row, servers, repeats):
    """Print one row; the ratio of the medians, or None where the row failed."""
    seconds, found = ([], []), [0.0, 0.0]
    for turn in range(repeats + 1):
        for k, server in enumerate(servers):
            answer = server.ask(row)
            if isinstance(answer, str):
                print(f"{row:28} left out: {answer[:80]}", flush=True)
                return None
            if turn:
                seconds[k].append(answer[0])
            found[k] = answer[1]
    new, old = map(statistics.median, seconds)
    minima = min(seconds[0]) / min(seconds[1])
    print(f"{row:28} {1e3 * new:9.2f} {1e3 * old:9.2f} ms  {new / old:5.2f}  minima {minima:5.2f}"
          f"  objective {found[0] - found[1]:+.1e}", flush=True)  # fmt: skip
    return new / old


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("new")
    parser.add_argument("old")
    parser.add_argument("--only", default="")
    parser.add_argument("--skip", default="")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer", action="store_true")
    args = parser.parse_args()
    only, skip = args.only.split(","), [part for part in args.skip.split(",") if part]
    servers = Server(args.new), Server(args.old, *["--peer"] * args.peer)
    names = [n for n in rows() if any(part in n for part in only) and not any(part in n for part in skip)]
    ratios = [compare(name, servers, args.repeats) for name in names]
    ratios = [ratio for ratio in ratios if ratio]
    print(f"geometric mean of {len(ratios)} rows: {np.exp(np.mean(np.log(ratios))):.3f}")


if __name__ == "__main__":
    serve("--peer" in sys.argv) if sys.argv[1] == "serve" else main()

"""What changes when a tuned number of the package is halved or doubled?

Every number in capitals at the top of a module is set to half and to twice its value, one at a time, and a
small set of fits is run on one worker: those in which a function that reads the number is called. Counted are
passes over the data and calls of Python functions, which no other load of the machine changes.

Usage: constants.py [--out doc/constants.csv] [--only NAME ...]
"""

import argparse
import ast
import csv
import gc
import importlib
import pkgutil
import signal
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

import sk_asyncprox
from sk_asyncprox import (
    ElasticNet,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    enet_path,
    lasso_path,
)
from sk_asyncprox.executors import Simulated, Trace

ROOT = Path(sk_asyncprox.__file__).parent
COLUMNS = "module", "number", "value", "what it is", "half of it", "twice as much", "fits"
DEFINED = set()
"""Modules and names of all numbers in capitals."""

LEAST = 1e-13
"""What is smaller, or larger than its inverse, guards against rounding and overflow: nobody has tuned it."""

NOTICED = 0.03
"""Relative change that counts."""
LONGEST = 20
"""Seconds of a fit, after which it counts as one that has not ended."""
FAILED = (np.inf, np.inf)


class Constant(NamedTuple):
    """A number in capitals."""

    module: str
    name: str
    value: float
    words: str


def constants():
    """All of them, with the words that stand below."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        module = ".".join([ROOT.name, *path.relative_to(ROOT).with_suffix("").parts])
        words = ""
        for node, after in reversed(list(zip(body, [*body[1:], None], strict=True))):
            if not isinstance(node, ast.Assign):
                continue
            said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            # Numbers that follow one another may share the words below the last.
            words = after.value.value if said else words if isinstance(after, ast.Assign) else ""
            targets = node.targets[0].elts if isinstance(node.targets[0], ast.Tuple) else node.targets
            names = [target.id for target in targets if isinstance(target, ast.Name) and target.id.isupper()]
            found += [(module, name, " ".join(words.split())) for name in names]
    for module, name, words in sorted(found):
        value = vars(importlib.import_module(module))[name]
        DEFINED.add((module, name))
        if type(value) in (int, float) and LEAST < abs(value) < 1.0 / LEAST:
            yield Constant(module, name, value, words)


for module in pkgutil.walk_packages([str(ROOT)], f"{ROOT.name}."):
    importlib.import_module(module.name)
ALL = list(constants())


def places_of(constant):
    """Modules in which the number has its name: its own, and those that import it."""
    own = vars(sys.modules[constant.module])[constant.name]
    return [
        module
        for name, module in sys.modules.items()
        if name == constant.module
        or (
            name.startswith(ROOT.name)
            and (name, constant.name) not in DEFINED
            and vars(module).get(constant.name) is own
        )
    ]


@contextmanager
def changed(constant, factor):
    """The number times the factor, wherever it has its name."""
    value, places = constant.value * factor, places_of(constant)
    value = max(1, round(value)) if isinstance(constant.value, int) else value
    try:
        for module in places:
            setattr(module, constant.name, value)
        yield
    finally:
        for module in places:
            setattr(module, constant.name, constant.value)


def data(n, p, density=1.0, correlated=0.0):
    """Features, targets of a tenth of them, and labels."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) + correlated * rng.standard_normal((n, 1))
    if density < 1.0:
        X = sp.csc_matrix(np.where(rng.random((n, p)) < density, X, 0.0))
    w = np.where(np.arange(p) % 10 == 0, rng.standard_normal(p), 0.0)
    y = X @ w
    y += 0.5 * y.std() * rng.standard_normal(n)
    return X, y, y > np.median(y), np.digitize(y, np.quantile(y, [0.33, 0.66]))


def rows():
    """Name -> call that fits and returns the passes."""
    tall, wide, sparse = data(1000, 60, correlated=1.0), data(150, 600), data(400, 900, 0.02)
    small, text = data(100, 20), data(200, 2200, 0.01)

    def fit(model, X, y):
        model.fit(X, y)
        return float(np.sum(model.n_iter_) if not hasattr(model, "history_") else passes(model))

    def passes(model):
        return model.history_.certificates["passes"].max(initial=0.0)

    def path(call, X, y, **options):
        return float(sum(call(X, y, return_n_iter=True, **options)[3]))

    four = Simulated(Trace.from_service_times([1.0, 1.0, 1.0, 3.0]))
    strong = {"l1_ratio": 1.0, "tol": 1e-6}
    found = {"lasso, small": lambda: fit(Lasso(0.1), *small[:2])}
    for name, (X, y, label, _) in {"tall": tall, "wide": wide, "sparse": sparse, "text": text}.items():
        scale = np.abs(X.T @ (y - y.mean())).max() / len(y)
        found |= {
            f"lasso, {name}": lambda X=X, y=y, a=scale: fit(Lasso(a / 30, tol=1e-6), X, y),
            f"lasso, {name}, exact": lambda X=X, y=y, a=scale: fit(Lasso(a / 10, tol=1e-12), X, y),
            f"logistic l1, {name}": lambda X=X, y=label: fit(LogisticRegression(C=1.0, **strong), X, y),
            f"logistic l2, {name}": lambda X=X, y=label: fit(LogisticRegression(C=10.0, tol=1e-6), X, y),
            f"blocks, {name}": lambda X=X, y=y, a=scale: fit(Lasso(a / 3, n_blocks=8), X, y),
            f"piag, {name}": lambda X=X, y=y, a=scale: fit(Lasso(a / 10, solver="piag", n_blocks=4), X, y),
        }
    X, y, label, classes = tall
    found |= {
        "elastic net, delays": lambda: fit(
            ElasticNet(0.1, step_size="adaptive1", executor=four, tol=1e-3), X, y
        ),
        "paper's metric, delays": lambda: fit(
            Lasso(0.1, step_size="adaptive2", metric="lipschitz", executor=four, tol=1e-2), *small[:2]
        ),
        "piag logistic, delays": lambda: fit(
            LogisticRegression(solver="piag", executor=four, C=1.0), small[0], small[2]
        ),
        "multinomial": lambda: fit(LogisticRegression(C=1.0, l1_ratio=0.5), X, classes),
        "path, tall": lambda: path(lasso_path, X, y, alphas=30),
        "path, wide": lambda: path(enet_path, *wide[:2], alphas=30),
        "path, sparse": lambda: path(lasso_path, *sparse[:2], alphas=10, eps=0.01),
        "LassoCV": lambda: fit(LassoCV(alphas=20, cv=3), X, y),
        "LogisticRegressionCV": lambda: fit(
            LogisticRegressionCV(Cs=4, l1_ratios=(1.0,), cv=3), small[0], small[2]
        ),
    }
    return found


def counted(call, read=None):
    """Passes of a fit, and calls of Python functions; what fails or does not end has no end of both.

    Modules and names of the numbers that these functions read are added to the set ``read``.
    """
    calls, codes = 0, set()

    def count(frame, event, arg):
        nonlocal calls
        if event == "call":
            calls += 1
            if read is not None:
                codes.add((frame.f_globals.get("__name__", ""), frame.f_code))

    def late(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST)
    gc.disable()  # what it calls is no call of the fit
    sys.setprofile(count)
    try:
        with warnings.catch_warnings(action="ignore"):
            return call(), float(calls)
    except Exception:
        return FAILED
    finally:
        sys.setprofile(None)
        gc.enable()
        signal.alarm(0)
        if read is not None:
            read |= {(module, name) for module, code in codes for name in code.co_names if name.isupper()}


def difference(before, after):
    """The largest change among the fits, in words; passes go before calls."""
    said, largest = "", 0.0
    for kind, k in (("passes", 0), ("calls", 1)):
        for name, new in after.items():
            change = (new[k] - before[name][k]) / max(before[name][k], 1.0)
            if abs(change) > max(NOTICED, largest):
                largest = abs(change)
                said = f"{name}: does not end" if np.isinf(change) else f"{name}: {change:+.0%} {kind}"
        if said:
            break
    return said or "nothing"


def measured(chosen):
    """A row of the table for each of the numbers chosen."""
    fits = rows()
    reads = {name: set() for name in fits}
    for name, call in fits.items():  # at the first time what is cached for good is made
        counted(call, reads[name])
    before = {name: counted(call) for name, call in fits.items()}
    for constant in chosen:
        keys = {(module.__name__, constant.name) for module in places_of(constant)}
        asking = {name: call for name, call in fits.items() if keys & reads[name]}
        found = []
        for factor in (0.5, 2.0):
            with changed(constant, factor):
                after = {name: counted(call) for name, call in asking.items()}
            found.append(difference(before, after) if asking else "not asked for")
        module = constant.module.removeprefix(f"{ROOT.name}.")
        yield module, constant.name, f"{constant.value:g}", constant.words, *found, str(len(asking))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="table whose rows are renewed")
    parser.add_argument("--only", nargs="*", help="names of numbers; all by default")
    given = parser.parse_args()
    table = {}
    if given.out and given.only and given.out.exists():
        with open(given.out, encoding="utf-8", newline="") as file:
            table = {tuple(row[:2]): row for row in list(csv.reader(file))[1:]}
    for row in measured([known for known in ALL if not given.only or known.name in given.only]):
        table[row[:2]] = row
        print(*row[:3], *row[4:], sep=" | ", flush=True)
    if given.out:
        with open(given.out, "w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *(table[key] for key in sorted(table))])


if __name__ == "__main__":
    main()

"""Random fits, judged by an objective and a search for a better model in extended precision.

A case is a record of plain values, so that a failure is repeated from its ``repr``:

    python tests/fuzzing.py --cases 20000 --seed 0      # prints what failed, shrunk, as scripts
"""

import argparse
import contextlib
import dataclasses
import signal
import sys
import threading
import time
import warnings
from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from sk_asyncprox import ElasticNet, ElasticNetCV, LogisticRegression, LogisticRegressionCV, enet_path
from sk_asyncprox.executors import Machine, Simulated, Trace

PATIENCE = 60
"""Seconds of work after which a fit counts as one that does not end."""

LARGEST = 1e-5, 1e5
"""Products of scales between which a fit has to succeed; beyond, one sentence will do."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One fit. The defaults are the plainest values, which shrinking tries first."""

    seed: int = 0
    way: str = "fit"
    n: int = 12
    p: int = 4
    n_classes: int = 0
    kind: str = "normal"
    storage: str = "array"
    dtype: str = "float64"
    weights: str = "none"
    scale: float = 1.0
    column_spread: float = 1.0
    target_scale: float = 1.0
    target_offset: float = 0.0
    strength: float = 0.1
    l1_ratio: float = 1.0
    positive: bool = False
    fit_intercept: bool = True
    solver: str = "bcd"
    step_size: str = "auto"
    metric: str = "gram"
    working_set: object = "auto"
    n_blocks: object = "auto"
    n_jobs: object = None
    delays: str = "none"
    tol: float = 1e-4
    max_iter: int = 1000
    warm: bool = False
    schedule: str = "plain"
    selection: str = "cyclic"
    record: object = "updates"

    def is_ordinary(self):
        """Whether nothing but success will do."""
        spans = self.scale, self.scale * self.column_spread, self.target_scale
        return all(LARGEST[0] <= s <= LARGEST[1] for s in spans) and self.weights not in ("huge", "tiny")

    def script(self):
        """Lines that repeat the case."""
        changed = (
            f"{f.name}={getattr(self, f.name)!r}"
            for f in dataclasses.fields(self)
            if getattr(self, f.name) != f.default
        )
        return f"from fuzzing import Case, judge\n\nprint(judge(Case({', '.join(changed)})))\n"


KINDS = "normal", "correlated", "one_hot", "duplicated", "constant", "zeros", "low_rank", "counts", "sparse"
OPTIONS = [
    *("l1_ratio", "fit_intercept", "solver", "step_size", "metric"),
    *("working_set", "n_blocks", "n_jobs", "tol", "max_iter"),
]
"""Fields that are parameters of the estimators, too."""

SCHEDULES = "plain", "bursts", "heavy tails", "lockstep", "log", "machine", "replay"
"""How the workers of a simulated case are; and ``replay``: any fit once more, along its own history."""

STORAGES = "array", "fortran", "csr", "csc", "coo", "int64"
_WEIGHTS, _POSITIVE = [0.5, 0.2, 0.05, 0.05, 0.2], [0.6, 0.3, 0.05, 0.05, 0.0]


def draw(seed):
    """Case number ``seed``."""
    rng = np.random.default_rng(seed)

    def pick(*values, p=None):
        return values[int(rng.choice(len(values), p=p))]

    solver = pick("bcd", "piag", p=[0.75, 0.25])
    simulated = rng.random() < 0.25
    wild = rng.random() < 0.15
    span = 300.0 if wild else 3.0
    n_classes = pick(0, 0, 2, 3, 5)
    way = pick("fit", "cv", "fit" if n_classes else "path", p=[0.8, 0.1, 0.1])
    return Case(
        seed=seed,
        way=way,
        n=int(rng.integers(2 * max(2, n_classes) if way == "cv" else max(2, n_classes), 60)),
        p=int(rng.integers(1, 40)),
        n_classes=n_classes,
        kind=pick(*KINDS),
        storage=pick(*STORAGES),
        dtype=pick("float64", "float32", p=[0.8, 0.2]),
        weights=pick("none", "random", "huge", "tiny", "zeros", p=_WEIGHTS if way == "fit" else _POSITIVE),
        scale=float(10.0 ** rng.uniform(-span, span)) if rng.random() < 0.3 else 1.0,
        column_spread=float(10.0 ** rng.uniform(0, span)) if rng.random() < 0.2 else 1.0,
        target_scale=float(10.0 ** rng.uniform(-span, span)) if rng.random() < 0.3 else 1.0,
        target_offset=pick(0.0, 1.0, 1e6, p=[0.6, 0.3, 0.1]),
        strength=float(10.0 ** rng.uniform(-4, 0.3)),
        l1_ratio=pick(1.0, 0.5, 0.0, float(rng.random())),
        positive=bool(rng.random() < 0.15),
        fit_intercept=bool(rng.random() < 0.7 and way != "path"),
        solver=solver,
        step_size=pick("auto", "adaptive1", "adaptive2", p=[0.6, 0.2, 0.2]),
        metric=pick("gram", "lipschitz", p=[0.8, 0.2]) if solver == "bcd" else "gram",
        working_set=pick("auto", True, False, p=[0.8, 0.1, 0.1]) if solver == "bcd" else "auto",
        n_blocks=pick("auto", 1, 3, p=[0.8, 0.1, 0.1]),
        n_jobs=None if simulated else pick(None, 2, int(rng.integers(3, 9)), p=[0.6, 0.25, 0.15]),
        delays=pick("constant", "times", "slow") if simulated else "none",
        tol=float(10.0 ** rng.uniform(-8, -2)),
        max_iter=pick(1, 10, 1000, p=[0.05, 0.1, 0.85]),
        warm=bool(rng.random() < 0.1),
        schedule=pick(*SCHEDULES, p=[0.4, *[0.1] * 6]),
        selection=pick("cyclic", "random", p=[0.8, 0.2]),
        record=pick("updates", "iterates", None, p=[0.7, 0.2, 0.1]),
    )


def data(case):
    """Dense float64 X, y and sample weights (or None), before they are stored as the case wants them."""
    rng = np.random.default_rng([case.seed, 1])
    n, p = case.n, case.p
    X = rng.standard_normal((n, p))
    if case.kind == "correlated":
        X = X * 0.1 + rng.standard_normal((n, 1))
    elif case.kind == "one_hot":
        X = np.eye(p)[rng.integers(0, p, n)] + np.eye(p)[rng.integers(0, max(1, p // 2), n)]
    elif case.kind == "duplicated":
        X = X[:, rng.integers(0, max(1, p // 3), p)]
    elif case.kind == "constant":
        X[:, 0] = 1.0
    elif case.kind == "zeros":
        X[:, rng.random(p) < 0.5] = 0.0
    elif case.kind == "low_rank":
        X = rng.standard_normal((n, 2)) @ rng.standard_normal((2, p))
    elif case.kind == "counts":
        X = rng.poisson(0.3, (n, p)).astype(float)
    elif case.kind == "sparse":
        X = (10.0 + X) * (rng.random((n, p)) < 0.2)
    with np.errstate(over="ignore"):
        X = X * case.scale * np.logspace(0, np.log10(case.column_spread), p)
    X[~np.isfinite(X)] = 0.0
    unit = X / max(np.abs(X).max(), np.finfo(float).tiny)
    z = unit @ (rng.standard_normal(p) * (rng.random(p) < 0.5))
    z = z + 0.3 * rng.standard_normal(n)
    if case.n_classes:
        cuts = np.argsort(np.argsort(z)) * case.n_classes // n
        y = np.where(rng.random(n) < 0.1, rng.integers(0, case.n_classes, n), cuts)
        y[: 2 * case.n_classes] = np.resize(np.arange(case.n_classes), min(2 * case.n_classes, n))
    else:
        y = (z + case.target_offset) * case.target_scale
    return X, y, _weights(case, rng)


def _weights(case, rng):
    if case.weights == "none":
        return None
    s = rng.uniform(0.1, 2.0, case.n)
    if case.weights == "zeros":
        s[rng.random(case.n) < 0.4] = 0.0
        s[: max(1, case.n_classes)] = 1.0
    return s * {"huge": 1e290, "tiny": 1e-290}.get(case.weights, 1.0)


def stored(case, X):
    """X as the estimator gets it."""
    X = X.astype(case.dtype)
    if case.storage == "array":
        return X
    if case.storage == "fortran":
        return np.asfortranarray(X)
    if case.storage != "int64":
        return getattr(sp, f"{case.storage}_matrix")(X)
    X = sp.csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


class Objective:
    """The objective of a case in extended precision."""

    def __init__(self, case, X, y, weights):
        self.X, self.n_classes = X.astype(np.longdouble), case.n_classes
        s = np.ones(len(y)) if weights is None else weights
        s = s.astype(np.longdouble)
        self.total, self.s = s.sum(), s / s.sum()
        self.y = y.astype(np.longdouble) if not case.n_classes else y
        pull = abs(self._null_gradient(case)).max(initial=0.0)
        # The strength is relative to the penalty that makes all coefficients zero.
        strength = case.strength * (pull if pull > 0 else 1) / max(case.l1_ratio, 0.1)
        self.penalise(case, float(min(max(strength, 1e-300), 1e300)))

    def penalise(self, case, strength):
        """Set the penalty."""
        self.strength = strength
        self.l1 = np.longdouble(strength) * case.l1_ratio
        self.l2 = np.longdouble(strength) * (1 - case.l1_ratio)
        return self

    def _null_gradient(self, case):
        centre = self.s @ self.X if case.fit_intercept else 0
        X = self.X - centre
        if not case.n_classes:
            return X.T @ (self.s * (self.y - (self.s @ self.y if case.fit_intercept else 0)))
        K = case.n_classes
        T = np.eye(K)[self.y].astype(np.longdouble)
        prior = self.s @ T if case.fit_intercept else np.full(K, np.longdouble(1) / K)
        return X.T @ (self.s[:, None] * (T - prior))

    def margins(self, coef, intercept):
        """Margins of the model, shape (n, outputs)."""
        return self.X @ np.atleast_2d(coef).astype(np.longdouble).T + np.asarray(intercept, np.longdouble)

    def losses(self, Z):
        """Loss of every sample."""
        if not self.n_classes:
            return (self.y - Z[:, 0]) ** 2 / 2
        if Z.shape[1] == 1:
            Z = np.hstack([np.zeros_like(Z), Z])
        top = Z.max(axis=1, keepdims=True)
        own = Z[np.arange(len(Z)), self.y]
        return np.log(np.exp(Z - top).sum(axis=1)) + top[:, 0] - own

    def __call__(self, coef, intercept):
        w = np.asarray(coef).astype(np.longdouble)
        penalty = self.l1 * abs(w).sum() + self.l2 * (w * w).sum() / 2
        return self.s @ self.losses(self.margins(coef, intercept)) + penalty

    def rounding(self, coef, intercept, eps):
        """What rounding the coefficients, and sums of them, to ``eps`` may change."""
        w = np.atleast_2d(coef).astype(np.longdouble)
        dz = eps * (abs(self.X) @ abs(w).T + abs(np.asarray(intercept, np.longdouble)))
        Z = self.margins(coef, intercept)
        slope = abs(self.y[:, None] - Z) if not self.n_classes else np.ones_like(Z)
        least = np.finfo(float).tiny
        return (self.s[:, None] * (slope * dz + dz * dz)).sum() + eps * abs(self(coef, intercept)) + least

    def null(self, case):
        """The best model without coefficients."""
        K = case.n_classes
        shape = (case.p,) if not K else (1 if K == 2 else K, case.p)
        if not case.fit_intercept:
            return np.zeros(shape), 0.0
        if not K:
            return np.zeros(shape), self.s @ self.y
        prior = self.s @ np.eye(K)[self.y].astype(np.longdouble)
        return np.zeros(shape), np.log(prior[1] / prior[0]) if K == 2 else np.log(prior)

    def scale(self, case):
        """What the tolerance is relative to, at most."""
        if case.n_classes:
            return np.log(np.longdouble(case.n_classes))
        centre = self.s @ self.y if case.fit_intercept else 0
        return self.s @ (self.y - centre) ** 2


def estimator(case, objective, **changes):
    """The case's estimator."""
    options = {name: getattr(case, name) for name in OPTIONS}
    options |= {"executor": executor(case), "warm_start": case.warm, "record": case.record} | changes
    if not case.n_classes:
        options |= {"selection": case.selection} | changes
    if case.n_classes:
        return LogisticRegression(C=float(1 / (objective.strength * objective.total)), **options)
    return ElasticNet(alpha=objective.strength, positive=case.positive, **options)


def one_millisecond(task, result):
    """Cost of every task on a simulated machine."""
    return 1e-3


def executor(case):
    """Threads, or the schedule of a simulated case."""
    if case.delays == "none":
        return "auto"
    mean = np.ones(2 + case.seed % 5)
    mean[0] = 10.0 if case.delays == "slow" else 1.0
    if case.schedule == "machine":
        return Machine(1 / mean, cost=one_millisecond, lock=1e-4)
    return Simulated(trace(case, mean))


def trace(case, mean):
    """Delays of a simulated case, whose workers take so long for a task in the mean."""
    if case.schedule == "log" and case.solver == "bcd":
        return Trace.from_delays(np.random.default_rng(case.seed).integers(0, len(mean), 200))
    if case.delays == "constant":
        return Trace.constant(len(mean))
    laws = {
        "bursts": {"burst_probability": 0.05, "burst_factor": 20.0},
        "heavy tails": {"distribution": "pareto"},
        "lockstep": {"distribution": "deterministic"},
    }
    return Trace.from_service_times(mean, random_state=case.seed, **laws.get(case.schedule, {}))


@contextlib.contextmanager
def patience(seconds):
    """Raises TimeoutError in the main thread where its body takes longer; elsewhere waits."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        raise TimeoutError(f"no end within {seconds} s")

    # Processor time: on a busy machine a fit waits for its turn. Ten times as long where it waits for ever.
    timers = (signal.ITIMER_PROF, signal.SIGPROF, seconds), (signal.ITIMER_REAL, signal.SIGALRM, 10 * seconds)
    before = [(number, signal.signal(number, stop)) for _, number, _ in timers]
    try:
        for timer, _, limit in timers:
            signal.setitimer(timer, limit)
        yield
    finally:
        for timer, _, _ in timers:
            signal.setitimer(timer, 0)
        for number, handler in before:
            signal.signal(number, handler)


def judge(case):
    """What is wrong with the fit of the case, in words; None where all is right."""
    X, y, weights = data(case)
    with np.errstate(over="ignore", under="ignore"):
        given = stored(case, X)
        X = (given.toarray() if sp.issparse(given) else given).astype(float)
    if not (np.isfinite(X).all() and np.isfinite(y).all()):
        return None
    objective = Objective(case, X, y, weights)
    if case.n_classes and not 1e-300 < objective.strength * objective.total < 1e300:
        return None  # no C says so
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            with patience(PATIENCE):
                models = WAYS[case.way](case, objective, given, y, weights)
        except ValueError as error:
            refused = not case.is_ordinary() or "workers need at least" in str(error)
            clear = "\n" not in str(error) and len(str(error)) < 400
            return None if refused and clear else f"ValueError: {error}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    foreign = [w for w in said if not issubclass(w.category, ConvergenceWarning)]
    if foreign:
        return f"warning {foreign[0].category.__name__}: {foreign[0].message}"
    for model, strength in models:
        wrong = _dishonest(case, objective.penalise(case, strength), model, X, y, weights)
        if wrong:
            return wrong
    return _slow(case, said)


def _fit(case, objective, X, y, weights):
    model = estimator(case, objective)
    for _ in range(1 + case.warm):
        model.fit(X, y, sample_weight=weights)
    if case.schedule != "replay" or case.record is None or case.warm or not len(model.history_.updates):
        return [(model, objective.strength)]
    again = estimator(case, objective, executor=Simulated(Trace.from_history(model.history_)), n_jobs=None)
    again.fit(X, y, sample_weight=weights)
    same = model.history_.updates[["update", "delay"]], again.history_.updates[["update", "delay"]]
    if not np.array_equal(*same):
        raise AssertionError(f"replayed with other delays: {same[1]['delay']}, were {same[0]['delay']}")
    return [(model, objective.strength), (again, objective.strength)]


def _strengths(objective, n):
    """Descending penalties of a path."""
    factors = np.logspace(1, -1, n)
    return np.clip(objective.strength * factors, 1e-305, 1e305)


def _path(case, objective, X, y, weights):
    options = {name: getattr(case, name) for name in OPTIONS if name != "fit_intercept"}
    options["executor"] = executor(case)
    strengths = _strengths(objective, 4)
    alphas, coefs, gaps = enet_path(
        X, y, alphas=strengths, positive=case.positive, sample_weight=weights, **options
    )
    return [
        (SimpleNamespace(coef_=coef, intercept_=0.0, dual_gap_=gap, objective_=None, history_=None), alpha)
        for alpha, coef, gap in zip(alphas, coefs.T, gaps, strict=True)
    ]


def _cv(case, objective, X, y, weights):
    options = {name: getattr(case, name) for name in OPTIONS if name != "l1_ratio"}
    options["executor"] = executor(case)
    strengths, total = _strengths(objective, 3), float(objective.total)
    # Every class is in both halves: data hold each of them twice among their first samples.
    halves = np.arange(case.n) // max(1, case.n_classes) % 2 == 0
    options["cv"] = [(np.flatnonzero(halves), np.flatnonzero(~halves))]
    if case.n_classes:
        model = LogisticRegressionCV(Cs=1 / (strengths * total), l1_ratios=[case.l1_ratio], **options)
        model.fit(X, y, sample_weight=weights)
        return [(model, 1 / (model.C_ * total))]
    model = ElasticNetCV(l1_ratio=case.l1_ratio, alphas=strengths, positive=case.positive, **options)
    return [(model.fit(X, y, sample_weight=weights), model.alpha_)]


WAYS = {"fit": _fit, "path": _path, "cv": _cv}


def _dishonest(case, objective, model, X, y, weights):
    """What the fitted model claims and is not true."""
    if not (np.isfinite(model.coef_).all() and np.isfinite(model.intercept_).all()):
        return f"coefficients {model.coef_}, intercept {model.intercept_}"
    if model.coef_.dtype != case.dtype:
        return f"coefficients of dtype {model.coef_.dtype}"
    if case.positive and not case.n_classes and (model.coef_ < 0).any():
        return "negative coefficients"
    eps = 2.0**-22 if case.dtype == "float32" else 2.0**-49
    value = objective(model.coef_, model.intercept_)
    slack = objective.rounding(model.coef_, model.intercept_, eps)
    told = model.objective_ is not None and value <= np.finfo(float).max  # beyond that it is infinite
    if told and abs(value - model.objective_) > slack:
        return f"objective_ is {model.objective_!r}, and is {float(value)!r} (rounding {float(slack):.1e})"
    gap = np.longdouble(model.dual_gap_)
    if np.isnan(gap) or gap < 0:
        return f"dual_gap_ is {model.dual_gap_}"
    best = _reference(case, objective, X, y, weights)
    if value - best > gap + slack:
        return f"dual_gap_ is {model.dual_gap_:.3e}, and a model is better by {float(value - best):.3e}"
    limit, stopped = case.tol * objective.scale(case), getattr(model.history_, "stopped", None)
    if stopped == "converged" and value - best > limit + slack and limit > 0:
        return f"converged, and a model is better by {float(value - best):.3e} (tolerance {float(limit):.3e})"
    return None


def _reference(case, objective, X, y, weights):
    """Objective of the best model that is found."""
    best = objective(*objective.null(case))
    plain = {"solver": "bcd", "step_size": "auto", "metric": "gram", "working_set": "auto"}
    plain |= {"n_blocks": "auto", "n_jobs": None, "warm_start": False, "tol": 1e-13, "max_iter": 2000}
    model = estimator(case, objective, **plain, executor="auto")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with patience(PATIENCE):
                model.fit(X, y, sample_weight=weights)
        except (ValueError, TimeoutError):
            return best
    found = objective(model.coef_, model.intercept_)
    return min(best, found) if np.isfinite(found) else best


def _slow(case, said):
    """Whether the default way did not arrive at an ordinary problem."""
    default = (case.solver, case.step_size, case.metric, case.delays) == ("bcd", "auto", "gram", "none")
    default &= case.working_set == "auto" and case.n_blocks == "auto"
    if said and default and case.is_ordinary() and case.max_iter == 1000:
        return f"slow: {said[0].message}"
    return None


def shrunk(case):
    """The case with as many fields at their defaults as keep it failing alike."""
    kind = (judge(case) or "").split()[:2]
    for field in dataclasses.fields(Case):
        plainer = dataclasses.replace(case, **{field.name: field.default})
        if field.name != "seed" and plainer != case and (judge(plainer) or "").split()[:2] == kind:
            case = plainer
    return case


def main(arguments=None):
    """Run cases and print those that fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first case")
    parser.add_argument("--minutes", type=float, default=np.inf, help="stop after so long")
    options = parser.parse_args(arguments)
    begin, failures, done = time.perf_counter(), 0, 0
    for seed in range(options.seed, options.seed + options.cases):
        wrong = judge(draw(seed))
        done += 1
        if wrong:
            failures += 1
            case = shrunk(draw(seed))
            print(f"# case {seed}: {wrong}\n{case.script()}", flush=True)
        if time.perf_counter() - begin > 60 * options.minutes:
            break
    print(f"{done} cases, {failures} failures, {time.perf_counter() - begin:.0f} s")
    return failures


if __name__ == "__main__":
    sys.exit(main() > 0)

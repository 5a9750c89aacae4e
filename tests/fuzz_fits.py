"""Data, estimators and executors of a random case, and what the fitted models claim."""

import contextlib
import functools
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from fuzz_cases import OPTIONS, groups, penalty_weights
from fuzz_objective import Objective

from sk_asyncprox import (
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
    HuberRegressor,
    LogisticRegression,
    LogisticRegressionCV,
    enet_path,
)
from sk_asyncprox.executors import Dask, Machine, Processes, Simulated, Threads, Trace


def data(case):
    """Dense float64 X, y and sample weights (or None), before they are stored as the case wants them."""
    rng = np.random.default_rng([case.seed, 1])
    X = _features(case, rng)
    unit = X / max(np.abs(X).max(), np.finfo(float).tiny)
    z = unit @ (rng.standard_normal(case.p) * (rng.random(case.p) < 0.5))
    z = z + 0.3 * rng.standard_normal(case.n)
    K, n = case.n_classes, case.n
    if K:
        cuts = np.argsort(np.argsort(z)) * K // n
        y = np.where(rng.random(n) < 0.1, rng.integers(0, K, n), cuts)
        y[: 2 * K] = np.resize(np.arange(K), min(2 * K, n))
    else:
        y = (z + case.target_offset) * case.target_scale
        if case.n_targets > 1:
            y = np.column_stack([np.roll(y, t) * 10.0 ** -(3 * t) for t in range(case.n_targets)])
    return X, y, _weights(case, rng)


def _features(case, rng):
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
    return X


def _weights(case, rng):
    if case.weights == "none":
        return None
    s = rng.uniform(0.1, 2.0, case.n)
    if case.weights == "zeros":
        s[rng.random(case.n) < 0.4] = 0.0
        s[: max(1, case.n_classes)] = 1.0
    return s * {"huge": 1e290, "tiny": 1e-290}.get(case.weights, 1.0)


def stored(case, X):
    """X in memory as the case wants it."""
    X = X.astype(case.dtype)
    if case.storage in ("array", "chunks"):
        return X
    if case.storage == "fortran":
        return np.asfortranarray(X)
    if case.storage != "int64":
        return getattr(sp, f"{case.storage}_matrix")(X)
    X = sp.csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def handed_over(case, X):
    """X as the estimator gets it."""
    if case.storage != "chunks":
        return X
    import dask.array

    return dask.array.from_array(X, chunks=(-(-case.n // 3), -1))


# -- estimators ------------------------------------------------------------------------------------


def estimator(case, objective, **changes):
    """The case's estimator."""
    options = {name: getattr(case, name) for name in OPTIONS}
    options |= {"executor": executor(case), "warm_start": case.warm != "no", "record": case.record} | changes
    if case.groups == "none":
        options["penalty_weights"] = penalty_weights(case)
    if case.n_classes:
        return LogisticRegression(C=float(1 / (objective.strength * objective.total)), **options)
    options = {"alpha": objective.strength, "selection": case.selection} | options
    if case.groups != "none":
        del options["l1_ratio"]
        given, weights, *_ = groups(case)
        return GroupLasso(groups=given, group_weights=weights, **options)
    if case.threshold:
        return HuberRegressor(epsilon=objective.epsilon, positive=case.positive, **options)
    return ElasticNet(positive=case.positive, **options)


def one_millisecond(task, result):
    """Cost of every task on a simulated machine."""
    return 1e-3


class AtOnce:
    """Workers that begin with the first task, however little there is to do."""

    def run(self, solver, on_events):
        solver.head_start = 0.0
        return super().run(solver, on_events)


class ThreadsAtOnce(AtOnce, Threads):
    pass


class ProcessesAtOnce(AtOnce, Processes):
    pass


@functools.cache
def cluster():
    """A client of one small cluster in this process."""
    import distributed

    return distributed.Client(
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=False, dashboard_address=":0", silence_logs=50
        )
    )


def executor(case):
    """Threads, processes, Dask, or the schedule of a simulated case."""
    if case.on_cluster():
        return Dask(cluster())
    if case.workers == "processes":
        return ProcessesAtOnce()
    if case.workers == "threads":
        return ThreadsAtOnce() if case.schedule == "at once" else "auto"
    mean = np.ones(2 + case.seed % 5)
    mean[0] = 10.0 if case.workers == "slow" else 1.0
    if case.schedule == "machine":
        return Machine(1 / mean, cost=one_millisecond, lock=1e-4)
    return Simulated(trace(case, mean))


def trace(case, mean):
    """Delays of a simulated case, whose workers take so long for a task in the mean."""
    if case.schedule == "log" and case.solver == "bcd":
        return Trace.from_delays(np.random.default_rng(case.seed).integers(0, len(mean), 200))
    if case.workers == "constant":
        return Trace.constant(len(mean))
    laws = {
        "bursts": {"burst_probability": 0.05, "burst_factor": 20.0},
        "heavy tails": {"distribution": "pareto"},
        "lockstep": {"distribution": "deterministic"},
    }
    return Trace.from_service_times(mean, random_state=case.seed, **laws.get(case.schedule, {}))


# -- ways to fit -----------------------------------------------------------------------------------


class Claim(NamedTuple):
    """What is said of one model."""

    objective: Objective
    coef: np.ndarray
    intercept: object
    value: object = None
    gap: object = None
    converged: object = None
    """None: where nothing has been warned of."""


def _claims(case, model, objective, y):
    """Those of a fitted estimator; of several targets, one each."""
    if np.ndim(y) == 1:
        converged = model.history_.stopped == "converged"
        return [Claim(objective, model.coef_, model.intercept_, model.objective_, model.dual_gap_, converged)]
    parts = np.broadcast_to(model.intercept_, y.shape[1]), model.objective_, model.dual_gap_, model.history_
    return [
        Claim(_column(objective, column), coef, b, value, gap, history.stopped == "converged")
        for column, coef, b, value, gap, history in zip(y.T, model.coef_, *parts, strict=True)
    ]


def _column(objective, column):
    other = objective.at(objective.strength)
    other.y = column.astype(np.longdouble)
    return other


def _fit(case, objective, X, y, weights):
    model = estimator(case, objective)
    if case.warm != "no":
        far = y[::-1] if case.n_classes else y[::-1] * 1e3
        model.fit(X, y if case.warm == "same" else far, sample_weight=weights)
    model.fit(X, y, sample_weight=weights)
    found = _claims(case, model, objective, y)
    # Without shared memory PIAG's server minimises by itself, which no history holds.
    apart = case.on_cluster() or (case.workers == "processes" and case.solver == "piag")
    unlike = apart or case.warm != "no" or case.max_time is not None or case.n_targets > 1
    if unlike or case.schedule != "replay" or case.record is None or not len(model.history_.updates):
        return found
    again = estimator(case, objective, executor=Simulated(Trace.from_history(model.history_)), n_jobs=None)
    again.fit(X, y, sample_weight=weights)
    same = model.history_.updates[["update", "delay"]], again.history_.updates[["update", "delay"]]
    if not np.array_equal(*same):
        raise AssertionError(f"replayed with other delays: {same[1]['delay']}, were {same[0]['delay']}")
    return found + _claims(case, again, objective, y)


def _strengths(objective, n):
    """Descending penalties of a path."""
    factors = np.logspace(1, -1, n)
    return np.clip(objective.strength * factors, 1e-305, 1e305)


def _path(case, objective, X, y, weights):
    options = {name: getattr(case, name) for name in OPTIONS if name != "fit_intercept"}
    options |= {"executor": executor(case), "penalty_weights": penalty_weights(case)}
    alphas, coefs, gaps = enet_path(
        X, y, alphas=_strengths(objective, 4), positive=case.positive, sample_weight=weights, **options
    )
    return [
        Claim(objective.at(alpha), coef, 0.0, gap=gap, converged=False)
        for alpha, coef, gap in zip(alphas, coefs.T, gaps, strict=True)
    ]


def _cv(case, objective, X, y, weights):
    options = {name: getattr(case, name) for name in OPTIONS if name != "l1_ratio"}
    options |= {"executor": executor(case), "penalty_weights": penalty_weights(case)}
    strengths, total = _strengths(objective, 3), float(objective.total)
    # Every class is in both halves: data hold each of them twice among their first samples.
    first = np.arange(case.n) // max(1, case.n_classes) % 2 == 0
    one, two = np.flatnonzero(first), np.flatnonzero(~first)
    folds = [(one, two), (two, one)]
    options["cv"] = folds[: 1 + case.seed % 2]
    if not case.n_classes:
        model = ElasticNetCV(l1_ratio=case.l1_ratio, alphas=strengths, positive=case.positive, **options)
        model.fit(X, y, sample_weight=weights)
        return _claims(case, model, objective.at(model.alpha_), y)
    model = LogisticRegressionCV(Cs=1 / (strengths * total), l1_ratios=[case.l1_ratio], **options)
    model.fit(X, y, sample_weight=weights)
    found = _claims(case, model, objective.at(1 / (model.C_ * total)), y)
    for (train, _), paths in zip(options["cv"], model.coefs_paths_, strict=True):
        for strength, coef in zip(strengths, paths[0], strict=True):
            own = objective.at(strength).of_rows(train)
            w, b = (coef[:, :-1], coef[:, -1]) if case.fit_intercept else (coef, 0.0)
            found.append(Claim(own, w, b))
    return found


_WAYS = {"fit": _fit, "path": _path, "cv": _cv}


def fitted(case, objective, X, y, weights):
    """Fit as the case wants it; returns what is claimed."""
    return _WAYS[case.way](case, objective, handed_over(case, X), y, weights)


def best_found(case, objective):
    """Objective of the best model that the plainest way finds."""
    best = objective(*objective.null())
    plain = {"solver": "bcd", "step_size": "auto", "metric": "gram", "working_set": "auto", "max_time": None}
    plain |= {"n_blocks": "auto", "n_jobs": None, "warm_start": False, "tol": 1e-13}
    # Free features that fit some of the targets come to no rest.
    plain["max_iter"] = 100 if case.penalty_weights == "zeros" else 2000
    model = estimator(case, objective, **plain, executor="auto")
    with contextlib.suppress(ValueError, TimeoutError):
        y = objective.y if case.n_classes else objective.y.astype(float)
        weights = (objective.s * objective.total).astype(float)
        model.fit(objective.X.astype(float), y, sample_weight=weights)
        found = objective(model.coef_, model.intercept_)
        return min(best, found) if np.isfinite(found) else best
    return best

"""Whether what a random case claims is true."""

import contextlib
import signal
import threading
import time
import warnings
from importlib.util import find_spec

import numpy as np
import scipy.sparse as sp
from fuzz_fits import best_found, cluster, data, fitted, stored
from fuzz_objective import Objective
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

PATIENCE = 60
"""Seconds of work after which a fit counts as one that does not end."""

BLAS = ThreadpoolController()
AT_REST = [pool["num_threads"] for pool in BLAS.info()]
"""Threads of BLAS outside of all fits: one on the cluster may not have ended yet where a case begins."""


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
    """What is wrong with the fit of the case, in words; None where all is right or Dask is not there."""
    if case.on_cluster() and find_spec("distributed") is None:
        return None
    X, y, weights = data(case)
    with np.errstate(over="ignore", under="ignore"):
        given = stored(case, X)
        X = (given.toarray() if sp.issparse(given) else given).astype(float)
    if not (np.isfinite(X).all() and np.isfinite(y).all()):
        return None
    objective = Objective(case, X, y if y.ndim == 1 else y[:, 0], weights)
    if case.n_classes and not 1e-300 < objective.strength * objective.total < 1e300:
        return None  # no C says so
    return _wrong_of_fit(case, objective, given, y, weights)


def _wrong_of_fit(case, objective, given, y, weights):
    before = _surroundings(case) if case.on_cluster() else (threading.active_count(), AT_REST)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        if case.on_cluster():
            warnings.filterwarnings("ignore", module="distributed|tornado|dask")
        try:
            with patience(PATIENCE):
                claims = fitted(case, objective, given, y, weights)
        except ValueError as error:
            refused = not case.is_ordinary() or "workers need at least" in str(error)
            clear = "\n" not in str(error) and len(str(error)) < 400
            return None if refused and clear else f"ValueError: {error}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    foreign = [w for w in said if not issubclass(w.category, ConvergenceWarning)]
    if foreign:
        return f"warning {foreign[0].category.__name__}: {foreign[0].message}"
    if left := _left_behind(case, before):
        return left
    for claim in claims:
        if claim.converged is None:
            claim = claim._replace(converged=not said)
        if wrong := dishonest(case, claim):
            return wrong
    return _slow(case, said)


def _surroundings(case):
    """What is there outside of a fit."""
    if case.on_cluster():
        return len(cluster().futures)
    return threading.active_count(), [pool["num_threads"] for pool in BLAS.info()]


def _left_behind(case, before):
    deadline = time.monotonic() + 5.0
    while (after := _surroundings(case)) != before:
        if time.monotonic() > deadline:
            return f"left behind: {after}, was {before}"
        time.sleep(0.001)
    return None


def dishonest(case, claim):
    """What is claimed and is not true."""
    objective, coef, intercept = claim.objective, claim.coef, claim.intercept
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        return f"coefficients {coef}, intercept {intercept}"
    if claim.gap is not None and coef.dtype != case.dtype:
        return f"coefficients of dtype {coef.dtype}"
    if case.positive and (coef < 0).any():
        return "negative coefficients"
    idle = abs(coef[..., ~objective.X.any(axis=0)]).max(initial=0.0)
    if idle > 1e-9 * abs(coef).max() and case.warm == "no":
        return f"coefficients {coef} of features that are zero"
    eps = 2.0**-22 if case.dtype == "float32" else 2.0**-49
    value, slack = objective(coef, intercept), objective.rounding(coef, intercept, eps)
    if max(abs(coef).max(), np.max(abs(intercept))) < np.finfo(coef.dtype).tiny:
        slack += case.tol * objective.scale()  # below that they may vanish where they do not matter
    told = claim.value is not None and value <= np.finfo(float).max  # beyond that it is infinite
    if told and abs(value - claim.value) > slack:
        return f"objective_ is {claim.value!r}, and is {float(value)!r} (rounding {float(slack):.1e})"
    if claim.gap is not None and not claim.gap >= 0:
        return f"dual_gap_ is {claim.gap}"
    return _beaten(case, claim, value, slack)


def _beaten(case, claim, value, slack):
    """Whether a model is better than the claim says that any can be."""
    objective = claim.objective
    gap = np.longdouble(np.inf if claim.gap is None else claim.gap)
    limit = case.tol * objective.scale()
    limit = limit if claim.converged and limit > 0 else np.inf
    # What the bound proves needs no better model to be looked for.
    if value - objective.bound(claim.coef, claim.intercept) <= min(gap, limit) + slack:
        return None
    best = best_found(case, objective)
    if value - best > gap + slack:
        return f"dual_gap_ is {claim.gap:.3e}, and a model is better by {float(value - best):.3e}"
    if value - best > limit + slack:
        return f"converged, and a model is better by {float(value - best):.3e} (tolerance {float(limit):.3e})"
    return None


def _slow(case, said):
    """Whether the default way did not arrive at an ordinary problem."""
    free = case.max_iter == 1000 and case.max_time is None
    if said and free and case.is_default() and case.is_ordinary():
        return f"slow: {said[0].message}"
    return None

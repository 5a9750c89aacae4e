"""Runs by their label: the histories of fitted estimators and of bare traces."""

from itertools import islice

from sklearn.utils.validation import check_is_fitted

from ..delays import writes
from ..executors.traces import Trace
from ..history import History
from ..metrics import last_step
from ..solvers.base import Arrival, Update

ONLY = "run"
"""Label of a run that was given without one."""


def check(name, value, choices):
    """Refuse a parameter that is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}.")


def by_label(runs):
    """Runs as ``{label: run}``."""
    if not isinstance(runs, dict):
        return {ONLY: runs}
    if not runs:
        raise ValueError("There is no run to draw: the dict is empty.")
    return runs


def fits_of(estimators):
    """Histories of one fitted estimator, or of a dict of them, and the estimators by the same labels, one for
    each of several targets."""
    histories, fits = {}, {}
    for label, estimator in by_label(estimators).items():
        if isinstance(estimator, History):
            raise TypeError("from_estimator needs a fitted estimator; for a History, use from_history.")
        check_is_fitted(estimator)
        fit = last_step(estimator)
        history = getattr(fit, "history_", None)
        if not isinstance(history, History | list):
            raise TypeError(
                f"{type(fit).__name__} has no history_; give a fitted estimator of this package, or a "
                f"pipeline or search around one."
            )
        several = isinstance(history, list)
        own = {f"{label}, target {t}": h for t, h in enumerate(history)} if several else {label: history}
        histories |= own
        fits |= dict.fromkeys(own, fit)
    return histories, fits


def histories_of_traces(traces, n_updates, solver):
    """What a run of every trace would record of who reads and writes when, if every step were a full one."""
    return {label: _history_of(trace, n_updates, solver) for label, trace in by_label(traces).items()}


def _history_of(trace, n_updates, solver):
    if not isinstance(trace, Trace):
        raise TypeError(
            f"from_trace needs a Trace, not {type(trace).__name__}; for fits, use from_estimator."
        )
    if trace.recorded is not None:
        return trace.recorded
    check("solver", solver or "bcd", ("bcd", "piag"))
    history, m = History(), trace.n_workers
    history.solver, history.executor = trace.solver or solver or "bcd", "Simulated"
    history.n_workers = history.n_granted = history.n_blocks = m
    schedule = writes(trace.events(), m, None if history.solver == "bcd" else m)
    for k, (now, arrivals, stamps) in enumerate(islice(schedule, n_updates)):
        arrivals = tuple(Arrival(*arrival) for arrival in arrivals)
        history.add_update(Update(k, k - min(stamps), 1.0, "task", arrivals), now)
    return history


def checked(histories, recorded=True):
    """Histories by label; ``recorded``: each must have recorded its updates."""
    histories = by_label(histories)
    for label, history in histories.items():
        if not isinstance(history, History):
            raise TypeError(
                f"from_history needs a History, not {type(history).__name__}; for estimators, use "
                f"from_estimator."
            )
        if recorded and history.record is None:
            raise ValueError(
                f"{run_name(label)} was not recorded (record=None); fit with record='updates' to draw it."
            )
        if recorded and len(history.updates) == 0:
            raise ValueError(f"{run_name(label)} has no updates to draw: it ended before its first write.")
    return histories


def run_name(label):
    """The run in a sentence."""
    return "The run" if label == ONLY else f"The run {label!r}"


def worker_names(label, count):
    """Names of the rows of a run's workers."""
    return [f"worker {i}" if label == ONLY else f"{label}, worker {i}" for i in range(count)]


def clock_of(histories):
    """``"virtual"`` for simulated runs, ``"seconds"`` for others."""
    clocks = {"virtual" if h.executor == "Simulated" else "seconds" for h in histories.values()}
    if len(clocks) > 1:
        raise ValueError(
            "Virtual time of simulated runs and seconds of real runs do not fit on one axis; draw them on "
            "two, or against updates or passes."
        )
    return clocks.pop()

"""Bare schedules as histories, so that the displays of runs draw them as well."""

from itertools import islice

from ..executors.schedules import writes
from ..executors.traces import Trace
from ..history import History
from ..solvers.base import Arrival, Update
from ._runs import by_label


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
    if solver not in (None, "bcd", "piag"):
        raise ValueError(f"solver must be 'bcd' or 'piag', not {solver!r}.")
    history, m = History(), trace.n_workers
    history.solver, history.executor = trace.solver or solver or "bcd", "Simulated"
    history.n_workers = history.n_granted = history.n_blocks = m
    schedule = writes(trace.events(), m, None if history.solver == "bcd" else m)
    for k, (now, arrivals, stamps) in enumerate(islice(schedule, n_updates)):
        arrivals = tuple(Arrival(*arrival) for arrival in arrivals)
        history.add_update(Update(k, k - min(stamps), 1.0, "task", arrivals), now)
    return history

"""Bare schedules as histories, so that the displays of runs draw them as well."""

from itertools import count, islice

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
    history = History()
    history.solver, history.executor = trace.solver or solver or "bcd", "Simulated"
    history.n_workers = history.n_granted = history.n_blocks = trace.n_workers
    writes = _writes(trace, by_block=history.solver == "bcd")
    for index, (now, delay, arrivals) in enumerate(islice(writes, n_updates)):
        history.add_update(Update(index, delay, 1.0, "task", arrivals), now)
    return history


def _writes(trace, by_block):
    """Time, delay and arrivals of every write; of PIAG with one shard per worker."""
    reads, stamps, arrivals, clock, k = {}, {}, [], count(), 0
    for now, asks, tells in trace.events():
        for worker in asks:
            # While PIAG's table fills, nobody serves a shard again.
            if by_block or worker not in stamps or len(stamps) == trace.n_workers:
                reads[worker] = k, next(clock)
        told = [worker for worker in tells if worker in reads]
        for batch in [[worker] for worker in told] if by_block else [told]:
            fresh = [Arrival(worker, worker, *reads.pop(worker), next(clock)) for worker in batch]
            arrivals += fresh
            stamps.update((arrival.worker, arrival.stamp) for arrival in fresh)
            if by_block or (fresh and len(stamps) == trace.n_workers):
                oldest = fresh[0].stamp if by_block else min(stamps.values())
                yield now, k - oldest, tuple(arrivals)
                arrivals, k = [], k + 1

"""What a replay repeats of a recorded run: the order of asks and tells, and who has done what."""

from collections import defaultdict, deque
from itertools import pairwise

from .schedules import together


class Recorded:
    """Asks and tells of a recorded run, in their order: a schedule."""

    def __init__(self, history):
        self._events, self.n_rows = _events(history), len(history.updates)

    def __iter__(self):
        pairs = pairwise([(-1,), *self._events])
        return together(
            (time, worker, position > last + 1) for (last, *_), (position, time, worker, _) in pairs
        )


def visits(history):
    """The blocks or shards of every worker, in turn."""
    visits = defaultdict(list)
    for _, _, worker, block, _ in _tasks(history):
        if block >= 0:
            visits[worker].append(block)
    return visits


def places(history):
    """The places of every worker's results, in turn, among its tasks in flight, the oldest first: a cluster's
    need not come in the order they were asked for."""
    flights, places = defaultdict(list), defaultdict(deque)
    for _, time, worker, asked in _events(history):
        flight = flights[worker]
        if time is None:
            flight.append(asked)
        else:
            places[worker].append(flight.index(asked))
            flight.remove(asked)
    return places


def _events(history):
    """Asks and tells, in order, as tuples ``(position, time, worker, asked)``; asks have no time."""
    tasks = _tasks(history)
    events = [(told, time, worker, asked) for asked, told, worker, _, time in tasks if told >= 0]
    return sorted(events + [(asked, None, worker, asked) for asked, _, worker, *_ in tasks])


def _tasks(history):
    """Every task, in the order of the asks, as tuples ``(asked, told, worker, block, time)``: of what was
    dropped, told is -1; a result that waited for others to make an update with it has its time."""
    when = dict(history.updates[["update", "time"]].tolist())
    tasks = [(a, t, worker, -1, time) for _, time, *_, worker, a, t in history.certificates.tolist()]
    tasks += [(a, t, worker, block, when[k]) for k, worker, block, _, a, t in history.arrivals.tolist()]
    tasks += [(a, t, worker, block, time) for _, time, worker, block, a, t in history.shares.tolist()]
    tasks += [(a, -1, worker, block, None) for worker, block, a in history.unfinished.tolist()]
    # A result may have led to a certificate and to a write.
    return sorted({task[0]: task for task in tasks if task[2] >= 0}.values())

"""Delays: arithmetic on stamps, tables of delays, and the delays of every write along a schedule.

A task carries the :class:`Stamp` of its read: how many writes had been applied, and how much
step length they had used. When its result is written, the delay and the step length of the window
between are two subtractions: no buffer of past steps and no bound on the delay [1]_.

References
----------
.. [1] X. Wu, S. Magnússon, H. R. Feyzmahdavian, M. Johansson. Delay-adaptive step-sizes for
   asynchronous learning. ICML 2022.
"""

from collections import deque
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

COUNTS = (
    "A trace needs integer delays: they count writes and are no times (for times there is Trace.from_events)"
)


class Stamp(NamedTuple):
    """What a read remembers of the writes before it.

    See Also
    --------
    DelayTracker : Makes stamps, and measures by them.

    Examples
    --------
    >>> from sk_asyncprox.delays import DelayTracker
    >>> tracker = DelayTracker()
    >>> read = tracker.stamp()
    >>> tracker.advance(0.5)
    >>> tracker.stamp()
    Stamp(update=1, total=0.5)
    """

    update: int
    """Number of writes applied when the read was made."""

    total: float
    """Sum of their steps, in units of the policy's largest step."""


class DelayTracker:
    """Counts the writes and the step length they used (in units of the largest step).

    See Also
    --------
    Stamp : What a task carries.
    sk_asyncprox.theory.window_sums : The same of recorded delays and steps.

    Examples
    --------
    >>> from sk_asyncprox.delays import DelayTracker
    >>> tracker = DelayTracker()
    >>> read = tracker.stamp()
    >>> tracker.advance(0.5)
    >>> tracker.advance(0.25)
    >>> tracker.measure(read)
    (2, 0.75)
    """

    def __init__(self):
        self.update, self.total = 0, 0.0

    def stamp(self):
        """Return the stamp of a read made now."""
        return Stamp(self.update, self.total)

    def measure(self, *stamps):
        """Delay and window sum of a write that rests on the reads ``stamps``.

        Returns
        -------
        delay : int
            Writes since the oldest of the reads.
        window : float
            Sum of the steps of those writes.
        """
        oldest = min(stamps)
        return self.update - oldest.update, self.total - oldest.total

    def advance(self, step):
        """Count one write with the given step (zero steps count as writes)."""
        self.update += 1
        self.total += step


def writes(events, n_workers, n_shards=None):
    """Every write along a schedule: its time, what has arrived for it, as tuples ``(worker, shard, stamp,
    asked, told)``, and the stamps of all that it rests on: of Async-BCD its one result, of PIAG, with a
    number of shards, the table of their newest gradients, which has to be full."""
    # Every worker serves its shards in turn; while the table fills, none a second time.
    turns = [deque(range(worker, n_shards or n_workers, n_workers)) for worker in range(n_workers)]
    reads, stamps, arrivals, clock, k = {}, {}, [], count(), 0
    for now, asks, tells in events:
        for worker in asks:
            turn = turns[worker]
            if n_shards is None or (turn and (len(stamps) == n_shards or turn[0] not in stamps)):
                reads[worker] = turn[0], k, next(clock)
                turn.rotate(-1)
        told = [(worker, *reads.pop(worker), next(clock)) for worker in tells if worker in reads]
        for batch in [[one] for one in told] if n_shards is None else [told]:
            arrivals += batch
            stamps.update((shard, stamp) for _, shard, stamp, *_ in batch)
            if n_shards is None or (batch and len(stamps) == n_shards):
                rests_on = [batch[0][2]] if n_shards is None else [stamps[shard] for shard in range(n_shards)]
                yield now, arrivals, rests_on
                arrivals, k = [], k + 1


def ages(events, n_workers, n_shards=None):
    """Ages at every write along a schedule: its delay, or those of the table's entries."""
    for k, (_, _, stamps) in enumerate(writes(events, n_workers, n_shards)):
        yield [k - stamp for stamp in stamps]


def recorded_delays(history, n_workers):
    """The same of a recorded run."""
    if history.solver == "bcd":
        return history.updates["delay"]
    arrivals, stamps = history.arrivals, np.zeros((len(history.updates), n_workers), dtype=np.int64)
    stamps[arrivals["update"], arrivals["worker"]] = arrivals["stamp"]
    return np.arange(len(stamps))[:, None] - np.maximum.accumulate(stamps)


def read_delays(path):
    """Table of a text file: numbers between commas, semicolons, tabs or blanks, with or without a header."""
    lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    rows = [(number, _cells(line.split("#")[0])) for number, line in enumerate(lines, 1)]
    rows = [(number, cells, list(map(_value, cells))) for number, cells in rows if cells]
    if rows and all(value is None for value in rows[0][2]):
        del rows[0]
    if not rows:
        raise ValueError(f"{path} holds no delays.")
    first, width = rows[0][0], len(rows[0][1])
    for number, cells, values in rows:
        if len(cells) != width:
            raise ValueError(f"{path}, line {number} has {len(cells)} columns, and line {first} has {width}.")
        for column, (cell, value) in enumerate(zip(cells, values, strict=True), 1):
            if value is None or value % 1.0 != 0.0:
                raise ValueError(f"{path}, line {number}, column {column} holds {cell!r}. {COUNTS}.")
    return np.array([values for *_, values in rows])


def integer_delays(delays):
    try:
        raw = np.asarray(delays, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{COUNTS}.") from None
    if raw.ndim not in (1, 2) or raw.size == 0:
        raise ValueError("A trace needs at least one row of delays.")
    raw = raw.reshape(len(raw), -1)
    if not np.all(np.isfinite(raw)) or np.any(raw != np.round(raw)):
        raise ValueError(f"{COUNTS}.")
    if raw.min() < 0:
        row = int(np.argwhere(raw < 0)[0, 0])
        raise ValueError(f"Row {row} of the trace has a negative delay, a read from the future.")
    return raw.astype(np.int64)


def _cells(line):
    sign = next((sign for sign in ",;\t" if sign in line), None)
    return [cell.strip() for cell in line.split(sign)] if line.strip() else []


def _value(cell):
    try:
        return float(cell)
    except ValueError:
        return None

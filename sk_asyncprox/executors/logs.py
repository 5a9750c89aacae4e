"""Logs that people keep: files of delays, and times of reads and writes."""

import heapq
from itertools import pairwise
from pathlib import Path

import numpy as np

from .schedules import together

COUNTS = (
    "A trace needs integer delays: they count writes and are no times (for times there is Trace.from_events)"
)


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


def _cells(line):
    sign = next((sign for sign in ",;\t" if sign in line), None)
    return [cell.strip() for cell in line.split(sign)] if line.strip() else []


def _value(cell):
    try:
        return float(cell)
    except ValueError:
        return None


def integer_delays(delays):
    """Delays as a table of whole numbers, checked."""
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


class Events:
    """Times of reads and writes; after the last write all begin again.

    What is written at the same time is written together. A read at the time of a write comes after it.
    """

    def __init__(self, reads, writes, workers):
        self.reads, self.writes = _times(reads, "reads"), _times(writes, "writes")
        if len(self.reads) != len(self.writes):
            raise ValueError(f"There are {len(self.reads)} reads and {len(self.writes)} writes.")
        late = np.flatnonzero(self.reads >= self.writes)
        if len(late):
            k = late[0]
            raise ValueError(f"Row {k} reads at {self.reads[k]}, not before its write at {self.writes[k]}.")
        self.workers = self._hire() if workers is None else self._checked(list(workers))
        self.n_rows, self.n_workers = len(self.writes), int(self.workers.max()) + 1

    def _hire(self):
        """Workers for intervals laid side by side."""
        busy, free, workers = [], [], np.empty(len(self.reads), dtype=np.int64)
        for k in np.argsort(self.reads, kind="stable"):
            while busy and busy[0][0] <= self.reads[k]:
                heapq.heappush(free, heapq.heappop(busy)[1])
            workers[k] = heapq.heappop(free) if free else len(busy)
            heapq.heappush(busy, (self.writes[k], workers[k]))
        return workers

    def _checked(self, names):
        if len(names) != len(self.reads):
            raise ValueError(f"There are {len(self.reads)} reads and {len(names)} workers.")
        number = {name: i for i, name in enumerate(dict.fromkeys(names))}
        last = {}
        for k in np.argsort(self.reads, kind="stable"):
            before = last.get(names[k])
            if before is not None and self.reads[k] < self.writes[before]:
                raise ValueError(
                    f"Row {k}: worker {names[k]!r} reads at {self.reads[k]}, before its write at "
                    f"{self.writes[before]} (row {before}). Leave workers out where one has several tasks at "
                    "a time."
                )
            last[names[k]] = k
        return np.array([number[name] for name in names])

    def __iter__(self):
        # Writes come before reads of the same time.
        events = [(time, False, k) for k, time in enumerate(self.writes.tolist())]
        events += [(time, True, k) for k, time in enumerate(self.reads.tolist())]
        events.sort()
        first, last = events[0][0], events[-1][0]
        shift = -first
        while True:
            yield from together(
                (None if reads else time + shift, int(self.workers[k]), time > before)
                for (before, *_), (time, reads, k) in pairwise([events[0], *events])
            )
            shift += last - first


def _times(times, name):
    try:
        array = np.asarray(times).astype(float)
    except (TypeError, ValueError):
        raise ValueError(f"The {name} must be times.") from None
    if array.ndim != 1 or len(array) == 0 or not np.all(np.isfinite(array)):
        raise ValueError(f"The {name} must be finite times, one for each write and at least one.")
    return array

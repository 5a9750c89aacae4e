"""Schedules: the orders of asks and tells behind a trace, made of delays, of random times, or of logs.

Each is an iterable of ``(time, asks, tells)``: first the workers in ``asks`` read, then the results of the
workers in ``tells`` arrive together.
"""

import heapq
from collections import defaultdict
from itertools import count, cycle, islice, pairwise

import numpy as np

# Draw one service time of the given mean; `shape` is sigma of the log-normal, the tail index of Pareto.
DISTRIBUTIONS = {
    "deterministic": lambda rng, mean, shape: mean,
    "exponential": lambda rng, mean, shape: rng.exponential(mean),
    "lognormal": lambda rng, mean, shape: mean * rng.lognormal(-0.5 * shape**2, shape),
    "pareto": lambda rng, mean, shape: mean * (shape - 1.0) / shape * (1.0 + rng.pareto(shape)),
}
SHAPES = {"lognormal": 1.0, "pareto": 2.0}


class Delays:
    """One delay per update; workers are found by laying the (read, arrival) intervals side by side."""

    hires = True  # whether workers are found; else every column has its own

    def __init__(self, delays):
        self._keep(delays[:, None], np.ones((len(delays), 1), dtype=bool))
        # Two rounds of the log show all there is.
        known = islice(self, 2 * self.n_rows + self._largest)
        self.n_workers = 1 + max(max(asks, default=0) for _, asks, _ in known)

    def _keep(self, ages, arrived):
        self.n_rows, self._largest, self._rows = len(ages), int(ages.max()), [[] for _ in ages]
        for k, column in np.argwhere(arrived).tolist():
            self._rows[k].append((column, int(ages[k, column])))

    def __iter__(self):
        reads, holders, free = defaultdict(list), defaultdict(list), []
        ahead, hired = enumerate(cycle(self._rows)), count()
        for k in count():
            for arrival, row in islice(ahead, 1 if k else self._largest + 1):
                for column, age in row:
                    reads[max(0, arrival - age)].append((arrival, column))
            asks = []
            for arrival, worker in reads.pop(k, ()):
                if self.hires:
                    worker = heapq.heappop(free) if free else next(hired)
                holders[arrival].append(worker)
                asks.append(worker)
            tells = sorted(holders.pop(k))
            yield float(k + 1), asks, tells
            if self.hires:
                heapq.heappush(free, *tells)


class Ages(Delays):
    """Ages of the gradient table's entries: a worker has arrived where its stamp changes."""

    hires = False

    def __init__(self, ages):
        stamps = np.maximum(np.arange(len(ages))[:, None] - ages, 0)
        arrived = np.ones(ages.shape, dtype=bool)
        arrived[1:] = stamps[1:] != stamps[:-1]
        empty = np.flatnonzero(~arrived.any(axis=1))
        if len(empty):
            raise ValueError(f"Row {empty[0]} of the trace renews no worker, so it is not an update.")
        last = np.zeros(stamps.shape[1], dtype=int)
        for k, (row, new) in enumerate(zip(stamps, arrived, strict=True)):
            if k and np.any(row[new] <= last[new]):
                raise ValueError(f"Row {k} of the trace has a result read before its worker's last arrival.")
            last[new] = k
        self._keep(ages, arrived)
        self.n_workers = ages.shape[1]


class ServiceTimes:
    """Workers that ask again as soon as they have told; results that end together arrive together."""

    def __init__(self, mean, distribution, shape, burst_probability, burst_factor, seed):
        if distribution not in DISTRIBUTIONS:
            raise ValueError(f"distribution must be one of {sorted(DISTRIBUTIONS)}, not {distribution!r}.")
        shape = SHAPES.get(distribution) if shape is None else shape
        if shape is not None and not shape > (1.0 if distribution == "pareto" else 0.0):
            raise ValueError(f"shape={shape!r} is too small for the {distribution} distribution.")
        if not (0.0 <= burst_probability <= 1.0 and burst_factor >= 1.0):
            raise ValueError("Bursts need a probability in [0, 1] and a factor of at least 1.")
        self.mean, self.distribution, self.shape = mean, distribution, shape
        self.burst_probability, self.burst_factor, self.seed = burst_probability, burst_factor, seed

    def _draw(self, rng, mean):
        time = DISTRIBUTIONS[self.distribution](rng, mean, self.shape)
        if self.burst_probability and rng.random() < self.burst_probability:
            time *= self.burst_factor
        return time

    def __iter__(self):
        seeds = np.random.SeedSequence(self.seed).spawn(len(self.mean))
        streams, asks = list(map(np.random.default_rng, seeds)), list(range(len(seeds)))
        now, ends = 0.0, []
        while True:
            for i in asks:
                heapq.heappush(ends, (now + self._draw(streams[i], self.mean[i]), i))
            now, tells = ends[0][0], []
            while ends and ends[0][0] == now:
                tells.append(heapq.heappop(ends)[1])
            yield now, asks, tells
            asks = tells


def together(events):
    """``(time, asks, tells)`` of single events ``(time, worker, apart)``, asks without a time: results that
    are not apart from the one before arrive together, at the earliest of their times."""
    now, asks, tells = np.inf, [], []
    for time, worker, apart in events:
        if tells and (time is None or apart):
            yield now, asks, tells
            now, asks, tells = np.inf, [], []
        if time is None:
            asks.append(worker)
        else:
            tells.append(worker)
            now = min(now, time)
    if tells:
        yield now, asks, tells


def means_of(mean, n_workers):
    if np.ndim(mean) == 0:
        if n_workers is None:
            raise ValueError("from_service_times needs n_workers when mean is a single number.")
        mean = np.full(positive_count(n_workers), mean, dtype=float)
    mean = np.asarray(mean, dtype=float)
    if mean.ndim != 1 or len(mean) == 0 or not np.all((mean > 0) & np.isfinite(mean)):
        raise ValueError("Mean service times must be positive and finite.")
    if n_workers is not None and len(mean) != n_workers:
        raise ValueError(f"mean has {len(mean)} entries for n_workers={n_workers}.")
    return mean


def positive_count(n_workers):
    if int(n_workers) != n_workers or n_workers < 1:
        raise ValueError(f"n_workers must be a positive integer, not {n_workers!r}.")
    return int(n_workers)


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
        for shift in count(-first, last - first):
            yield from together(
                (None if reads else time + shift, int(self.workers[k]), time > before)
                for (before, *_), (time, reads, k) in pairwise([events[0], *events])
            )


def _times(times, name):
    try:
        array = np.asarray(times).astype(float)
    except (TypeError, ValueError):
        raise ValueError(f"The {name} must be times.") from None
    if array.ndim != 1 or len(array) == 0 or not np.all(np.isfinite(array)):
        raise ValueError(f"The {name} must be finite times, one for each write and at least one.")
    return array


class Recorded:
    """Asks and tells of a recorded run, in their order."""

    def __init__(self, history):
        self._events, self.n_rows = history.events(), len(history.updates)

    def __setstate__(self, state):
        events = state["_events"]
        if isinstance(events, dict):  # of older pickles: the time and the worker by position, in any order
            events = sorted((position, *event, -1) for position, event in events.items())
        vars(self).update(state | {"_events": events})

    def __iter__(self):
        pairs = pairwise([(-1,), *self._events])
        return together(
            (time, worker, position > last + 1) for (last, *_), (position, time, worker, _) in pairs
        )

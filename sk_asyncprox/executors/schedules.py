"""Schedules: the orders of asks and tells behind a trace.

Each is an iterable of ``(time, asks, tells)``: first the workers in ``asks`` read, then the results of the
workers in ``tells`` arrive together.
"""

import heapq
from collections import defaultdict, deque
from itertools import chain, count, cycle, islice, pairwise

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

    hires = True
    """Whether workers are found; else every column has its own."""

    def __init__(self, delays):
        self._keep(delays[:, None], np.ones((len(delays), 1), dtype=bool))
        # Two rounds of the log show all there is.
        known = islice(self, 2 * self.n_rows + self._largest)
        self.n_workers = 1 + max(max(asks, default=0) for _, asks, _ in known)

    def _keep(self, ages, arrived):
        self._ages, self._arrived = ages, arrived
        self.n_rows, self._largest = len(ages), int(ages.max())

    def _rows(self):
        for ages, arrived in zip(self._ages, self._arrived, strict=True):
            columns = np.flatnonzero(arrived)
            yield list(zip(columns.tolist(), ages[columns].tolist(), strict=True))

    def __iter__(self):
        reads, holders, free = defaultdict(list), defaultdict(list), []
        ahead, hired = enumerate(cycle(self._rows())), count()
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
        self._check(stamps, arrived)
        self._keep(ages, arrived)
        self.n_workers = ages.shape[1]

    @staticmethod
    def _check(stamps, arrived):
        empty = np.flatnonzero(~arrived.any(axis=1))
        if len(empty):
            raise ValueError(f"Row {empty[0]} of the trace renews no worker, so it is not an update.")
        last = np.zeros(stamps.shape[1], dtype=int)
        for k, (row, new) in enumerate(zip(stamps, arrived, strict=True)):
            if k and np.any(row[new] <= last[new]):
                raise ValueError(f"Row {k} of the trace has a result read before its worker's last arrival.")
            last[new] = k


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
        streams = [np.random.default_rng(seed) for seed in seeds]
        ends = [(self._draw(rng, m), i) for i, (rng, m) in enumerate(zip(streams, self.mean, strict=True))]
        heapq.heapify(ends)
        asks = list(range(len(self.mean)))
        while True:
            now = ends[0][0]
            tells = []
            while ends and ends[0][0] == now:
                tells.append(heapq.heappop(ends)[1])
            yield now, asks, tells
            for i in tells:
                heapq.heappush(ends, (now + self._draw(streams[i], self.mean[i]), i))
            asks = tells


class Recorded:
    """Asks and tells of a recorded run, in their order."""

    def __init__(self, history):
        self._events, self.n_rows = {}, len(history.updates)
        when = dict(zip(history.updates["update"], history.updates["time"], strict=True))
        for row in history.arrivals:
            # A result that waited for others to make an update with it has the time of the update.
            self._add(row, when[row["update"]])
        for row in chain(history.certificates, history.shares):
            if row["worker"] >= 0:
                self._add(row, row["time"])
        for worker, asked in history.unfinished.tolist():
            self._events[asked] = None, worker

    def _add(self, row, time):
        self._events[int(row["asked"])] = None, int(row["worker"])
        self._events[int(row["told"])] = float(time), int(row["worker"])

    def __iter__(self):
        events = pairwise([(-1, None), *sorted(self._events.items())])
        return together((*event, position > before + 1) for (before, _), (position, event) in events)


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
    """Mean service time of every worker."""
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
    """The number of workers, checked."""
    if int(n_workers) != n_workers or n_workers < 1:
        raise ValueError(f"n_workers must be a positive integer, not {n_workers!r}.")
    return int(n_workers)


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
    stamps, ages = np.zeros(n_workers, dtype=np.int64), []
    arrivals = history.arrivals
    starts = np.searchsorted(arrivals["update"], np.arange(len(history.updates) + 1))
    for k, (a, b) in enumerate(pairwise(starts)):
        stamps[arrivals["worker"][a:b]] = arrivals["stamp"][a:b]
        ages.append(k - stamps)
    return np.array(ages, dtype=np.int64)

"""Traces: schedules of asks and tells.

Who reads when and whose result arrives when does not depend on the iterates. So a log of real delays,
random service times and yesterday's threaded run are one kind of object: an order of asks and tells.
"""

import heapq
import itertools
import os
from collections import defaultdict

import numpy as np

DISTRIBUTIONS = {
    "deterministic": lambda rng, mean: mean,
    "exponential": lambda rng, mean: rng.exponential(mean),
}


class Trace:
    """Order of asks and tells, with virtual times. Make one with the class methods.

    Attributes
    ----------
    n_workers : int
        Workers in the schedule.
    solver : {"bcd", "piag"} or None
        The solver the schedule is meant for; None for both.
    max_delay : int or None
        Largest delay, when the schedule tells it in advance.
    recorded : History or None
        The run this trace replays.
    """

    def __init__(self, n_workers, events, solver=None, max_delay=None, recorded=None):
        self.n_workers, self.solver, self.max_delay = n_workers, solver, max_delay
        self.recorded, self._events = recorded, events

    def __repr__(self):
        return f"<Trace of {self.n_workers} worker(s), {type(self._events).__name__.strip('_').lower()}>"

    def events(self):
        """Iterate over ``(time, asks, tells)``: first the workers in ``asks`` read, then the results of
        the workers in ``tells`` arrive together."""
        return iter(self._events)

    @classmethod
    def from_delays(cls, delays):
        """Schedule of a log of delays; after its last row it starts again.

        Parameters
        ----------
        delays : array-like of int, or path of a CSV file
            One column: Async-BCD, the delay of every update. ``m`` columns: PIAG, at every update the
            age of each worker's entry in the gradient table. Update ``k`` takes row ``k mod K``,
            clipped to ``k``.

        Returns
        -------
        Trace

        Raises
        ------
        ValueError
            If an entry is not an integer or is negative (a read from the future), or if the rows of a
            PIAG log do not follow from one another.
        """
        if isinstance(delays, str | os.PathLike):
            delays = np.loadtxt(delays, delimiter=",", ndmin=2)
        array = _integer_delays(delays)
        if array.shape[1] == 1:
            schedule = _Delays(array[:, 0])
            return cls(schedule.n_workers(), schedule, "bcd", int(array.max()))
        return cls(array.shape[1], _Ages(array), "piag", int(array.max()))

    @classmethod
    def constant(cls, n_workers):
        """Steady round robin: every delay is ``n_workers - 1`` once all workers have begun."""
        n_workers = _positive_count(n_workers)
        return cls(n_workers, _Delays(np.array([n_workers - 1])), None, n_workers - 1)

    @classmethod
    def from_service_times(cls, mean, n_workers=None, distribution="exponential", random_state=None):
        """Schedule of workers that need random times for their tasks.

        Parameters
        ----------
        mean : float or array-like of shape (n_workers,)
            Mean service time; an array gives every worker its own.
        n_workers : int, optional
            Needed when ``mean`` is a number.
        distribution : {"exponential", "deterministic"}
            Law of the service times.
        random_state : int or None
            Seed; the default is 0, so that a trace is always the same.

        Returns
        -------
        Trace
        """
        if np.ndim(mean) == 0:
            if n_workers is None:
                raise ValueError("from_service_times needs n_workers when mean is a single number.")
            mean = np.full(_positive_count(n_workers), mean, dtype=float)
        mean = np.asarray(mean, dtype=float)
        if n_workers is not None and len(mean) != n_workers:
            raise ValueError(f"mean has {len(mean)} entries for n_workers={n_workers}.")
        if mean.ndim != 1 or len(mean) == 0 or not np.all((mean > 0) & np.isfinite(mean)):
            raise ValueError("Mean service times must be positive and finite.")
        if distribution not in DISTRIBUTIONS:
            raise ValueError(f"distribution must be one of {sorted(DISTRIBUTIONS)}, not {distribution!r}.")
        return cls(len(mean), _ServiceTimes(mean, distribution, random_state or 0))

    @classmethod
    def from_history(cls, history):
        """Schedule of a recorded run, with the order of its asks and tells.

        Parameters
        ----------
        history : History
            Of a run with ``record="updates"`` or ``"iterates"``.

        Returns
        -------
        Trace
        """
        if history.record is None:
            raise ValueError("The run was not recorded (record=None), so it cannot be replayed.")
        return cls(history.n_workers, _Recorded(history), history.solver, None, history)


def _positive_count(n_workers):
    if int(n_workers) != n_workers or n_workers < 1:
        raise ValueError(f"n_workers must be a positive integer, not {n_workers!r}.")
    return int(n_workers)


def _integer_delays(delays):
    try:
        raw = np.asarray(delays, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("A trace needs integer delays.") from None
    if raw.ndim not in (1, 2) or raw.size == 0:
        raise ValueError("A trace needs at least one row of delays.")
    raw = raw.reshape(len(raw), -1)
    if not np.all(np.isfinite(raw)) or np.any(raw != np.round(raw)):
        raise ValueError("A trace needs integer delays.")
    if raw.min() < 0:
        row = int(np.argwhere(raw < 0)[0, 0])
        raise ValueError(f"Row {row} of the trace has a negative delay, a read from the future.")
    return raw.astype(np.int64)


class _Delays:
    """One delay per update; workers are found by laying the (read, arrival) intervals side by side."""

    def __init__(self, delays):
        self.delays = delays

    def _read(self, k):
        return k - min(int(self.delays[k % len(self.delays)]), k)

    def n_workers(self):
        """Most tasks ever in flight at once; two rounds of the log show all there is."""
        horizon = 2 * len(self.delays) + int(self.delays.max()) + 1
        change = np.zeros(horizon + 1, dtype=int)
        for k in range(horizon):
            change[self._read(k)] += 1
            change[k + 1] -= 1
        return int(np.cumsum(change).max())

    def __iter__(self):
        reads, worker_of, free = defaultdict(list), {}, []
        ahead, hired, horizon = 0, 0, int(self.delays.max())
        for k in itertools.count():
            while ahead <= k + horizon:
                reads[self._read(ahead)].append(ahead)
                ahead += 1
            asks = []
            for arrival in reads.pop(k, ()):
                if free:
                    worker = heapq.heappop(free)
                else:
                    worker, hired = hired, hired + 1
                worker_of[arrival] = worker
                asks.append(worker)
            worker = worker_of.pop(k)
            yield float(k + 1), asks, [worker]
            heapq.heappush(free, worker)


class _Ages:
    """Ages of the gradient table's entries: a worker has arrived where its stamp changes."""

    def __init__(self, ages):
        self.ages = ages
        stamps = np.maximum(np.arange(len(ages))[:, None] - ages, 0)
        self.arrived = np.ones(ages.shape, dtype=bool)
        self.arrived[1:] = stamps[1:] != stamps[:-1]
        self._check(stamps)

    def _check(self, stamps):
        empty = np.flatnonzero(~self.arrived.any(axis=1))
        if len(empty):
            raise ValueError(f"Row {empty[0]} of the trace renews no worker, so it is not an update.")
        last = np.zeros(stamps.shape[1], dtype=int)
        for k, (row, arrived) in enumerate(zip(stamps, self.arrived, strict=True)):
            if k and np.any(row[arrived] <= last[arrived]):
                raise ValueError(f"Row {k} of the trace has a result read before its worker's last arrival.")
            last[arrived] = k

    def __iter__(self):
        reads = defaultdict(list)
        ahead, horizon, rows = 0, int(self.ages.max()), len(self.ages)
        for k in itertools.count():
            while ahead <= k + horizon:
                row = ahead % rows
                for worker in np.flatnonzero(self.arrived[row]):
                    reads[ahead - min(int(self.ages[row, worker]), ahead)].append(int(worker))
                ahead += 1
            yield float(k + 1), reads.pop(k, []), np.flatnonzero(self.arrived[k % rows]).tolist()


class _ServiceTimes:
    """Workers that ask again as soon as they have told; results that end together arrive together."""

    def __init__(self, mean, distribution, seed):
        self.mean, self.distribution, self.seed = mean, distribution, seed

    def __iter__(self):
        draw = DISTRIBUTIONS[self.distribution]
        seeds = np.random.SeedSequence(self.seed).spawn(len(self.mean))
        streams = [np.random.default_rng(seed) for seed in seeds]
        ends = [(draw(rng, m), i) for i, (rng, m) in enumerate(zip(streams, self.mean, strict=True))]
        heapq.heapify(ends)
        asks = list(range(len(self.mean)))
        while True:
            now = ends[0][0]
            tells = []
            while ends and ends[0][0] == now:
                tells.append(heapq.heappop(ends)[1])
            yield now, asks, tells
            for i in tells:
                heapq.heappush(ends, (now + draw(streams[i], self.mean[i]), i))
            asks = tells


class _Recorded:
    """Asks and tells of a recorded run, in their order."""

    def __init__(self, history):
        self.asks, self.tells, self.times = {}, defaultdict(list), {}
        when = dict(zip(history.updates["update"], history.updates["time"], strict=True))
        for row in history.arrivals:
            self._add(row["worker"], row["asked"], row["told"], when[row["update"]])
        for row in history.certificates:
            if row["worker"] >= 0:
                self._add(row["worker"], row["asked"], row["told"], row["time"])
        for worker, asked in history.unfinished:
            self.asks[int(asked)] = int(worker)

    def _add(self, worker, asked, told, time):
        self.asks[int(asked)] = int(worker)
        self.tells[int(told)].append(int(worker))
        self.times[int(told)] = float(time)

    def __iter__(self):
        asks = []
        for position in sorted({*self.asks, *self.tells}):
            if position in self.asks:
                asks.append(self.asks[position])
            else:
                yield self.times[position], asks, self.tells[position]
                asks = []

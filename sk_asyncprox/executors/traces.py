"""Traces: schedules of asks and tells, as objects.

Who reads when and whose result arrives when does not depend on the iterates. So a log of real delays,
random service times and yesterday's threaded run are one kind of object: an order of asks and tells.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from ..delays import ages, integer_delays, read_delays, recorded_delays
from ..history import History
from .schedules import Ages, Delays, Events, Recorded, ServiceTimes, means_of, positive_count

MOST_LOOKED_AT = 200_000
"""Updates of a schedule that are looked at for its largest delay."""

LOOKED_AT_BY_REPR = 1000
"""Updates of a schedule that its representation sums up."""


class Trace:
    """Order of asks and tells, with virtual times. Make one with the class methods.

    Parameters
    ----------
    n_workers, events, solver, max_delay, recorded
        What the class methods have found.

    Attributes
    ----------
    n_workers : int
        Workers in the schedule.
    solver : {"bcd", "piag"} or None
        The solver the schedule is meant for; None for both.
    max_delay : int or None
        Largest delay of a log, of a recorded run, or of Async-BCD in a steady round robin; None for random
        service times. :meth:`largest_delay` tells it of every trace.
    recorded : History or None
        The run this trace replays.

    See Also
    --------
    Simulated : Runs a solver along a trace.
    sk_asyncprox.inspection.DelayDisplay.from_trace : Draws its delays, as TimelineDisplay does its tasks.
    sk_asyncprox.history.History : What a run has recorded, which becomes a trace.

    Examples
    --------
    >>> from sk_asyncprox.executors import Trace
    >>> Trace.from_service_times([1.0] * 3 + [4.0], distribution="deterministic").delays(13, solver="bcd")
    array([ 0,  1,  2,  0,  1,  2,  0,  1,  2,  0,  1,  2, 12])
    """

    def __init__(self, n_workers, events, solver=None, max_delay=None, recorded=None):
        self.n_workers, self.solver, self.max_delay = n_workers, solver, max_delay
        self.recorded, self._events = recorded, events

    def __repr__(self):
        solver = self.solver or "bcd"
        delays = self.delays(LOOKED_AT_BY_REPR, solver)
        delays = delays.max(axis=1) if delays.ndim == 2 else delays
        facts = f"{len(delays)} first delays of {solver}"
        if len(delays):
            facts += f": mean {delays.mean():.1f}, largest {delays.max()}"
        return f"<Trace of {self.n_workers} worker(s), {type(self._events).__name__}; {facts}>"

    def events(self) -> Iterator:
        """Iterate over the schedule.

        Returns
        -------
        iterator of (time, asks, tells)
            First the workers in ``asks`` read, then the results of those in ``tells`` arrive together.
        """
        return iter(self._events)

    @classmethod
    def from_delays(cls, delays: ArrayLike | str | os.PathLike) -> Self:
        """Schedule of a log of delays; after its last row it starts again.

        Parameters
        ----------
        delays : array-like of int, or path of a CSV file
            One column: Async-BCD, the delay of every update. ``m`` columns: PIAG, at every update the
            age of each worker's entry in the gradient table. Update ``k`` takes row ``k mod K``,
            clipped to ``k``. A file has commas, semicolons, tabs or blanks, with or without a header.

        Returns
        -------
        Trace

        Raises
        ------
        ValueError
            If an entry is not an integer or is negative (a read from the future), or if the rows of a
            PIAG log do not follow from one another.
        """
        array = integer_delays(read_delays(delays) if isinstance(delays, str | os.PathLike) else delays)
        schedule, solver = (Delays(array[:, 0]), "bcd") if array.shape[1] == 1 else (Ages(array), "piag")
        return cls(schedule.n_workers, schedule, solver, int(array.max()))

    @classmethod
    def constant(cls, n_workers: int) -> Self:
        """Steady round robin: every delay is ``n_workers - 1`` once all workers have begun.

        Parameters
        ----------
        n_workers : int
            Workers that take turns.

        Returns
        -------
        Trace
        """
        n_workers = positive_count(n_workers)
        return cls(n_workers, Delays(np.array([n_workers - 1])), None, n_workers - 1)

    @classmethod
    def from_service_times(
        cls,
        mean: ArrayLike,
        n_workers: int | None = None,
        distribution: str = "exponential",
        random_state: int | None = None,
        *,
        shape: float | None = None,
        burst_probability: float = 0.0,
        burst_factor: float = 10.0,
    ) -> Self:
        """Schedule of workers that need random times for their tasks.

        Parameters
        ----------
        mean : float or array-like of shape (n_workers,)
            Mean service time (without bursts); an array gives every worker its own.
        n_workers : int, optional
            Needed when ``mean`` is a number.
        distribution : {"exponential", "deterministic", "lognormal", "pareto"}
            Law of the service times.
        random_state : int or None
            Seed; the default is 0, so that a trace is always the same.
        shape : float, optional
            Sigma of the log-normal law (default 1), tail index of the Pareto law (above 1, default 2).
        burst_probability : float
            Probability that a task takes ``burst_factor`` times as long.
        burst_factor : float
            How much longer, at least 1.

        Returns
        -------
        Trace
        """
        mean = means_of(mean, n_workers)
        times = ServiceTimes(mean, distribution, shape, burst_probability, burst_factor, random_state or 0)
        return cls(len(mean), times)

    @classmethod
    def from_events(cls, reads: ArrayLike, writes: ArrayLike, workers: Sequence | None = None) -> Self:
        """Schedule of the times at which tasks have read and written; after the last write it starts again.

        Parameters
        ----------
        reads, writes : array-like of shape (n_tasks,)
            Times of every task, in any unit and order. What was written at the same time is written together;
            a read at the time of a write comes after it.
        workers : array-like of shape (n_tasks,), optional
            Name of every task's worker; one worker has one task at a time. By default tasks are laid side by
            side on as few workers as can do them.

        Returns
        -------
        Trace

        Raises
        ------
        ValueError
            If a task reads when it has written already, or before its worker's last task was written.

        Examples
        --------
        >>> from sk_asyncprox.executors import Trace
        >>> trace = Trace.from_events([0.0, 0.0, 1.0, 2.0], [1.0, 2.5, 2.0, 3.0], ["a", "b", "a", "a"])
        >>> trace.delays(4, solver="bcd")
        array([0, 0, 2, 1])
        """
        events = Events(reads, writes, workers)
        return cls(events.n_workers, events)

    @classmethod
    def from_history(cls, history: History) -> Self:
        """Schedule of a recorded run, with the order of its asks and tells.

        Parameters
        ----------
        history : History
            Of a run with ``record="updates"`` or ``"iterates"``.

        Returns
        -------
        Trace

        Notes
        -----
        Runs are replayed with the same blocks, delays and steps, also where the workers shared no memory, as
        long as none of them was lost.
        """
        if history.record is None:
            raise ValueError("The run was not recorded (record=None), so it cannot be replayed.")
        largest = int(history.updates["delay"].max(initial=0))
        return cls(history.n_workers, Recorded(history), history.solver, largest, history)

    def delays(self, n_updates: int, solver: str | None = None) -> np.ndarray:
        """Delays of the first updates, in the layout of :meth:`from_delays`.

        Parameters
        ----------
        n_updates : int
            Number of rows; fewer when a recorded run ends before.
        solver : {"bcd", "piag"}, optional
            Needed when the schedule fits both.

        Returns
        -------
        ndarray of int, shape (n_updates,) for Async-BCD or (n_updates, n_workers) for PIAG
            For PIAG the ages of the gradient table with one shard per worker.
        """
        shards, m = self._shards(solver), self.n_workers
        if self.recorded is not None:
            return recorded_delays(self.recorded, m)[:n_updates]
        rows = list(islice(ages(self.events(), m, shards), n_updates))
        return np.array(rows, dtype=np.int64).reshape(len(rows), *([] if shards is None else [m]))

    def largest_delay(self, n_updates: int, solver: str | None = None, n_blocks: int | None = None) -> int:
        """Largest delay of the first updates.

        Parameters
        ----------
        n_updates : int
            Number of updates that are looked at; of more than 200,000 the first.
        solver : {"bcd", "piag"}, optional
            Needed when the schedule fits both.
        n_blocks : int, optional
            For PIAG the number of shards, which their workers serve in turn; by default one per worker.

        Returns
        -------
        int
        """
        shards = self._shards(solver, n_blocks)
        logged = shards is None or (isinstance(self._events, Ages) and shards == self.n_workers)
        if self.recorded is not None or (logged and self.max_delay is not None):
            return self.max_delay
        rows = ages(self.events(), self.n_workers, shards)
        return max(map(max, islice(rows, min(n_updates, MOST_LOOKED_AT))))

    def _shards(self, solver, n_shards=None):
        """Shards of the solver, by default one per worker; None for that of blocks, which has none."""
        solver = self.solver or solver
        if solver not in ("bcd", "piag"):
            raise ValueError("This schedule fits both solvers: say solver='bcd' or solver='piag'.")
        return None if solver == "bcd" else n_shards or self.n_workers

    def to_csv(
        self, path: str | os.PathLike, n_updates: int | None = None, solver: str | None = None
    ) -> None:
        """Write the delays of the first updates as a CSV file that :meth:`from_delays` reads.

        Parameters
        ----------
        path : str or path-like
            File to write.
        n_updates : int, optional
            Number of rows; by default those of the log or of the recorded run, else 1000.
        solver : {"bcd", "piag"}, optional
            Needed when the schedule fits both.
        """
        if n_updates is None:
            n_updates = getattr(self._events, "n_rows", 1000)
        np.savetxt(path, self.delays(n_updates, solver), fmt="%d", delimiter=",")

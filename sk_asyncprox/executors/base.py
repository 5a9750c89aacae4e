"""What an executor is, and what it tells of a run before the solver is built."""

from collections.abc import Callable
from typing import NamedTuple

from sklearn.base import BaseEstimator

SHARDS_PER_WORKER = 4
"""Shards that a worker beyond the caller's memory begins with: they move to faster workers one by one."""


class Plan(NamedTuple):
    """Facts of a run that the solver needs in advance."""

    n_workers: int
    """Workers that will really run."""

    solver: str | None = None
    """The only solver that fits, if any."""

    inline: bool = False
    """Whether certificates are computed beside the schedule instead of as tasks of it."""

    working_set: bool | None = None
    """Meaning of ``working_set="auto"``; None leaves it to the problem."""

    largest_delay: Callable[[int, str, int], int] | None = None
    """``(n_updates, solver, n_blocks)`` to the largest delay, where the schedule is known in advance."""

    most_workers: float | None = None
    """How many workers there may be at a time, where they share no memory and may come, go and be slow: none
    of them is given all of the data where shards will do."""

    visits: dict | None = None
    """Shards that every worker is to take, in turn, where shards have moved in a recorded run."""


class Executor(BaseEstimator):
    """What moves the tasks of a solver, and owns the clock."""

    def plan(self, n_jobs):
        """Facts of the run, a :class:`Plan`."""
        raise NotImplementedError

    def run(self, solver, on_events):
        """Drive the solver until ``on_events(events, now)`` says stop.

        One worker reports at a time. Where others than the calling thread do, and it ``is_watched``, that
        thread calls its ``heed`` every now and then meanwhile.

        Returns
        -------
        list of Task
            Tasks in flight at the end; their results are dropped.

        Raises
        ------
        WorkersLost
            If nobody is left who could do them.
        """
        raise NotImplementedError


class WorkersLost(RuntimeError):
    """The workers, or those who know of them, cannot be reached any more.

    See Also
    --------
    Dask : The executor whose workers can be lost.

    Examples
    --------
    A fit that is cut off keeps what it had certified:

    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.executors import WorkersLost
    >>> model = Lasso(alpha=0.1)
    >>> try:
    ...     model.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    ... except WorkersLost:
    ...     print("so far:", model.coef_)
    Lasso(alpha=0.1)
    """

    solution = None
    """What the run had certified by then."""

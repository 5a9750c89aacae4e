"""Replay of a schedule in one thread: deterministic, in virtual time."""

from collections import defaultdict, deque

from sklearn.base import BaseEstimator

from .._compat import fast_calls
from .plan import Plan
from .traces import Trace

PATIENCE = 10_000
"""Turns per worker after which a worker who has not asked is not waited for."""


class Simulated(BaseEstimator):
    """Run the solver along a :class:`Trace`, in the calling thread.

    The number of workers is the trace's. Certificates cost no virtual time, except when a recorded run
    is replayed, where they are tasks as they were.

    Parameters
    ----------
    trace : Trace
        Order of asks and tells.

    See Also
    --------
    Trace : Where schedules come from.
    Machine : Workers whose tasks take the seconds that they really took.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.executors import Simulated, Trace
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Lasso(alpha=0.1, n_blocks=8, executor=Simulated(Trace.constant(4))).fit(X, y)
    >>> model.history_.updates["delay"][:6].tolist()
    [0, 1, 2, 3, 3, 3]
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def plan(self, n_jobs):
        """Facts of the run; ``n_jobs`` is ignored."""
        trace = self.trace
        if not isinstance(trace, Trace):
            raise TypeError(f"Simulated needs a Trace, made by one of its class methods, not {trace!r}.")
        past = trace.recorded
        return Plan(
            n_workers=trace.n_workers,
            solver=trace.solver,
            inline=past is None or past.inline,
            working_set=False if past is None else past.working_set,
            largest_delay=trace.largest_delay,
        )

    def run(self, solver, on_events):
        """Drive the solver until ``on_events(events, now)`` says stop or the trace ends.

        Returns
        -------
        list of Task
            Tasks in flight at the end.
        """
        # A worker of a cluster may have had two tasks, the second one queued behind the first.
        held, idle, refused = defaultdict(deque), 0, set()
        with fast_calls():
            for now, asks, tells in self.trace.events():
                for worker in asks:
                    task = solver.ask(worker)
                    if task is None:
                        refused.add(worker)
                    else:
                        held[worker].append(task)
                tasks = [held[worker].popleft() for worker in tells if held[worker]]
                arrivals = [(task, solver.work(solver.part(task), task)) for task in tasks]
                idle = 0 if arrivals or any(held.values()) else idle + 1
                # What is to be done may be for a slow worker, who asks long after the others.
                if idle > (2 if len(refused) == self.trace.n_workers else PATIENCE) * self.trace.n_workers:
                    raise RuntimeError("The solver has nothing to do and nothing is in flight.")
                if arrivals:
                    refused.clear()
                    solver.now = now
                    if on_events(solver.tell(arrivals), now):
                        break
        return [task for queue in held.values() for task in queue]

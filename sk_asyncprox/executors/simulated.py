"""Many workers in one thread and in virtual time, along a schedule."""

from collections import defaultdict, deque
from copy import copy

from .base import Executor, Plan
from .replay import places, visits
from .traces import Trace

PATIENCE = 10_000
"""Turns per worker, without any task, after which nobody is waited for."""


class Simulated(Executor):
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
        trace = self.trace
        if not isinstance(trace, Trace):
            raise TypeError(f"Simulated needs a Trace, made by one of its class methods, not {trace!r}.")
        plan, past = Plan(trace.n_workers, trace.solver, True, False, trace.largest_delay), trace.recorded
        if past is None:
            return plan
        taken = None if past.most_workers is None else visits(past)
        return plan._replace(
            inline=past.inline, working_set=past.working_set, most_workers=past.most_workers, visits=taken
        )

    def run(self, solver, on_events):
        # A worker of a cluster may have had two tasks, the second one queued behind the first.
        held, idle, parts = defaultdict(deque), 0, _Parts(solver, self.trace.recorded)
        for now, asks, tells in self.trace.events():
            for worker in asks:
                task = solver.ask(worker)
                if task is not None:
                    parts.asked(worker)
                    held[worker].append(task)
            tasks = [parts.told(worker, held[worker]) for worker in tells if held[worker]]
            arrivals = [(task, solver.work(parts.of(task), task)) for task in tasks]
            idle = 0 if arrivals or any(held.values()) else idle + 1
            # What is to be done may be for a slow worker, who asks long after the others.
            if idle > PATIENCE * self.trace.n_workers:
                raise RuntimeError("The solver has nothing to do and nothing is in flight.")
            if arrivals:
                solver.now = now
                if on_events(solver.tell(arrivals), now):
                    break
        return [task for queue in held.values() for task in queue]


class _Parts:
    """The data of every task: one copy for each worker where those of a recorded run shared no memory, since
    what a copy keeps, as the Gram matrix of a block, has its own age. Processes are there from when a second
    worker is asked; before, the calling one worked alone."""

    def __init__(self, solver, past):
        self._solver, self._copies = solver, {}
        self._apart = past is not None and past.most_workers is not None
        self._alone = self._apart and past.executor == "Processes"
        self._places = places(past) if self._apart else {}

    def asked(self, worker):
        self._alone = self._alone and worker == 0

    def told(self, worker, queue):
        """The task of the queue whose result comes next."""
        place = self._places[worker].popleft() if self._places.get(worker) else 0
        task = queue[place]
        del queue[place]
        return task

    def of(self, task):
        part = self._solver.part(task)
        if not self._apart or self._alone:
            return part
        key = task.worker, id(part)
        if key not in self._copies:
            # What was copied is held, so that nothing else can have its number.
            self._copies[key] = part, copy(part)
        return self._copies[key][1]

"""Many workers in one thread and in virtual time: along a schedule, or each task as long as it really takes.

A schedule that is made in advance is right for the study of delays. What an algorithm gains by more workers
depends on how long its own tasks take: on a machine the order of events follows from them.
"""

import time
from collections import defaultdict, deque
from copy import copy
from heapq import heappop, heappush

import numpy as np

from .base import Executor, Plan
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
        taken = None if past.most_workers is None else past.visits()
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
        self._places = past.places() if self._apart else {}

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


class Machine(Executor):
    """Run a solver on a simulated machine, in the calling thread and in virtual time.

    A task ends after the seconds that it really took in this thread, divided by its worker's speed and by its
    share of the memory's bandwidth; results and asks queue for one lock; a worker that was asleep wakes late.
    Deterministic when ``cost`` is given; otherwise as repeatable as the times it measures.

    Parameters
    ----------
    speeds : int or array-like of shape (n_workers,)
        Speed of every worker relative to this thread; a number of workers: all of speed 1.
    cost : callable, optional
        ``(task, result) -> seconds`` at speed 1. Default: the processor time that the task has just taken.
    streams : float
        Workers that the memory feeds at full speed; if more, ``k``, are at work, their speed is multiplied by
        ``streams / k``.
    lock : float, optional
        Seconds of a tell and the next ask, one after the other for all. Default: their processor time.
    wake : float
        Seconds until a worker that slept begins with its task.
    start : float
        Seconds until the workers beside the first are there, after the solver's head start.

    See Also
    --------
    Simulated : A schedule that does not depend on the work.

    Notes
    -----
    The lock is granted in the order of arrival; who waits for it leaves the memory to the others.

    Examples
    --------
    Two workers, the second at half the speed, tasks of one second, and no time for the lock:

    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.executors import Machine
    >>> X, y = load_diabetes(return_X_y=True)
    >>> machine = Machine([1.0, 0.5], cost=lambda task, result: 1.0, lock=0.0)
    >>> history = Lasso(alpha=0.1, n_blocks=4, executor=machine).fit(X, y).history_
    >>> history.updates["time"][:6]
    array([2., 3., 3., 4., 5., 5.])
    """

    def __init__(self, speeds, cost=None, streams=np.inf, lock=None, wake=0.0, start=0.0):
        self.speeds, self.cost, self.streams = speeds, cost, streams
        self.lock, self.wake, self.start = lock, wake, start

    def _rates(self):
        speeds = np.ones(self.speeds) if np.ndim(self.speeds) == 0 else np.asarray(self.speeds, dtype=float)
        if speeds.ndim != 1 or len(speeds) == 0 or not np.all((speeds > 0) & np.isfinite(speeds)):
            raise ValueError(f"speeds must be a number of workers or positive numbers, not {self.speeds!r}.")
        return speeds

    def plan(self, n_jobs):
        return Plan(n_workers=len(self._rates()))

    def run(self, solver, on_events):
        return _Run(self, self._rates(), solver, on_events).go()


class _Run:
    """State of one run: who is at work and until when, who sleeps, when the lock is free.

    The memory slows all who are at work alike. So ends are kept by a second clock, ``done``: the seconds of
    work that somebody of speed 1 would have done by now. It runs slower when many are at work, and no end
    on it ever moves, whoever begins or ends meanwhile.
    """

    def __init__(self, machine, speeds, solver, on_events):
        self.machine, self.speeds, self.solver, self.on_events = machine, speeds, solver, on_events
        self.now, self.done, self.lock_free = 0.0, 0.0, 0.0
        self.held, self.ends, self.soon, self.asleep = {}, [], [], [0]

    def go(self):
        others = list(range(1, self.solver.n_workers))
        if others:
            heappush(self.soon, (self.solver.head_start + self.machine.start, len(others) + 1, None))
        self._ask_all(0)
        while self.held:
            when, begins = self._next()
            self.done += self._pace() * (when - self.now)
            self.now = when
            if not begins:
                if self._tell():
                    return [task for task, _ in self.held.values()]
                continue
            _, worker, seconds = heappop(self.soon)
            if seconds is None:
                self.asleep += others
                self._ask_all(None)
            else:
                heappush(self.ends, (self.done + seconds / self.speeds[worker], worker))
        raise RuntimeError("The solver has nothing to do and nothing is in flight.")

    def _next(self):
        """When the next task ends or begins, or the others come, and whether it is no end; of two at once the
        lower worker's."""
        begin = self.soon[0][:2] if self.soon else (np.inf, 0)
        if not self.ends:
            return begin[0], True
        done, worker = self.ends[0]
        end = self.now + max(0.0, done - self.done) / self._pace(), worker
        return min(begin, end)[0], begin < end

    def _pace(self):
        """Share of its speed that the memory leaves to every worker at work."""
        return min(1.0, self.machine.streams / max(1, len(self.ends)))

    def _tell(self):
        """Tell and ask, for who has ended and for those that sleep; return whether the run has ended."""
        self.done, worker = heappop(self.ends)
        turn = max(self.now, self.lock_free)
        begin = time.thread_time()
        self.solver.now = turn
        stop = self.on_events(self.solver.tell([self.held.pop(worker)]), turn)
        self.lock_free = turn
        if not stop:
            self.asleep.insert(0, worker)
            self._ask_all(worker, begin)
        return stop

    def _ask_all(self, awake, begin=None):
        """Ask for all without a task; the tasks begin when the lock, held since ``begin``, is free again."""
        given, begin = [], time.thread_time() if begin is None else begin
        # Timed together: most sleepers get nothing, and a look at the clock costs more than their ask.
        for worker in list(self.asleep):
            task = self.solver.ask(worker)
            if task is not None:
                self.asleep.remove(worker)
                given.append((worker, task))
        locked = time.thread_time() - begin if self.machine.lock is None else self.machine.lock
        self.lock_free = max(self.now, self.lock_free) + locked
        for worker, task in given:
            self.held[worker], seconds = self._do(task)
            wake = 0.0 if worker == awake else self.machine.wake
            heappush(self.soon, (self.lock_free + wake, worker, seconds))

    def _do(self, task):
        begin = time.thread_time()
        result = self.solver.work(self.solver.part(task), task)
        seconds = time.thread_time() - begin
        return (task, result), seconds if self.machine.cost is None else self.machine.cost(task, result)

"""Workers as processes of their own, on the executor of the standard library."""

import multiprocessing
import signal
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from .._blas_limit import one_blas_thread
from .._interrupts import Deferred, Stop, surely
from .._joblib import granted_workers
from .base import Executor, Plan, WorkersLost
from .threads import run_alone

START = "forkserver" if sys.platform == "linux" else "spawn"
"""The server imports this package once, which takes a second or two, and is there until the calling process
ends; elsewhere libraries that are loaded do not bear a fork."""

LOOK_EVERY = 0.1
"""Seconds between two looks at whether a signal has come."""

MOST_LOST = 3
"""Processes that may end in the middle of a task until the run ends as well."""

LOST = (
    f"A worker process has ended {MOST_LOST} times. A script that starts processes needs "
    "`if __name__ == '__main__':` before what it does; else somebody has ended them, or the memory is full."
)


class Processes(Executor):
    """Processes of this machine, one per worker, driven from the calling thread.

    Each is sent the part of the data that its tasks need once; points and results travel with every task. So
    it pays where Python code of one task keeps the others waiting. Where the work is NumPy's and SciPy's, as
    nearly all is here, :class:`Threads` share the data and are faster. A short fit starts no process.

    Processes import the script that starts them: what it does belongs under ``if __name__ == "__main__":``.

    See Also
    --------
    Threads : Workers that share the memory.

    Examples
    --------
    >>> from sk_asyncprox import Lasso
    >>> model = Lasso(alpha=0.1, executor="processes", n_jobs=2).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    >>> model.history_.executor
    'Processes'
    """

    def plan(self, n_jobs):
        # A process may be one that must not have processes of its own.
        n_workers = 1 if multiprocessing.current_process().daemon else granted_workers(n_jobs)
        return Plan(n_workers=n_workers, most_workers=n_workers)

    def run(self, solver, on_events):
        begin = time.perf_counter()
        if run_alone(solver, on_events, begin):
            return []
        crew = _Crew(solver, on_events, begin)
        with Deferred(crew):
            try:
                crew.drive()
            finally:
                crew.disband()
        return list(crew.held.values())


class _Crew(Stop):
    """One run: a pool of one process for every worker, so that it is known who holds which part."""

    def __init__(self, solver, on_events, begin):
        super().__init__()
        self.solver, self.on_events, self._begin = solver, on_events, begin
        self.held, self._pools, self._lost = {}, {}, 0

    def drive(self):
        """Submit, wait, tell, until the stop."""
        while not self.asked:
            self._hand_out()
            done, _ = wait(self.held, LOOK_EVERY, FIRST_COMPLETED)
            arrivals = [pair for pair in map(self._arrival, done) if pair is not None]
            now = self.solver.now = time.perf_counter() - self._begin
            if self.on_events(self.solver.tell(arrivals) if arrivals else [], now):
                return

    def _hand_out(self):
        idle = sorted(set(range(self.solver.n_workers)) - {task.worker for task in self.held.values()})
        tasks = [task for task in map(self.solver.ask, idle) if task is not None]
        if not (tasks or self.held):
            raise RuntimeError("The solver has nothing to do and nothing is in flight.")
        for task in tasks:
            self._submit(task)

    def _submit(self, task):
        worker, part = task.worker, self.solver.part(task)
        if worker not in self._pools:
            context = multiprocessing.get_context(START)
            if START == "forkserver":
                context.set_forkserver_preload([__name__])
            # What was sent is held, so that nothing else can have its number.
            self._pools[worker] = ProcessPoolExecutor(1, context, _begin), {}
        pool, sent = self._pools[worker]
        parcel = None if id(part) in sent else part
        sent[id(part)] = part
        try:
            future = pool.submit(_do, self.solver.work, id(part), parcel, task)
        except BrokenProcessPool:
            self._replace(task)
        else:
            self.held[future] = task

    def _arrival(self, future):
        """Task and result; None where the process has ended."""
        task = self.held.pop(future)
        try:
            return task, future.result()
        except BrokenProcessPool:
            self._replace(task)

    def _replace(self, task):
        self._pools.pop(task.worker)[0].shutdown()
        self.solver.drop(task)
        self._lost += 1
        if self._lost == MOST_LOST:
            raise WorkersLost(LOST)

    def disband(self):
        """End the processes, each when its task is done."""
        for pool, _ in self._pools.values():
            surely(pool.shutdown)


# -- in the processes ------------------------------------------------------------------------------

_PARTS = {}
"""What this process has been sent."""


def _begin():
    """An interrupt from the keyboard goes to the calling process, which ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _do(work, key, part, task):
    part = _PARTS.setdefault(key, part)
    with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
        return work(part, task)

"""Workers as threads of one joblib call."""

import threading
from time import perf_counter

from joblib import delayed
from sklearn.base import BaseEstimator

from .._compat import fast_calls, granted_parallel
from .plan import Plan


class Threads(BaseEstimator):
    """Long-lived worker loops on joblib's threading backend, one call per fit.

    The number of workers is what joblib grants for ``n_jobs`` (``joblib.parallel_config`` and nesting
    respected). One worker runs a plain loop in the calling thread and is deterministic.
    """

    def plan(self, n_jobs):
        """Facts of the run."""
        return Plan(n_workers=granted_parallel(n_jobs)[1])

    def run(self, solver, on_events):
        """Drive the solver until ``on_events(events, now)`` says stop.

        Returns
        -------
        list of Task
            Tasks in flight at the stop; their results are dropped.
        """
        crew = _Crew(solver, on_events)
        if solver.n_workers == 1:
            crew.loop(0)
        else:
            parallel, _ = granted_parallel(solver.n_workers)
            try:
                parallel(delayed(crew.loop)(worker) for worker in range(solver.n_workers))
            finally:
                crew.disband()
        if crew.error is not None:
            raise crew.error
        return crew.unfinished()


class _Crew:
    """The shared state of the worker loops: one lock, one stop flag, the tasks in flight."""

    def __init__(self, solver, on_events):
        self.solver, self.on_events = solver, on_events
        self.error, self._stopped, self._held, self._inside = None, False, {}, 0
        self._turn = threading.Condition()
        self._begin = perf_counter()

    def loop(self, worker):
        """Work until the stop. Tell and the next ask are one critical section: a worker that is
        descheduled between them would hold no task, and the delays would be wrong."""
        with self._turn:
            self._inside += 1
        try:
            with fast_calls():
                task = self._next(worker, None)
                while task is not None:
                    result = self.solver.work(self.solver.parts[worker], task)
                    task = self._next(worker, (task, result))
        except BaseException as error:
            self.error = self.error or error
            self._stop()
        finally:
            with self._turn:
                self._inside -= 1
                self._turn.notify_all()

    def _next(self, worker, arrival):
        with self._turn:
            if self._stopped:
                return None
            if arrival is not None:
                del self._held[worker]
                events = self.solver.tell([arrival])
                self._stopped = bool(self.on_events(events, perf_counter() - self._begin))
                self._turn.notify_all()
            while not self._stopped:
                task = self.solver.ask(worker)
                if task is not None:
                    self._held[worker] = task
                    return task
                # A loop that joblib has not begun yet may still bring the solver forward.
                if not self._held and self._inside == self.solver.n_workers:
                    raise RuntimeError("The solver has nothing to do and nothing is in flight.")
                self._turn.wait()
            return None

    def _stop(self):
        with self._turn:
            self._stopped = True
            self._turn.notify_all()

    def disband(self):
        """Stop the loops and wait until each has left its task (also after Ctrl-C)."""
        self._stop()
        with self._turn:
            self._turn.wait_for(lambda: self._inside == 0)

    def unfinished(self):
        """Tasks never told."""
        return list(self._held.values())

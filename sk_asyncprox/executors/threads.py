"""Workers as threads of one joblib call."""

import threading
import time

import numpy as np
from joblib import delayed

from .._interrupts import Deferred, Stop
from .._joblib import granted_workers, thread_parallel
from .base import Executor, Plan

HEED_EVERY = 0.02
"""Seconds between two looks of the calling thread at what the workers have reported."""

RETURNED = 5e-4
"""Seconds after which joblib knows that a loop has returned: it would look again ten milliseconds later."""


class Threads(Executor):
    """Long-lived worker loops on joblib's threading backend, one call per fit.

    The number of workers is what joblib grants for ``n_jobs`` (``joblib.parallel_config`` and nesting
    respected). One worker runs a plain loop in the calling thread and is deterministic.

    See Also
    --------
    Dask : Workers on other machines.
    Simulated : The same algorithm along a schedule, in one thread.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.executors import Threads
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Lasso(alpha=0.1, n_blocks=4, n_jobs=2, executor=Threads()).fit(X, y)
    >>> model.history_.n_workers
    2
    """

    def plan(self, n_jobs):
        return Plan(n_workers=granted_workers(n_jobs))

    def run(self, solver, on_events):
        begin = time.perf_counter()
        if run_alone(solver, on_events, begin):
            return []
        crew = _Crew(solver, on_events, begin)
        parallel = thread_parallel(solver.n_workers, "generator")
        with Deferred(crew):
            try:
                running = parallel(delayed(crew.loop)(worker) for worker in range(solver.n_workers))
                crew.attend(running, getattr(on_events, "is_watched", False))
            finally:
                crew.disband()
        if crew.error is not None:
            raise crew.error
        return list(crew.held.values())


def run_alone(solver, on_events, begin):
    """Work in the calling thread until others are to join; return whether the run has ended."""
    now, limit = 0.0, np.inf if solver.n_workers == 1 else solver.head_start
    while now < limit:
        task = solver.ask(0)
        result = solver.work(solver.part(task), task)
        now = solver.now = time.perf_counter() - begin
        if on_events(solver.tell([(task, result)]), now):
            return True
    return False


class _Crew(Stop):
    """The shared state of the worker loops: one lock, the tasks in flight. The loops that work see the stop
    next, and wake the others when they leave."""

    def __init__(self, solver, on_events, begin):
        super().__init__()
        self.solver, self.on_events, self._begin = solver, on_events, begin
        self._turns, self.held, self._gates = _Turns(), {}, {}
        self._count, self._inside = threading.Lock(), 0
        self._entered, self._left = threading.Event(), threading.Event()

    def loop(self, worker):
        """Work until the stop. Tell and the next ask are one critical section: a worker between them would
        hold no task, and the delays would be wrong."""
        with self._count:
            self._left.clear()
            self._inside += 1
        self._entered.set()
        try:
            self.run(self._work, worker)
            self._wake_all()
        finally:
            with self._count:
                self._inside -= 1
                if not self._inside:
                    self._left.set()

    def _work(self, worker):
        # What is not finite is left to the certificates, as it is in the calling thread.
        with np.errstate(over="ignore", invalid="ignore"):
            task = self._next(worker, None)
            while task is not None:
                result = self.solver.work(self.solver.part(task), task)
                task = self._next(worker, (task, result))

    def _next(self, worker, arrival):
        turn = self._turns.take()
        try:
            if self.asked:
                return None
            if arrival is not None:
                del self.held[worker]
                now = self.solver.now = time.perf_counter() - self._begin
                # Not "|=": that reads the flag before the tell, and would undo a stop asked for meanwhile.
                if self.on_events(self.solver.tell([arrival]), now):
                    self.asked = True
            if self.asked:
                return None
            # First who is awake: what one worker can do alone is then done without a hand-over.
            given = self._give(worker)
            self._serve()
            if given:
                return self.held[worker]
            if not self.held and len(self._gates) == self.solver.n_workers - 1:
                raise RuntimeError("The solver has nothing to do and nothing is in flight.")
            gate = self._gates[worker] = _shut_gate()
        except BaseException:
            self.asked = True  # before anybody asks a solver that has broken off
            raise
        finally:
            turn.release()
            time.sleep(0)  # lets the interpreter go, so that a thread that waits for it gets to queue
        gate.acquire()
        return None if self.asked else self.held.get(worker)

    def _give(self, worker):
        task = self.solver.ask(worker)
        if task is not None:
            self.held[worker] = task
        return task is not None

    def _serve(self):
        """Ask on behalf of the loops that sleep: one that wakes finds its task, without a turn of its own,
        and none is woken in vain."""
        for worker in list(self._gates):
            if not self.asked and self._give(worker):
                self._gates.pop(worker).release()

    def _wake_all(self):
        turn = self._turns.take()
        while self._gates:
            self._gates.popitem()[1].release()
        turn.release()

    def attend(self, running, watched):
        """Wait for the loops, in the calling thread, which meanwhile sees to what they have reported. Joblib
        would look after them every ten milliseconds."""
        waits = self._entered.wait(HEED_EVERY) or watched
        try:
            while waits and not self._left.wait(HEED_EVERY):
                if watched:
                    self.on_events.heed()
        finally:
            if waits:
                self.ask()
                time.sleep(RETURNED)
            for _ in running:
                pass

    def disband(self):
        """Stop the loops and wait until each has left its task and joblib's pool has let its thread go."""
        self.ask()
        self._wake_all()
        if self._inside:
            self._left.wait()
        self.join()


class _Turns:
    """A lock granted in the order of arrival: under Python's own, short tasks leave the other workers with
    delays in the hundreds. A turn is a gate that the next one waits for; its ``release`` is no code in
    Python, which might fail and have them wait."""

    def __init__(self):
        self._mutex, self._last = threading.Lock(), threading.Lock()

    def take(self):
        """Wait for a turn."""
        turn = _shut_gate()
        with self._mutex:
            before, self._last = self._last, turn
        before.acquire()
        return turn


def _shut_gate():
    gate = threading.Lock()
    gate.acquire()
    return gate

"""What every solver owes its executors, checked at every ask and tell of a schedule that a test chooses; and
what every executor owes its solvers.

A :class:`World` has workers, keeps what they hold, and counts writes and reads by itself: nothing that it
compares with comes from the solver's own stamps. A :class:`Watched` solver keeps what an executor does.
"""

import threading
from functools import cache

import numpy as np

from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.history import History
from sk_asyncprox.kernels.bcd_iterate import Read
from sk_asyncprox.solvers.base import Certified, Shared, Update

LOOKS = "look", "model look"
"""Visits of shards whose read was made when their round began."""


def arrays(thing):
    """Copies of the arrays in a payload."""
    if isinstance(thing, np.ndarray):
        return [thing.copy()]
    return [a for part in thing for a in arrays(part)] if isinstance(thing, tuple) else []


def read_of(task):
    """Columns and coefficients that a task has read; None where it has read none."""
    payload = task.payload
    if isinstance(payload, tuple) and not isinstance(payload, Read) and payload:
        payload = payload[0] if isinstance(payload[0], Read) else payload
    if isinstance(payload, Read):
        return payload.index, payload.w
    whole = task.kind in ("certificate", "shard", "model", *LOOKS)
    return (slice(None), payload[0]) if whole else None


def iterate(solver):
    """What holds the coefficients: solvers of shards hold them themselves."""
    return getattr(solver, "at", solver)


@cache
def optimum(problem):
    """Least objective, by accelerated proximal gradient: no code of the solvers."""
    X, loss, penalty = problem.design, problem.loss, problem.penalty
    w, b = problem.start()
    columns = np.array([X.mul(unit) for unit in np.eye(len(w))])
    bound = np.linalg.norm(columns * np.sqrt(problem.weights), 2) ** 2 * loss.curvature
    v, t = w, 1.0
    for _ in range(5000):
        z, b, gradient = problem.settle(problem.shifted(X.mul(v), b), b)
        new = penalty.prox(v - X.tmul(problem.weights * gradient) / bound, 1.0 / bound)
        after = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        v, w, t = new + (t - 1.0) / after * (new - w), new, after
    z, b, _ = problem.settle(problem.shifted(X.mul(w), b), b)
    return problem.objective(w, b, z)


class World:
    """Workers and a solver.

    Parameters
    ----------
    solver : solver
    depth : int
        Tasks that a worker may hold.
    """

    def __init__(self, solver, depth=1):
        self.solver, self.problem, self.depth = solver, solver.problem, depth
        self.held = {worker: [] for worker in range(solver.n_workers)}
        self.seen, self.told, self.in_turn = {}, set(), True
        self.history, self.events, self.steps, self._placed = History(), [], [], []
        self.table, self.certificates, self._idle, self._clock = {}, [], set(), 0
        self.versions = {0: [iterate(solver).w.copy()]}
        self._touched, self._objective = solver.touched, self._lyapunov()

    # -- what a test does --------------------------------------------------------------------------

    def act(self, worker):
        """Tell what the worker holds, or let it ask; return whether there was anything to do."""
        return self.tell([worker]) if self.held[worker] else self.ask(worker)

    def ask(self, worker):
        """Let the worker ask."""
        count, task = self.solver.n_updates, self.solver.ask(worker)
        if task is None:
            self._idle.add(worker)
            in_flight = any(self.held.values())
            assert in_flight or len(self._idle) < len(self.held), "nobody has anything to do"
            return False
        assert task.worker == worker
        assert task.asked not in self.seen
        assert task.stamp.update == count or (task.kind in LOOKS and task.stamp.update < count)
        self._check_read(task)
        self._check_exclusive(task)
        self.held[worker].append(task)
        self.seen[task.asked] = task.stamp.update, arrays(task.payload)
        return True

    def tell(self, workers, place=0):
        """Tell together what the workers hold, one task of each: the oldest, or another one."""
        self.in_turn &= not any(place % len(self.held[w]) for w in workers if self.held[w])
        tasks = [self.held[w].pop(place % len(self.held[w])) for w in workers if self.held[w]]
        if not tasks:
            return False
        self._idle.clear()
        for task in tasks:
            before = self.seen[task.asked][1]
            assert all(map(np.array_equal, before, arrays(task.payload))), "what was read has been written to"
        arrivals = [(task, self.solver.work(self.solver.part(task), task)) for task in tasks]
        self._clock += 1
        self.solver.now = float(self._clock)
        events = self.solver.tell(arrivals)
        self.told.update(task.asked for task in tasks)
        self._take(events)
        return True

    def drop(self, worker):
        """Lose a task of the worker."""
        if not self.held[worker]:
            return False
        self._idle.clear()
        self.in_turn = False
        self.solver.drop(self.held[worker].pop())
        return True

    def finish(self, gap, most=20_000, more=False):
        """Go on in random order until the gap is reached, or by one ``more`` certificate: no state that a
        schedule leads to is a dead end."""
        known = len(self.certificates) if more else 0
        for worker in np.random.default_rng(0).integers(len(self.held), size=most):
            if len(self.certificates) > known and self.certificates[-1].gap <= gap:
                return
            self.act(int(worker))
        raise AssertionError(f"no end: {len(self.certificates)} certificates, and no gap below {gap:.1e}")

    # -- what is checked ---------------------------------------------------------------------------

    def _check_read(self, task):
        read = read_of(task)
        if read is not None:
            index, w = read
            known = self.versions[task.stamp.update]
            assert any(np.array_equal(w, version[index]) for version in known), "no such iterate at its stamp"

    def _check_exclusive(self, task):
        if not isinstance(task.payload, Read) or getattr(self.solver, "_prox_form", False):
            return
        for other in (other for tasks in self.held.values() for other in tasks):
            if isinstance(other.payload, Read):
                shared = np.intersect1d(task.payload.index, other.payload.index)
                assert not len(shared), "columns are in flight twice"

    def _take(self, events):
        solver = self.solver
        for event in events:
            self.events.append(event)
            if isinstance(event, Update):
                self._placed += [arrival.asked for arrival in event.arrivals]
                self._check_update(event)
                self.history.add_update(event, float(self._clock))
            elif isinstance(event, Certified):
                # What was written may have come with its certificate.
                self._placed += {event.asked} - {-1, *self._placed[-1:]}
                self._check_certificate(event)
                self.history.add_certificate(event, float(self._clock), 0.0)
            else:
                self._placed.append(event.arrival.asked)
                self.history.add_share(event, float(self._clock))
        count = solver.n_updates
        assert count == len(self.steps)
        known = self.versions.setdefault(count, [])
        at = iterate(solver)
        if not known or not np.array_equal(known[-1], at.w):
            known.append(at.w.copy())
        if hasattr(at, "z"):
            margins = self.problem.shifted(self.problem.design.mul(at.w), at.b)
            assert np.abs(at.z - margins).max() <= 1e-10 * (1 + np.abs(margins).max())
        self._check_accounts()
        self._check_descent()
        assert solver.touched - self._touched >= count, "work that costs nothing never ends"

    def _check_update(self, update):
        assert update.index == len(self.steps)
        for arrival in update.arrivals:
            assert arrival.stamp == self.seen[arrival.asked][0]
            if self.history.solver != "bcd":
                assert arrival.stamp >= self.table.get(arrival.block, 0), (
                    "an older result replaces a newer one"
                )
            self.table[arrival.block] = arrival.stamp
        if self.history.solver == "bcd":
            [arrival] = update.arrivals
            assert update.delay == update.index - arrival.stamp
        else:
            assert len(self.table) == self.solver.n_blocks
            assert update.delay == update.index - min(self.table.values())
        unit, exact = self.solver.step_unit, self.solver.step_size.exact
        if update.step > 0.0 and not exact:
            window = sum(self.steps[update.index - update.delay :]) + update.step
            assert window <= unit * (1 + 1e-9), "more than the principle allows"
        assert 0.0 <= update.step <= unit * (1 + 1e-12)
        self.steps.append(update.step)

    def _check_certificate(self, event):
        problem, c, best = self.problem, event.certificate, optimum(self.problem)
        slack = 1e-10 * (problem.scale + abs(c.objective))
        assert any(np.array_equal(c.w, w) for w in self.versions.get(event.update, [c.w])), "wrong stamp"
        assert abs(c.objective - problem.objective(c.w, c.b)) <= slack
        assert c.dual <= event.dual <= best + slack
        assert c.objective >= best - slack
        assert not self.certificates or event.dual >= self.certificates[-1].dual
        self.certificates.append(event)

    def _check_accounts(self):
        """Every result is in one update, certificate or share, or waits for its update."""
        waiting = [arrival.asked for arrival in getattr(self.solver, "pending", ())]
        assert sorted(self._placed + waiting) == sorted(self.told)

    def _lyapunov(self):
        solver, at = self.solver, iterate(self.solver)
        if not (solver.step_size.exact and hasattr(at, "z")):
            return None
        penalty = getattr(solver, "penalty", self.problem.penalty)
        loss = self.problem.weights @ self.problem.loss.value(self.problem.y, at.z)
        return (penalty.l1, loss + penalty.value(at.w)) if np.isfinite(penalty.l1) else None

    def _check_descent(self):
        before, self._objective = self._objective, self._lyapunov()
        if before and self._objective and before[0] == self._objective[0]:
            assert self._objective[1] <= before[1] + 1e-13 * (1 + abs(before[1])), "the objective has risen"

    def check_replay(self, again):
        """The history, replayed on a new solver, makes the same writes."""
        history, solver = self.history, self.solver
        history.n_workers, history.n_blocks = solver.n_workers, solver.n_blocks
        for arrival in getattr(solver, "pending", ()):
            history.add_share(Shared("pending", arrival), float(self._clock))
        history.close(self.problem, [task for tasks in self.held.values() for task in tasks])
        replay = []

        def on_events(events, now):
            replay.extend(events)
            return len(replay) >= len(self.events)

        if self.steps:
            Simulated(Trace.from_history(history)).run(again, on_events)
            a, b = ([e for e in events if isinstance(e, Update)] for events in (self.events, replay))
            assert [(e.index, e.delay, e.arrivals) for e in a] == [(e.index, e.delay, e.arrivals) for e in b]
            np.testing.assert_allclose([e.step for e in a], [e.step for e in b], rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(iterate(solver).w, iterate(again).w, atol=1e-10)


class Watched:
    """A solver that keeps what an executor does with it, and with what is reported of it.

    Parameters
    ----------
    solver : solver
    ends : callable
        Event to whether the run is to end.
    """

    def __init__(self, solver, ends):
        self._solver, self._ends, self._inside, self._now = solver, ends, threading.Lock(), 0.0
        self.asked, self.told, self.dropped, self.stopped = {}, [], [], False

    def __getattr__(self, name):
        return getattr(self._solver, name)

    @property
    def now(self):
        return self._now

    @now.setter
    def now(self, seconds):
        assert seconds >= self._now, "the clock goes back"
        self._now = self._solver.now = seconds

    def _alone(self, call, *args):
        assert self._inside.acquire(blocking=False), "ask, tell, drop and reports are made two at once"
        try:
            assert not self.stopped, "the run goes on after its end"
            return call(*args)
        finally:
            self._inside.release()

    def ask(self, worker):
        assert 0 <= worker < self.n_workers
        task = self._alone(self._solver.ask, worker)
        if task is not None:
            self.asked[task.asked] = task
        return task

    def _take(self, tasks, where):
        for task in tasks:
            assert self.asked[task.asked] is task, "this is not what was asked for"
            assert task.asked not in self.told + self.dropped, "told or dropped twice"
            where.append(task.asked)

    def tell(self, arrivals):
        assert arrivals, "nothing is told"
        self._take([task for task, _ in arrivals], self.told)
        return self._alone(self._solver.tell, arrivals)

    def drop(self, task):
        self._take([task], self.dropped)
        self._alone(self._solver.drop, task)

    def __call__(self, events, now):
        """Take a report."""
        stop = self._alone(lambda: any(map(self._ends, events)))
        assert now == self._now
        self.stopped = stop
        return stop

    def drive(self, executor):
        """Let an executor run the solver to its end, and see what it leaves."""
        unfinished = [task.asked for task in executor.run(self, self)]
        assert self.stopped, "the run has ended by itself"
        assert sorted(self.told + self.dropped + unfinished) == sorted(self.asked), "tasks are lost"

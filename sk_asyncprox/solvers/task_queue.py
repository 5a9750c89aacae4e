"""Tasks of a script in phases, handed out to the workers: it goes on when all of a phase has been done.

A solver that is a script is a generator of phases. A phase is a set of shares, each of them a task;
the script is resumed with their results when the last of them has been told. Results may also be
written one by one as they come: then the phase is asynchronous.
"""

from ..delays import DelayTracker
from .base import Arrival, Shared, Task, Update
from .margins import SharedMargins


class Phase:
    """Tasks of one kind that belong together: ``shares`` is their number, or their numbers.

    ``payload`` makes that of a share's task when it is asked for. ``write`` takes ``(task, result)`` when
    results are written as they come; else they are only collected. Of ``timed`` ones, products with the
    number of entries that they have touched, workers' speeds are learnt: their cost per entry is the same.
    ``dynamic`` shares are there for whoever is free. ``seconds`` is what a phase that has ended has taken.
    """

    begun = seconds = 0.0

    def __init__(self, kind, shares, payload, write=None, timed=False, dynamic=False):
        self.kind, self.payload, self.write, self.timed, self.dynamic = kind, payload, write, timed, dynamic
        self.todo = list(range(shares) if isinstance(shares, int) else shares)
        self.results, self.missing = [None] * (max(self.todo) + 1), len(self.todo)

    def take(self, worker, speeds):
        """Number of a share for the worker: its own, else any; None when there is none for it. A slow
        worker takes no share that has another's size, as the others would wait for it."""
        if worker in self.todo:
            return self.todo.pop(self.todo.index(worker))
        if not self.todo or (not self.dynamic and speeds.is_slow(worker)):
            return None
        return self.todo.pop(0)

    def again(self, number):
        """Hand out a share once more."""
        self.todo.append(number)
        self.missing += 1


class PhasedSolver(SharedMargins):
    """Ask and tell for a script over shared margins; ``speeds`` is what is known of the workers'.

    Subclasses write the script: a generator ``_run`` that yields phases, and None where what follows is to
    wait for the next ask.
    """

    def __init__(self, problem, start, speeds):
        super().__init__(problem, start)
        self._speeds, self._since = speeds, {}
        self.touched, self.over_bound = problem.pass_size // 2, 0
        self._begin()

    def _begin(self):
        """At the start of the script, with nothing counted."""
        self._tracker, self._clock, self._last = DelayTracker(), 0, None
        self._phase, self._events, self._script = None, [], self._run()

    def rest(self):
        """At the end of a run: let the script go. It holds the solver, which would hold the data until
        Python looks for such circles."""
        self._phase = self._script = None

    def ask(self, worker):
        """Hand out a share of the phase."""
        if self._phase is None:
            self._go_on()
        phase = self._phase
        number = phase.take(worker, self._speeds)
        if number is None:
            return None
        self._since[worker] = self.now
        self._clock += 1
        return Task(phase.kind, worker, self._tracker.stamp(), self._clock, number, phase.payload(number))

    def _go_on(self, results=None):
        """To the next phase of the script."""
        self._phase = self._script.send(results)
        if self._phase is not None:
            self._phase.begun = self.now

    def drop(self, task):
        """The share of a task that will never be told is handed out again."""
        self._phase.todo.append(task.block)

    def tell(self, arrivals):
        """Take results; when the phase is complete, go on with the script."""
        self._clock += 1
        for task, result in arrivals:
            self._clock += 1
            self._last = Arrival(task.worker, task.block, task.stamp.update, task.asked, self._clock)
            phase = self._phase
            if phase.write is not None:
                phase.write(task, result)
            if phase.timed:
                self._speeds.worked(task.worker, self.now - self._since[task.worker], max(1, result[1]))
            phase.results[task.block] = result
            phase.missing -= 1
            if not phase.missing:
                phase.seconds = self.now - phase.begun
                self._go_on(phase.results)
            if self._last is not None:
                self._events.append(Shared(phase.kind, self._last))
        events, self._events = self._events, []
        return events

    def _write(self, stamp, phase, index, direction, rise_allowed):
        """Write a step, of exact length or full where that is nearly as good; return it and its delay."""
        delay, _ = self._tracker.measure(stamp)
        step, slope = self.write(index, direction, rise_allowed)
        if self._settles:
            self.settle(1e-2 * step * slope)
        self._count(delay, step, phase, direction.touched)
        return step, delay

    def _count(self, delay, step, phase, touched):
        """A write by the arrival that is being told."""
        self.touched += max(1, touched)
        arrival, self._last = self._last, None
        self._events.append(Update(self._tracker.update, delay, step, phase, (arrival,)))
        self._tracker.advance(step)

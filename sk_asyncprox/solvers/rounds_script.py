"""A solver as a script in phases, handed out to the workers: it goes on when all of a phase has been done.

The script is a generator of phases. A phase is a set of shares, each of them a task; the script is resumed
with their results when the last of them has been told. Results may also be written one by one as they come:
then the phase is asynchronous.
"""

from .base import Solver


class Phase:
    """Tasks of one kind that belong together: ``shares`` is their number, or their numbers.

    ``payload`` makes that of a share's task when it is asked for. ``write`` takes ``(task, result)`` when
    results are written as they come; else they are only collected. ``timed`` ones tell the workers' speeds:
    their cost per entry is the same. ``dynamic`` shares are there for whoever is free. ``seconds`` is what a
    phase that has ended has taken.
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
        self.todo.append(number)
        self.missing += 1


class Script(Solver):
    """A solver that is a script: a generator that yields phases, and None where what follows is to wait for
    the next ask. ``speeds`` is what is known of the workers'."""

    def begin_script(self, script, ledger, speeds):
        """Start a script, and what is kept of its run."""
        self.ledger, self._script, self._speeds, self._since = ledger, script, speeds, {}
        self.phase = None

    def ask(self, worker):
        """A share of the phase, as a task."""
        if self.phase is None:
            self._go_on()
        phase = self.phase
        number = phase.take(worker, self._speeds)
        if number is None:
            return None
        self._since[worker] = self.now
        return self.ledger.task(phase.kind, worker, number, phase.payload(number))

    def _go_on(self, results=None):
        self.phase = self._script.send(results)
        if self.phase is not None:
            self.phase.begun = self.now

    def drop(self, task):
        """The share of a task that will never be told is handed out again."""
        self.phase.todo.append(task.block)

    def tell(self, arrivals):
        """Take results; when the phase is complete, go on with the script."""
        for task, result in self.ledger.told(arrivals):
            phase, n_events = self.phase, len(self.ledger.events)
            if phase.write is not None:
                phase.write(task, result)
            if phase.timed:
                self._speeds.worked(task.worker, self.now - self._since[task.worker], max(1, result[1]))
            phase.results[task.block] = result
            phase.missing -= 1
            if not phase.missing:
                phase.seconds = self.now - phase.begun
                self._go_on(phase.results)
            if len(self.ledger.events) == n_events:
                self.ledger.shared(phase.kind)
        return self.ledger.report()

    def rest(self):
        """Let the script go: it holds the solver, and that the data, until Python looks for such circles."""
        self._script = self.phase = None

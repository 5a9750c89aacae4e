"""Async-BCD in rounds: certificate, block steps, one Newton step.

A round looks at the whole problem once (a certificate), chooses the working set from what it saw, lets
every block take one asynchronous exact step, and joins what they have found by a Newton step on the
support. The l1 part is lowered geometrically until it is the wanted one, which keeps the support below
its final size and the Newton steps inside the region where they are good. Where the Gram matrix of the
working set pays, the model is solved on it instead of by block and Newton steps.

The algorithm is a script: a generator of phases. A phase is a set of shares, each of them a task; the
script goes on when all shares have been told.
"""

import numpy as np

from ..delays import DelayTracker
from ..step_sizes import Setting
from .base import Arrival, Certified, Shared, Task, Update
from .blocks import ColumnPart, Read, describe, support_of, work
from .margins import SharedMargins
from .newton import newton_step
from .working_set import partition, wanted_columns

LOWERED = 0.4
"""Factor of the l1 part from round to round."""

SMALL = 1_000_000
"""Stored entries below which one worker is faster than several."""

SMALL_SHARE = 1_000_000
"""Stored entries of a working set below which its columns stay together: handing over a share costs
about as much as a product with a hundred thousand entries."""

LATE, SWEEPS, LATE_SWEEPS = 2e-2, 5, 2
"""Relative gap from which on block steps take fewer sweeps: the support is nearly found."""

SPOILT = 0.8
"""Share of a delayed full step below which the step is taken again."""

RISE_ALLOWED = {"descent": 0.25, "newton": 0.9}

WIDEST_GRAM = 2500
REBUILD_ABOVE = 0.02
"""Relative change of the curvature beyond which the Gram matrix is computed anew."""

HARDEST_DAMPING, SLIGHT_DAMPING = 1.0, 0.02


class Phase:
    """Tasks of one kind that belong together.

    Parameters
    ----------
    kind : str
    shares : int
        Number of tasks.
    payload : callable
        Number of the share -> payload of its task, made when it is asked for.
    write : callable or None
        ``(task, result) -> event``, when results are written as they come; else they are collected.
    """

    def __init__(self, kind, shares, payload, write=None):
        self.kind, self.payload, self.write = kind, payload, write
        self.todo, self.results, self.missing = list(range(shares)), [None] * shares, shares

    def take(self, worker):
        """Number of a share for the worker: its own, as its data may lie with it, else any."""
        return self.todo.pop(self.todo.index(worker) if worker in self.todo else 0)

    def again(self, number):
        """Hand out a share once more."""
        self.todo.append(number)
        self.missing += 1


class RoundsBCD(SharedMargins):
    """Async-BCD with exact steps and Newton steps, in rounds, as an ask/work/tell state machine.

    Parameters
    ----------
    problem : Problem
    step_size : StepSize
        One that measures its steps on the objective.
    n_workers : int
        At most; a small problem is given one.
    start : Snapshot
        First iterate.
    """

    work = staticmethod(work)
    certifies_afresh = True
    head_start = 0.25

    def __init__(self, problem, step_size, *, n_workers=1, start=None):
        super().__init__(problem, start)
        step_size.start(Setting("bcd"))
        self.step_size, self.step_unit = step_size, 1.0
        self.n_workers = self.n_blocks = n_workers if problem.design.size >= SMALL else 1
        self.working_set = True
        self._part = ColumnPart(problem, 1.0, True, None)
        self.parts = [self._part] * self.n_workers
        self._sizes = problem.design.column_sizes()
        self._everything = partition(np.arange(len(self._sizes)), self._sizes, self.n_workers)

        self._tracker, self._clock, self._last = DelayTracker(), 0, None
        self.touched, self.over_bound = problem.pass_size // 2, 0
        self.lower_bound, self._gap = -np.inf, np.inf
        self._penalty, self._damping = problem.penalty.with_l1(np.inf), 0.0
        self._active, self._generation, self._blocks = np.empty(0, int), 0, []
        self._gram = self._omega = None
        self._support, self._version = np.empty(0, int), 0
        self._late = False
        self._phase, self._events, self._script = None, [], self._run()

    @property
    def n_updates(self):
        """Writes so far."""
        return self._tracker.update

    # -- the seam ----------------------------------------------------------------------------------

    def ask(self, worker):
        """Hand out a share of the phase."""
        if self._phase is None:
            self._phase = next(self._script)
        phase = self._phase
        if not phase.todo:
            return None
        number = phase.take(worker)
        self._clock += 1
        return Task(phase.kind, worker, self._tracker.stamp(), self._clock, number, phase.payload(number))

    def drop(self, task):
        """The share of a task that will never be told is handed out again."""
        self._phase.todo.append(task.block)

    def tell(self, arrivals):
        """Take results; when the phase is complete, go on with the script."""
        for task, result in arrivals:
            self._clock += 1
            self._last = Arrival(task.worker, task.block, task.stamp.update, task.asked, self._clock)
            phase = self._phase
            if phase.write is not None:
                phase.write(task, result)
            phase.results[task.block] = result
            phase.missing -= 1
            if not phase.missing:
                self._phase = self._script.send(phase.results)
            if self._last is not None:
                self._events.append(Shared(phase.kind, self._last))
        events, self._events = self._events, []
        return events

    def _arrival(self):
        """The arrival that is being told, once."""
        arrival, self._last = self._last, None
        return arrival

    # -- the script --------------------------------------------------------------------------------

    def _run(self):
        while True:
            certificate = yield from self._certify()
            yield None  # Whether the run goes on is decided before the next ask.
            self._aim(certificate)
            if self._on_gram():
                yield from self._solve_on_gram(certificate)
            else:
                known = certificate.correlations
                if self._penalty.has_zeros:
                    yield Phase("direction", len(self._blocks), self._read, self._write_block)
                    known = None
                yield from self._newton(known)

    def _certify(self):
        problem, start = self.problem, (self.w.copy(), self.b)
        if self.n_workers == 1:
            [(z, b, gradient, certificate)] = yield Phase("look", 1, lambda _: start)
        else:
            [(z, b, gradient, theta)] = yield Phase("dual_point", 1, lambda _: start)
            pull = problem.weights * theta
            shares = self._everything
            answers, _ = yield from self._product("all", 0, shares, "tmul", [pull] * len(shares))
            correlations = np.concatenate(answers)
            [certificate] = yield Phase("conclude", 1, lambda _: (start[0], b, z, theta, correlations))
        self.touched += problem.pass_size // 2
        # Computed from the coefficients: no rounding of past writes is left.
        self.z, self.b, self.gradient = z, b, gradient
        self.lower_bound = max(self.lower_bound, certificate.dual)
        self._gap = (certificate.objective - self.lower_bound) / problem.scale
        last = self._arrival()
        event = Certified(
            certificate, self.lower_bound, self._tracker.update, last.worker, last.asked, last.told
        )
        self._events.append(event)
        return certificate

    def _aim(self, certificate):
        """Lower the l1 part, and choose the working set and its blocks."""
        problem = self.problem
        wanted, c = problem.penalty, certificate.correlations
        l1 = min(self._penalty.l1, float(wanted.pull(c).max(initial=0.0)))
        self._penalty = wanted.with_l1(max(wanted.l1, LOWERED * l1) if wanted.l1 > 0.0 else 0.0)
        active = self._active
        if not self._penalty.has_zeros:
            active = np.arange(len(self.w))
        else:
            active = wanted_columns(self._penalty, self.w, c, self._active, len(self.z))
        late = self._gap < LATE
        if self._generation and late == self._late and np.array_equal(active, self._active):
            return
        self._active, self._late = active, late
        self._generation += 1
        self._blocks = [active] if late else self._cut(active)

    def _read(self, number):
        index = self._blocks[number]
        sweeps = LATE_SWEEPS if self._late else SWEEPS
        alone = len(self._blocks) == 1
        point = self.point(self._damping)
        key = "blocks", self._generation, number
        return Read(key, index, self.w[index], point, self._penalty, alone, sweeps)

    # -- block steps and Newton steps --------------------------------------------------------------

    def _write_block(self, task, direction):
        step, delay = self._write(task.stamp, "descent", task.payload.index, direction)
        if delay and step < SPOILT:
            # What was written since the read has spoilt the step: once more, from the point of now.
            self._phase.again(task.block)

    def _write(self, stamp, phase, index, direction):
        delay, _ = self._tracker.measure(stamp)
        step, slope = self.write_exactly(index, direction, RISE_ALLOWED[phase])
        self.settle(1e-2 * step * slope)
        self.touched += direction.touched
        update = self._tracker.update
        self._tracker.advance(step)
        self._events.append(Update(update, delay, step, phase, (self._arrival(),)))
        return step, delay

    def _newton(self, correlations):
        stamp, w = self._tracker.stamp(), self.w[self._active]
        support = self._active[support_of(w, self._penalty)]
        if not np.array_equal(support, self._support):
            self._support, self._version = support, self._version + 1
        known = None if correlations is None else correlations[support]
        read = Read(
            ("support", self._version, 0), support, self.w[support],
            self.point(self._damping), self._penalty, True, correlations=known,
        )  # fmt: skip
        shares = self._cut(support)
        if len(shares) == 1:
            [direction] = yield Phase("newton", 1, lambda _: read)
        else:
            direction = yield from self._shared_newton(read, shares)
        step, _ = self._write(stamp, "newton", support, direction)
        self._damp(step)

    def _damp(self, step):
        """More of the majorant after a shortened step, less after a full one."""
        if self.problem.loss.quadratic:
            return
        if step < 1.0:
            self._damping = min(HARDEST_DAMPING, max(0.1, 3.0 * self._damping))
        else:
            self._damping = self._damping / 4.0 if self._damping > SLIGHT_DAMPING else 0.0

    def _shared_newton(self, read, shares):
        """A Newton step whose products the workers share."""
        part, point = self._part, read.point
        omega, pull = part.omega(point), -self.problem.weights * point.gradient
        cuts, touched = np.cumsum([len(share) for share in shares])[:-1], 0
        steps = newton_step(read.w, pull, omega, read.penalty, part.follows, read.correlations)
        answer = None
        while True:
            try:
                operation, vector = steps.send(answer)
            except StopIteration as stop:
                move, v = stop.value
                return describe(part, read, read.w + move, v, pull, omega, touched)
            across = operation == "mul"
            vectors = np.split(vector, cuts) if across else [vector] * len(shares)
            answers, size = yield from self._product("support", self._version, shares, operation, vectors)
            answer = np.sum(answers, axis=0) if across else np.concatenate(answers)
            touched += size

    def _product(self, family, version, shares, operation, vectors):
        """A product with columns that the workers share: the answers, and the entries touched."""
        results = yield Phase(
            "product",
            len(shares),
            lambda i: ((family, version, i), shares[i], operation, vectors[i]),
        )
        return [result for result, _ in results], sum(size for _, size in results)

    def _cut(self, index):
        """The columns ``index``, cut into the workers' shares where that pays."""
        entries = int(self._sizes[index].sum())
        return partition(index, self._sizes, self.n_workers if entries >= SMALL_SHARE else 1)

    # -- the Gram matrix ---------------------------------------------------------------------------

    def _on_gram(self):
        n, k = self.problem.design.shape[0], len(self._active)
        full = self.problem.design.is_full(self._active)
        return full and k <= min(WIDEST_GRAM, max(256, 2 * n))

    def _solve_on_gram(self, certificate):
        stamp, index = self._tracker.stamp(), self._active
        omega = self._part.omega(self.point())
        yield from self._renew_gram(omega)
        read = self._read(0)._replace(index=index, w=self.w[index], point=self.point(), alone=True)
        payload = read, self._gram, self._omega, certificate.correlations[index]
        [direction] = yield Phase("model", 1, lambda _: payload)
        self._write(stamp, "newton", index, direction)

    def _renew_gram(self, omega):
        """Extend the Gram matrix to the working set, or compute it anew where the weights have changed."""
        index, n = self._active, self.problem.design.shape[0]
        near = self._omega is not None and np.abs(omega - self._omega).sum() <= REBUILD_ABOVE * omega.sum()
        known = np.isin(index, self._gram_index) if near else np.zeros(len(index), bool)
        if known.all():
            at = np.searchsorted(self._gram_index, index)
            if len(at) < len(self._gram_index):
                self._gram, self._gram_index = self._gram[np.ix_(at, at)], index
            return
        fresh = None if 2 * known.sum() < len(index) else np.flatnonzero(~known)
        omega = self._omega if fresh is not None else omega
        cuts = np.linspace(0, n, self.n_workers + 1).astype(int)
        key = "blocks", self._generation, 0
        shares = yield Phase(
            "gram", self.n_workers, lambda i: (key, index, fresh, omega, cuts[i], cuts[i + 1])
        )
        rows = sum(share[0] for share in shares)
        self.touched += sum(share[2] for share in shares)
        if self._part.follows:
            sums = sum(share[1] for share in shares)
            rows -= np.outer(sums if fresh is None else sums[fresh], sums / omega.sum())
        if fresh is not None:
            old = np.flatnonzero(known)
            at = np.searchsorted(self._gram_index, index[old])
            Q = np.empty((len(index), len(index)))
            Q[np.ix_(old, old)] = self._gram[np.ix_(at, at)]
            Q[fresh] = rows
            Q[:, fresh] = rows.T
            rows = Q
        self._gram, self._gram_index, self._omega = rows, index, omega

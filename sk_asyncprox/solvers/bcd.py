"""Async-BCD: block-coordinate descent on shared margins.

The margins ``z = X w + b`` are shared; a block's step needs the loss gradient at a snapshot of them and
the block's own columns. The delay of a write is the number of writes between its read and itself.

Two forms of writing. *Prox form* (the paper's algorithm): the worker returns the block gradient; the
prox step with the delay's step is taken from the block's current value, and a block may be in flight
twice. *Theta form* (Gram metric, and the exact step): the worker returns the full step ``d`` and
``v = X_j d``; ``theta d`` is written, and blocks are exclusive while in flight.
"""

import numpy as np

from ..kernels.bcd_iterate import Iterate, Read
from ..kernels.block_steps import correlations, direction
from ..kernels.column_part import ColumnPart
from ..step_sizes import Setting
from .base import Ledger, Snapshot, Solver
from .block_layout import Layout

SHARE_OF_SLOPES, LONGEST_WAIT = 0.01, 20.0
"""Slopes that are left, relative to those there were, at which a certificate is due; and passes between two
certificates, at most."""


class Gate:
    """Decides when a certificate is worth a pass over the data.

    The predicted falls of the blocks (``slopes``) tell when the active problem is nearly solved. A step of
    length zero leaves its slope as large as it was, so it never looks like convergence. After a certificate
    that has neither ended the run nor changed the working set, the next one waits for twice the work.
    """

    def __init__(self, pass_size, n_blocks):
        self._pass_size, self._wait = pass_size, 0.0
        self.reset(n_blocks, grown=True)
        self.due = True

    def reset(self, n_blocks, grown, complete=False):
        """A certificate has arrived, with or without a new working set, of a ``complete`` point or not."""
        if grown or complete:
            self._late = np.ones(n_blocks, bool)
        self._slopes = np.full(n_blocks, np.inf)
        self._first = self._since = 0.0
        self._wait = 0.0 if grown else min(max(0.25, 2.0 * self._wait), LONGEST_WAIT)
        self.due = n_blocks == 0

    @property
    def complete(self):
        """Whether every block was moved since a certificate found that so, or new columns."""
        return not self._late.any()

    def visit(self, block, slope, touched, moved):
        """A block was written, with its predicted fall and the entries touched."""
        self._late[block] &= not moved
        self._since += touched / self._pass_size
        if np.isinf(self._slopes[block]):
            self._first += max(slope, 0.0)
        self._slopes[block] = max(slope, 0.0)
        left = self._slopes.sum()
        # Where nothing at all is left to gain, work that touches nothing would wait for ever.
        small = left == 0.0 or (self._since >= self._wait and left <= SHARE_OF_SLOPES * self._first)
        # A certificate says something new only when every block has had its turn, however late the
        # worker that holds it; it is not waited for beyond reason.
        everywhere = np.isfinite(self._slopes).all() or self._since >= 2 * LONGEST_WAIT
        self.due = self.due or small or (everywhere and self._since >= LONGEST_WAIT)


class AsyncBCD(Solver):
    """Asynchronous block-coordinate descent as a state machine of ask, work and tell.

    Parameters
    ----------
    problem : Problem
    step_size : StepSize
    n_workers : int
    n_blocks : int or "auto"
        Blocks the active columns are cut into.
    metric : {"gram", "lipschitz"}
        Metric of the block steps.
    working_set : bool
        Whether only columns that certificates call for are active.
    cyclic : bool
        Whether a single worker takes the blocks in turn (several take the next free one).
    random_state : int
        Seed of the workers' block streams.
    start : Snapshot
        First iterate.
    inline : bool
        Whether certificates are computed inside ``tell`` instead of as tasks.
    max_delay : int, callable or None
        Largest delay, where it is known in advance, or what finds it for a number of blocks.

    See Also
    --------
    RoundsBCD : The same with Newton steps, which the estimators take by default.
    PIAG : Shards of rows in place of blocks of columns.

    Examples
    --------
    Two workers ask before the first of them tells, so that the second has a delay of one:

    >>> import numpy as np
    >>> from sk_asyncprox.losses import SquaredLoss
    >>> from sk_asyncprox.penalties import ElasticNetPenalty
    >>> from sk_asyncprox.problem import Problem
    >>> from sk_asyncprox.solvers import AsyncBCD
    >>> from sk_asyncprox.step_sizes import Adaptive1
    >>> problem = Problem(np.eye(4), np.arange(4.0), SquaredLoss(), ElasticNetPenalty(l1=0.1))
    >>> solver = AsyncBCD(problem, Adaptive1(), n_workers=2, n_blocks=2, inline=True)
    >>> one, two = solver.ask(0), solver.ask(1)
    >>> for task in (one, two):
    ...     *_, update = solver.tell([(task, solver.work(solver.part(task), task))])
    ...     print(update.delay, round(update.step, 3))
    0 0.891
    1 0.089
    """

    works = {
        "certificate": lambda part, payload: part.problem.certify(*payload),
        "gradient": correlations,
        "direction": direction,
    }
    plain, needs_bound = ("lipschitz",), False

    def __init__(
        self,
        problem,
        step_size,
        *,
        n_workers=1,
        n_blocks="auto",
        metric="gram",
        working_set=True,
        cyclic=True,
        random_state=0,
        start=None,
        inline=False,
        max_delay=None,
    ):
        self.problem, self.at = problem, Iterate(problem, start)
        if start is not None:
            self.at.retreat()
        self.step_size, self.inline = step_size, inline
        self.working_set, self._prox_form = working_set, metric == "lipschitz" and not step_size.exact
        random = not cyclic or (step_size.can_be_zero and n_workers > 1)
        self._layout = Layout(
            problem, n_workers, n_blocks, working_set, metric == "lipschitz", not self._prox_form, random,
            random_state,
        )  # fmt: skip
        self.n_blocks = len(self._layout.everything)
        fewer = not self._prox_form and not inline and n_blocks == "auto"
        self.n_workers = min(n_workers, self.n_blocks) if fewer else n_workers
        if not self._prox_form and self.n_workers > self.n_blocks:
            raise ValueError(
                f"{n_workers} workers need at least {n_workers} blocks with exclusive blocks "
                f"(metric 'gram' or ExactStep), and n_blocks is {self.n_blocks}."
            )
        self._choose_constants(metric, max_delay)

        self.touched = problem.pass_size // 2
        self._gate = Gate(problem.pass_size, len(self._layout.blocks))
        self._certifying, self._complete = False, False
        if inline:
            self._certify()

    def _choose_constants(self, metric, max_delay):
        problem, policy = self.problem, self.step_size
        bound = problem.weights * problem.loss.curvature
        lipschitz, ratio = None, float(self.n_blocks)
        if metric == "lipschitz":
            designs = [problem.design.columns(block) for block in self._layout.everything]
            lipschitz = max(design.smoothness(bound) for design in designs) or 1.0
            ratio = lambda: problem.design.smoothness(bound) / lipschitz  # noqa: E731 (a policy may ask)
        self.ledger = Ledger(policy, Setting("bcd", ratio, self.n_blocks, max_delay))
        self.step_unit = 1.0 if policy.exact else policy.h / (lipschitz or 1.0)
        self._part = ColumnPart(problem, policy.h, policy.exact, lipschitz)

    # -- ask ---------------------------------------------------------------------------------------

    def part(self, task):
        return self._part

    def snapshot(self):
        return Snapshot(self.at.w.copy(), self.at.b)

    def ask(self, worker):
        """Hand out a certificate when one is due, else a block."""
        if not self.inline and not self._certifying and self._gate.due:
            self._certifying, self._complete = True, self._gate.complete
            kind, number, payload = "certificate", -1, (self.at.w.copy(), self.at.b, self.at.z)
        else:
            layout, penalty = self._layout, self.problem.penalty
            number = layout.take(worker)
            if number is None:
                return None
            index, key = layout.blocks[number], ("blocks", layout.generation, number)
            alone = len(layout.blocks) == 1
            payload = Read(key, index, self.at.w[index], self.at.point(), penalty.on(index), alone)
            kind = "gradient" if self._prox_form else "direction"
        return self.ledger.task(kind, worker, number, payload)

    def drop(self, task):
        if task.kind == "certificate":
            self._certifying = False
        else:
            self._layout.release(task.block)

    # -- tell --------------------------------------------------------------------------------------

    def tell(self, arrivals):
        for task, result in self.ledger.told(arrivals):
            if task.kind == "certificate":
                self._certifying = False
                self._digest(result, task.stamp.update, task.worker, task.asked)
                continue
            delay, step = self.ledger.measure(task.stamp)
            write = self._write_prox if self._prox_form else self._write_theta
            step, slope, touched = write(task, result, step)
            touched = max(1, touched)  # columns may store nothing
            self.touched += touched
            if task.payload.key[1] == self._layout.generation:
                self._gate.visit(task.block, slope, touched, step > 0.0 or self.step_size.exact)
            self.ledger.written(delay, step, step * self.step_unit, "descent")
            if self.inline and self._gate.due:
                self._certify()
        return self.ledger.report()

    def _write_theta(self, task, direction, step):
        self._layout.release(task.block)
        index = task.payload.index
        if self.step_size.exact:
            step, slope = self.at.write(index, direction)
        else:
            _, slope = self.at.write(index, direction, share=min(1.0, step) * direction.damping)
        if self.at.settles:
            self.at.settle(1e-2 * step * slope if self.step_size.exact else 0.0)
        return step, slope, direction.touched

    def _write_prox(self, task, result, step):
        correlations, touched = result
        problem, key, index = self.problem, task.payload.key, task.payload.index
        length = step * self.step_unit
        old = self.at.w[index]
        new = task.payload.penalty.prox(old + length * correlations, length)
        move, slope = new - old, np.inf
        if move.any():
            block = self._part.block(key, index)
            self.at.z = self.at.z + block.design.mul(move)
            self.at.gradient = problem.loss.gradient(problem.y, self.at.z)
            self.at.w[index] = new
            touched += block.design.size
            if self.at.settles:
                self.at.settle()
        if length > 0.0:
            slope = float(move @ move) / length
        return step, slope, touched

    # -- certificates ------------------------------------------------------------------------------

    def _certify(self):
        self._complete = self._gate.complete
        self._digest(self.problem.certify(self.at.w.copy(), self.at.b, self.at.z))

    def _digest(self, certificate, *place):
        self.touched += self.problem.pass_size // 2
        grown = self.working_set and self._layout.grow(self.at.w, certificate)
        # What was written since the certificate was asked for is not in it.
        self._gate.reset(len(self._layout.blocks), grown, self._complete)
        self.ledger.certified(certificate, *place, complete=self._complete)

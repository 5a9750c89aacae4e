"""PIAG of second order: models by shards.

In place of every shard's newest gradient the server keeps its newest second-order *model*, and goes to the
minimiser of their sum with the penalty. What a delay costs is then not the step length but the change of
curvature since the read: nothing at all for the squared loss, and of second order near the optimum else. No
step size and no smoothness constant is needed. Where a run begins without coefficients, shards of many rows
make their first models at points of their own, where samples of these have led them.

Far from the optimum models can promise too much. So where a certificate finds the objective risen, the run
goes back to the best certified point and waits until every shard has been read there; curvatures are raised
to the secants that the step has met, and to a share of a majorant's, more of it every time. With all of it
the sum of the models lies above the objective and touches it at that point, so the next step lowers it,
whatever the data.
"""

from typing import NamedTuple

import numpy as np

from .._precision import EPS
from ..kernels.server_aggregate import ModelSum, Subproblem
from ..kernels.shard_taylor_model import Care
from .piag import PIAG

WAIT = 20
"""Passes between two certificates, at most."""

PROMISED = 20.0
"""Gap that the models promise, relative to the one wanted, from which on a certificate is worth its cost."""

ENOUGH = 0.01
"""Share of the gap wanted to which the models' sum is minimised, and by which a point moves that counts."""

ROUNDING = 4 * EPS
"""Gap, relative to the objective, that nobody can tell from zero."""

RISE = 1e-9
"""Relative rise of the objective that is no rounding."""

FIRST_SHARE, MORE, LESS = 1e-3, 10.0, 0.1
"""Share of the majorant after a rise, beside the secants; its growth after another, and its fall after a
certificate without one, down to nothing below the first."""


class Fallback(NamedTuple):
    """A point and its objective."""

    w: np.ndarray
    b: float
    objective: float


class ModelPIAG(PIAG):
    """Aggregated second-order models as a state machine of ask, work and tell.

    Parameters are those of :class:`PIAG`, and ``target``, the gap that is wanted. Steps are exact, or along
    the sum of the newest gradients and as long as the policy says, in the metric of the curvatures' sum.
    Where workers share memory, an exact step is a task like others, which nobody waits for; else the server
    makes it when it is told.
    """

    kinds, plain, phase = ("model", "model look"), (), "models"
    _index, _scope = slice(None), None
    """Coefficients that the models are of; and the same where these are a working set."""

    @property
    def _may_rise(self):
        """Whether a step may raise the objective."""
        return not self.problem.loss.quadratic

    _worth = 0.0
    """Gap from which on a certificate is worth its cost whatever is wanted."""

    def __init__(self, problem, step_size, *, target=0.0, **options):
        super().__init__(problem, step_size, **options)
        self._wanted, self._wait = target, WAIT
        self._due = (self._by_shards and not self._apart) or not (step_size.exact or self.inline)
        self._is_exact = step_size.exact and problem.loss.quadratic
        self._solves = not step_size.exact or self.inline or self.most_workers is not None

    def _unit(self):
        return self.step_size.h

    def _lay_table(self):
        self._penalty = self._own_penalty = self.problem.penalty
        self._promised, self._moved = np.full((2, self.n_blocks), np.inf)
        self._care, self._best = Care(1.0) if self.problem.loss.jumps else None, None
        self._certified_at, self._due_after = 0, False
        self._ready, self._solving = False, None
        # A step along gradients needs those of points that the run has been at.
        self._apart = self.step_size.exact and not self.problem.loss.quadratic and not self.w.any()
        self._apart &= self._scope is None and self._care is None
        self._forget()

    def _forget(self):
        """Begin with no models."""
        self._sum = ModelSum(self._shares, len(self.w[self._index]), self._free * np.size(self.b))
        self._known = [None] * self.n_blocks

    def ask(self, worker):
        """Hand out the minimisation where it is due, else what PIAG hands out."""
        if not self._ready or self._solving is not None:
            return super().ask(worker)
        self._ready, self._solving = False, self._batch()
        return self.ledger.task("solve", worker, -1, self._minimisation(1.0))

    def part(self, task):
        """As PIAG's; a minimisation needs nothing but its payload."""
        return None if task.kind == "solve" else super().part(task)

    def drop(self, task):
        if task.kind == "solve":
            self._give_back()
            self._ready = task.asked > self._barrier
        else:
            super().drop(task)
            self._moved[max(0, task.block)] = np.inf

    def _give_back(self):
        """Leave what the minimisation in flight is made of to the next one."""
        self._fresh, self._solving = [*self._solving.arrivals, *self._fresh], None

    @property
    def pending(self):
        return (*(self._solving.arrivals if self._solving else ()), *self._fresh)

    def _useful(self, worker):
        """Shards whose point is no longer the one they were read at, as far as that counts; and those that a
        certificate needs. Where the policy asks for delays, all: its workers never rest."""
        if not self.step_size.exact:
            return True
        useful = self._moved > ENOUGH * self._wanted
        if self._looking is not None:
            useful[[shard for shard in range(self.n_blocks) if shard not in self._looking.looks]] = True
        idle = not (self._placement.flights or self._certifying or self._solving)
        # Who else would be asked may not ask soon: somebody has to go on.
        return useful if not idle or useful[self._placement.homes == worker].any() else True

    def _payload(self, shard, w, b):
        self._moved[shard] = 0.0 if w is self.w else np.inf
        known = self._known[shard]
        known = None if known is None or known[1] is not self._care else known[0]
        penalty = self._own_penalty if self._apart and self._best is None else None
        return w[self._index], b, known, self._care, self._scope, penalty

    def _enter(self, task, model):
        shard, (w, b, _, care, *_) = task.block, task.payload
        x, gradient = self._joint(*(model.point or (w, b))), self._joint(*model.gradient)
        self._sum.renew(shard, x, gradient, model.curvature, model.size, model.value)
        if model.point is not None:
            # The run has not been there, whatever the models promise; and the curvature of a sample does for
            # one step.
            self._moved[shard] = np.inf
        elif model.curvature is not None:
            self._known[shard] = (w, b), care

    def _joint(self, w, b):
        return np.append(w, b) if self._free else w

    def _with(self, values):
        """All coefficients, with these in the working set."""
        w = self.w.copy()
        w[self._index] = values
        return w

    # -- steps -------------------------------------------------------------------------------------

    def _take(self, task, result):
        """Renew a model, or go to the minimiser of their sum."""
        if task.kind != "solve":
            super()._take(task, result)
            return
        if task.asked <= self._barrier:
            self._give_back()  # what was found before a retreat is of no use after it
        else:
            batch, self._solving = self._solving, None
            self._step(batch._replace(found=result))
        self.ledger.shared("solve")

    def _move(self):
        if self._solves:
            super()._move()
        else:
            self._ready = True

    def _minimisation(self, length):
        w, exact = self.w[self._index], self.step_size.exact
        model = self._sum.quadratic() if exact else self._sum.proximal(self._joint(w, self.b), length)
        return model, w, self._own_penalty, ENOUGH * self._wanted

    def _go(self, step, length, batch):
        """Go to the minimiser of the models' sum, or of what a step of that length minimises."""
        if self._best is None:
            # Every shard has been read at the start, unless that is the zero model.
            read = float(self._sum.sums.total.value + self._penalty.value(self.w))
            objective = self.problem.null if self._apart else read
            self._best = Fallback(self.w, self.b, objective)
            self._wanted = max(self._wanted, ROUNDING * abs(objective))
        if step == 0.0:
            return
        gap, values, b = batch.found or Subproblem.solved(*self._minimisation(length))
        self.w = self._with(values)
        if self._free:
            self.b = b if np.ndim(self.b) else float(b[0])
        promise = 0.0 if self._is_exact else max(0.0, gap) if gap < np.inf else np.inf
        self._moved += promise
        blocks = [arrival.block for arrival in batch.arrivals]
        self._promised[blocks] = promise / len(blocks)
        self._heed_promise()

    # -- certificates --------------------------------------------------------------------------------

    def _heed_promise(self):
        """Ask for a certificate where the models promise that it is good enough, and every shard was read
        since the last one that they promised too much for."""
        renewed = min(self._stamps).update >= self._certified_at
        promised = renewed and self._promised.sum() <= max(PROMISED * self._wanted, self._worth)
        self._due = self._due or self._is_exact or promised or self._due_after
        self._due_after = False

    def _digest(self, certificate, update, worker=-1, asked=-1):
        event = super()._digest(certificate, update, worker, asked)
        if self._may_rise and self._best is not None:
            self._guard(certificate)
        if self.problem.loss.jumps and event.gap > self._wanted:
            self._moved[:] = np.inf  # Majorants lead there by moves too short to count, but not for bounds.
        self._wait, self._certified_at = WAIT, update
        return event

    def _guard(self, certificate):
        """Go back where the objective has risen."""
        best, objective, risen = self._best, certificate.objective, self._has_risen(certificate)
        share = 0.0 if self._care is None else self._care.share
        if risen:
            share = min(1.0, max(FIRST_SHARE, MORE * share))
            self._care = Care(share, certificate.w[self._index], certificate.b)
            # The next step is certified at once.
            self._looking, self._due_after = None, True
            self._wait_for_all(self._with(best.w[self._index]), best.b)
        else:
            self._best = Fallback(certificate.w, certificate.b, objective)
            share *= 1.0 if self.problem.loss.jumps else LESS
            self._care = self._care._replace(share=share) if share >= FIRST_SHARE else None

    def _has_risen(self, certificate):
        best = self._best.objective
        return not certificate.objective <= best + RISE * abs(best)

    def _wait_for_all(self, w, b):
        """Go to a point, and wait until every shard has been read there."""
        self.w, self.b = w, b
        self._barrier, self._ready = self.ledger.clock, False
        self._moved[:] = np.inf
        self._placement.afresh()

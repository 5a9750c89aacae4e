"""PIAG of second order on a working set: models by shards of wide data.

Shards answer with their gradient and curvature in the coefficients of the working set alone. A certificate,
whose shares bring the full gradient of every shard at one point, chooses the next working set there, while
the l1 part comes down to the wanted one. The next step waits for the models of all shards in it.
"""

import numpy as np

from ..kernels.working_set import FIRST_COLUMNS, wanted_columns
from ..shards.sharded_certificate import Thin
from .piag_second_order import ModelPIAG

LOWERED = 0.1
"""Factor of the l1 part from certificate to certificate."""

SHARE_OF_GAP = 0.1
"""Gap that the models promise, relative to that of the last certificate, from which on the next is worth its
cost."""

MOST_AWAITED = 0.5
"""Share of the rows that is read between two minimisations, at most."""

MOST_COLUMNS = 1000
"""Columns of a working set. Where more coefficients are not zero, those that violate the conditions of an
optimum most move, and the others are held until the next certificate."""


class WidePIAG(ModelPIAG):
    """Aggregated models on a working set as a state machine of ask, work and tell.

    Parameters are those of :class:`ModelPIAG`; the penalty has an l1 part. Certificates are made of shares.
    """

    def __init__(self, problem, step_size, *, inline=False, **options):
        super().__init__(problem, step_size, inline=inline, **options | {"by_shards": True})
        # Looks are visits of shards on any schedule.
        self.inline, self._due = False, True

    def _lay_table(self):
        self._use(self.problem.penalty.whole(np.flatnonzero(self.w)[:MOST_COLUMNS]))
        super()._lay_table()
        self._own_penalty = self._penalty.on(self._index)
        self._n_samples = self.problem.design.shape[0] // self.problem.loss.n_outputs
        self._lowest = self._worth = np.inf

    def _use(self, index):
        """Take a working set; what is not zero beside it is held."""
        held = np.setdiff1d(np.flatnonzero(self.w), index)
        self._index, self._scope = index, (index, Thin(held, self.w[held]))

    def _useful(self, worker):
        useful = super()._useful(worker)
        if self._round is None or self._penalty.l1 == self.problem.penalty.l1:
            return useful
        # The next working set makes models in this one void.
        return np.array([shard not in self._round.looks for shard in range(self.n_blocks)])

    # -- tell --------------------------------------------------------------------------------------

    def _move(self):
        # A minimisation in many coefficients is to serve many rows.
        enough = min(MOST_AWAITED, len(self._index) / self._n_samples)
        fresh = sum(self._facts[arrival.block].effort for arrival in self._fresh)
        if fresh >= enough:
            super()._move()

    # -- certificates --------------------------------------------------------------------------------

    def _digest(self, certificate, *place):
        barrier = self._barrier
        event = super()._digest(certificate, *place)
        if self._barrier == barrier:
            self._aim(event)
        return event

    def _guard(self, certificate):
        w = certificate.w
        change = self._penalty.value(w) - self.problem.penalty.value(w)
        super()._guard(certificate._replace(objective=certificate.objective + change))

    def _aim(self, event):
        wanted, w, c = self.problem.penalty, event.certificate.w, event.certificate.correlations
        self._lowest = min(self._lowest, float(wanted.pull(c).max(initial=0.0)))
        before, self._penalty = self._penalty, wanted.with_l1(max(wanted.l1, LOWERED * self._lowest))
        self._lowest = self._penalty.l1
        # While the l1 part comes down, so is any.
        self._worth = np.inf if self._lowest > wanted.l1 else SHARE_OF_GAP * event.gap
        if self._best is not None:
            change = self._penalty.value(w) - before.value(w)
            self._best = self._best._replace(objective=self._best.objective + change)
        index = self._wanted_columns(w, c)
        if index is not self._index:
            self._turn_to(index, w)
        self._own_penalty = self._penalty.on(self._index)

    def _wanted_columns(self, certified, c):
        """The next working set: what pulls most, and what is not zero at the certified point, or at the one
        that the run has gone on to."""
        w, penalty = np.where(certified != 0.0, certified, self.w), self._penalty
        chosen = wanted_columns(penalty, w, c, self._index, min(FIRST_COLUMNS, self._n_samples))
        if len(chosen) > MOST_COLUMNS and chosen is not self._index:
            violation = penalty.violation(w, c)[chosen]
            chosen = penalty.whole(np.sort(chosen[np.argpartition(-violation, MOST_COLUMNS)[:MOST_COLUMNS]]))
        return chosen

    def _turn_to(self, index, certified):
        w = certified.copy()
        w[index] = 0.0
        # Beside coefficients that are held where they were certified, the others begin there, too.
        w[index] = (certified if w.any() else self.w)[index]
        self._care = None
        self._wait_for_all(w, self.b)
        self._use(index)
        self._forget()

"""PIAG of second order on a working set: models by shards of wide data.

Shards answer with their gradient and curvature in the coefficients of the working set alone. A certificate,
whose shares bring the full gradient of every shard at one point, chooses the next working set there, while
the l1 part comes down to the wanted one. A shard that has not sent its curvature in a new working set counts
with the mean of those that have, and its own gradient.
"""

import numpy as np

from ..kernels.model_sum import PartialSum
from ..shards.looks import Thin
from .model_piag import ModelPIAG
from .working_set import FEWEST_COLUMNS, FIRST_COLUMNS, among, wanted_columns

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

ENOUGH_KNOWN = 0.7
"""Share of the shards whose curvature in a new working set has to be known before a step; with the squared
loss all, whose next step is then exact."""


class WidePIAG(ModelPIAG):
    """Aggregated models on a working set as a state machine of ask, work and tell.

    Parameters are those of :class:`ModelPIAG`; the penalty has an l1 part. Certificates are made of shares.

    Attributes
    ----------
    w : ndarray of shape (k,)
        Coefficients of the working set; all others are zero.
    """

    def __init__(self, problem, step_size, *, inline=False, **options):
        super().__init__(problem, step_size, inline=inline, **options | {"by_shards": True})
        # Looks are visits of shards on any schedule.
        self.inline, self._due = False, True

    def _lay_table(self):
        penalty, support = self.problem.penalty, np.flatnonzero(self.w)
        self._index = penalty.whole(support[:MOST_COLUMNS])
        held = np.setdiff1d(support, self._index)
        self._held = Thin(held, self.w[held])
        self.w, self._n_coefs = self.w[self._index], len(self.w)
        super()._lay_table()
        self._own_penalty = self._penalty.on(self._index)
        self._n_samples = self.problem.design.shape[0] // self.problem.loss.n_outputs
        self._lowest, self._sizes = np.inf, np.zeros(self.n_blocks)
        self._gap = np.inf

    def _empty_sum(self):
        return PartialSum(self._shares, len(self.w), self._free * np.size(self.b))

    def _whole(self, w):
        whole = np.zeros(self._n_coefs)
        whole[self._held.index] = self._held.values
        whole[self._index] = w
        return whole

    def _some(self, w):
        return w[self._index]

    def _useful(self, worker):
        useful = super()._useful(worker)
        if self._round is None or self._penalty.l1 == self.problem.penalty.l1:
            return useful
        # The next working set makes models in this one void.
        return np.array([shard not in self._round.looks for shard in range(self.n_blocks)])

    # -- tell --------------------------------------------------------------------------------------

    def _take(self, task, result):
        if task.kind == self.kinds[1]:
            self._sizes[task.block] = result[1].size
        return super()._take(task, result)

    def _move(self):
        # A minimisation in many coefficients is to serve many rows.
        enough = min(MOST_AWAITED, len(self.w) / self._n_samples)
        fresh = sum(self._facts[arrival.block].effort for arrival in self._fresh)
        known = self._sum.known >= ENOUGH_KNOWN and not self.problem.loss.quadratic
        return super()._move() if fresh >= enough and (known or self._sum.is_whole) else []

    # -- certificates --------------------------------------------------------------------------------

    def _collect(self, task, found):
        looking, barrier = self._round, self._barrier
        events = super()._collect(task, found)
        if events and self._barrier == barrier:
            self._aim(looking, events[0])
        return events

    def _guard(self, certificate):
        w = certificate.w
        change = self._penalty.value(w) - self.problem.penalty.value(w)
        super()._guard(certificate._replace(objective=certificate.objective + change))

    def _heed_promise(self):
        super()._heed_promise()
        renewed = min(self._stamps).update >= self._certified_at
        lowering = self._penalty.l1 > self.problem.penalty.l1
        near = self._promised.sum() <= SHARE_OF_GAP * self._gap
        self._due = self._due or (renewed and (lowering or near))

    def _aim(self, looking, event):
        """Lower the l1 part, and choose the working set."""
        certificate, wanted = event.certificate, self.problem.penalty
        w, c = certificate.w, certificate.correlations
        self._lowest = min(self._lowest, float(wanted.pull(c).max(initial=0.0)))
        before, self._penalty = self._penalty, wanted.with_l1(max(wanted.l1, LOWERED * self._lowest))
        self._lowest, self._gap = self._penalty.l1, event.gap
        if self._best is not None:
            change = self._penalty.value(w) - before.value(w)
            self._best = self._best._replace(objective=self._best.objective + change)
        index = self._wanted_columns(looking.w, c)
        self._own_penalty = self._penalty.on(self._index)
        if index is not self._index:
            self._turn_to(index, looking)

    def _wanted_columns(self, certified, c):
        """The next working set, chosen among the coefficients that may be in it: all that are not zero at the
        certified point, or at the one that the run has gone on to, and what pulls most."""
        pull, active, held = self._penalty.pull(c), self._index, self._held
        known = np.union1d(active, held.index)
        for share in (1.0, 0.1, -1.0):
            some = np.union1d(np.flatnonzero(pull > share * self._penalty.l1), known)
            if len(some) >= FEWEST_COLUMNS:
                break
        some = self._penalty.whole(some)
        there, w = np.searchsorted(some, active), np.zeros(len(some))
        w[there] = np.where(certified != 0.0, certified, self.w)
        w[np.searchsorted(some, held.index)] = held.values
        first = min(FIRST_COLUMNS, self._n_samples)
        penalty = self._penalty.on(some)
        chosen = wanted_columns(penalty, w, c[some], there, first)
        if chosen is there:
            return active
        if len(chosen) > MOST_COLUMNS:
            violation = penalty.violation(w, c[some])[chosen]
            chosen = penalty.whole(np.sort(chosen[np.argpartition(-violation, MOST_COLUMNS)[:MOST_COLUMNS]]))
        return some[chosen]

    def _turn_to(self, index, looking):
        """Go on with another working set, from what the certificate's looks have said of it."""
        x, w = self._whole(looking.w), self._whole(self.w)
        self._care, self._index = None, index
        left = np.setdiff1d(x.nonzero()[0], index)
        self._held = Thin(left, x[left])
        # Beside coefficients that are held where they were certified, the others begin there, too.
        self.w, x = (x if len(left) else w)[index], x[index]
        self._sum = self._empty_sum()
        self._own_penalty = self._penalty.on(index)
        penalty = self._own_penalty.value(x)
        for shard, look in looking.looks.items():
            gradient = self._joint(-self._entries(shard, look.correlations.sum(axis=0)), look.gradient.b)
            self._sum.expect(shard, self._joint(x, looking.b), gradient, self._sizes[shard])
            self._values[shard] = look.value + penalty
        self._known, self._stamps = [None] * self.n_blocks, [looking.stamp] * self.n_blocks
        self._moved[:] = np.inf
        self._ceiling = self._least = self._mixture()
        # What was asked for before is of no use any more.
        self._barrier, self._waiting = self._clock, set()

    def _entries(self, shard, vector):
        """Entries of the working set, of a vector about the shard's columns."""
        columns = self._facts[shard].columns
        if isinstance(columns, slice):
            return vector[self._index]
        there, at = among(self._index, columns)
        return np.where(there, vector[at], 0.0) if len(columns) else np.zeros(len(self._index))

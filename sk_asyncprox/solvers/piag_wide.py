"""PIAG of second order on a working set: models by shards of wide data.

Shards answer with their gradient and curvature in the coefficients of the working set alone. A certificate,
whose shares bring the full gradient of every shard at one point, chooses the next working set there. The next
step waits for the models of all shards in it.

Of many coefficients curvatures would take longer to make, to send and to solve with than all the rest. There
every certificate is followed by a solution of each shard's own (``kernels/shard_surrogate.py``), to which
it is told the gradient of all, and these by the next certificate, at their mean: mixed with those before it,
as changes of the means tell (Anderson, 1965). Where the objective has risen, the run goes to the plain mean,
and then back towards the last certified point: the objective falls where the way from there begins.
"""

import numpy as np

from .._precision import TINY
from ..kernels.shard_surrogate import Wanted
from ..kernels.working_set import FIRST_COLUMNS, GROWTH, wanted_columns
from ..shards.sharded_certificate import add_up
from .piag import PIAG
from .piag_models import Fallback, ModelPIAG

SHARE_OF_GAP = 0.1
"""Gap that the models promise, relative to that of the last certificate, from which on the next is worth its
cost."""

HELD_BACK = 1.5
"""Columns that pull more than the l1 part, relative to the working set, from which on it holds a run back."""

MOST_AWAITED = 0.5
"""Share of the rows that is read between two minimisations, at most."""

MOST_COLUMNS, MOST_OF_FEW_ROWS, ROWS_OF_SHARD = 1000, 3000, 2
"""Columns of a working set up to which shards answer with curvatures; the same where shards have fewer rows
than so many per column, so that their solutions lie far apart; and these rows."""

MANY, GROWTH_OF_MANY = 0.25, 10
"""Coefficients that are not zero, relative to these columns, from which on working sets may grow so much."""

AFFORDED = 0.3
"""Share of the passes that are allowed from which on shards answer with curvatures whatever there is: where
they have few rows, their solutions may take more."""

MIXED, ALIKE = 4, 1e-3
"""Steps that are mixed with the last one; and the singular value of their changes, relative to the largest,
below which these are too much alike."""

SHORTEST, LONGEST = 0.05, 0.5
"""Shares of a step that are tried after a rise."""

LEAST_RIDGE, MOST_RIDGE, RAISED = 0.2, 4.0, 3.0
"""Ridge of the shards' surrogates at first and at most, and its growth after every rise."""


class WidePIAG(ModelPIAG):
    """Aggregated models on a working set as a state machine of ask, work and tell.

    Parameters are those of :class:`ModelPIAG`, and the passes over the data that are allowed; the penalty has
    an l1 part. Certificates are made of shares.
    """

    def __init__(self, problem, step_size, *, inline=False, most_passes=np.inf, **options):
        self._afforded = AFFORDED * most_passes * problem.pass_size
        super().__init__(problem, step_size, inline=inline, **options | {"by_shards": True})
        # Looks are visits of shards on any schedule.
        self.inline, self._due = False, True

    def _lay_table(self):
        self._gradient = self._squares = self._looked = None
        self._mean, self._steps, self._ridge = None, [], LEAST_RIDGE
        self._n_samples = self.problem.design.shape[0] // self.problem.loss.n_outputs
        self._use(self.problem.penalty.whole(np.flatnonzero(self.w)))
        super()._lay_table()
        self._own_penalty = self._penalty.on(self._index)
        self._worth = np.inf

    def _use(self, index):
        """Take a working set."""
        self._index, self._scope, self._solutions = index, index, {}
        self._locally = self._is_many(index)
        self.kinds = ("local", "look") if self._locally else ModelPIAG.kinds

    def _is_many(self, index):
        """Whether matrices of the coefficients are dearer than solutions by shards of so many rows take, and
        these have not taken all that is allowed."""
        if self.touched > self._afforded:
            return False
        enough = self._n_samples >= ROWS_OF_SHARD * self.n_blocks * len(index) / self.problem.loss.n_outputs
        return len(index) > (MOST_COLUMNS if enough else MOST_OF_FEW_ROWS)

    def _forget(self):
        if self._locally:
            self._known = [None] * self.n_blocks
        else:
            super()._forget()

    @property
    def _may_rise(self):
        return self._locally or super()._may_rise

    def _useful(self, worker):
        if self._locally:
            done = self._solutions if self._looking is None else self._looking.looks
            return np.array([shard not in done for shard in range(self.n_blocks)])
        useful = super()._useful(worker)
        if self._looking is None or self._worth < np.inf:
            return useful
        # The next working set makes models in this one void.
        return np.array([shard not in self._looking.looks for shard in range(self.n_blocks)])

    def _payload(self, shard, w, b):
        if not self._locally:
            return super()._payload(shard, w, b)
        if self._looking is not None:
            return PIAG._payload(self, shard, w, b)
        squares = self._squares[self._index]
        known = self._gradient, squares, self._own_penalty, self._ridge
        return Wanted(self._index, w[self._index], b, *known)

    # -- tell --------------------------------------------------------------------------------------

    def _enter(self, task, answer):
        if task.kind == "local":
            self._solutions[task.block] = answer
        elif not self._locally:
            super()._enter(task, answer)

    def _move(self):
        if self._locally:
            if len(self._solutions) == self.n_blocks:
                self._step(self._batch())
            return
        # A minimisation in many coefficients is to serve many rows.
        enough = min(MOST_AWAITED, len(self._index) / self._n_samples)
        fresh = sum(self._facts[arrival.block].effort for arrival in self._fresh)
        if fresh >= enough:
            super()._move()

    def _go(self, step, length, batch):
        """Go to the mean of the shards' own solutions, where there are such."""
        if not self._locally:
            super()._go(step, length, batch)
            return
        answers = [(fact.share, self._solutions[shard]) for shard, fact in enumerate(self._facts)]
        mean, b = (sum(share * getattr(answer, name) for share, answer in answers) for name in ("w", "b"))
        self._squares[self._index] = sum(share * answer.squares for share, answer in answers)
        before = np.append(self.w[self._index], self.b)
        new = self._mixed(before, np.append(mean, b))
        mixed = new[len(mean) :] if np.ndim(b) else float(new[-1])
        self._mean = (self._with(mean), b) if len(self._steps) > 1 else None
        self.w, self.b = self._with(new[: len(mean)]), mixed
        self._due, self._solutions = True, {}

    def _mixed(self, before, mean):
        """The mean and the last ones, in the shares with which what they are away from where they were made
        would be least, were it linear; zero where the mean is, or the sign would be another."""
        self._steps = [*self._steps[-MIXED:], (before, mean)]
        if len(self._steps) == 1:
            return mean
        weights = np.ones(len(mean))
        weights[: len(self._index)] = np.sqrt(self._squares[self._index])
        starts, ends = map(np.array, zip(*self._steps, strict=True))
        left = (ends - starts) * weights
        changes = np.diff(left, axis=0).T
        sizes = np.maximum(np.linalg.norm(changes, axis=0), TINY)
        shares = np.linalg.lstsq(changes / sizes, left[-1], rcond=ALIKE)[0] / sizes
        new = mean - shares @ np.diff(ends, axis=0)
        k = len(self._index)
        new[:k][new[:k] * mean[:k] <= 0.0] = 0.0
        return new

    def _moved_to(self, index, x):
        """A point on the working set as one on another."""
        w, k = np.zeros_like(self.w), len(self._index)
        w[self._index] = x[:k]
        return np.append(w[index], x[k:])

    # -- certificates --------------------------------------------------------------------------------

    def _conclude(self, looking, looks):
        self._looked = looking, looks
        super()._conclude(looking, looks)
        self._looked = None

    def _digest(self, certificate, *place):
        barrier = self._barrier
        event = super()._digest(certificate, *place)
        if self._barrier == barrier:
            self._aim(event)
        return event

    def _guard(self, certificate):
        if not self._locally:
            super()._guard(certificate)
        elif self._has_risen(certificate):
            self._retry(certificate.objective)

    def _retry(self, objective):
        """Go to the plain mean, or where that is higher, too, to where a parabola has its lowest point
        between the best point and this one; the objective falls at the beginning of that way."""
        best, k = self._best, self._index
        if self._mean is not None:
            (w, b), self._mean = self._mean, None
        else:
            w, b = self.w - best.w, self.b - best.b
            slope = self._gradient[0] @ w[k] + np.dot(self._gradient[1], b)
            slope += self._penalty.value(self.w) - self._penalty.value(best.w)
            bend = objective - best.objective - slope
            length = min(max(-0.5 * slope / bend, SHORTEST), LONGEST) if 0.0 < bend < np.inf else SHORTEST
            w, b = best.w + length * w, best.b + length * b
        self._ridge = min(RAISED * self._ridge, MOST_RIDGE)
        self._steps = self._steps[-1:]
        self._wait_for_all(w, b)
        self._due = True

    def _aim(self, event):
        c = event.certificate.correlations
        index = self._wanted_columns(event.certificate.w, c)
        # Where the working set leaves many columns out, any certificate is.
        left_out = np.count_nonzero(self._penalty.pull(c) > self._penalty.l1) > HELD_BACK * len(index)
        self._worth = np.inf if left_out else SHARE_OF_GAP * event.gap
        if self._is_many(index):
            self._solve_apart(index, event.certificate)
        elif index is not self._index or self._locally:
            self._turn_to(index)
        self._own_penalty = self._penalty.on(self._index)

    def _wanted_columns(self, certified, c):
        """The next working set: what pulls most, and what is not zero at the certified point, or at the one
        that the run has gone on to."""
        w = np.where(certified != 0.0, certified, self.w)
        first, many = min(FIRST_COLUMNS, self._n_samples), np.count_nonzero(w) > MANY * MOST_COLUMNS
        growth = GROWTH_OF_MANY if many else GROWTH
        return wanted_columns(self._penalty, w, c, self._index, first, growth=growth)

    def _turn_to(self, index):
        w = np.zeros_like(self.w)
        w[index] = self.w[index]
        self._care, self._steps = None, []
        self._wait_for_all(w, self.b)
        self._use(index)
        self._forget()

    def _solve_apart(self, index, certificate):
        """Have every shard solve the problem on the working set, with the gradient of all at the point that
        has been certified."""
        (looking, looks), facts = self._looked, self._facts
        whole = add_up(len(looking.w), facts, [-look.correlations.sum(axis=0) for look in looks])
        slope = sum(fact.share * look.gradient.b for fact, look in zip(facts, looks, strict=True))
        self._gradient = whole[index], slope
        if self._squares is None:
            self._squares = np.zeros_like(looking.w)
        if index is not self._index:
            self._steps = [[self._moved_to(index, x) for x in step] for step in self._steps]
        self._best, self._care = Fallback(looking.w, looking.b, certificate.objective), None
        self._wait_for_all(looking.w, looking.b)
        self._use(index)
        self._forget()

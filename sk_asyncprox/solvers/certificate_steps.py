"""Certificates of a run in rounds: of what is kept, or by runs of rows, each read once."""

from typing import NamedTuple

import numpy as np

from .._interrupts import cached_property
from ..data.design import COPY_COST
from ..problem.certificate import Certificate, factors, lower_bound
from .newton_steps import EVERYTHING
from .task_queue import Phase

SMALL_MOVE = 0.5
"""Move of an intercept to which first order will do; a dual point that follows one below one is feasible."""

TINY = 50_000
"""Stored entries up to which a product costs no more than a call."""

LEAST, ROUNDING = np.finfo(float).tiny, np.finfo(float).eps ** 2
"""Least curvature; and square of a move of the intercept, relative to that of the residuals, that is none."""


class Sight(NamedTuple):
    """What is seen at coefficients ``w`` and an intercept ``b``."""

    w: np.ndarray
    b: float
    z: np.ndarray
    """Margins, shape (n,)."""

    gradient: np.ndarray
    """Loss gradient there, shape (n,)."""

    move: float
    """Move of the intercept that balances the dual point."""

    correlations: np.ndarray
    """Those of the dual point, which follows the move to first order."""

    facts: np.ndarray
    """Slopes of the loss at both ends of the way from the iterate before, and of a squared loss the products
    of its weighted gradient with itself and with the targets."""

    def is_of(self, w, b):
        """Whether it is that of an iterate, before or after the move."""
        return b in (self.b, self.b + self.move) and np.array_equal(self.w, w)


class Looks:
    """Certificates of a run in rounds: by one task, by products that the workers share, or by runs of rows
    where the data lie as they were given and are ``streamed``."""

    def __init__(self, problem):
        self._problem, self._sight = problem, None

    @cached_property
    def streamed(self):
        """Whether they are made by runs of rows."""
        loss = self._problem.loss
        return (loss.quadratic or loss.follows) and self._problem.features.is_streamed

    def look(self, run):
        """Certificate of the iterate, which has the best intercept then."""
        if self.streamed:
            run.certifies_afresh = True
            return (yield from self._look_by_rows(run))
        problem, at = run.problem, run.at
        # From the coefficients alone where their columns are few: then no rounding of past writes is left.
        few = problem.design.size <= TINY or np.count_nonzero(at.w) * COPY_COST < len(at.w)
        run.certifies_afresh = few or (run.from_zero and run.n_updates == 1)
        known = (None, None) if few else (at.z, at.gradient)
        if few and problem.design.is_sparse:
            known = problem.shifted(run.image(at.w), at.b), None
        start = at.w.copy(), at.b, *known
        if run.products.alone():
            [(z, b, gradient, certificate)] = yield Phase("look", 1, lambda _: start)
        else:
            [(z, b, gradient, theta)] = yield Phase("dual_point", 1, lambda _: start)
            correlations = yield from run.products.correlations(problem.weights * theta)
            [certificate] = yield Phase("conclude", 1, lambda _: (start[0], b, z, theta, correlations))
        run.touched += problem.pass_size // 2
        at.z, at.b, at.gradient = z, b, gradient
        return certificate

    def see(self, run, w, b):
        """The sight at a point; at a better intercept where the move to it is long."""
        problem = run.problem
        z, gradient, pulls, sums, facts = self._seen_at_zero(run, w, b) or (yield from self._seen(run, w, b))
        # The squared loss has the second derivative one, and centred columns no product with that.
        curved = problem.free_intercept
        move = -sums[0] / max(sums[1] if curved else 1.0, LEAST) if problem.fit_intercept else 0.0
        if curved and abs(move) > SMALL_MOVE:
            best = problem.settle(z, b)[1]
            if best != b:
                return (yield from self.see(run, w, best))
            move = 0.0  # the slope is rounding
        if problem.loss.quadratic:
            if move * move > ROUNDING * facts[2]:
                z, gradient, b = z + move, gradient + move, b + move
                facts = np.append(facts[:2], self._products(problem, gradient))
            move = 0.0
        correlations = -pulls[0] - move * pulls[1] if curved else -pulls[0]
        self._sight = Sight(w, b, z, gradient, move, correlations, facts)
        return self._sight

    @staticmethod
    def _products(problem, gradient):
        """Products of a squared loss's weighted gradient with itself and with the targets."""
        shares = problem.weights * gradient
        return shares @ gradient, shares @ problem.y

    def _seen(self, run, w, b):
        """What the runs of rows tell of a point."""
        answers = yield self._by_runs(run, "seen", run.at.z, run.at.gradient, w, b)
        z, gradient, pulls, sums, facts, touched = zip(*answers, strict=True)
        run.touched += sum(touched)
        return np.concatenate(z), np.concatenate(gradient), sum(pulls), sum(sums), sum(facts)

    def _seen_at_zero(self, run, w, b):
        """The same of the zero model, if it is the iterate and this was made as the data were first read."""
        problem, at = run.problem, run.at
        pulls = problem.zero_products(b) if b == at.b and not (w.any() or at.w.any()) else ()
        if not len(pulls):
            return None
        run.touched += problem.pass_size
        sums = problem.pulls(EVERYTHING, at.gradient).sum(axis=1)
        facts = self._products(problem, at.gradient) if problem.loss.quadratic else ()
        return at.z, at.gradient, pulls, sums, np.array([0.0, 0.0, *facts])

    def _by_runs(self, run, kind, z, gradient, *common):
        """Phase of such tasks for all runs of rows, each with its part of margins and gradient."""

        def payload(i):
            rows = slice(*runs[i])
            return runs[i], z[rows], gradient[rows], *common

        runs = run.products.runs
        return Phase(kind, len(runs), payload, dynamic=True)

    def _look_by_rows(self, run):
        sight, problem, at = self._sight, run.problem, run.at
        if sight is None or not sight.is_of(at.w, at.b):
            sight = yield from self.see(run, at.w.copy(), at.b)
        c, penalty = sight.correlations, problem.penalty
        if problem.loss.quadratic:
            square, product = sight.facts[2:]
            at.z, at.gradient, at.b, loss = sight.z, sight.gradient, sight.b, 0.5 * square
            if penalty.free is None:
                [bound] = yield Phase("bound", 1, lambda _: (c, -product, square))
        else:
            tried = factors(penalty, min(1.0, penalty.dual_limit(c)))
            answers = yield self._by_runs(run, "settled", sight.z, sight.gradient, sight.move, tried)
            z, gradient, values = zip(*answers, strict=True)
            at.z, at.gradient, at.b = np.concatenate(z), np.concatenate(gradient), sight.b + sight.move
            loss, *duals = sum(values)
            bound = lower_bound(penalty, c, tried, duals)
        if penalty.free is None:
            return Certificate(sight.w, at.b, float(loss + penalty.value(sight.w)), bound, c)
        # The dual point is another, which is orthogonal to what is free.
        payload = sight.w, at.b, at.z, None, c
        [certificate] = yield Phase("conclude", 1, lambda _: payload)
        return certificate

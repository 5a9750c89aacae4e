"""Certificates of a run in rounds: of what is kept, or by runs of rows, each read once."""

from typing import NamedTuple

import numpy as np

from .._interrupts import cached_property
from .._precision import EPS, TINY
from ..data.design_matrix import COPY_COST
from ..problem.certificate import Certificate, factors, lower_bound
from .rounds_script import Phase

SMALL_MOVE = 0.5
"""Move of an intercept to which first order will do; a dual point that follows one below one is feasible."""

CALL = 50_000
"""Stored entries up to which a product costs no more than a call."""

SOON = 30.0
"""Gap of the last look, relative to the one wanted, up to which the next one may be the last."""

ROUNDING = EPS**2
"""Square of a move of the intercept, relative to that of the residuals, that is none."""


class Sight(NamedTuple):
    """What is seen at coefficients and an intercept: margins and loss gradient, the ``move`` of the intercept
    that balances the dual point, the correlations of that, which follows it to first order; and ``facts``,
    the slopes of the loss at both ends of the way from the iterate before, and of a squared loss the products
    of its weighted gradient with itself and with the targets."""

    w: np.ndarray
    b: float
    z: np.ndarray
    gradient: np.ndarray
    move: float
    correlations: np.ndarray
    facts: np.ndarray


class Looks:
    """Looks at the whole problem: by one task, by products that the workers share, or by runs of rows where
    the data lie as they were given and are ``streamed``."""

    def __init__(self, problem):
        self._problem, self._sight = problem, None

    @cached_property
    def streamed(self):
        """Whether looks are made by runs of rows."""
        loss = self._problem.loss
        return (loss.quadratic or loss.follows) and self._problem.features.is_streamed

    def look(self, run, known=None):
        """Certificate of the iterate, which has the best intercept then; correlations may be ``known``."""
        problem, at = run.problem, run.at
        if self.streamed:
            run.certifies_afresh = True
            return (yield from self._look_by_rows(run, problem, at))
        products = () if at.w.any() or not problem.loss.quadratic else problem.zero_products(at.b)
        known = -products[0] if known is None and len(products) else known
        if known is not None:
            return (yield from _conclude(at.w.copy(), at, problem.dual_theta(at.gradient), known))
        # From the coefficients alone where their columns are few: then no rounding of past writes is left.
        afresh = run.from_zero and run.n_updates == 1
        soon = run.gap * problem.scale <= SOON * run.goal
        few = problem.design.size <= CALL or np.count_nonzero(at.w) * COPY_COST < len(at.w)
        few = few and soon and not afresh
        run.certifies_afresh = afresh or few
        z = problem.shifted(run.image(at.w), at.b) if few and problem.design.is_sparse else None
        start = at.w.copy(), at.b, *((z, None) if few else (at.z, at.gradient))
        if run.products.alone():
            [(at.z, at.b, at.gradient, certificate)] = yield Phase("look", 1, lambda _: start)
        else:
            [(at.z, at.b, at.gradient, theta)] = yield Phase("dual_point", 1, lambda _: start)
            correlations = yield from run.products.correlations(problem.weights * theta)
            certificate = yield from _conclude(start[0], at, theta, correlations)
        run.touched += problem.pass_size // 2
        return certificate

    def see(self, run, w, b):
        """The sight at a point; at a better intercept where the move to it is long."""
        problem, index = run.problem, run.active
        seen = self._seen_at_zero(run, w, b)
        if seen is None:
            point, kind, known = (run.at.z, run.at.gradient), "seen", (w, b)
            if run.columns.keeps(index) and np.count_nonzero(w[index]) == np.count_nonzero(w):
                kind, known = "margins", (index, w[index], b)
            seen = _joined(*(yield from self._by_runs(run, kind, point, *known)))
        z, gradient, sums, facts, touched, *pulls = seen
        run.touched += touched
        # The squared loss has the second derivative one, and centred columns no product with that.
        curved = problem.free_intercept
        bend = max(sums[1], TINY) if curved else 1.0
        move = -sums[0] / bend if problem.fit_intercept else 0.0
        if curved and abs(move) > SMALL_MOVE:
            if (best := problem.settle(z, b)[1]) != b:
                return (yield from self.see(run, w, best))
            move = 0.0  # the slope is rounding
        if problem.loss.quadratic:
            if move * move > ROUNDING * facts[2]:
                z, gradient, b = z + move, gradient + move, b + move
                facts = np.append(facts[:2], self._products(problem, gradient))
            move = 0.0
        if pulls:
            correlations = -pulls[0][0] - (move * pulls[0][1] if move else 0.0)
        else:
            products, touched = yield from self._by_runs(run, "pull", (gradient,), move)
            correlations, run.touched = -sum(products), run.touched + sum(touched)
        self._sight = Sight(w, b, z, gradient, move, correlations, facts)
        return self._sight

    @staticmethod
    def _products(problem, gradient):
        """Products of a squared loss's weighted gradient with itself and with the targets."""
        shares = problem.weights * gradient
        return shares @ gradient, shares @ problem.y

    def _seen_at_zero(self, run, w, b):
        """What was seen at the zero model as the data were first read, if it is the iterate; else None."""
        problem, at = run.problem, run.at
        pulls = problem.zero_products(b) if b == at.b and not (w.any() or at.w.any()) else ()
        if not len(pulls):
            return None
        # The intercept is the best one.
        facts = self._products(problem, at.gradient) if problem.loss.quadratic else ()
        return at.z, at.gradient, (0.0, 1.0), np.array([0.0, 0.0, *facts]), problem.pass_size, pulls

    @staticmethod
    def _by_runs(run, kind, vectors, *common):
        """What such tasks for all runs of rows, each with its part of the ``vectors``, say, one by one."""
        parts = [(each, *(vector[slice(*each)] for vector in vectors), *common) for each in run.products.runs]
        answers = yield Phase(kind, len(parts), parts.__getitem__, dynamic=True)
        return zip(*answers, strict=True)

    def _look_by_rows(self, run, problem, at):
        sight = self._sight
        if sight is None or at.b not in (sight.b, sight.b + sight.move) or not np.array_equal(sight.w, at.w):
            sight = yield from self.see(run, at.w.copy(), at.b)
        c, penalty = sight.correlations, problem.penalty
        if problem.loss.quadratic:
            square, product = sight.facts[2:]
            at.z, at.gradient, at.b, loss = sight.z, sight.gradient, sight.b, 0.5 * square
            if penalty.free is None:
                [bound] = yield Phase("bound", 1, lambda _: (c, -product, square))
        else:
            tried = factors(penalty, min(1.0, penalty.dual_limit(c)))
            parts = self._by_runs(run, "settled", (sight.z, sight.gradient), sight.move, tried)
            at.z, at.gradient, (loss, *duals) = _joined(*(yield from parts))
            at.b = sight.b + sight.move
            bound = lower_bound(penalty, c, tried, duals)
        if penalty.free is None:
            return Certificate(sight.w, at.b, float(loss + penalty.value(sight.w)), bound, c)
        # The dual point is another, which is orthogonal to what is free.
        return (yield from _conclude(sight.w, at, None, c))


def _joined(z, gradient, *rest):
    """Margins and gradient of all rows, and the sums of the rest."""
    return np.concatenate(z), np.concatenate(gradient), *map(sum, rest)


def _conclude(w, at, theta, correlations):
    payload = w, at.b, at.z, theta, correlations
    [certificate] = yield Phase("conclude", 1, lambda _: payload)
    return certificate

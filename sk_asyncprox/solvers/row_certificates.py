"""Certificates of data that lie as they were given: by runs of rows, each read once."""

from typing import NamedTuple

import numpy as np

from ..problem.certificate import concluded, factors_of
from .ridge_steps import EVERYTHING, JoiningSolver
from .task_queue import Phase

SMALL_MOVE = 0.5
"""Move of an intercept to which first order will do; a dual point that follows one below one is feasible."""

TINY = np.finfo(float).tiny


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

    slopes: np.ndarray
    """Slopes of the loss at both ends of the way from the iterate before."""

    def is_of(self, w, b):
        """Whether it is that of an iterate, before or after the move."""
        return b in (self.b, self.b + self.move) and np.array_equal(self.w, w)


def seen(part, payload):
    """Work of the kind ``"seen"``: of a run of rows, margins at a point and the loss gradient; products of
    all columns with that, weighted, and with its derivative where the intercept is to move; the sums of both;
    the slopes at the ends of the way from the margins before; and the entries touched."""
    (begin, end), before, gradient_before, w, b = payload
    problem, gradient = part.problem, np.empty(end - begin)

    def pulls_of(rows, z):
        own = slice(begin + rows.start, begin + rows.stop)
        gradient[rows] = u = problem.loss.gradient(problem.y[own], z)
        return np.stack(problem.pulls(own, u))

    z, pulls, sums = problem.design.rows(begin, end).there_and_back(w, b, pulls_of)
    way = problem.weights[begin:end] * (z - before)
    slopes = np.array([gradient_before @ way, gradient @ way])
    return z, gradient, pulls, sums, slopes, 2 * (end - begin) * len(w)


def settled(part, payload):
    """Work of the kind ``"settled"``: of a run of rows, margins and loss gradient after the intercept's move,
    the loss there, and the dual objective at factors of the dual point. That follows the move to first order,
    and stays feasible: ``u`` and ``1 - u`` do not change their signs."""
    (begin, end), z, gradient, move, factors = payload
    loss, y, weights = part.problem.loss, part.problem.y[begin:end], part.problem.weights[begin:end]
    theta = -(gradient + move * loss.second_derivative(y, gradient))
    z = z + move
    values = [loss.value(y, z), *(loss.dual_value(y, factor * theta) for factor in factors)]
    return z, loss.gradient(y, z), np.array([weights @ value for value in values])


class SeeingSolver(JoiningSolver):
    """Certificates of data that lie as they were given."""

    def __init__(self, problem, start, n_workers):
        super().__init__(problem, start, n_workers)
        self._streamed, self._sight = problem.features.is_streamed, None
        self._settles &= not self._streamed  # else the next look does it

    def _see(self, w, b):
        """The sight at a point; at a better intercept where the move to it is long."""
        problem = self.problem
        z, gradient, pulls, sums, slopes = self._seen_at_zero(w, b) or (yield from self._seen(w, b))
        # The squared loss has the second derivative one, and centred columns no product with that.
        curved = problem.free_intercept
        move = -sums[0] / max(sums[1] if curved else 1.0, TINY) if problem.fit_intercept else 0.0
        if curved and abs(move) > SMALL_MOVE:
            best = problem.settle(z, b)[1]
            if best != b:
                return (yield from self._see(w, best))
            move = 0.0  # the slope is rounding
        correlations = -pulls[0] - move * pulls[1] if curved else -pulls[0]
        self._sight = Sight(w, b, z, gradient, move, correlations, slopes)
        return self._sight

    def _seen(self, w, b):
        """What the runs of rows tell of a point."""
        answers = yield self._by_runs("seen", self.z, self.gradient, w, b)
        z, gradient, pulls, sums, slopes, touched = zip(*answers, strict=True)
        self.touched += sum(touched)
        return np.concatenate(z), np.concatenate(gradient), sum(pulls), sum(sums), sum(slopes)

    def _seen_at_zero(self, w, b):
        """The same of the zero model, if it is the iterate and this was made as the data were first read."""
        pulls = self.problem.zero_products(b) if b == self.b and not (w.any() or self.w.any()) else ()
        if not pulls:
            return None
        self.touched += self.problem.pass_size
        sums = [vector.sum() for vector in self.problem.pulls(EVERYTHING, self.gradient)]
        return self.z, self.gradient, pulls, sums, np.zeros(2)

    def _by_runs(self, kind, z, gradient, *common):
        """Phase of such tasks for all runs of rows, each with its part of margins and gradient."""

        def payload(i):
            rows = slice(*runs[i])
            return runs[i], z[rows], gradient[rows], *common

        runs = self._products.runs
        return Phase(kind, len(runs), payload, dynamic=True)

    def _look_by_rows(self):
        """Certificate of the iterate, which has the best intercept then."""
        sight, problem = self._sight, self.problem
        if sight is None or not sight.is_of(self.w, self.b):
            sight = yield from self._see(self.w.copy(), self.b)
        factors = factors_of(problem, sight.correlations)
        answers = yield self._by_runs("settled", sight.z, sight.gradient, sight.move, factors)
        z, gradient, values = zip(*answers, strict=True)
        self.z, self.gradient, self.b = np.concatenate(z), np.concatenate(gradient), sight.b + sight.move
        if problem.penalty.free is None:
            return concluded(problem, sight.w, self.b, sight.correlations, factors, sum(values))
        # The dual point is another, which is orthogonal to what is free.
        payload = sight.w, self.b, self.z, None, sight.correlations
        [certificate] = yield Phase("conclude", 1, lambda _: payload)
        return certificate

"""Looks at data that lie as they were given: read once, and shared by rows with all that is made of them."""

from typing import NamedTuple

import numpy as np

from ..problem.certificate import Certificate, factors, lower_bound, quadratic_bound
from .joined_steps import JoiningSolver
from .phases import Phase

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
    loss, y, weights = problem.loss, problem.y[begin:end], problem.weights[begin:end]

    def pull(rows, z):
        gradient[rows] = u = loss.gradient(y[rows], z)
        out = np.empty((2 if problem.free_intercept else 1, len(u)))
        np.multiply(weights[rows], u, out=out[0])
        if problem.free_intercept:
            np.multiply(weights[rows], loss.second_derivative(y[rows], u), out=out[1])
        return out

    z, pulls, sums = problem.design.rows(begin, end).there_and_back(w, b, pull)
    way = weights * (z - before)
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
        problem, answers = self.problem, (yield self._by_runs("seen", self.z, self.gradient, w, b))
        z, gradient, pulls, sums, slopes, touched = zip(*answers, strict=True)
        z, pulls, sums = np.concatenate(z), sum(pulls), sum(sums)
        self.touched += sum(touched)
        # The squared loss has the second derivative one, and centred columns no product with that.
        curved = problem.free_intercept
        move = -sums[0] / max(sums[1] if curved else 1.0, TINY) if problem.fit_intercept else 0.0
        if curved and abs(move) > SMALL_MOVE:
            best = problem.settle(z, b)[1]
            if best != b:
                return (yield from self._see(w, best))
            move = 0.0  # the slope is rounding
        correlations = -pulls[0] - move * pulls[1] if curved else -pulls[0]
        self._sight = Sight(w, b, z, np.concatenate(gradient), move, correlations, sum(slopes))
        return self._sight

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
        c, penalty = sight.correlations, problem.penalty
        # Two values tell the parabola of the squared loss.
        tried = (0.5, 1.0) if problem.loss.quadratic else factors(penalty, min(1.0, penalty.dual_limit(c)))
        answers = yield self._by_runs("settled", sight.z, sight.gradient, sight.move, tried)
        z, gradient, values = zip(*answers, strict=True)
        self.z, self.gradient, self.b = np.concatenate(z), np.concatenate(gradient), sight.b + sight.move
        if problem.penalty.free is None:
            loss, *duals = sum(values)
            if problem.loss.quadratic:
                cross = 4.0 * duals[0] - duals[1]
                bound = quadratic_bound(penalty, c, cross, 2.0 * (cross - duals[1]))
            else:
                bound = lower_bound(penalty, c, tried, duals)
            return Certificate(sight.w, self.b, float(loss + penalty.value(sight.w)), bound, c)
        # The dual point is another, which is orthogonal to what is free.
        payload = sight.w, self.b, self.z, None, c
        [certificate] = yield Phase("conclude", 1, lambda _: payload)
        return certificate

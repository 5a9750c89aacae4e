"""Proximal Newton steps for a logistic loss on full data, on the Gram matrix of all columns, with a
certificate where the gap is expected to be small; for one penalty, or for many, one after the other.

No tasks, no working sets and no blocks: where the data are small these cost more than the arithmetic.
"""

from typing import NamedTuple

import numpy as np

from .._precision import EPS, TINY
from .gram_matrix import gram_of
from .quadratic_minimiser import newton_on_gram

WIDEST = 256
"""Coefficients of all outputs, at most."""

STEPS, HALVINGS = 30, 8
"""Steps for a penalty, and halvings of a step, at most."""

CALLS = 4
"""Calls of sweeps that solve a model, at most: where they are slow, the next model does the rest."""

WELL = 0.1
"""Gap left by a step, relative to the one before it, up to which the next step is made with the same
matrix."""

SHARE_OF_GAP, TENTH = 0.1, 0.1
"""Gap of a model's solution, relative to that of the point it is made at; what that is multiplied by where a
step has not gone as well, and the gap at the next certificate."""

ROUNDING = 4 * EPS


class NewtonPoint(NamedTuple):
    """Where a walk is: coefficients and intercept, the loss gradient at their margins ``z``, its products
    with the columns, and the objective."""

    w: np.ndarray
    b: float
    z: np.ndarray
    gradient: np.ndarray
    correlations: np.ndarray
    objective: float

    def gap(self, penalty):
        """About the duality gap, were the intercept the best one, of the dual point there, and of one scaled
        into the l1 part's dual set, whose part of the loss is known to second order."""
        w, c = self.w, self.correlations
        own, product, s = penalty.value(w), c @ w, min(1.0, penalty.dual_limit(c))
        scaled = own - s * product + (1.0 - s) ** 2 * self.objective
        gap = min(scaled, own - product + penalty.conjugate(c)) if penalty.l2 > 0.0 else scaled
        return max(0.0, float(gap))  # of free coefficients, which no part of it holds, it may be anything


class ProximalNewton:
    """A walk along penalties, of a logistic loss and dense data; ``touched`` and ``n_steps`` are those of the
    last penalty."""

    def __init__(self, problem, start=None):
        self._w, self._b = problem.start() if start is None else start[:2]
        self._matrix, self._follow, self._model = None, None, None
        self.touched = self.n_steps = 0

    def certificates(self, problem, goal, place=None, most=np.inf):
        """Certificates on the way to the solution of a problem, the same but for its penalty: where the gap
        is about the ``goal``, and for those who go on at a tenth of it and so on; and where steps lead no
        further, or ``most`` entries have been touched, those of a certificate included."""
        self.touched = self.n_steps = 0
        place, share, known = place or self.seen(problem), SHARE_OF_GAP, None
        gap = place.gap(problem.penalty)
        while self.n_steps < STEPS and self.touched + problem.pass_size < most:
            if gap <= goal:
                known, goal = place, TENTH * gap
                yield self._certified(problem, place)
            ahead = self._step(problem, place, share * gap)
            if ahead is None:
                break
            before, place, gap = gap, ahead, ahead.gap(problem.penalty)
            if not gap <= WELL * before:
                self._matrix, share = None, TENTH * share
        if place is not known:
            yield self._certified(problem, place)

    def _certified(self, problem, place):
        """The certificate of a place, whose margins are of its coefficients alone."""
        z, b, _, theta = problem.dual_point(place.w, place.b, place.z, place.gradient, 1)
        correlations = problem.design.tmul(problem.weights * theta)
        certificate = problem.conclude(place.w, b, z, theta, correlations)
        self._w, self._b = certificate.w, certificate.b
        self.touched += problem.size
        return certificate

    def seen(self, problem):
        """Where the walk is."""
        return self._seen(problem, self._w, self._b)

    def _seen(self, problem, w, b):
        z = problem.shifted(problem.design.mul(w), b)
        loss, gradient = problem.loss.weighed(problem.y, z, problem.weights)
        correlations = -problem.design.tmul(problem.weights * gradient)
        self.touched += problem.pass_size
        return NewtonPoint(w, b, z, gradient, correlations, float(loss + problem.penalty.value(w)))

    def _step(self, problem, place, goal):
        """The place after a step that does not raise the objective; None where there is none."""
        w, b, self.n_steps = place.w, place.b, self.n_steps + 1
        if self._matrix is None:
            self._model = problem.loss.model(problem.y, place.z, place.gradient, problem.weights, None)
            self._matrix, self._follow = gram_of(problem, self._model, not w.any())
            self.touched += problem.features.size
        shift, c = 0.0 * b, place.correlations
        if problem.fit_intercept:
            pull = -np.atleast_1d(problem.intercept_slope(place.gradient))
            shift, c = self._model.follow(pull[None])[0], c - self._follow @ pull
        move = self._lowest(problem, place, c, goal) - w
        if problem.fit_intercept:
            shift = shift - move @ self._follow
            shift = shift if problem.loss.n_outputs > 1 else float(shift[0])
        for _ in range(HALVINGS):
            ahead = self._seen(problem, w + move, b + shift)
            if ahead.objective <= place.objective * (1.0 + ROUNDING):
                return ahead
            move, shift = 0.5 * move, 0.5 * shift
        return None

    def _lowest(self, problem, place, c, goal):
        """Minimiser of the model, in which an intercept follows."""
        w, penalty = place.w, problem.penalty
        image = self._matrix @ w
        q = image + c
        if not penalty.has_zeros:
            return newton_on_gram(self._matrix, q, w, penalty)
        square = w @ (image + 2.0 * c) + self._model.inverse_size(place.gradient, problem.weights)
        return penalty.descend_on_gram(self._matrix, q, w, max(square, TINY), goal, CALLS)[0]


def newton_steps(part, payload):
    """Work of the kind ``"steps"``: steps of all coefficients from ``w`` and ``b``, a :class:`NewtonPoint` if
    it is known, to the gap ``goal``; the last certificate, and the entries touched, about ``most`` at most.
    There is none where squares of the features may overflow or vanish."""
    (w, b, place, goal, most), best = payload, -np.inf
    walk = ProximalNewton(part.problem, (w, b))
    place = place or walk.seen(part.problem)
    if part.problem.looks_stray(place.correlations):
        return None, walk.touched
    for certificate in walk.certificates(part.problem, goal, place, most):
        best = max(best, certificate.dual)
        if certificate.objective - best <= goal:
            break
    return certificate, walk.touched

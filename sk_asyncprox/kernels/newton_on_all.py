"""Newton's method for a logistic loss on full data, on the Gram matrix of all columns, with a certificate
after every step; for one penalty, or for many, one after the other.

No tasks, no working sets and no blocks: where the data are small these cost more than the arithmetic.
"""

from typing import NamedTuple

import numpy as np

from .._precision import EPS, TINY
from ..problem.certificate import Certificate
from .gram_matrix import gram_of
from .quadratic_minimiser import newton_on_gram

WIDEST = 256
"""Coefficients of all outputs, at most."""

AT_ONCE = 10
"""Steps of a task, at most."""

STEPS, HALVINGS = 30, 8
"""Steps for a penalty, and halvings of a step, at most."""

CALLS = 4
"""Calls of sweeps that solve a model, at most: where they are slow, the next model does the rest."""

WELL = 0.1
"""Gap left by a step, relative to the one before it, up to which the next step is made with the same
matrix."""

SHARE_OF_GAP, TENTH = 0.1, 0.1
"""Gap of a model's solution, relative to that of the point it is made at; what that is multiplied by where a
step has not gone as well."""

ROUNDING = 4 * EPS


class Seen(NamedTuple):
    """What a look at all data has found."""

    z: np.ndarray
    gradient: np.ndarray
    certificate: Certificate


class NewtonOnAll:
    """A walk along penalties, of a logistic loss and dense data; ``touched`` and ``n_steps`` are those of the
    last penalty."""

    def __init__(self, problem, start=None):
        self._w, self._b = problem.start() if start is None else start[:2]
        self._matrix, self._model = None, None
        self.touched = self.n_steps = 0

    def places(self, problem):
        """What is seen at the iterate, and after each step to the solution of a problem, the same but for its
        penalty, while steps lead there."""
        self.touched = self.n_steps = 0
        first = self._look(problem, self._w, self._b)
        yield first
        for seen in self.steps(problem, first, STEPS):
            self._w, self._b = seen.certificate.w, seen.certificate.b
            yield seen

    def steps(self, problem, seen, most):
        """Make at most so many steps; yield what is seen after each, while none raises the objective."""
        share = SHARE_OF_GAP
        for _ in range(most):
            before = seen.certificate.gap
            seen = self._step(problem, seen, share)
            if seen is None:
                return
            yield seen
            if not seen.certificate.gap <= WELL * before:
                self._matrix, share = None, TENTH * share

    def _look(self, problem, w, b, z=None):
        """The iterate's certificate, where ``z`` are its margins; without them from the data alone."""
        # A step moves the intercept, too: one move of its own leaves no more than that, squared.
        z, b, gradient, theta = problem.dual_point(w, b, z, moves=20 if z is None else 1)
        correlations = problem.design.tmul(problem.weights * theta)
        self.touched += problem.pass_size
        return Seen(z, gradient, problem.conclude(w, b, z, theta, correlations))

    def _step(self, problem, seen, share=SHARE_OF_GAP):
        """What is seen after a step that does not raise the objective; None where there is none."""
        certificate, self.n_steps = seen.certificate, self.n_steps + 1
        w, b, loss = certificate.w, certificate.b, problem.loss
        if self._matrix is None:
            self._model = loss.model(problem.y, seen.z, seen.gradient, problem.weights, None)
            self._matrix = gram_of(problem, self._model)
            self.touched += problem.features.size
        move = self._goal(problem, seen, share) - w
        v = problem.design.mul(move)
        shift = self._model.shift(v) if problem.fit_intercept else 0.0 * b
        v = problem.shifted(v, shift)
        for _ in range(HALVINGS):
            ahead = self._look(problem, w + move, b + shift, seen.z + v)
            if ahead.certificate.objective <= certificate.objective * (1.0 + ROUNDING):
                return ahead
            move, shift, v = 0.5 * move, 0.5 * shift, 0.5 * v
        return None

    def _goal(self, problem, seen, share):
        """Minimiser of the model."""
        w, c, penalty = seen.certificate.w, seen.certificate.correlations, problem.penalty
        image = self._matrix @ w
        q = image + c
        if not penalty.has_zeros:
            return newton_on_gram(self._matrix, q, w, penalty)
        square = w @ (image + 2.0 * c) + self._model.inverse_size(seen.gradient, problem.weights)
        goal = share * seen.certificate.gap
        return penalty.descend_on_gram(self._matrix, q, w, max(square, TINY), goal, CALLS)[0]


def newton_steps(part, payload):
    """Work of the kind ``"steps"``: steps of all coefficients from what a look has seen; what is seen where
    the gap is at most ``goal``, or after the last step, and the entries touched. None where no step is good.
    """
    seen, goal = payload
    walk, last, best = NewtonOnAll(part.problem, seen.certificate), None, seen.certificate.dual
    for last in walk.steps(part.problem, seen, AT_ONCE):
        best = max(best, last.certificate.dual)
        if last.certificate.objective - best <= goal:
            break
    return last, walk.touched

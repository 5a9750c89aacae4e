"""The iterate of block-coordinate descent: what steps start from, and how they are written."""

from typing import NamedTuple

import numpy as np

from .._interrupts import cached_property
from ..losses.curvature import learnt
from ..penalties import ElasticNetPenalty
from .line_search import exact_step, full_step


class Point(NamedTuple):
    """What a task reads of the margins. The arrays are replaced by writes, never changed."""

    z: np.ndarray
    """Margins, shape (n,)."""

    gradient: np.ndarray
    """Loss gradient there, shape (n,)."""

    least: np.ndarray | None = None
    """Curvature of every sample, at least, in models of losses that are not quadratic; shape (n,)."""


class Read(NamedTuple):
    """What a step on the columns ``index`` starts from."""

    key: tuple
    """Name under which a part keeps the columns."""

    index: np.ndarray
    w: np.ndarray
    """Coefficients of the columns, shape (k,)."""

    point: Point
    penalty: ElasticNetPenalty
    alone: bool
    """Whether no other block is active."""

    effort: int | None = None
    """Sweeps on columns, or products of a Newton step, at most; None where block steps are all there is."""

    correlations: np.ndarray | None = None
    """Minus the gradient of the smooth part there, shape (k,), where it is known."""

    beside: tuple | None = None
    """What a step of all columns is joined with where nothing makes zeros (``subspace_steps.Beside``)."""

    enough: float = 0.0
    """Slope, in every coefficient, at which a Newton step has landed."""


class Iterate:
    """Coefficients ``w``, intercept ``b``, margins ``z = X w + b`` and the loss gradient at them.

    Writes replace the arrays of margins and gradient, so a read copies nothing. Both are made when they are
    first asked for.
    """

    learns, least = False, None
    """Whether shortened steps teach the least curvature of samples in models, and what it is."""

    def __init__(self, problem, start=None):
        self.problem, self.settles = problem, problem.fit_intercept and not problem.loss.quadratic
        self.w, self.b = problem.start() if start is None else (start.w.copy(), start.b)

    @cached_property
    def z(self):
        return self.problem.shifted(self.problem.design.mul(self.w), self.b)

    @cached_property
    def gradient(self):
        return self.problem.loss.gradient(self.problem.y, self.z)

    def go_to(self, w, b, **known):
        """Go to coefficients and an intercept; ``known`` are margins and gradient there, both or none."""
        for name in ("z", "gradient"):
            vars(self).pop(name, None)
        vars(self).update(known, w=w, b=b)

    def retreat(self):
        """Go to the zero model where the iterate is not finite, or worse; return whether it was."""
        problem = self.problem
        self.z, self.b, self.gradient = problem.settle(self.z, self.b, self.gradient)
        w, b = problem.start()
        z = problem.shifted(np.zeros_like(self.z), b)
        if problem.objective(self.w, self.b, self.z) <= problem.objective(w, b, z):
            return False
        self.w, self.b, self.z, self.gradient = w, b, z, problem.loss.gradient(problem.y, z)
        return True

    def point(self):
        """What a task reads of the margins."""
        return Point(self.z, self.gradient, self.least)

    def write(self, index, direction, rise_allowed=None, share=None):
        """Write a share of a full step: the given one, else the exact one, or all of it where that is nearly
        as good (``full_step``); return the share and the fall per unit. What a shortened step has met, or one
        that this one was taken instead of, is in the next models."""
        loss, y, z, gradient = self.problem.loss, self.problem.y, self.z, self.gradient
        before = self.problem, z, gradient, direction
        if share is None:
            full = None if rise_allowed is None else full_step(*before, rise_allowed)
            share, slope, self.z, self.gradient = exact_step(*before) if full is None else (1.0, *full)
        else:
            slope = direction.slope
            if share > 0.0:
                self.z = z + share * direction.v
                self.gradient = loss.gradient(y, self.z)
        if share > 0.0:
            self.w[index] = direction.new if share == 1.0 else self.w[index] + share * direction.move
            self.b = self.b + share * direction.shift
        if self.learns:
            v, shortened = (direction.v, share) if direction.instead is None else (direction.instead, 0.0)
            self.least = learnt(self.least, self.problem, z, gradient, v, shortened)
        return share, slope

    def settle(self, worth=0.0):
        """Renew the intercept, where it has no closed form, when that lowers the objective by more than
        ``worth``."""
        problem = self.problem
        slope = problem.intercept_slope(self.gradient)
        known = problem.y, self.z, self.gradient, slope, problem.sample_weights
        move = problem.loss.intercept_move(*known)
        if abs(np.dot(slope, move)) <= max(2.0 * worth, 1e-30):
            return
        self.b = self.b + move
        self.z = problem.shifted(self.z, move)
        self.gradient = problem.loss.gradient(problem.y, self.z)

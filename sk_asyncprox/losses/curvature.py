"""Second-order models of the weighted loss: what its curvature does to a change ``v`` of the margins.

A model is a symmetric positive definite matrix ``M`` over the margins. Solvers need its products, its
diagonal (which separates the coefficients) and what an intercept that follows the margins makes of it.
"""

from copy import copy

import numpy as np
from scipy.linalg.lapack import dposv

FLOOR = 1e-9
"""Curvature of every margin, at least."""

FLOOR_OF_BLOCKS = 0.1
"""Curvature of every output in the metric of block steps, at least: where a class has hardly any
probability its own curvature is next to nothing, and steps that trust in it are cut to nothing."""

KEPT = 0.3
"""Share of the secants that is left after a step."""

STILL = 1e-12
"""Squared change of a sample's margins up to which it says nothing but rounding."""


def learnt(least, problem, z, gradient, v, step):
    """Least curvature of every sample after a step along ``v``, the change of the margins by the full one, of
    which the share ``step`` was written; None where nothing is known.

    Where classes are nearly separable, most curvatures at a point are a thousandth of those that a full step
    meets, and its model trusts in them: the step is cut to next to nothing. The secant between the two ends
    of the full step shows what it met; a model with no less curvature would not have gone too far.
    """
    kept = None if least is None else KEPT * least
    if step == 1.0:
        return kept
    met = secants(problem.loss, problem.y, z, gradient, v)
    return met if kept is None else np.maximum(kept, met)


def secants(loss, y, z, gradient, v):
    """``<v, loss'(z + v) - loss'(z)> / |v|^2`` of every sample; `gradient` is that at the margins ``z``."""
    change = (loss.gradient(y, z + v) - gradient) * v
    change, size = (a.reshape(loss.n_outputs, -1).sum(axis=0) for a in (change, v * v))
    return np.where(size > STILL, change / np.maximum(size, STILL), 0.0)


class DiagonalCurvature:
    """Model ``M = diag(omega)``, of one output: weights times second derivatives, positive."""

    def __init__(self, omega):
        self.diagonal, self.n_samples, self._total = omega, len(omega), omega.sum()

    @property
    def own(self):
        """Matrix of the intercept's own curvature."""
        return np.array([[self._total]])

    own_of_samples = own

    def times(self, v):
        """Product ``M v``."""
        return self.diagonal * v

    def rows(self, a, b):
        """The model of the samples ``a:b``."""
        return DiagonalCurvature(self.diagonal[a:b])

    def sample(self, rows):
        """The model of some samples (a slice), in the place of all."""
        some = self.diagonal[rows]
        return DiagonalCurvature(some * (self._total / some.sum()))

    def intercepts(self):
        """Products ``M e`` with the margins' change ``e`` per unit of the intercept, a list of one."""
        return [self.diagonal]

    def shift(self, v):
        """Change of the intercept that best follows the change ``v``."""
        return -(self.diagonal @ v) / self._total

    def centred_times(self, v):
        """``M v`` after the intercept has followed."""
        out = self.diagonal * v
        out -= (out.sum() / self._total) * self.diagonal
        return out

    def inverse_size(self, gradient, weights):
        """``g' M^-1 g`` of the weighted gradient ``g``."""
        return self.diagonal @ (gradient * (weights / self.diagonal)) ** 2

    def is_near(self, other, tolerance):
        """Whether no entry of the diagonals differs by more than that share. Their sum would not do: what few
        samples say in a direction of their own depends on curvatures that hardly count in it."""
        if abs(self._total - other._total) > tolerance * other._total:
            return False
        return bool((np.abs(self.diagonal - other.diagonal) <= tolerance * other.diagonal).all())

    def squares(self, rows):
        """``M`` at the samples ``rows`` as a sum of terms ``sign s s'``, which every sample has of its own: a
        list of signs, slices of outputs and the entries of ``s``, one row for each of these outputs."""
        return [(1, slice(0, 1), np.sqrt(self.diagonal[rows])[None])]

    def follow(self, sums):
        """What an intercept that follows takes from a Gram matrix: ``S G^-1``, where ``S`` are the
        products of the columns with the intercept's and ``G`` is the intercept's own."""
        return sums / self._total


class SoftmaxCurvature:
    """Model of K outputs with ``M_i = weights_i (diag(p_i) - p_i p_i' + e_i I)`` for sample ``i``, where
    ``e_i`` is its curvature in every direction, at least. ``diagonal``, the metric of block steps, is that of
    ``M``, with a floor, and ``own`` the matrix of the intercepts' own curvature.
    """

    def __init__(self, probabilities, weights, least=None):
        self.p, self.weights, self.n_samples = probabilities, weights, len(weights)
        own = probabilities * (1.0 - probabilities)
        self.e = np.full(len(weights), FLOOR) if least is None else FLOOR + least
        own += self.e
        self.diagonal = (weights * (own + FLOOR_OF_BLOCKS)).ravel()
        weighted = weights * probabilities
        # All intercepts moving together change nothing; they are held where they are.
        self.own = 1.0 - weighted @ probabilities.T
        self.own.flat[:: len(weighted) + 1] += weighted.sum(axis=1) + weights @ self.e

    @property
    def own_of_samples(self):
        """The same, without what holds the intercepts."""
        return self.own - 1.0

    def times(self, v):
        V = v.reshape(self.p.shape)
        out = self.p * V
        out -= self.p * out.sum(axis=0)
        out += self.e * V
        out *= self.weights
        return out.ravel()

    def rows(self, a, b):
        """The model of the samples ``a:b``, in which no intercept follows."""
        part = copy(self)
        part.p, part.weights, part.e, part.n_samples = self.p[:, a:b], self.weights[a:b], self.e[a:b], b - a
        part.diagonal = self.diagonal.reshape(self.p.shape)[:, a:b].ravel()
        return part

    def sample(self, rows):
        weights = self.weights[rows] * (self.weights.sum() / self.weights[rows].sum())
        return SoftmaxCurvature(self.p[:, rows], weights, self.e[rows] - FLOOR)

    def intercepts(self):
        """Products ``M e`` with the margins' change ``e`` per unit of each intercept, a list of K."""
        units = np.repeat(np.eye(len(self.p)), self.n_samples, axis=1)
        return [self.times(unit) for unit in units]

    def shift(self, v):
        """Changes of the intercepts that best follow the change ``v``, shape (K,)."""
        return dposv(self.own, -self.times(v).reshape(self.p.shape).sum(axis=1))[1]

    def centred_times(self, v):
        return self.times((v.reshape(self.p.shape) + self.shift(v)[:, None]).ravel())

    def inverse_size(self, gradient, weights):
        """``g' M^-1 g`` of the weighted gradient ``g``, by the formula of Sherman and Morrison."""
        g, d = gradient.reshape(self.p.shape), self.p + self.e
        rest = self.e / d
        outer = (g * rest).sum(axis=0) ** 2 / (self.p * rest).sum(axis=0)
        return self.weights @ ((g * g / d).sum(axis=0) + outer)

    def is_near(self, other, tolerance):
        """As :meth:`DiagonalCurvature.is_near`; what the metric of block steps adds would hide changes."""
        own, known = (model.p * (1.0 - model.p) + model.e for model in (self, other))
        return bool((np.abs(own - known) <= tolerance * known).all())

    def squares(self, rows):
        p, root = self.p[:, rows], np.sqrt(self.weights[rows])
        own = root * np.sqrt(p + self.e[rows])
        each = [(1, slice(k, k + 1), row[None]) for k, row in enumerate(own)]
        return [(-1, slice(0, len(p)), p * root), *each]

    def follow(self, sums):
        return dposv(self.own, sums.T)[1].T

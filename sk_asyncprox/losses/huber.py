"""The Huber loss."""

import numpy as np

from .._precision import EPS, LARGEST
from .base import Loss
from .curvature import DiagonalCurvature

LEAST = 0.1
"""Curvature of a model, at least, as a share of the majorant's: beyond the threshold there is none, and a
model that says so has no end."""

MOST_TRIALS = 100
PIECES = 256
"""Targets, at most, that stand for those of a shard in the losses of constant models."""


class HuberLoss(Loss):
    """Huber loss of the residual ``r = z - y``: ``r^2 / 2`` up to a threshold, linear beyond it.

    Parameters
    ----------
    threshold : float
        Residual from which on the slope grows no more, positive and finite.

    See Also
    --------
    SquaredLoss : What it is up to the threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox.losses import HuberLoss
    >>> y, z = np.zeros(3), np.array([0.5, 2.0, -10.0])
    >>> print(HuberLoss(threshold=1.0).gradient(y, z))
    [ 0.5  1.  -1. ]
    """

    curvature = 1.0
    jumps = True

    def __init__(self, threshold=1.0):
        self.threshold = self.steepest = self.length = float(threshold)

    def in_units(self, exponent):
        """The loss with the threshold in these units."""
        return type(self)(min(np.ldexp(self.threshold, -exponent), LARGEST))

    def _clipped(self, r):
        return np.clip(r, -self.threshold, self.threshold)

    def value(self, y, z):
        """Loss of every sample."""
        r = z - y
        near = self._clipped(r)
        return near * (r - 0.5 * near)

    def gradient(self, y, z):
        """Derivative with respect to ``z``: the residual, within the threshold."""
        return self._clipped(z - y)

    def second_derivative(self, y, gradient):
        """One within the threshold, zero beyond."""
        return (np.abs(gradient) < self.threshold).astype(np.float64)

    def majorant(self, y, z):
        """Curvature of the parabola that touches the loss at ``z`` and, by its symmetry, on the other side of
        ``y``: none that lies above it is flatter."""
        return self.threshold / np.maximum(np.abs(z - y), self.threshold)

    def model(self, y, z, gradient, weights, least):
        majorant = self.majorant(y, z)
        curvature = np.where(majorant < 1.0, LEAST * majorant, 1.0)
        return DiagonalCurvature(weights * (curvature if least is None else np.maximum(curvature, least)))

    def drift(self, y, z, known):
        """The same for majorants, as second derivatives jump."""
        change = np.log(self.majorant(y, z) / self.majorant(y, known))
        return float(np.abs(change).max(initial=0.0))

    def _balancing(self, r, weights):
        """Number ``t`` with ``sum(weights * clip(r + t)) = 0``: Newton's method between bounds. The sum is
        linear by pieces, and on the last one a step is exact."""
        low, high, t = -r.max(), -r.min(), 0.0
        rounding = EPS * max(abs(low), abs(high))
        for _ in range(MOST_TRIALS):
            near = self._clipped(r + t)
            slope = weights @ near
            low, high = (low, min(high, t)) if slope > 0.0 else (max(low, t), high)
            bend = weights @ (np.abs(near) < self.threshold)
            new = t - slope / bend if bend > 0.0 else np.inf
            if slope == 0.0 or abs(new - t) <= rounding:
                break
            # A step to an end of the interval would be followed by one back.
            t = new if low < new < high else 0.5 * (low + high)
        return t

    def intercept_move(self, y, z, gradient, slope, weights):
        """The way to the best intercept."""
        return self._balancing(z - y, weights)

    def best_intercept(self, y, weights):
        """Intercept of the model without features (``weights`` sum to one)."""
        return self._balancing(-y, weights)

    def dual_value(self, y, theta):
        """``-conjugate(-theta)`` of every sample; no ``theta`` is beyond the threshold."""
        return theta * (y - 0.5 * theta)

    def dual_balance(self, y, theta, weights):
        """Nearest-by dual point with ``sum(weights * theta) = 0`` and nothing beyond the threshold."""
        return self._clipped(theta + self._balancing(theta, weights))

    def dual_scale(self, y, theta, weights, limit):
        """Best factor in ``[0, limit]`` with which nothing is beyond the threshold."""
        largest, norm = np.abs(theta).max(initial=0.0), weights @ (theta * theta)
        if not norm > 0.0:
            return 1.0
        limit = min(limit, max(1.0, self.threshold / largest))
        return min(limit, max(0.0, weights @ (y * theta) / norm))

    def outline(self, y, weights):
        """Means of runs of the sorted targets; beyond the threshold they say the same as all of them."""
        order = np.argsort(y)
        y, weights = y[order], weights[order]
        starts = np.unique(np.linspace(0, len(y), PIECES, endpoint=False).astype(int))
        masses = np.add.reduceat(weights, starts)
        return np.add.reduceat(weights * y, starts) / masses, masses / masses.sum()

    def scale(self, y, weights, fit_intercept):
        """Scale of the stop rule: twice the loss of the best constant model, as for the squared loss."""
        centre = self.best_intercept(y, weights) if fit_intercept else 0.0
        return float(2.0 * (weights @ self.value(y, centre)))

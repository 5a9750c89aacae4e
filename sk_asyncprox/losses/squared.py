"""The squared loss."""

import numpy as np

from .base import Loss
from .curvature import DiagonalCurvature


class SquaredLoss(Loss):
    """Half squared loss ``(z - y)^2 / 2``, with real targets.

    See Also
    --------
    LogisticLoss : For two classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox.losses import SquaredLoss
    >>> y, z = np.array([1.0, 2.0]), np.array([0.0, 2.0])
    >>> print(SquaredLoss().value(y, z), SquaredLoss().gradient(y, z))
    [0.5 0. ] [-1.  0.]
    """

    curvature = 1.0
    quadratic = True

    def value(self, y, z):
        """Loss of every sample."""
        return 0.5 * (z - y) ** 2

    def gradient(self, y, z):
        """Derivative with respect to ``z``."""
        return z - y

    def second_derivative(self, y, gradient):
        """Second derivative at the point whose first derivative is ``gradient``."""
        return np.ones_like(gradient)

    def bend(self, y, gradient, v):
        return v * v

    def model(self, y, z, gradient, weights, least):
        return DiagonalCurvature(weights)

    def intercept_move(self, y, z, gradient, slope, weights):
        """The way to the best intercept."""
        return -slope

    def dual_value(self, y, theta):
        """``-conjugate(-theta)`` of every sample."""
        return theta * (y - 0.5 * theta)

    def dual_balance(self, y, theta, weights):
        """Nearest-by dual point with ``sum(weights * theta) = 0``, as a free intercept asks."""
        return theta - (weights @ theta) / weights.sum()

    def dual_scale(self, y, theta, weights, limit):
        """Best factor in ``[0, limit]`` for ``theta`` in the dual objective."""
        norm = weights @ (theta * theta)
        return min(limit, max(0.0, weights @ (y * theta) / norm)) if norm > 0 else 1.0

    def best_intercept(self, y, weights):
        """Intercept of the model without features (``weights`` sum to one)."""
        return float(weights @ y)

    def outline(self, y, weights):
        """Two targets with the mean and the variance of all."""
        mean = np.average(y, weights=weights)
        most = np.abs(y - mean).max() or 1.0
        spread = most * np.sqrt(np.average(((y - mean) / most) ** 2, weights=weights))
        return np.array([mean - spread, mean + spread]), np.array([0.5, 0.5])

    def scale(self, y, weights, fit_intercept):
        """Scale of the stop rule: ``tol`` times this is the gap asked for [1]_.

        References
        ----------
        .. [1] The dual-gap rule of scikit-learn's coordinate descent: ``tol * ||y||^2 / n``.
        """
        centre = self.best_intercept(y, weights) if fit_intercept else 0.0
        return float(weights @ (y - centre) ** 2)

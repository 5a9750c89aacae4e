"""The binary logistic loss."""

import numpy as np

from .curvature import FLOOR, DiagonalCurvature

LARGEST, TINY = 700.0, np.finfo(float).tiny
"""Margin whose exponential is still finite, and the least number that has a precise logarithm. Numpy's own
functions are several times as fast as the special ones of scipy, which know no bounds."""


class LogisticLoss:
    """Binary logistic loss ``log(1 + exp(-y z))`` with targets -1 and +1.

    See Also
    --------
    SquaredLoss : For real targets.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox.losses import LogisticLoss
    >>> y, z = np.array([-1.0, 1.0]), np.array([0.0, 0.0])
    >>> print(LogisticLoss().gradient(y, z))
    [ 0.5 -0.5]
    """

    curvature = 0.25
    quadratic = False
    n_outputs = 1
    target_type = np.float64

    def value(self, y, z):
        """Loss of every sample; safe for any margin."""
        m = y * z
        return np.log1p(np.exp(-np.abs(m))) - np.minimum(m, 0.0)

    def gradient(self, y, z):
        """Derivative with respect to ``z``."""
        return -y / (1.0 + np.exp(np.minimum(y * z, LARGEST)))

    def second_derivative(self, gradient):
        """Second derivative ``u (1 - u)`` at the point whose first derivative is ``-y u``."""
        u = np.abs(gradient)
        return u * (1.0 - u)

    def bend(self, y, gradient, v):
        """Second derivative along ``v`` at the point with this gradient."""
        return self.second_derivative(gradient) * (v * v)

    def majorant(self, z):
        """Curvature of a quadratic that touches the loss at ``z`` and lies above it everywhere.

        ``tanh(|z| / 2) / (2 |z|)``, the bound of Jaakkola and Jordan (2000).
        """
        size = np.maximum(np.abs(z), 1e-6)
        return np.tanh(0.5 * size) / (2.0 * size)

    def model(self, y, z, gradient, weights, least):
        """Second-order model of the weighted loss, where no sample has less curvature than ``least``."""
        curvature = self.second_derivative(gradient)
        return DiagonalCurvature(weights * np.maximum(curvature, FLOOR if least is None else FLOOR + least))

    def dual_value(self, y, theta):
        """Binary entropy of ``u = y theta`` in [0, 1]."""
        u = np.clip(y * theta, 0.0, 1.0)
        rest = 1.0 - u
        return -u * np.log(np.maximum(u, TINY)) - rest * np.log(np.maximum(rest, TINY))

    def dual_balance(self, y, theta, weights):
        """Shrink the heavier class so that ``sum(weights * theta) = 0``; ``u`` stays in [0, 1]."""
        mass = weights * np.abs(theta)
        plus, minus = mass[y > 0].sum(), mass[y < 0].sum()
        light, heavy = min(plus, minus), max(plus, minus)
        if heavy == 0.0:
            return theta
        return np.where((y > 0) == (plus > minus), theta * (light / heavy), theta)

    def dual_scale(self, y, theta, weights, limit):
        """Best factor known to be feasible: one, or ``limit`` when that is smaller."""
        return min(limit, 1.0)

    def best_intercept(self, y, weights):
        """Log-odds of the classes (``weights`` sum to one)."""
        plus = float(weights[y > 0].sum())
        return float(np.log(plus) - np.log1p(-plus)) if 0.0 < plus < 1.0 else 0.0

    def scale(self, y, weights, fit_intercept):
        """Loss of the zero model, ``log 2``."""
        return float(np.log(2.0))

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
        out = np.abs(m)
        np.log1p(np.exp(np.negative(out, out=out), out=out), out=out)
        out -= np.minimum(m, 0.0, out=m)
        return out

    def gradient(self, y, z):
        """Derivative with respect to ``z``."""
        # In place: pages for arrays of this size cost more than the arithmetic.
        out = y * z
        np.exp(np.minimum(out, LARGEST, out=out), out=out)
        out += 1.0
        return np.negative(np.divide(y, out, out=out), out=out)

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
        u = y * theta
        np.minimum(np.maximum(u, 0.0, out=u), 1.0, out=u)
        rest, out = 1.0 - u, np.maximum(u, TINY)
        u *= np.log(out, out=out)
        np.log(np.maximum(rest, TINY, out=out), out=out)
        rest *= out
        u += rest
        return np.negative(u, out=u)

    def dual_balance(self, y, theta, weights):
        """Shrink the heavier class so that ``sum(weights * theta) = 0``; ``u`` stays in [0, 1]."""
        mass = np.abs(theta)
        mass *= weights
        total, more = mass.sum(), mass @ y
        if total == 0.0:
            return theta
        # Of the factor of the heavier class and 1 of the other one, by the sign of the label.
        factor = max(total - abs(more), 0.0) / (total + abs(more))
        out = y * np.copysign(0.5 - 0.5 * factor, -more)
        out += 0.5 + 0.5 * factor
        out *= theta
        return out

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

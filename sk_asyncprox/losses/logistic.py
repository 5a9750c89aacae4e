"""The binary logistic loss."""

import numpy as np

from .._precision import TINY
from .base import LabelLoss

LARGEST = 700.0
"""Margin whose exponential is still finite, and the least number that has a precise logarithm. Numpy's own
functions are several times as fast as the special ones of scipy, which know no bounds."""


class LogisticLoss(LabelLoss):
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
    steepest = length = 1.0
    follows = True

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
        return np.divide(y, np.subtract(-1.0, out, out=out), out=out)

    def second_derivative(self, y, gradient):
        """Second derivative ``u (1 - u)`` at the point whose first derivative is ``-y u``."""
        u = np.abs(gradient)
        rest = 1.0 - u
        rest *= u
        return rest

    def majorant(self, y, z):
        """Curvature of a quadratic that touches the loss at ``z`` and lies above it everywhere.

        ``tanh(|z| / 2) / (2 |z|)``, the bound of Jaakkola and Jordan (2000).
        """
        size = np.maximum(np.abs(z), 1e-6)
        return np.tanh(0.5 * size) / (2.0 * size)

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

    def groups(self, y, theta):
        """The classes."""
        return (y <= 0).astype(int), 2

    def best_intercept(self, y, weights):
        """Log-odds of the classes (``weights`` sum to one)."""
        plus = float(weights[y > 0].sum())
        return float(np.log(plus) - np.log1p(-plus)) if 0.0 < plus < 1.0 else 0.0

    def scale(self, y, weights, fit_intercept):
        """Loss of the zero model, ``log 2``."""
        return float(np.log(2.0))

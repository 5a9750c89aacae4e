"""Losses as functions of the linear predictor ``z`` (one value per sample).

Every loss answers with arrays of the shape of ``z`` and knows nothing of data matrices, weights
or penalties. The dual side serves the duality-gap certificate: for a dual point ``theta``
(``-gradient`` up to scaling), ``dual_value`` is ``-conjugate(-theta)``.
"""

import numpy as np
from scipy.special import entr, expit


class SquaredLoss:
    """Half squared loss ``(z - y)^2 / 2``, with real targets."""

    curvature = 1.0
    """Largest second derivative; the solvers' quadratic models use it as a majoriser."""

    quadratic = True
    """Whether the second derivative is constant, so that quadratic models are exact."""

    def value(self, y, z):
        """Loss of every sample."""
        return 0.5 * (z - y) ** 2

    def gradient(self, y, z):
        """Derivative with respect to ``z``."""
        return z - y

    def second_derivative(self, gradient):
        """Second derivative at the point whose first derivative is ``gradient``."""
        return np.ones_like(gradient)

    def majorant(self, z):
        """Curvature of a quadratic that touches the loss at ``z`` and lies above it everywhere."""
        return np.ones_like(z)

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

    def scale(self, y, weights, fit_intercept):
        """Scale of the stop rule: ``tol`` times this is the gap asked for [1]_.

        References
        ----------
        .. [1] The dual-gap rule of scikit-learn's coordinate descent: ``tol * ||y||^2 / n``.
        """
        centre = self.best_intercept(y, weights) if fit_intercept else 0.0
        return float(weights @ (y - centre) ** 2)


class LogisticLoss:
    """Binary logistic loss ``log(1 + exp(-y z))`` with targets -1 and +1."""

    curvature = 0.25
    quadratic = False

    def value(self, y, z):
        """Loss of every sample; safe for any margin."""
        return np.logaddexp(0.0, -y * z)

    def gradient(self, y, z):
        """Derivative with respect to ``z``."""
        return -y * expit(-y * z)

    def second_derivative(self, gradient):
        """Second derivative ``u (1 - u)`` at the point whose first derivative is ``-y u``."""
        u = np.abs(gradient)
        return u * (1.0 - u)

    def majorant(self, z):
        """Curvature of a quadratic that touches the loss at ``z`` and lies above it everywhere.

        ``tanh(|z| / 2) / (2 |z|)``, the bound of Jaakkola and Jordan (2000).
        """
        size = np.maximum(np.abs(z), 1e-6)
        return np.tanh(0.5 * size) / (2.0 * size)

    def dual_value(self, y, theta):
        """Binary entropy of ``u = y theta`` in [0, 1]."""
        u = np.clip(y * theta, 0.0, 1.0)
        return entr(u) + entr(1.0 - u)

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


LOSSES = {"squared": SquaredLoss, "logistic": LogisticLoss}

"""What losses have in common: the kind of their targets, the bounds that there are, and answers that follow
from others."""

import numpy as np

from .._precision import TINY
from .curvature import FLOOR, DiagonalCurvature

MARGINS_AT_ONCE = 32_768
"""Margins that are evaluated at a time: all that this takes stays in the cache, and is little memory."""


class Loss:
    """Convex loss of a sample's margin ``z``, never below zero.

    A loss of one output says ``value``, ``gradient``, ``second_derivative``, ``dual_value``,
    ``best_intercept`` and ``scale``. The other answers follow, and are given where more is known.

    See Also
    --------
    SquaredLoss : One of them.

    Examples
    --------
    >>> from sk_asyncprox.losses import Loss, HuberLoss, LogisticLoss
    >>> Loss.curvature, HuberLoss.curvature, LogisticLoss.curvature
    (inf, 1.0, 0.25)
    """

    curvature = np.inf
    """Largest second derivative, where there is one; the solvers' constants are made of it."""

    steepest = np.inf
    """Largest slope, where there is one."""

    length = np.inf
    """Change of a margin that is neither large nor small, over which the curvature changes by a factor of
    about e; infinite where it never changes."""

    quadratic = False
    """Whether the second derivative is constant, so that quadratic models are exact."""

    jumps = False
    """Whether the second derivative jumps: then a model that was made elsewhere says nothing sure, unless it
    lies above the loss."""

    labelled = False
    """Whether targets are labels; else they are numbers, in the unit of the margins."""

    follows = False
    """Whether gradients stay such when moves of their margins, of at most 1, are followed to first order."""

    n_outputs = 1
    """Values of ``z`` per sample."""

    target_type = np.float64
    """What the targets ``y`` are stored as."""

    def in_units(self, exponent):
        """The loss where targets and margins are divided by ``2^exponent``, and values by ``4^exponent``."""
        return self

    def majorant(self, y, z):
        """Curvature of a quadratic that touches the loss at ``z`` and lies above it everywhere."""
        return np.full_like(z, self.curvature)

    def bend(self, y, gradient, v):
        """Second derivative along ``v`` at the point with this gradient."""
        return self.second_derivative(y, gradient) * (v * v)

    def model(self, y, z, gradient, weights, least):
        """Second-order model of the weighted loss, where no sample has less curvature than ``least``."""
        floor, curvature = FLOOR if least is None else FLOOR + least, self.second_derivative(y, gradient)
        omega = np.maximum(curvature, floor, out=curvature)
        omega *= weights
        return DiagonalCurvature(omega)

    def drift(self, y, z, known):
        """Number ``t`` with which curvatures at the margins ``z`` are within the factors ``exp(-t)`` and
        ``exp(t)`` of those at the margins ``known``."""
        return float(np.abs(z - known).max(initial=0.0)) / self.length

    def intercept_move(self, y, z, gradient, slope, weights):
        """Newton step of the intercept, no longer than the curvature holds: such steps converge from
        anywhere."""
        curvature = weights @ self.second_derivative(y, gradient)
        return -slope / max(curvature, abs(slope) / self.length, TINY)

    def weighed(self, y, z, weights):
        """Weighted sum of the losses, and the gradient."""
        return weights @ self.value(y, z), self.gradient(y, z)

    def groups(self, y, theta):
        """Groups of samples whose dual points have one sign: the number of each sample's, and of all."""
        return (theta <= 0.0).astype(int), 2

    def dual_balance(self, y, theta, weights):
        """Shrink the heavier sign so that ``sum(weights * theta) = 0``, as a free intercept asks: what is
        feasible stays so."""
        plus, minus = weights @ np.maximum(theta, 0.0), -(weights @ np.minimum(theta, 0.0))
        heavy = max(plus, minus)
        if heavy == 0.0:
            return theta
        return theta * np.where((theta > 0.0) == (plus > minus), min(plus, minus) / heavy, 1.0)

    def dual_scale(self, y, theta, weights, limit):
        """Best factor known to be feasible: one, or ``limit`` when that is smaller."""
        return min(limit, 1.0)

    def dual_along(self, y, theta, weights, factors):
        """Sums ``weights @ dual_value`` at the factors of a dual point."""
        outputs = self.n_outputs
        return (
            np.array([self.dual_value(y, t * theta).reshape(outputs, -1).sum(axis=0) for t in factors])
            @ weights
        )

    def outline(self, y, weights):
        """A few targets that stand for all in the losses of constant models, and their weights, summing to
        one."""
        values, codes = np.unique(y, return_inverse=True)
        return values, np.bincount(codes, weights) / weights.sum()


class LabelLoss(Loss):
    """Loss of labels: the negative logarithm of a label's probability, whose dual is an entropy."""

    labelled = True

    def dual_along(self, y, theta, weights, factors):
        """As :meth:`Loss.dual_along`."""
        # What the label gives away is shared among the others in one proportion at all factors.
        given = np.minimum(np.abs(theta.reshape(self.n_outputs, -1)).max(axis=0), 1.0)
        rest = 1.0 - np.outer(np.append(factors, 1.0), given)
        rest *= np.log(np.maximum(rest, TINY))
        *kept, whole = rest @ weights
        whole += super().dual_along(y, theta, weights, [1.0])[0]
        return factors * (whole - np.log(np.maximum(factors, TINY)) * (given @ weights)) - kept

"""What a certificate of an iterate holds."""

from typing import NamedTuple

import numpy as np


def duality_gap(objective, bound):
    """Gap of an objective to a lower bound on the optimum; what cannot be computed is NaN, never small."""
    gap = objective - bound
    return 0.0 if gap < 0.0 else gap


class Certificate(NamedTuple):
    """Proof of how good an iterate is.

    See Also
    --------
    sk_asyncprox.problem.Problem : Its method ``certify`` makes them.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_asyncprox.losses import SquaredLoss
    >>> from sk_asyncprox.penalties import ElasticNetPenalty
    >>> from sk_asyncprox.problem import Problem
    >>> X, y = np.array([[1.0], [-1.0]]), np.array([1.0, -1.0])
    >>> problem = Problem(X, y, SquaredLoss(), ElasticNetPenalty(l1=0.5))
    >>> for w in (0.0, 0.5):
    ...     found = problem.certify(np.array([w]), 0.0)
    ...     print(found.objective, found.gap)
    0.5 0.125
    0.375 0.0
    """

    w: np.ndarray
    b: float
    """The iterate; ``b`` is the best intercept for ``w``, of the centred design: one per output where
    there are several."""

    objective: float
    dual: float
    """Value of a feasible dual point, a lower bound on the optimum; -inf without a penalty."""

    correlations: np.ndarray
    """``X' (weights * theta)`` of the unscaled dual point: ``-gradient`` of the smooth part."""

    @property
    def gap(self):
        """Duality gap, an upper bound on ``objective - optimum``."""
        return duality_gap(self.objective, self.dual)


def factors_of(problem, c):
    """Factors at which the objective of a dual point with the correlations ``c`` is to be known."""
    if problem.loss.quadratic:
        return 0.5, 1.0  # which tell the parabola
    factor = min(1.0, problem.penalty.dual_limit(c))
    return (factor, 1.0) if problem.penalty.l2 > 0.0 and factor != 1.0 else (factor,)


def concluded(problem, w, b, c, factors, values):
    """Certificate from the loss of all rows and their dual objective at :func:`factors_of`."""
    penalty, (loss, *duals) = problem.penalty, values
    if problem.loss.quadratic:
        cross = 4.0 * duals[0] - duals[1]
        square = 2.0 * (cross - duals[1])
        best = min(penalty.dual_limit(c), max(0.0, cross / square) if square > 0.0 else 1.0)
        factors = (best, 1.0) if penalty.l2 > 0.0 else (best,)
        duals = [t * cross - 0.5 * t * t * square for t in factors]
    # At zero nothing is lost, and nothing is known but that.
    bounds = [dual - penalty.conjugate(t * c) if t else 0.0 for t, dual in zip(factors, duals, strict=True)]
    return Certificate(w, b, float(loss + penalty.value(w)), float(max(bounds)), c)

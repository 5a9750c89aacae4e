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

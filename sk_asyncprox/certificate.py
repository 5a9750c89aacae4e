"""What a certificate of an iterate holds."""

from typing import NamedTuple

import numpy as np


def duality_gap(objective, bound):
    """Gap of an objective to a lower bound on the optimum; what cannot be computed is NaN, never small."""
    gap = objective - bound
    return 0.0 if gap < 0.0 else gap


class Certificate(NamedTuple):
    """Proof of how good an iterate is."""

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

"""What a certificate of an iterate holds."""

from typing import NamedTuple

import numpy as np

LITTLE = 0.01
"""Share of the scale: where the optimum is better than the model without features by less, the gap asked for
is relative to that."""


def target_near_null(tol, scale, gain, rounding):
    """Gap asked for where ``gain`` is what is to be gained on the model without features: relative to that
    where it is little, but not below the rounding; else infinite. Numbers or arrays."""
    return np.where(gain < LITTLE * scale, np.maximum(tol * gain, rounding), np.inf)


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
        return max(0.0, self.objective - self.dual)

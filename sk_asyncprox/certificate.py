"""What a certificate of an iterate holds."""

from typing import NamedTuple

import numpy as np


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

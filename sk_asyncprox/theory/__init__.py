"""What is proved of delay-adaptive steps, as functions of arrays.

Steps and windows are in any unit, the same as that of ``largest_step = gamma' = h / L``. The measure
that all bounds depend on is the *step-size integral*, the sum of the steps taken so far. Proofs are on the
documentation's page of theory; what is not proved there is not here. The bounds are worst cases: they
hold for every problem of their class, so that a run is usually far below them. An array of integrals
gives an array of bounds.

Throughout, ``excess`` is ``P(x_0) - P*``, ``distance`` is ``|x_0 - x*|`` in the metric of the solver,
``h`` is the safety factor in (0, 1) and the steps keep the principle (:func:`satisfies_principle`).
"""

from ._bounds import (
    bcd_convex_bound,
    linear_bound,
    moves_bound,
    piag_convex_bound,
    proximal_pl_constant,
    residual_bound,
)
from ._integrals import (
    adaptive1_integral_bound,
    adaptive1_integral_from_delays,
    adaptive2_integral_bound,
    adaptive2_integral_from_delays,
    satisfies_principle,
    step_size_integral,
    window_sums,
)

__all__ = [
    "adaptive1_integral_bound",
    "adaptive1_integral_from_delays",
    "adaptive2_integral_bound",
    "adaptive2_integral_from_delays",
    "bcd_convex_bound",
    "linear_bound",
    "moves_bound",
    "piag_convex_bound",
    "proximal_pl_constant",
    "residual_bound",
    "satisfies_principle",
    "step_size_integral",
    "window_sums",
]

"""Step-size policies: configuration objects, usable as estimator parameters.

A policy never changes during a fit. :meth:`StepSize.start` hands out the rule of one run, a function
of the measured delay and of the steps taken inside the delay's window. Steps and windows are in units
of the largest safe step ``gamma' = h / L``; the *principle* of delay-adaptive steps [1]_ reads

    0 <= step_k <= max(0, 1 - sum of the steps in the window),      sum of the steps = infinity.

References
----------
.. [1] X. Wu, S. Magnússon, H. R. Feyzmahdavian, M. Johansson. Delay-adaptive step-sizes for
   asynchronous learning. ICML 2022.
"""

from .base import Rule, Setting, StepSize
from .policies import Adaptive1, Adaptive2, ExactStep, FixedStep, NaiveStep

STEP_SIZES = {"adaptive1": Adaptive1, "adaptive2": Adaptive2, "fixed": FixedStep, "exact": ExactStep}
"""Names accepted for ``step_size``; :class:`NaiveStep` is not safe and has none."""

__all__ = [
    "STEP_SIZES",
    "Adaptive1",
    "Adaptive2",
    "ExactStep",
    "FixedStep",
    "NaiveStep",
    "Rule",
    "Setting",
    "StepSize",
]

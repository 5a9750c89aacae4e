"""What a policy is, what it may know of a run, and how the rule of one is started and checked."""

from collections.abc import Callable
from numbers import Real
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from .._compat import Interval, validate_parameter_constraints

Rule = Callable[[int, float], float]
"""``(delay, window) -> step``; window and step are in units of ``gamma'``."""


POSITIVE = Interval(Real, 0, None, closed="neither")


class Setting(NamedTuple):
    """What a policy may know of the run it is started for.

    See Also
    --------
    StepSize.make_rule : What it is handed to.

    Examples
    --------
    >>> from sk_asyncprox.step_sizes import FixedStep, Setting
    >>> rule = FixedStep(rule="principle").start(Setting("bcd", max_delay=3))
    >>> rule(delay=0, window=0.0)
    0.25
    """

    solver: str
    """``"bcd"`` or ``"piag"``."""

    smoothness_ratio: float | Callable[[], float] = 1.0
    """Constant of the whole smooth part over the constant the steps are scaled by, or what finds it."""

    n_blocks: int = 1
    """Number of blocks (bcd)."""

    max_delay: int | Callable[[int], int] | None = None
    """Largest delay of the trace, when it is known in advance (simulated runs), or what finds it for a number
    of blocks."""

    def ratio(self) -> float:
        """The ratio of the constants, found where it is asked for."""
        return self.smoothness_ratio() if callable(self.smoothness_ratio) else self.smoothness_ratio

    def largest_delay(self) -> int | None:
        """Largest delay of the trace; None when it is not known in advance."""
        return self.max_delay(self.n_blocks) if callable(self.max_delay) else self.max_delay


class StepSize(BaseEstimator):
    """Base of the policies, also of your own; see the module's text for the units.

    A policy keeps its parameters as they are given, as scikit-learn's estimators do, and has a method
    ``make_rule``.

    See Also
    --------
    Adaptive1, Adaptive2, ExactStep : Policies that are there.
    sk_asyncprox.theory.satisfies_principle : Whether a run has kept the principle.

    Examples
    --------
    Half of what the principle leaves, and nothing for reads that are older than ten writes:

    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.executors import Simulated, Trace
    >>> from sk_asyncprox.step_sizes import StepSize
    >>> from sk_asyncprox.theory import satisfies_principle
    >>> class HalfOfFresh(StepSize):
    ...     can_be_zero = True
    ...
    ...     def __init__(self, oldest=10):
    ...         self.oldest = oldest
    ...
    ...     def make_rule(self, setting):
    ...         oldest = self.oldest
    ...         return lambda delay, window: 0.5 * max(0.0, 1.0 - window) if delay <= oldest else 0.0
    >>> X, y = load_diabetes(return_X_y=True)
    >>> four = Simulated(Trace.from_service_times([1.0, 1.0, 1.0, 4.0]))
    >>> history = Lasso(alpha=0.1, step_size=HalfOfFresh(), executor=four).fit(X, y).history_
    >>> u = history.updates
    >>> bool(satisfies_principle(u["delay"], u["step"], history.largest_step).all())
    True
    """

    solvers = ("bcd", "piag")
    """Solvers that can serve the policy."""

    can_be_zero = False
    """Whether a step of length zero is possible (then blocks are drawn at random)."""

    exact = False
    """Whether the step is measured on the objective instead of derived from the delay."""

    warns_above_ceiling = True
    """Whether a recorded run in which the rule has not kept the step-size principle ends with a warning."""

    h = 0.99
    """Safety factor of ``gamma' = h / L``; the theorems want it below 1."""

    _parameter_constraints = {"h": [POSITIVE]}

    def __repr__(self):
        # All parameters, also those at their defaults: a record of a run must say what ran.
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"

    def start(self, setting: Setting) -> Rule:
        """Check the parameters and return the rule ``(delay, window) -> step`` of one run.

        Parameters
        ----------
        setting : Setting
            Facts of the run.

        Returns
        -------
        rule : callable
            Maps the delay (int, in writes) and the window sum (float) to the step, both in units
            of ``gamma'``.

        Raises
        ------
        ValueError
            If a parameter is out of range or the solver cannot serve the policy.
        """
        if setting.solver not in self.solvers:
            raise ValueError(
                f"step_size {type(self).__name__} cannot be served by solver {setting.solver!r}; "
                f"it needs solver {' or '.join(map(repr, self.solvers))}."
            )
        known = self._parameter_constraints
        # A policy made of another need not have all of its parameters.
        values = {name: getattr(self, name) for name in known if hasattr(self, name)}
        validate_parameter_constraints(known, values, type(self).__name__)
        rule = self.make_rule(setting)

        def checked(delay, window):
            step = rule(delay, window)
            if (type(step) is float or isinstance(step, Real)) and 0.0 <= step < np.inf:
                return step
            raise ValueError(
                f"step_size {self} gave the step {step!r} for the delay {delay}: not finite, or below zero."
            )

        return checked

    def make_rule(self, setting: Setting) -> Rule:
        """The policy itself: the rule ``(delay, window) -> step`` of one run, whose state it may keep.

        Parameters
        ----------
        setting : Setting
            Facts of the run.

        Returns
        -------
        callable
            It keeps the principle where it returns at most ``max(0, 1 - window)``.
        """
        raise TypeError(f"The policy {type(self).__name__} needs a method make_rule(setting).")

    def delay_bound(self, setting: Setting) -> int | None:
        """Delay up to which the rule is safe; None when it is safe for every delay."""
        return None

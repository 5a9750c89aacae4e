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

from collections.abc import Callable
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

Rule = Callable[[int, float], float]
"""``(delay, window) -> step``; window and step are in units of ``gamma'``."""


class Setting(NamedTuple):
    """What a policy may know of the run it is started for."""

    solver: str
    """``"bcd"`` or ``"piag"``."""

    smoothness_ratio: float = 1.0
    """Constant of the whole smooth part over the constant the steps are scaled by."""

    n_blocks: int = 1
    """Number of blocks (bcd)."""

    max_delay: int | Callable[[int], int] | None = None
    """Largest delay of the trace, when it is known in advance (simulated runs), or what finds it for a number
    of blocks."""

    def largest_delay(self) -> int | None:
        """Largest delay of the trace; None when it is not known in advance."""
        return self.max_delay(self.n_blocks) if callable(self.max_delay) else self.max_delay


class StepSize(BaseEstimator):
    """Base of the policies, also of your own; see the module's text for the units.

    A policy keeps its parameters as they are given, as scikit-learn's estimators do, and has a method
    ``make_rule``.

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
    >>> satisfies_principle(history.updates["delay"], history.updates["step"], history.largest_step).all()
    np.True_
    """

    solvers = ("bcd", "piag")
    """Solvers that can serve the policy."""

    can_be_zero = False
    """Whether a step of length zero is possible (then blocks are drawn at random)."""

    exact = False
    """Whether the step is measured on the objective instead of derived from the delay."""

    h = 0.99
    """Safety factor of ``gamma' = h / L``; the theorems want it below 1."""

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
        rule = self.make_rule(setting)
        self._check("h", 0, np.inf)
        return self._checked(rule)

    def _checked(self, rule):
        """The rule, which gives steps and nothing else."""

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

    def _check(self, name, low, high, *, closed=False):
        value = getattr(self, name)
        inside = isinstance(value, Real) and low < value and (value <= high if closed else value < high)
        if not inside:
            raise ValueError(
                f"{type(self).__name__}({name}={value!r}): {name} must be a number in "
                f"({low}, {high}{']' if closed else ')'}."
            )


class Adaptive1(StepSize):
    """Adaptive 1: a fixed share of what the principle leaves.

    ``gamma_k = alpha * max(0, gamma' - sum of the window's steps)``.

    Parameters
    ----------
    alpha : float, default=0.9
        Share taken, in (0, 1].
    h : float, default=0.99
        Safety factor of ``gamma' = h / L``, in (0, 1).
    """

    can_be_zero = True

    def __init__(self, alpha: float = 0.9, h: float = 0.99) -> None:
        self.alpha = alpha
        self.h = h

    def make_rule(self, setting: Setting) -> Rule:
        self._check("alpha", 0, 1, closed=True)
        self._check("h", 0, 1)
        alpha = self.alpha
        return lambda delay, window: alpha * max(0.0, 1.0 - window)


class Adaptive2(StepSize):
    """Adaptive 2: the step of the delay that really happened, where the principle allows it.

    ``gamma_k = gamma' / (delay + 1)`` if that is at most ``gamma'`` less the window, else 0.

    Parameters
    ----------
    h : float, default=0.99
        Safety factor of ``gamma' = h / L``, in (0, 1).
    """

    can_be_zero = True

    def __init__(self, h: float = 0.99) -> None:
        self.h = h

    def make_rule(self, setting: Setting) -> Rule:
        self._check("h", 0, 1)
        total = 0.0

        def rule(delay, window):
            nonlocal total
            step = 1.0 / (delay + 1)
            # A constant delay meets the test with equality, which rounding must not turn into zeros.
            slack = 1e-12 + (delay + 2) * np.finfo(float).eps * max(1.0, total)
            left = max(0.0, 1.0 - window)
            step = min(step, left) if step <= left + slack else 0.0
            total += step
            return step

        return rule


class FixedStep(StepSize):
    """Fixed step derived from a bound on the delay, for comparison.

    Parameters
    ----------
    max_delay : int or None, default=None
        The bound. None takes the trace's largest delay in a simulated run (of as many updates as `max_iter`
        allows) and is refused elsewhere.
    rule : {"sun", "davis", "principle"}, default="sun"
        ``"sun"``: ``h / (L (max_delay + 1/2))`` [1]_; ``"principle"``: ``h / (L (max_delay + 1))``;
        ``"davis"`` (bcd): ``h / (Lhat + 2 L max_delay / sqrt(n_blocks))`` [2]_ with ``L`` the constant
        of the whole smooth part and ``Lhat`` that of the blocks.
    h : float, default=0.99
        Safety factor, in (0, 1).

    References
    ----------
    .. [1] T. Sun, Y. Sun, D. Li, Q. Liao. General proximal incremental aggregated gradient
       algorithms. NeurIPS 2019.
    .. [2] D. Davis. The asynchronous PALM algorithm for nonsmooth nonconvex problems. 2016.
    """

    def __init__(self, max_delay: int | None = None, rule: str = "sun", h: float = 0.99) -> None:
        self.max_delay = max_delay
        self.rule = rule
        self.h = h

    def make_rule(self, setting: Setting) -> Rule:
        self._check("h", 0, 1)
        bound = self.delay_bound(setting)
        if bound is None:
            raise ValueError(
                "FixedStep(max_delay=None) needs a simulated run whose trace tells the largest delay; "
                "give max_delay, or use Adaptive1, which needs no bound."
            )
        if not isinstance(bound, Integral) or bound < 0:
            raise ValueError(f"FixedStep(max_delay={bound!r}): max_delay must be an integer >= 0.")
        if self.rule == "sun":
            step = 1.0 / (bound + 0.5)
        elif self.rule == "principle":
            step = 1.0 / (bound + 1.0)
        elif self.rule == "davis" and setting.solver == "bcd":
            step = 1.0 / (1.0 + 2.0 * setting.smoothness_ratio * bound / np.sqrt(setting.n_blocks))
        elif self.rule == "davis":
            raise ValueError("FixedStep(rule='davis') is a rule for solver 'bcd', not for 'piag'.")
        else:
            raise ValueError(f"FixedStep(rule={self.rule!r}): rule must be 'sun', 'davis' or 'principle'.")
        return lambda delay, window: step

    def delay_bound(self, setting: Setting) -> int | None:
        """The given bound, or the largest delay of the trace."""
        return setting.largest_delay() if self.max_delay is None else self.max_delay


class NaiveStep(StepSize):
    """``gamma_k = c gamma' / (delay + b)``, which looks adaptive and is not safe. For teaching.

    Workers that read the same point and write one after the other have the delays ``0, 1, 2, ...``: then the
    steps inside a window sum to more than ``gamma'``, and the run can diverge.

    Parameters
    ----------
    c, b : float, default=1.0
        Positive constants.

    Notes
    -----
    With ``c = b = 1``, Async-BCD and the squared loss it diverges for ``T`` workers in lockstep about where
    ``s (1 + 1/2 + ... + 1/T) > 2``, with ``s`` the share of the variance that the first principal component
    of the features carries: strongly correlated features and few workers, or many workers. It does not
    diverge where all delays are equal (a steady round robin: the window sums to less than ``gamma'``), and
    seldom where service times are random, though most windows are above ``gamma'``: nothing but the data
    protects the run then. PIAG, whose delay is the age of the oldest gradient, has not been seen to diverge
    with it.

    Examples
    --------
    Six measures of the size of the same cells, and eight equal workers in lockstep:

    >>> import warnings
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.executors import Simulated, Trace
    >>> from sk_asyncprox.step_sizes import NaiveStep
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = scale(X[:, [0, 2, 3, 20, 22, 23]])
    >>> for distribution in ("deterministic", "exponential"):
    ...     trace = Trace.from_service_times(1.0, n_workers=8, distribution=distribution)
    ...     model = Lasso(alpha=0.01, step_size=NaiveStep(), metric="lipschitz", executor=Simulated(trace))
    ...     with warnings.catch_warnings(action="ignore"):
    ...         print(model.fit(X, y).history_.stopped)
    diverged
    converged
    """

    h = 1.0

    def __init__(self, c: float = 1.0, b: float = 1.0) -> None:
        self.c = c
        self.b = b

    def make_rule(self, setting: Setting) -> Rule:
        self._check("c", 0, np.inf)
        self._check("b", 0, np.inf)
        c, b = self.c, self.b
        return lambda delay, window: c / (delay + b)


class ExactStep(StepSize):
    """A step that asks what the delay has done instead of how long it was, and needs no constant.

    Solver ``"bcd"``: the best step along the block's direction, measured on the objective at the write;
    whatever was written in between, the objective does not rise. Solver ``"piag"``: the minimiser of the
    shards' second-order models, each made where its shard was read; for the squared loss they are exact,
    whatever the delays.
    """

    exact, h = True, 1.0

    def make_rule(self, setting: Setting) -> Rule:
        return lambda delay, window: 1.0


STEP_SIZES = {
    "adaptive1": Adaptive1,
    "adaptive2": Adaptive2,
    "fixed": FixedStep,
    "exact": ExactStep,
}
"""Names accepted for ``step_size``; :class:`NaiveStep` is not safe and has none."""

"""The policies: two that keep the principle, two for comparison, and the exact step."""

from numbers import Integral, Real

import numpy as np

from .._compat import Interval, StrOptions
from .._precision import EPS
from .base import POSITIVE, Rule, Setting, StepSize

SHARE = Interval(Real, 0, 1, closed="neither")


class Adaptive1(StepSize):
    """Adaptive 1: a fixed share of what the principle leaves.

    ``gamma_k = alpha * max(0, gamma' - sum of the window's steps)``.

    Parameters
    ----------
    alpha : float, default=0.9
        Share taken, in (0, 1].
    h : float, default=0.99
        Safety factor of ``gamma' = h / L``, in (0, 1).

    See Also
    --------
    Adaptive2 : The better one where workers move in lockstep.

    Examples
    --------
    >>> from sk_asyncprox.step_sizes import Adaptive1, Setting
    >>> rule = Adaptive1(alpha=0.5).start(Setting("bcd"))
    >>> rule(delay=0, window=0.0)
    0.5
    >>> rule(delay=3, window=0.25)
    0.375
    """

    can_be_zero = True
    _parameter_constraints = {"alpha": [Interval(Real, 0, 1, closed="right")], "h": [SHARE]}

    def __init__(self, alpha: float = 0.9, h: float = 0.99) -> None:
        self.alpha = alpha
        self.h = h

    def make_rule(self, setting: Setting) -> Rule:
        alpha = self.alpha
        return lambda delay, window: alpha * max(0.0, 1.0 - window)


class Adaptive2(StepSize):
    """Adaptive 2: the step of the delay that really happened, where the principle allows it.

    ``gamma_k = gamma' / (delay + 1)`` if that is at most ``gamma'`` less the window, else 0.

    Parameters
    ----------
    h : float, default=0.99
        Safety factor of ``gamma' = h / L``, in (0, 1).

    See Also
    --------
    Adaptive1 : The better one where delays vary.

    Examples
    --------
    >>> from sk_asyncprox.step_sizes import Adaptive2, Setting
    >>> rule = Adaptive2().start(Setting("bcd"))
    >>> rule(delay=3, window=0.5)
    0.25
    >>> rule(delay=3, window=0.875)
    0.0
    """

    can_be_zero = True
    _parameter_constraints = {"h": [SHARE]}

    def __init__(self, h: float = 0.99) -> None:
        self.h = h

    def make_rule(self, setting: Setting) -> Rule:
        total = 0.0

        def rule(delay, window):
            nonlocal total
            step = 1.0 / (delay + 1)
            # A constant delay meets the test with equality, which rounding must not turn into zeros.
            slack = 1e-12 + (delay + 2) * EPS * max(1.0, total)
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

    See Also
    --------
    sk_asyncprox.executors.Trace.largest_delay : What None takes in a simulated run.

    References
    ----------
    .. [1] T. Sun, Y. Sun, D. Li, Q. Liao. General proximal incremental aggregated gradient
       algorithms. NeurIPS 2019.
    .. [2] D. Davis. The asynchronous PALM algorithm for nonsmooth nonconvex problems. 2016.

    Examples
    --------
    >>> from sk_asyncprox.step_sizes import FixedStep, Setting
    >>> rule = FixedStep(max_delay=3, rule="principle").start(Setting("bcd"))
    >>> rule(delay=0, window=0.0)
    0.25
    """

    warns_above_ceiling = False  # it has a proof of its own, up to its delay
    _parameter_constraints = {
        "max_delay": [Interval(Integral, 0, None, closed="left"), None],
        "rule": [StrOptions({"sun", "davis", "principle"})],
        "h": [SHARE],
    }

    def __init__(self, max_delay: int | None = None, rule: str = "sun", h: float = 0.99) -> None:
        self.max_delay = max_delay
        self.rule = rule
        self.h = h

    def make_rule(self, setting: Setting) -> Rule:
        bound = self.delay_bound(setting)
        if bound is None:
            raise ValueError(
                "FixedStep(max_delay=None) needs a simulated run whose trace tells the largest delay; "
                "give max_delay, or use Adaptive1, which needs no bound."
            )
        step = 1.0 / (bound + (0.5 if self.rule == "sun" else 1.0))
        if self.rule == "davis":
            if setting.solver != "bcd":
                raise ValueError("FixedStep(rule='davis') is a rule for solver 'bcd', not for 'piag'.")
            step = 1.0 / (1.0 + 2.0 * setting.ratio() * bound / np.sqrt(setting.n_blocks))
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

    See Also
    --------
    Adaptive1, Adaptive2 : What looks at the window as well.

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

    h, warns_above_ceiling = 1.0, False
    _parameter_constraints = {"c": [POSITIVE], "b": [POSITIVE]}

    def __init__(self, c: float = 1.0, b: float = 1.0) -> None:
        self.c = c
        self.b = b

    def make_rule(self, setting: Setting) -> Rule:
        c, b = self.c, self.b
        return lambda delay, window: c / (delay + b)


class ExactStep(StepSize):
    """A step that asks what the delay has done instead of how long it was, and needs no constant.

    Solver ``"bcd"``: the best step along the block's direction, measured on the objective at the write;
    whatever was written in between, the objective does not rise. Solver ``"piag"``: the minimiser of the
    shards' second-order models, each made where its shard was read; for the squared loss they are exact,
    whatever the delays.

    See Also
    --------
    Adaptive1 : The policy of the paper, which asks for the length of the delay.

    Examples
    --------
    Some reads are more than a hundred writes old, and the objective never rises:

    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sk_asyncprox import Lasso
    >>> from sk_asyncprox.executors import Simulated, Trace
    >>> X, y = load_diabetes(return_X_y=True)
    >>> four = Simulated(Trace.from_service_times([1.0, 1.0, 1.0, 20.0]))
    >>> history = Lasso(alpha=0.1, step_size="exact", executor=four, record="iterates").fit(X, y).history_
    >>> bool(history.updates["delay"].max() > 100)
    True
    >>> bool((np.diff(history.iterates["objective"]) <= 1e-9).all())
    True
    """

    exact, h, warns_above_ceiling = True, 1.0, False
    _parameter_constraints = {}

    def make_rule(self, setting: Setting) -> Rule:
        return lambda delay, window: 1.0

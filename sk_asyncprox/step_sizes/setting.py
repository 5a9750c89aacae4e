"""What a policy is asked, and what it may know of a run."""

from collections.abc import Callable
from typing import NamedTuple

Rule = Callable[[int, float], float]
"""``(delay, window) -> step``; window and step are in units of ``gamma'``."""


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

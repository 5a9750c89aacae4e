"""What all displays have, in code and in words."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from .._docstring_templates import entries, filled
from ..history import History
from . import _runs as runs

WORDS = entries("""
history : History or dict of {label: History}
    The runs.
trace : Trace or dict of {label: Trace}
    The schedules.
solver : {"bcd", "piag"}
    Whose reads and writes are drawn, where a schedule fits both; None stands for "bcd".
settings : dict
    As for :meth:`plot`.
ax : matplotlib Axes, optional
    Axes to draw on; the default is a new figure.
""")

DRAWN = """
Returns
-------
Display
    Of the class that it was asked of.
"""

SHARED = """
ax_ : matplotlib Axes
    The axes drawn on; an array, where there are several.
figure_ : matplotlib Figure
    Their figure.

See Also
--------
{others} : Other views of the same runs.
"""

FOUR = """
>>> from sklearn.datasets import load_diabetes
>>> from sk_asyncprox import Lasso
>>> from sk_asyncprox.executors import Simulated, Trace
>>> X, y = load_diabetes(return_X_y=True)
>>> four = Simulated(Trace.from_service_times([1.0, 1.0, 1.0, 4.0]))  # the last one is slow
"""

DISPLAYS = "ConvergenceDisplay", "DelayDisplay", "StepSizeDisplay", "TimelineDisplay"


class Display:
    """Ways from fitted estimators and histories, what was drawn, and what docstrings have in braces."""

    def __init_subclass__(cls):
        others = ", ".join(name for name in DISPLAYS if name != cls.__name__)
        filled(shared=SHARED, others=others, four=FOUR)(cls)
        for method in (getattr(member, "__func__", member) for member in vars(cls).values()):
            if callable(method) and "{drawn}" in (method.__doc__ or ""):
                filled(WORDS, drawn=DRAWN)(method)

    @classmethod
    def from_estimator(cls, estimator: Any, **settings: Any) -> Self:
        """Draw the runs of fitted estimators.

        Parameters
        ----------
        estimator : estimator or dict of {label: estimator}
            Fitted, or pipelines and searches that end with one. All but :class:`ConvergenceDisplay` need
            ``record="updates"`` or ``"iterates"``.
        **settings : dict
            As for :meth:`from_history`.

        Returns
        -------
        Display
            Of the class that it was asked of.
        """
        histories, fits = runs.fits_of(estimator)
        return cls.from_history(histories, **cls._told_by(fits), **settings)

    @classmethod
    def _told_by(cls, fits):
        """Settings that the fitted estimators tell."""
        return {}

    @classmethod
    @filled(WORDS, drawn=DRAWN)
    def from_history(cls, history: History | Mapping[str, History], **settings: Any) -> Self:
        """Draw recorded runs.

        {parameters}

        {drawn}
        """
        return cls._of(runs.checked(history)).plot(**settings)

    def _drawn(self, *axes):
        """Keep the axes that were drawn on."""
        self.ax_, self.figure_ = axes[0] if len(axes) == 1 else np.array(axes), axes[0].figure
        return self

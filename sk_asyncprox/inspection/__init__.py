"""Displays of recorded runs, drawn with matplotlib.

Every display takes one run or several (``{label: run}``), from fitted estimators or from their
histories, keeps the arrays it draws, and can draw them again on other axes.
"""

from ._convergence import ConvergenceDisplay
from ._delays import DelayDisplay
from ._steps import StepSizeDisplay
from ._timeline import TimelineDisplay

__all__ = ["ConvergenceDisplay", "DelayDisplay", "StepSizeDisplay", "TimelineDisplay"]

"""Objective error against updates, passes or time."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from ..history import History
from . import _axes as axes
from . import _runs as runs
from ._display import Display

X_LABELS = {"updates": "updates (writes)", "passes": "passes over the data"}
X_LABELS |= {"seconds": "time (s)", "virtual": axes.VIRTUAL}
SAME_OPTIMUM = 1e-8
FEW = 30
"""Points up to which each is marked."""


class ConvergenceDisplay(Display):
    """Objective error of one or more runs of one problem.

    Make it with :meth:`from_estimator` or :meth:`from_history`.

    Parameters
    ----------
    x : dict of {label: ndarray}
        Where the objective of each run was computed.
    objective : dict of {label: ndarray}
        The objective there.
    optimum : float
        What is subtracted from the objectives.
    scale : float, default=1.0
        What the differences are divided by.
    x_label : str, default="updates (writes)"
        Label of the horizontal axis.
    bound : bool, default=False
        Whether the optimum is a lower bound, and the differences are upper bounds of the error.

    Attributes
    ----------
    error : dict of {label: ndarray}
        ``(objective - optimum) / scale``.
    {shared}

    Notes
    -----
    Errors of zero and below are left out of the figure, as its axis is logarithmic.

    Examples
    --------
    {four}
    >>> from sk_asyncprox.inspection import ConvergenceDisplay
    >>> models = {
    ...     policy: Lasso(alpha=0.1, step_size=policy, executor=four, record="iterates").fit(X, y)
    ...     for policy in ("exact", "adaptive1")
    ... }
    >>> display = ConvergenceDisplay.from_estimator(models, x="passes")
    >>> bool(display.error["exact"][-1] < 1e-3)
    True
    """

    def __init__(self, x, objective, optimum, scale=1.0, x_label=X_LABELS["updates"], bound=False):
        self.x, self.objective, self.optimum, self.scale = x, objective, optimum, scale
        self.x_label, self.bound = x_label, bound
        self.error = {label: (values - optimum) / scale for label, values in objective.items()}

    @classmethod
    def from_history(
        cls,
        history: History | Mapping[str, History],
        *,
        x: str = "updates",
        optimum: float | None = None,
        relative: bool = True,
        **settings: Any,
    ) -> Self:
        """Draw the convergence of recorded runs.

        {parameters}
        history : History or dict of {label: History}
            The runs, with any ``record``; the curve is smoothest with ``record="iterates"``.
        x : {"updates", "passes", "time"}
            The horizontal axis. Time is in seconds, or the virtual time of simulated runs.
        optimum : float, optional
            The optimum, when it is known. The default is the largest lower bound that the certificates
            of the runs prove, so that the curve is never below the true error; without any, it is the
            smallest objective of the runs. The axis then says "upper bound": a curve that becomes flat may
            have come down to the bound, not stopped.
        relative : bool
            Whether the error is divided by the first objective (the largest one of the runs).

        {drawn}
        """
        histories = runs.checked(history, recorded=False)
        runs.check("x", x, ("updates", "passes", "time"))
        x_label = X_LABELS[runs.clock_of(histories) if x == "time" else x]
        curves = {label: _curve(h, x, label) for label, h in histories.items()}
        places, objectives = ({label: curve[i] for label, curve in curves.items()} for i in (0, 1))
        known = _best_known(histories, objectives) if optimum is None else float(optimum)
        scale = max(float(values[0]) for values in objectives.values()) if relative else 1.0
        return cls(places, objectives, known, scale or 1.0, x_label, optimum is None).plot(**settings)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the curves.

        {parameters}
        **kwargs : dict
            Further arguments of matplotlib's ``plot``.

        {drawn}
        """
        ax = axes.one_axes(ax, 3.7)
        for label, style in axes.styles(self.x).items():
            shown = self.error[label] > 0.0
            marks = {"marker": "o", "markersize": 4} if len(shown) <= FEW else {}
            look = style | marks | {"label": label} | kwargs
            ax.plot(self.x[label][shown], self.error[label][shown], **look)
        name = "objective error" if self.scale == 1.0 else "relative objective error"
        ax.set_yscale("log")
        axes.tidy(ax, xlabel=self.x_label, ylabel=f"{name} (upper bound)" if self.bound else name)
        if list(self.x) != [runs.ONLY]:
            axes.legend_below(ax)
        return self._drawn(ax)


def _curve(history, x, label):
    """Places and finite objectives of a run, from its iterates or else its certificates."""
    # An iterate is kept after the update of its number, which is one write more.
    table, writes = (history.iterates, 1) if len(history.iterates) else (history.certificates, 0)
    table = table[np.isfinite(table["objective"])]
    if len(table) == 0:
        name = runs.run_name(label)
        raise ValueError(f"{name} has no objective to draw: it kept neither iterates nor certificates.")
    return table["update"] + writes if x == "updates" else table[x], table["objective"]


def _best_known(histories, objectives):
    proved = {label: h.certificates["objective"] - h.certificates["gap"] for label, h in histories.items()}
    proved = {label: np.max(each[np.isfinite(each)], initial=-np.inf) for label, each in proved.items()}
    reached = {label: values.min() for label, values in objectives.items()}
    highest, lowest = max(proved, key=proved.get), min(reached, key=reached.get)
    bound, least = proved[highest], reached[lowest]
    if bound > least + SAME_OPTIMUM * max(abs(bound), abs(least)):
        raise ValueError(
            f"The runs are not of one problem: {highest!r} proves that no objective is below {bound:.6g}, "
            f"and {lowest!r} has reached {least:.6g}; draw them on two axes, or give optimum."
        )
    return float(min(bound, least) if np.isfinite(bound) else least)

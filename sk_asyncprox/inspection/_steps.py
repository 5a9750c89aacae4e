"""Steps, their windows and their running integral, against what is proved of them."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from ..history import History
from ..solvers.registry import resolve_step_size
from ..step_sizes import Adaptive1, Adaptive2
from ..theory import window_sums
from . import _axes as axes
from . import _runs as runs
from ._display import Display

KINDS = ("both", "steps", "integral")
BOUND = {"color": axes.GREY, "linestyle": ":", "linewidth": 1.2, "label": "proved lower bound"}


class StepSizeDisplay(Display):
    """Steps of one or more runs, in units of the largest safe step ``gamma'``.

    Make it with :meth:`from_estimator` or :meth:`from_history`. The upper axes, one for every run, show the
    step of every update, with marks at the bottom for the zero steps, and the sum of the steps in its
    window: from the read to the write, its own step included. The principle of delay-adaptive steps keeps
    that sum at or below ``gamma'`` wherever the step is not zero (it does not bind the exact step).
    The lower axes show the running integral of the steps and the lower bound that is proved for the
    policy at the largest delay of the run.

    Parameters
    ----------
    steps : dict of {label: ndarray}
        Step of every update.
    delays : dict of {label: ndarray of int}
        Delay of every update.
    largest_step : dict of {label: float}
        ``gamma'`` of every run; 1 for the exact step, whose step is a share of the full step.
    policies : dict of {label: StepSize or None}
        The policies, as far as they are known.

    Attributes
    ----------
    integral : dict of {label: ndarray}
        Running sum of the steps.
    window : dict of {label: ndarray}
        Sum of the steps within the window of every update, its own step included.
    lower_bound : dict of {label: ndarray or None}
        What ``integral`` is proved to be at least; None where nothing is proved.
    {shared}

    Notes
    -----
    With ``tau`` the largest delay, the integral after ``k`` updates is at least
    ``k alpha gamma' / (tau + 1)`` for Adaptive 1 and ``k gamma' tau / (tau + 1)^2`` for Adaptive 2
    (``k gamma'`` when ``tau = 0``).

    Examples
    --------
    {four}
    >>> from sk_asyncprox.inspection import StepSizeDisplay
    >>> model = Lasso(alpha=0.1, step_size="adaptive1", executor=four).fit(X, y)
    >>> display = StepSizeDisplay.from_estimator(model)
    >>> print((display.steps["run"] / model.history_.largest_step)[:6].round(2))
    [0.9  0.9  0.   0.9  0.09 0.82]
    """

    def __init__(self, steps, delays, largest_step, policies):
        self.steps, self.delays, self.largest_step, self.policies = steps, delays, largest_step, policies
        self.integral = {label: np.cumsum(values) for label, values in steps.items()}
        self.window = {label: window_sums(delays[label], steps[label]) + steps[label] for label in steps}
        rates = {label: _proved_rate(policies[label], delays[label]) for label in steps}
        self.lower_bound = {
            label: rate and largest_step[label] * rate * np.arange(1, len(steps[label]) + 1)
            for label, rate in rates.items()
        }

    @classmethod
    def _told_by(cls, fits):
        return {"step_size": {label: fit.step_size for label, fit in fits.items()}}

    @classmethod
    def from_history(
        cls, history: History | Mapping[str, History], *, step_size: Any = None, **settings: Any
    ) -> Self:
        """Draw the steps of recorded runs.

        {parameters}
        step_size : str, StepSize or dict of {label: str or StepSize}, optional
            The policies of the runs, which estimators tell; where it is missing, neither windows nor lower
            bound are drawn.

        {drawn}
        """
        histories = runs.checked(history)
        given = step_size if isinstance(step_size, dict) else dict.fromkeys(histories, step_size)
        updates = {label: h.updates for label, h in histories.items()}
        return cls(
            {label: table["step"] for label, table in updates.items()},
            {label: table["delay"] for label, table in updates.items()},
            {label: h.largest_step for label, h in histories.items()},
            {label: given.get(label) and resolve_step_size(given[label]) for label in histories},
        ).plot(**settings)

    def plot(self, kind: str = "both", ax: Any = None) -> Self:
        """Draw the steps.

        {parameters}
        kind : {"both", "steps", "integral"}
            What is drawn.
        ax : matplotlib Axes or several of them, optional
            Axes to draw on: one for every run, and with ``kind="both"`` one more. A single one is divided.
            The default is a new figure.

        {drawn}
        """
        runs.check("kind", kind, KINDS)
        shown = [] if kind == "integral" else list(self.steps)
        panels = _stacked_axes(ax, len(shown) + (kind != "steps"))
        for panel, label in zip(panels, shown, strict=False):
            self._draw_steps(panel, label)
        if kind != "steps":
            self._draw_integral(panels[-1])
        for panel in panels[:-1]:
            panel.set_xlabel("")
            panel.tick_params(labelbottom=False)
        axes.legend_below(*panels, ncols=3)
        return self._drawn(*panels)

    def _draw_steps(self, ax, label):
        unit, steps, policy = self.largest_step[label], self.steps[label], self.policies[label]
        k, moved, many = np.arange(len(steps)), steps != 0.0, len(steps) > 500
        size, dots = 2.5 if many else 4.5, {"rasterized": len(steps) > axes.MANY}
        exact, alone = policy is not None and policy.exact, list(self.steps) == [runs.ONLY]
        if policy is not None and not exact:
            look = dots | {"color": "0.7", "markersize": size + 2, "label": "sum over its window"}
            ax.plot(k[moved], self.window[label][moved] / unit, ".", **look)
        look = dots | {"color": axes.styles(self.steps)[label]["color"], "markersize": size, "label": "step"}
        ax.plot(k[moved], steps[moved] / unit, "o", **look)
        name = "full step" if exact else "ceiling γ′"
        ax.axhline(1.0, color=axes.DARK, linestyle="--", linewidth=1.2, label=name)
        zero, top = k[~moved], ax.get_ylim()[1]
        if len(zero):
            name = f"{len(zero)} zero steps" if alone else "zero step"
            look = {"color": axes.DARK, "markersize": 7, "markeredgewidth": 0.8 if len(zero) > 500 else 1.2}
            ax.plot(zero, np.full(len(zero), -0.056 * top), "|", label=name, **look)
        if not alone:
            title = f"{label}: {len(steps)} updates, {len(zero)} zero steps"
            ax.set_title(title, loc="left", fontsize="small")
        below = -0.098 * top if len(zero) else 0.0
        ylabel = f"step / {'full step' if exact else 'γ′'}"
        axes.tidy(ax, xlabel="update", ylabel=ylabel, ylim=(below, top))
        ax.set_yticks([tick for tick in ax.get_yticks() if 0.0 <= tick <= top])

    def _draw_integral(self, ax):
        alone = list(self.steps) == [runs.ONLY]
        for label, style in axes.styles(self.steps).items():
            unit, integral, bound = self.largest_step[label], self.integral[label], self.lower_bound[label]
            k = np.arange(1, len(integral) + 1)
            ax.plot(k, integral / unit, label="running integral" if alone else str(label), **style)
            if bound is not None:
                look = BOUND if alone else BOUND | {"color": style["color"], "label": "_"}
                ax.plot(k, bound / unit, **look)
        if not alone and any(bound is not None for bound in self.lower_bound.values()):
            ax.plot([], [], **BOUND)
        axes.tidy(ax, xlabel="update", ylabel="sum of steps / γ′", ylim=(0, None))


def _proved_rate(policy, delays):
    """Proved growth of the running integral per update, in units of gamma'; None when none is proved."""
    tau = int(delays.max())
    if isinstance(policy, Adaptive1):
        return policy.alpha / (tau + 1)
    if isinstance(policy, Adaptive2):
        return tau / (tau + 1) ** 2 if tau else 1.0
    return None


def _stacked_axes(ax, count):
    """So many axes, one above the other: the given ones, parts of the given one, or those of a new figure."""
    if ax is None:
        shape = {"figsize": (axes.WIDTH, 3.5 if count == 1 else 1.2 + 2.0 * count), "layout": "constrained"}
        return axes.pyplot().subplots(count, 1, sharex=True, squeeze=False, **shape)[1][:, 0]
    given = np.ravel(np.array(ax, dtype=object))
    if len(given) == count:
        return given
    if len(given) != 1:
        raise ValueError(f"ax must be one axes or {count} of them, not {len(given)}.")
    given[0].set_axis_off()
    lowest = given[0].inset_axes([0.0, 0.0, 1.0, 0.92 / count])
    places = [[0.0, (i + 0.08) / count, 1.0, 0.92 / count] for i in range(count - 1, 0, -1)]
    return np.array([*(given[0].inset_axes(place, sharex=lowest) for place in places), lowest])

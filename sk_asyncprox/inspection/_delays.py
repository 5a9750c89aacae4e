"""The measured delays: how often, of which worker, when."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from ..executors.traces import Trace
from . import _axes as axes
from . import _runs as runs
from ._display import Display

DELAY = "delay (writes between read and write)"
MOST_BARS = 60
KINDS = ("histogram", "workers", "time")
ROW = 0.28
"""Inches of a worker's row."""


class DelayDisplay(Display):
    """Delays that were measured in one or more runs.

    Make it with :meth:`from_estimator`, :meth:`from_history` or :meth:`from_trace`.

    Parameters
    ----------
    delays : dict of {label: ndarray of int}
        Delay of every update.
    worker_delays : dict of {label: list of ndarray of int}
        Delays of the results of each worker: writes between its read and the update it went into.

    Attributes
    ----------
    {shared}

    Notes
    -----
    In Async-BCD every update has one result, and the delays of the workers are those of the updates. In
    PIAG the delay of an update is the age of the oldest gradient in the table.

    Examples
    --------
    {four}
    >>> from sk_asyncprox.inspection import DelayDisplay
    >>> model = Lasso(alpha=0.1, executor=four).fit(X, y)
    >>> display = DelayDisplay.from_estimator(model, kind="workers")
    >>> print(display.delays["run"][:12])
    [0 0 2 1 1 1 1 7 0 3 3 2]
    """

    def __init__(self, delays, worker_delays):
        self.delays, self.worker_delays = delays, worker_delays

    @classmethod
    def _of(cls, histories):
        return cls(
            {label: h.updates["delay"] for label, h in histories.items()},
            {label: _by_worker(h) for label, h in histories.items()},
        )

    @classmethod
    def from_trace(
        cls,
        trace: Trace | Mapping[str, Trace],
        *,
        n_updates: int = 1000,
        solver: str | None = None,
        **settings: Any,
    ) -> Self:
        """Draw the delays of schedules that nothing has been fitted along.

        {parameters}
        n_updates : int
            Updates that are looked at; of a recorded run all.

        {drawn}
        """
        return cls.from_history(runs.histories_of_traces(trace, n_updates, solver), **settings)

    def plot(self, kind: str = "histogram", ax: Any = None, **kwargs: Any) -> Self:
        """Draw the delays.

        {parameters}
        kind : {"histogram", "workers", "time"}
            All delays, the distribution of each worker's, or the delay against the update.
        **kwargs : dict
            Further arguments of matplotlib's ``bar`` or ``step`` (histogram), ``barh`` (workers) or
            ``plot`` (time).

        {drawn}
        """
        runs.check("kind", kind, KINDS)
        rows = sum(len(workers) for workers in self.worker_delays.values())
        ax = axes.one_axes(ax, float(np.clip(1.2 + ROW * rows, 2.4, 9.0)) if kind == "workers" else 3.5)
        getattr(self, f"_{kind}")(ax, kwargs)
        return self._drawn(ax)

    def _name(self, label):
        delays = self.delays[label]
        what = f"mean {delays.mean():.1f}, largest {delays.max()}"
        return what if list(self.delays) == [runs.ONLY] else f"{label}: {what}"

    def _histogram(self, ax, given):
        largest = max(int(delays.max()) for delays in self.delays.values())
        width = -(-(largest + 1) // MOST_BARS)
        edges = np.arange(0, largest + width + 1, width) - 0.5
        alone = len(self.delays) == 1
        for label, style in axes.styles(self.delays).items():
            counts, name = np.histogram(self.delays[label], edges)[0], {"label": self._name(label)}
            if alone:
                look = {"color": style["color"], "width": width * 0.92, "align": "edge"} | name | given
                ax.bar(edges[:-1], counts, **look)
            else:
                share = np.r_[0.0, counts / counts.sum(), 0.0]
                ax.step(np.r_[edges, edges[-1]], share, **style | name | {"where": "pre"} | given)
        ylabel = "updates" if alone else "share of the updates"
        axes.tidy(ax, "y", xlabel=DELAY, ylabel=ylabel, ylim=(0, None))
        axes.legend_below(ax, ncols=2)

    def _workers(self, ax, given):
        names = []
        for label, style in axes.styles(self.delays).items():
            for row, delays in enumerate(self.worker_delays[label], len(names)):
                if len(delays):
                    axes.box(ax, row, delays, {"color": style["color"]} | given)
            names += runs.worker_names(label, len(self.worker_delays[label]))
        axes.name_rows(ax, names)
        axes.tidy(ax, "x", xlabel=DELAY)
        axes.legend_below(ax)

    def _time(self, ax, given):
        for label, style in axes.styles(self.delays).items():
            delays = self.delays[label]
            many = len(delays) > axes.MANY
            look = {"linestyle": "none", "marker": ".", "markersize": 3 if many else 5, "rasterized": many}
            look |= {"color": style["color"], "alpha": 0.6, "markeredgewidth": 0.0} | given
            ax.plot(delays, label=self._name(label), **look)
        if len(self.delays) == 1 and len(delays) >= 100:
            width = len(delays) // 25
            smooth = np.convolve(delays, np.ones(width) / width, "valid")
            ax.plot(np.arange(len(smooth)) + width / 2, smooth, color=axes.DARK, label=f"mean of {width}")
        axes.tidy(ax, xlabel="update", ylabel="delay (writes)", ylim=(-0.5, None))
        axes.legend_below(ax, ncols=2, markerscale=2.5)


def _by_worker(history):
    arrivals = history.arrivals
    ages = arrivals["update"] - arrivals["stamp"]
    return [ages[arrivals["worker"] == worker] for worker in range(history.n_workers)]

"""Who worked when, on what: every task from its read to its write."""

from collections.abc import Mapping
from itertools import cycle, pairwise
from typing import Any, Self

import numpy as np

from ..executors.traces import Trace
from ..history import columns
from . import _axes as axes
from . import _runs as runs
from ._display import Display

TASKS = columns(
    "row:i4 worker:i4 block:i4 start:f8 end:f8 update:i8 delay:i8 step:f8 phase:U12 certificate:?"
)

ZERO = {"edgecolor": "0.4", "hatch": "////"}
"""Look of a task whose step was zero."""


class TimelineDisplay(Display):
    """Gantt chart of the workers of one or more runs.

    Make it with :meth:`from_estimator`, :meth:`from_history` or :meth:`from_trace`. Every task is a bar from
    its read to its write, with the number of its block or shard. Tasks whose step was zero are hatched,
    certificates are black; those that were computed beside a simulated schedule are dotted lines. Tasks
    dropped at the stop are not shown.

    Parameters
    ----------
    tasks : ndarray
        Structured columns ``row, worker, block, start, end, update, delay, step, phase, certificate``;
        a certificate has block, update and delay -1.
    update_times : list of ndarray
        Times of the updates of every run.
    rows : list of str
        Name of every row.
    inline_certificates : list of ndarray
        Times of the certificates that were no tasks, for every run.
    clock : {"seconds", "virtual"}, default="seconds"
        Meaning of the times.

    Attributes
    ----------
    {shared}

    Examples
    --------
    {four}
    >>> from sk_asyncprox.inspection import TimelineDisplay
    >>> model = Lasso(alpha=0.1, executor=four).fit(X, y)
    >>> display = TimelineDisplay.from_estimator(model, start=100, stop=150)
    >>> display.rows
    ['worker 0', 'worker 1', 'worker 2', 'worker 3']
    """

    def __init__(self, tasks, update_times, rows, inline_certificates, clock="seconds"):
        self.tasks, self.update_times, self.rows = tasks, update_times, rows
        self.inline_certificates, self.clock = inline_certificates, clock

    @classmethod
    def _of(cls, histories):
        clock, tasks, rows, inline = runs.clock_of(histories), [], [], []
        for label, h in histories.items():
            tasks.append(tasks_of(h, len(rows)))
            rows += runs.worker_names(label, h.n_workers)
            certificates = h.certificates
            inline.append(certificates["time"][certificates["worker"] < 0])
        times = [h.updates["time"] for h in histories.values()]
        return cls(np.concatenate(tasks), times, rows, inline, clock)

    @classmethod
    def from_trace(
        cls,
        trace: Trace | Mapping[str, Trace],
        *,
        solver: str | None = None,
        start: int = 0,
        stop: int | None = None,
        **settings: Any,
    ) -> Self:
        """Draw schedules that nothing has been fitted along.

        {parameters}
        start : int
            The first update that is shown.
        stop : int, optional
            The one after the last; the default is 60 updates.

        {drawn}
        """
        stop = start + 60 if stop is None else stop
        # More than are shown: of slow workers it is known later what they had been at.
        histories = runs.histories_of_traces(trace, 2 * stop, solver)
        return cls.from_history(histories, start=start, stop=stop, color="phase", **settings)

    def plot(
        self,
        start: int = 0,
        stop: int | None = None,
        color: str = "block",
        write: int | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the timeline.

        {parameters}
        start : int
            The first update that is shown.
        stop : int, optional
            The one after the last; the default is 60 updates.
        color : {"block", "phase"}
            What the colour of a bar stands for; colours of blocks come again after seven.
        write : int, optional
            An update of the first run whose delay is shown: its task is framed, and the writes that make its
            delay have dots.

        {drawn}
        """
        runs.check("color", color, ("block", "phase"))
        first, last = self._window(start, start + 60 if stop is None else stop)
        ax = axes.one_axes(ax, float(np.clip(1.3 + 0.32 * len(self.rows), 2.2, 9.0)))
        unit, name = (1.0, "time (s)") if last - first >= 1.0 else (1e3, "time (ms)")
        if self.clock == "virtual":
            unit, name = 1.0, axes.VIRTUAL
        ax.set_xlim(first * unit, last * unit)
        shown = self.tasks[(self.tasks["end"] > first) & (self.tasks["start"] < last)]
        handles = self._draw(ax, shown, unit, color)
        handles += self._draw_inline(ax, first, last, unit)
        if write is not None:
            handles += self._draw_delay(ax, write, unit)
        axes.name_rows(ax, self.rows)
        axes.tidy(ax, grid=None, xlabel=name)
        axes.legend_below(ax, handles=handles, ncols=4 if write is None else 2)
        return self._drawn(ax)

    def _window(self, start, stop):
        longest = max(len(times) for times in self.update_times)
        if not 0 <= start < min(stop, longest):
            raise ValueError(
                f"There is nothing to draw from update {start} to {stop}: the longest run has {longest} "
                f"updates."
            )
        inside = [times for times in self.update_times if len(times) > start]
        first = min(times[start - 1] if start else 0.0 for times in inside)
        return float(first), float(max(times[min(stop, len(times)) - 1] for times in inside))

    def _draw(self, ax, tasks, unit, color):
        """Bars, one call for each look; returns the entries of the legend."""
        from matplotlib.colors import to_rgba_array
        from matplotlib.patches import Patch

        certificate, zero = tasks["certificate"], tasks["step"] == 0.0
        descent = ~certificate
        phases = sorted(set(tasks["phase"][descent]))
        keys = tasks["block"] if color == "block" else np.searchsorted(phases, tasks["phase"])
        tints = to_rgba_array(axes.PALETTE)[keys % len(axes.PALETTE), :3]
        full, empty = descent & ~zero, descent & zero
        axes.bars(ax, tasks[full], unit, facecolor=tints[full], edgecolor="white")
        axes.bars(ax, tasks[empty], unit, facecolor=0.75 + 0.25 * tints[empty], **ZERO)
        names = phases if color == "phase" else ["task, with its block or shard"]
        handles = [Patch(color=tint, label=name) for tint, name in zip(cycle(axes.PALETTE), names)]
        if color == "block":
            axes.number(ax, tasks[descent], unit)
        if empty.any():
            handles.append(Patch(facecolor="white", label="zero step", **ZERO))
        if certificate.any():
            axes.bars(ax, tasks[certificate], unit, facecolor=axes.DARK, edgecolor="white")
            handles.append(Patch(color=axes.DARK, label="certificate"))
        return handles

    def _draw_delay(self, ax, write, unit):
        """A frame around what the write has brought, and dots on the writes that make its delay."""
        tasks = self.tasks[self.tasks["row"] < self._runs()[0][1]]
        own = tasks[tasks["update"] == write]
        if len(own) == 0:
            raise ValueError(f"There is no update {write} whose delay could be shown.")
        delay = own["delay"][0]
        inside = tasks[(tasks["update"] >= write - delay) & (tasks["update"] < write)]
        axes.bars(ax, own, unit, facecolor="none", edgecolor=axes.DARK).set_linewidth(2.5)
        place = inside["end"] * unit, inside["row"]
        label = f"delay of update {write}: {delay} writes"
        return ax.plot(*place, "o", color=axes.DARK, markersize=5, label=label, zorder=4)

    def _draw_inline(self, ax, first, last, unit):
        look, lines = {"color": axes.DARK, "linestyle": ":", "linewidth": 1.3, "zorder": 3}, []
        for times, (begin, end) in zip(self.inline_certificates, self._runs(), strict=True):
            inside = times[(times >= first) & (times <= last)]
            if len(inside):
                name = "certificate (no task)"
                lines.append(ax.vlines(inside * unit, begin - 0.5, end - 0.5, label=name, **look))
        return lines[-1:]

    def _runs(self):
        """First row of every run, and of what comes after it."""
        begins = [row for row, name in enumerate(self.rows) if name.endswith("worker 0")]
        return list(pairwise([*begins, len(self.rows)]))


def tasks_of(history, first_row):
    """Tasks that were told, with the times of their read and write: a worker reads just after the last tell
    before its ask; results that PIAG holds back until its table is full have the time of the first update."""
    arrivals, certificates = history.arrivals, history.certificates
    certificates = certificates[certificates["worker"] >= 0]
    updates = history.updates[np.searchsorted(history.updates["update"], arrivals["update"])]
    tasks = np.zeros(len(arrivals) + len(certificates), dtype=TASKS)
    descent, rest = tasks[: len(arrivals)], tasks[len(arrivals) :]
    for table, names in ((arrivals, ("worker", "block", "update")), (updates, ("delay", "step", "phase"))):
        for name in names:
            descent[name] = table[name]
    rest["worker"], rest["step"], rest["certificate"] = certificates["worker"], np.nan, True
    rest["block"] = rest["update"] = rest["delay"] = -1
    tasks["row"] = first_row + tasks["worker"]
    asked, told = (np.r_[arrivals[name], certificates[name]] for name in ("asked", "told"))
    order = np.argsort(told, kind="stable")
    times = np.r_[updates["time"], certificates["time"]][order]
    times = np.minimum.accumulate(times[::-1])[::-1]
    tasks["end"][order] = times
    tasks["start"] = np.r_[0.0, times][np.searchsorted(told[order], asked)]
    return tasks[np.argsort(tasks["end"], kind="stable")]

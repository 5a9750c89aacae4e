"""What the displays share: runs by label, colours, axes, legends."""

from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._docstrings import entries, filled
from ..delays import writes
from ..executors.traces import Trace
from ..history import History
from ..solvers.base import Arrival, Update

ONLY = "run"
"""Label of a run that was given without one."""

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
"""Okabe and Ito's colours, which colour-blind readers tell apart."""

DARK, GREY = "#000000", "#767676"
DASHES = ("-", "--", "-.", ":", (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
WIDTH = 6.0
"""Inches; 600 pixels at 100 dots per inch."""

MANY = 3000
"""Points from which on a figure keeps them as pixels."""


VIRTUAL = "virtual time (units of the trace)"

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
    """What all displays have: ways from fitted estimators and histories, and what was drawn."""

    def __init_subclass__(cls):
        others = ", ".join(name for name in DISPLAYS if name != cls.__name__)
        filled(shared=SHARED, others=others, four=FOUR)(cls)

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
        return cls.from_history(histories_of(estimator), **settings)

    @classmethod
    @filled(WORDS, drawn=DRAWN)
    def from_history(cls, history: History | Mapping[str, History], **settings: Any) -> Self:
        """Draw recorded runs.

        {parameters}

        {drawn}
        """
        return cls._of(checked(history)).plot(**settings)

    def _drawn(self, *axes):
        """Keep the axes that were drawn on."""
        self.ax_, self.figure_ = axes[0] if len(axes) == 1 else np.array(axes), axes[0].figure
        return self


def by_label(runs):
    """Runs as ``{label: run}``."""
    if not isinstance(runs, dict):
        return {ONLY: runs}
    if not runs:
        raise ValueError("There is no run to draw: the dict is empty.")
    return runs


def histories_of(estimators):
    """Histories of one fitted estimator, or of a dict of them."""
    histories = {}
    for label, estimator in by_label(estimators).items():
        if isinstance(estimator, History):
            raise TypeError("from_estimator needs a fitted estimator; for a History, use from_history.")
        check_is_fitted(estimator)
        estimator = last_step(estimator)
        history = getattr(estimator, "history_", None)
        if isinstance(history, list):
            histories |= {f"{label}, target {t}": one for t, one in enumerate(history)}
            continue
        if not isinstance(history, History):
            raise TypeError(
                f"{type(estimator).__name__} has no history_; give a fitted estimator of this package, or a "
                f"pipeline or search around one."
            )
        histories[label] = history
    return histories


def histories_of_traces(traces, n_updates, solver):
    """What a run of every trace would record of who reads and writes when, if every step were a full one."""
    return {label: _history_of(trace, n_updates, solver) for label, trace in by_label(traces).items()}


def _history_of(trace, n_updates, solver):
    if not isinstance(trace, Trace):
        raise TypeError(
            f"from_trace needs a Trace, not {type(trace).__name__}; for fits, use from_estimator."
        )
    if trace.recorded is not None:
        return trace.recorded
    if solver not in (None, "bcd", "piag"):
        raise ValueError(f"solver must be 'bcd' or 'piag', not {solver!r}.")
    history, m = History(), trace.n_workers
    history.solver, history.executor = trace.solver or solver or "bcd", "Simulated"
    history.n_workers = history.n_granted = history.n_blocks = m
    schedule = writes(trace.events(), m, None if history.solver == "bcd" else m)
    for k, (now, arrivals, stamps) in enumerate(islice(schedule, n_updates)):
        arrivals = tuple(Arrival(*arrival) for arrival in arrivals)
        history.add_update(Update(k, k - min(stamps), 1.0, "task", arrivals), now)
    return history


def last_step(estimator):
    """What a search has refitted, and what a pipeline ends with."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def checked(histories, recorded=True):
    """Histories by label; ``recorded``: each must have recorded its updates."""
    histories = by_label(histories)
    for label, history in histories.items():
        if not isinstance(history, History):
            raise TypeError(
                f"from_history needs a History, not {type(history).__name__}; for estimators, use "
                f"from_estimator."
            )
        if recorded and history.record is None:
            raise ValueError(
                f"{run_name(label)} was not recorded (record=None); fit with record='updates' to draw it."
            )
        if recorded and len(history.updates) == 0:
            raise ValueError(f"{run_name(label)} has no updates to draw: it ended before its first write.")
    return histories


def run_name(label):
    """The run in a sentence."""
    return "The run" if label == ONLY else f"The run {label!r}"


def worker_names(label, count):
    """Names of the rows of a run's workers."""
    return [f"worker {i}" if label == ONLY else f"{label}, worker {i}" for i in range(count)]


def clock_of(histories):
    """``"virtual"`` for simulated runs, ``"seconds"`` for others."""
    clocks = {"virtual" if h.executor == "Simulated" else "seconds" for h in histories.values()}
    if len(clocks) > 1:
        raise ValueError(
            "Virtual time of simulated runs and seconds of real runs do not fit on one axis; draw them on "
            "two, or against updates or passes."
        )
    return clocks.pop()


def styles(labels):
    """A colour and a line style for each label, both in turn: runs are told apart without colour."""
    looks = zip(labels, cycle(PALETTE), cycle(DASHES))
    return {label: {"color": color, "linestyle": dashes} for label, color, dashes in looks}


def pyplot():
    """matplotlib's pyplot, imported when something is drawn."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "The displays need matplotlib: install it, for instance as 'sk_asyncprox[plot]'."
        ) from error
    return plt


def one_axes(ax, height):
    """The given axes, or those of a new figure of the given height in inches."""
    if ax is not None:
        pyplot()
        return ax
    return pyplot().subplots(figsize=(WIDTH, height), layout="constrained")[1]


def name_rows(ax, names):
    """A row for every name, the first on top; of many not all are named."""
    every = -(-len(names) // 40)
    ax.set_yticks(np.arange(0, len(names), every), names[::every])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)


def tidy(ax, grid="both"):
    """Leave out of the axes what carries nothing."""
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(True, axis=grid, color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)


def legend_below(ax, handles=None, of=None, ncols=4, markerscale=1.0):
    """A legend under the axis label, where it covers no data; without ``handles``, of what is drawn on axes,
    each label once."""
    from matplotlib.transforms import ScaledTranslation

    if handles is None:
        entries = {}
        for each in [ax] if of is None else of:
            for handle, label in zip(*each.get_legend_handles_labels(), strict=True):
                entries.setdefault(label, handle)
        handles = list(entries.values())
    if not handles:
        return
    below = ax.transAxes + ScaledTranslation(0, -0.5, ax.figure.dpi_scale_trans)
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "bbox_transform": below}
    look = {"frameon": False, "fontsize": "small", "borderaxespad": 0.0, "columnspacing": 1.4}
    ax.legend(handles=handles, ncols=min(ncols, len(handles)), markerscale=markerscale, **place, **look)

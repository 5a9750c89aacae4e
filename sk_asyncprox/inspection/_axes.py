"""What the figures of all displays look like: colours, axes, legends."""

from itertools import cycle

import numpy as np

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
"""Okabe and Ito's colours, which colour-blind readers tell apart."""

DARK, GREY = "#000000", "#767676"
DASHES = ("-", "--", "-.", ":", (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
WIDTH = 6.0
"""Inches; 600 pixels at 100 dots per inch."""

MANY = 3000
"""Points from which on a figure keeps them as pixels."""

HALF = 0.4
"""Half the height of a bar, in rows."""

NARROWEST = 15
"""Pixels of a bar that has room for a number."""

VIRTUAL = "virtual time (units of the trace)"


def styles(labels):
    """A colour and a line style for each label, both in turn: runs are told apart without colour."""
    looks = zip(labels, cycle(PALETTE), cycle(DASHES))
    return {label: {"color": color, "linestyle": dashes, "linewidth": 1.8} for label, color, dashes in looks}


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


def tidy(ax, grid="both", **labels):
    """Label the axes, and leave out of them what carries nothing."""
    ax.set(**labels)
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(True, axis=grid, color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)


def legend_below(*axes, handles=None, ncols=4, markerscale=1.0):
    """A legend under the label of the last axes, where it covers no data; without ``handles``, of what is
    drawn on all, each label once."""
    from matplotlib.transforms import ScaledTranslation

    if handles is None:
        drawn = (handle for ax in axes for handle in ax.get_legend_handles_labels()[0])
        handles = list({handle.get_label(): handle for handle in drawn}.values())
    ax = axes[-1]
    below = ax.transAxes + ScaledTranslation(0, -0.5, ax.figure.dpi_scale_trans)
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "bbox_transform": below}
    look = {"frameon": False, "fontsize": "small", "borderaxespad": 0.0, "columnspacing": 1.4}
    ax.legend(handles=handles, ncols=min(ncols, len(handles) or 1), markerscale=markerscale, **place, **look)


def box(ax, row, delays, look):
    """Where the delays of a worker lie."""
    low, first, middle, third, high = np.percentile(delays, [1, 25, 50, 75, 99])
    ax.hlines(row, low, high, color=look["color"], linewidth=1.5, label="1 to 99 %")
    ax.barh(row, max(third - first, 0.15), left=first, height=0.55, **{"label": "middle half"} | look)
    ax.vlines(middle, row - 0.27, row + 0.27, color="white", linewidth=2.5)
    marks = {"linestyle": "none", "markeredgecolor": DARK}
    ax.plot(delays.mean(), row, marker="D", color="white", markersize=4.5, label="mean", **marks)
    ax.plot(delays.max(), row, marker="|", markersize=9, markeredgewidth=1.5, label="largest", **marks)


def bars(ax, tasks, unit, **look):
    """A bar for every task, from its read to its write."""
    from matplotlib.collections import PolyCollection

    low, high, y = tasks["start"] * unit, tasks["end"] * unit, tasks["row"]
    x, y = np.stack([low, low, high, high], 1), y[:, None] + HALF * np.array([-1, 1, 1, -1])
    return ax.add_collection(PolyCollection(np.stack([x, y], 2), linewidth=0.8, **look), autolim=False)


def number(ax, tasks, unit):
    """The number of the block on every bar that has room for it."""
    low, high = ax.get_xlim()
    pixels = ax.get_window_extent().width / (high - low)
    for task in tasks:
        left, right = max(task["start"] * unit, low), min(task["end"] * unit, high)
        if (right - left) * pixels < NARROWEST:
            continue
        zero = task["step"] == 0.0
        dark = zero or PALETTE[task["block"] % len(PALETTE)] in PALETTE[4:]
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8} if zero else None
        place = {"ha": "center", "va": "center", "fontsize": 7.5, "clip_on": True, "bbox": box}
        ax.text((left + right) / 2, task["row"], str(task["block"]), color=DARK if dark else "white", **place)

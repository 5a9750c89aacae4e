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
        entries = {}
        for ax in axes:
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                entries.setdefault(label, handle)
        handles = list(entries.values())
    if not handles:
        return
    ax = axes[-1]
    below = ax.transAxes + ScaledTranslation(0, -0.5, ax.figure.dpi_scale_trans)
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "bbox_transform": below}
    look = {"frameon": False, "fontsize": "small", "borderaxespad": 0.0, "columnspacing": 1.4}
    ax.legend(handles=handles, ncols=min(ncols, len(handles)), markerscale=markerscale, **place, **look)

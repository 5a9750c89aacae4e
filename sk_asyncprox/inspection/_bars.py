"""Bars of a timeline."""

import numpy as np

from ._runs import DARK, PALETTE

HALF = 0.4
"""Half the height of a bar, in rows."""

NARROWEST = 15
"""Pixels of a bar that has room for a number."""


def bars(ax, tasks, unit, **look):
    """A bar for every task, from its read to its write."""
    from matplotlib.collections import PolyCollection

    low, high, y = tasks["start"] * unit, tasks["end"] * unit, tasks["row"]
    corners = [(low, y - HALF), (low, y + HALF), (high, y + HALF), (high, y - HALF)]
    corners = np.array([np.stack(corner, axis=-1) for corner in corners]).transpose(1, 0, 2)
    return ax.add_collection(PolyCollection(corners, linewidth=0.8, **look), autolim=False)


def pale(color):
    """The colour with three times as much white."""
    from matplotlib.colors import to_rgb

    return tuple(0.75 + 0.25 * value for value in to_rgb(color))


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

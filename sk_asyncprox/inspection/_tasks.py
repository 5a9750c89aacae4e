"""Tasks of a recorded run, with the times of their reads and writes, and their bars on a timeline."""

import numpy as np

from ..history import columns
from ._runs import DARK, PALETTE

HALF = 0.4
"""Half the height of a bar, in rows."""

NARROWEST = 15
"""Pixels of a bar that has room for a number."""

TASKS = columns(
    "row:i4 worker:i4 block:i4 start:f8 end:f8 update:i8 delay:i8 step:f8 phase:U12 certificate:?"
)


def tasks_of(history, first_row):
    """Tasks that were told, with the times of their read and write.

    A worker reads just after the last tell before its ask. Results that PIAG holds back until its table
    is full have the time of the first update; what was told later bounds it from above.
    """
    updates, arrivals, certificates = history.updates, history.arrivals, history.certificates
    certificates = certificates[certificates["worker"] >= 0]
    row_of = np.searchsorted(updates["update"], arrivals["update"])
    asked = np.r_[arrivals["asked"], certificates["asked"]]
    told = np.r_[arrivals["told"], certificates["told"]]
    written = np.r_[updates["time"][row_of], certificates["time"]]
    order = np.argsort(told, kind="stable")
    times = np.minimum.accumulate(written[order][::-1])[::-1]
    before = np.searchsorted(told[order], asked) - 1
    n = len(arrivals)
    tasks = np.zeros(len(told), dtype=TASKS)
    tasks["start"] = np.where(before >= 0, times[before], 0.0)
    tasks["end"][order] = times
    tasks["worker"] = np.r_[arrivals["worker"], certificates["worker"]]
    tasks["row"] = first_row + tasks["worker"]
    tasks["certificate"] = np.arange(len(told)) >= n
    delays = updates["delay"][row_of]
    for name, column in (("block", arrivals["block"]), ("update", arrivals["update"]), ("delay", delays)):
        tasks[name][:n], tasks[name][n:] = column, -1
    tasks["step"][:n], tasks["step"][n:] = updates["step"][row_of], np.nan
    tasks["phase"][:n] = updates["phase"][row_of]
    return tasks[np.argsort(tasks["end"], kind="stable")]


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

"""Tasks of a recorded run, with the times of their reads and writes."""

import numpy as np

TASKS = np.dtype(
    [
        ("row", "i4"),
        ("worker", "i4"),
        ("block", "i4"),
        ("start", "f8"),
        ("end", "f8"),
        ("update", "i8"),
        ("delay", "i8"),
        ("step", "f8"),
        ("phase", "U12"),
        ("certificate", "?"),
    ]
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

"""Figure of the tables that ``scaling_policies.py`` has written.

Usage: scaling_figure.py FOLDER
"""

import argparse
import csv
from pathlib import Path

COLOURS = {
    "Adaptive 1": "#0072B2", "Adaptive 2": "#56B4E9", "fixed, Sun": "#D55E00", "fixed, Davis": "#CC79A7",
    "exact": "#009E73",
}  # fmt: skip
STYLES = {"Adaptive 2": "--", "fixed, Davis": "--"}
TITLES = {
    "equal": "equal workers", "one slow": "one worker 5 times slower",
    "no lock": "equal; no lock",
    "delays only": "equal; no lock, memory grows",
}  # fmt: skip
MARKERS = {"lock": "s", "memory": "^", "delays": "o"}


def read(path):
    """Rows of a table."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def draw(folder):
    """A panel per method and machine; the best point of a line is marked by what ends the gain."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in read(folder / "scaling_policies.csv") if row["reached"] == "1"]
    ends = {
        (row["method"], row["policy"], row["workers"]): row
        for row in read(folder / "scaling_policies_summary.csv")
    }
    methods = list(dict.fromkeys(row["method"] for row in rows))
    figure, axes = plt.subplots(
        len(methods), len(TITLES), figsize=(13.5, 2.9 * len(methods) + 0.4), sharex=True, sharey="row",
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for line, method in zip(axes, methods, strict=True):
        for axis, machine in zip(line, TITLES, strict=True):
            here = [row for row in rows if (row["method"], row["machine"]) == (method, machine)]
            panel(axis, here, ends)
        line[0].set_ylabel(f"{method}\n\nvirtual seconds to 1e-3")
    for axis, title in zip(axes[0], TITLES.values(), strict=True):
        axis.set_title(title, fontsize=11)
    for axis in axes[-1]:
        axis.set_xlabel("workers")
        axis.set_xticks([1, 4, 16, 64, 256], [1, 4, 16, 64, 256])
        axis.minorticks_off()
    entries = key(mpl.lines.Line2D)
    figure.legend(handles=entries, loc="outside lower center", ncols=9, frameon=False, fontsize=9)
    figure.savefig(folder / "scaling_policies.png", dpi=120)
    plt.close(figure)


def panel(axis, rows, ends):
    """Lines of one method on one kind of machine."""
    axis.set(xscale="log", yscale="log")
    axis.grid(alpha=0.3)
    if not rows:
        axis.text(
            0.5,
            0.5,
            "it is not the lock that ends these",
            transform=axis.transAxes,
            ha="center",
            color="#777777",
        )
    fastest = min((float(row["seconds"]) for row in rows if row["workers"] == "1"), default=None)
    if fastest is not None:
        axis.axline((1, fastest), (2, fastest / 2), ls=":", color="#999999", lw=1)
    for policy, colour in COLOURS.items():
        points = [row for row in rows if row["policy"] == policy]
        if not points:
            continue
        x, y = [int(row["workers"]) for row in points], [float(row["seconds"]) for row in points]
        axis.plot(x, y, STYLES.get(policy, "-"), color=colour, lw=1.6, marker=".", ms=4)
        end = ends.get((points[0]["method"], policy, points[0]["machine"]))
        if end is not None:
            at = x.index(int(end["best"]))
            axis.plot(x[at], y[at], MARKERS[end["ended by"]], color=colour, ms=8, mec="white", mew=0.8)


def key(line):
    """Entries of the legend."""
    policies = [
        line([], [], color=colour, ls=STYLES.get(policy, "-"), label=policy)
        for policy, colour in COLOURS.items()
    ]
    marks = [
        line([], [], color="#444444", ls="", marker=marker, ms=7, label=f"best, then {limit}")
        for limit, marker in MARKERS.items()
    ]
    return [*policies, *marks, line([], [], color="#999999", ls=":", label="1 / workers")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    draw(parser.parse_args().folder)


if __name__ == "__main__":
    main()

"""Table and gap-against-time curves of what the suites have measured.

Usage: report.py FOLDER

FOLDER holds ``elastic_net.parquet`` and ``logistic.parquet`` as benchopt writes them. For every problem and
solver the table gives the seconds of the shortest fit whose relative gap is at or under the target. Written
beside them: ``points.csv`` (every fit), ``table.md`` with the line of the machine, and a figure per suite.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from common.machine import machine_line, occasion_line

SUITES = {"elastic_net": "Lasso and elastic net", "logistic": "Logistic regression"}
TARGETS = (1e-4, 1e-6)
OURS = "sk_asyncprox[n_jobs=1]"
COLOURS = {
    "sk_asyncprox[n_jobs=1]": "#D55E00", "sk_asyncprox[n_jobs=2]": "#E69F00", "celer": "#0072B2",
    "skglm": "#009E73", "snapml[n_jobs=2]": "#CC79A7", "cyanure[n_threads=2]": "#56B4E9",
    "liblinear-multicore[n_threads=2]": "#999999", "sklearn-cd": "#000000", "sklearn[solver=saga]": "#000000",
    "sklearn[solver=liblinear]": "#666666", "sklearn[solver=lbfgs]": "#8C564B",
    "sklearn[solver=newton-cholesky]": "#7F3C8D",
}  # fmt: skip
DASHED = ("sk_asyncprox[n_jobs=2]", "liblinear-multicore[n_threads=2]", "sklearn[solver=liblinear]")
SMALLEST_GAP = 1e-9
COLUMNS_OF_PANELS = 4


def read(folder):
    """Every fit of both suites."""
    frames = []
    for suite in SUITES:
        path = folder / f"{suite}.parquet"
        if path.exists():
            frame = pd.read_parquet(path)
            frames.append(
                pd.DataFrame(
                    {
                        "suite": suite,
                        "data": frame["dataset_name"].map(short_name),
                        "divisor": frame["p_obj_divisor"],
                        "l1_ratio": frame["p_obj_l1_ratio"],
                        "solver": frame["solver_name"],
                        "tol": frame["stop_val"],
                        "seconds": frame["time"],
                        "gap": frame["objective_gap"],
                        "nonzero": frame["objective_nonzero"],
                    }
                )
            )
    # The curve's first point, no fit at all, is left out.
    points = pd.concat(frames, ignore_index=True)
    return points[points["tol"] <= 1.0]


def short_name(name):
    """Name of a data set without the parameters' names."""
    kind, _, rest = name.rstrip("]").partition("[")
    values = dict(part.split("=") for part in rest.split(",")) if rest else {}
    if kind == "simulated":
        stored = "dense" if float(values["density"]) == 1.0 else "sparse"
        return f"{stored} {values['n_samples']} x {values['n_features']}"
    return " ".join([value.replace("_", " ") for value in values.values()] or [kind])


def times(points):
    """Seconds to every target: a row per problem and solver."""
    problem = ["suite", "data", "divisor", "l1_ratio", "solver"]
    columns = {
        target: points[points["gap"] <= target].groupby(problem)["seconds"].min() for target in TARGETS
    }
    table = pd.DataFrame(columns, index=points.groupby(problem).size().index)
    return table.reset_index()


def markdown(table):
    """The table as text: problems by rows, solvers by lines, the fastest in bold."""
    lines = [
        "# Seconds to a certified gap",
        "",
        f"{occasion_line()}. {machine_line()}.",
        "",
        "Shortest fit whose relative duality gap (over the objective at zero) is at or under the target, of "
        "a ladder of tolerances; bold: the fastest. A dash: no fit got there in its time (8 "
        "seconds a solver).",
        "",
    ]
    for suite, title in SUITES.items():
        part = table[table["suite"] == suite]
        if part.empty:
            continue
        lines += [f"## {title}", ""]
        lines.append("| data | penalty | l1_ratio | solver | " + " | ".join(f"{t:g}" for t in TARGETS) + " |")
        lines.append("|---|---|---|---|" + "---|" * len(TARGETS))
        for (data, divisor, ratio), group in part.groupby(["data", "divisor", "l1_ratio"], sort=False):
            best = group[list(TARGETS)].min()
            for _, row in group.sort_values(TARGETS[-1]).iterrows():
                cells = [_cell(row[target], best[target]) for target in TARGETS]
                where = f"| {data} | max / {divisor} | {ratio:g} | {row['solver']} | "
                lines.append(where + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(seconds, best):
    if not np.isfinite(seconds):
        return "-"
    return f"**{seconds:.4f}**" if seconds == best else f"{seconds:.4f}"


def draw(points, suite, path):
    """A panel per problem: the best gap reached by fits that took at most so long."""
    import matplotlib.pyplot as plt

    problems = list(points.groupby(["data", "divisor", "l1_ratio"], sort=False))
    rows = -(-len(problems) // COLUMNS_OF_PANELS)
    figure, axes = plt.subplots(
        rows,
        COLUMNS_OF_PANELS,
        figsize=(3.4 * COLUMNS_OF_PANELS, 2.7 * rows + 0.8),
        sharey=True,
        squeeze=False,
    )
    lines = {}
    for axis, ((data, divisor, ratio), group) in zip(axes.flat, problems, strict=False):
        for solver, fits in group.groupby("solver"):
            fits = fits.sort_values("seconds")
            gaps = np.maximum(fits["gap"].cummin(), SMALLEST_GAP)
            [lines[solver]] = axis.loglog(
                fits["seconds"], gaps, "--" if solver in DASHED else "-", marker="o", ms=2.5, lw=1.4,
                color=COLOURS.get(solver), zorder=3 if solver.startswith("sk_async") else 2,
            )  # fmt: skip
        axis.axhline(TARGETS[-1], color="0.8", lw=0.8, zorder=1)
        axis.set_title(f"{data}, max/{divisor}, l1_ratio {ratio:g}", fontsize=9)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.25)
    for axis in axes.flat[len(problems) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("relative gap", fontsize=8)
        axis.set_ylim(SMALLEST_GAP / 2, 3.0)
    for axis in axes.flat[max(0, len(problems) - COLUMNS_OF_PANELS) : len(problems)]:
        axis.set_xlabel("seconds of a fit", fontsize=8)
    figure.legend(lines.values(), lines, loc="lower center", ncols=5, fontsize=8, frameon=False)
    figure.suptitle(SUITES[suite], fontsize=11)
    figure.tight_layout(rect=(0, 0.7 / (2.7 * rows + 0.8), 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    mpl.use("Agg")
    points = read(folder)
    points.to_csv(folder / "points.csv", index=False, float_format="%.6g")
    text = markdown(times(points))
    (folder / "table.md").write_text(text)
    print(text)
    for suite, group in points.groupby("suite"):
        draw(group, suite, folder / f"{suite}.png")


if __name__ == "__main__":
    main()

"""Parts of the site that are made when it is built: the table of measured speed, and MathJax.

Usage: site_parts.py, which puts the table of the present results into README.
"""

import csv
import re
import shutil
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
RESULTS = HERE.parent / "benchmarks" / "results"
OURS, THEIRS = "sk_asyncprox[n_jobs=1]", "sklearn"
SUITES = {"elastic_net": "Lasso", "logistic": "l1 logistic"}
TARGET = 1e-6


GALLERY = [
    "first_fit",
    "delays",
    "timeline",
    "anatomy_of_a_run",
    "fixed_step_is_slow",
    "naive_diverges",
    "policies_on_one_trace",
    "slow_worker",
    "burst",
    "search_over_policies",
    "own_policy",
    "own_log",
    "replay_a_run",
    "models_by_shards",
    "text_pipeline",
    "path_and_cv",
    "dask_failing_worker",
    "paper",
]


class InOrder:
    """Order of the examples, from first to last things to ask; those that are not named come last."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, name):
        stem = name.removeprefix("plot_").removesuffix(".py")
        return GALLERY.index(stem) if stem in GALLERY else len(GALLERY)


def speed():
    """Rows ``(problem, ours, scikit-learn's best, the fastest other)``: seconds to a relative gap of 1e-6.

    All problems of the suites with a pure l1 penalty. A time is that of the shortest fit at or under the gap.
    """
    best = defaultdict(dict)
    with (RESULTS / "points.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if float(row["l1_ratio"]) == 1.0 and float(row["gap"]) <= TARGET:
                times = best[f"{SUITES[row['suite']]}, {row['data']}"]
                times[row["solver"]] = min(float(row["seconds"]), times.get(row["solver"], float("inf")))
    return [_row(problem, times) for problem, times in best.items()]


def _row(problem, times):
    theirs = [seconds for name, seconds in times.items() if name.startswith(THEIRS)]
    others = {name: s for name, s in times.items() if not name.startswith((THEIRS, "sk_asyncprox"))}
    other = min(others, key=others.get, default=None)
    named = "-" if other is None else f"{others[other]:.2g} ({other.split('[')[0]})"
    return problem, f"{times[OURS]:.2g}", f"{min(theirs):.2g}" if theirs else "-", named


HEAD = ("seconds to a gap of 1e-6", "sk_asyncprox", "scikit-learn", "the fastest other")


def occasion():
    """When the results were measured, and of which commit."""
    return re.search(
        r"^Measured on [^.]+\.", (RESULTS / "table.md").read_text(encoding="utf-8"), re.MULTILINE
    )[0]


def as_markdown():
    """The table for README, and its occasion."""
    rows = [HEAD, ("---",) * 4, *speed()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows) + f"\n{occasion()}\n"


def as_rst():
    """The same for the first page."""
    head, *rows = (",".join(f'"{cell}"' for cell in row) for row in (HEAD, *speed()))
    table = f".. csv-table::\n   :header: {head}\n\n" + "".join(f"   {row}\n" for row in rows)
    return f"{table}\n{occasion()}\n"


def without_links_out(body):
    """A page's text without the style sheets that it would get from the network."""
    return re.sub(r'<link rel="stylesheet"\s+href="https?://[^"]*">', "", body)


def write(folder):
    """Write the table and copy MathJax, which then needs no network."""
    (folder / "speed.rst").write_text(as_rst(), encoding="utf-8")
    source = Path(find_spec("mathjax").origin).parent / "static" / "mathjax" / "es5" / "tex-svg.js"
    (folder / "mathjax").mkdir(exist_ok=True)
    shutil.copyfile(source, folder / "mathjax" / "tex-svg.js")
    shutil.copyfile(source.parents[1] / "LICENSE", folder / "mathjax" / "LICENSE")


def renew(text):
    """The text of README with the table of the present results."""
    return re.sub(r"\| seconds to a gap(.*\n)+?\nMeasured on .*\n", as_markdown(), text)


if __name__ == "__main__":
    README.write_text(renew(README.read_text(encoding="utf-8")), encoding="utf-8")

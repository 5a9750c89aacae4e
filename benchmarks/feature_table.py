"""Cells of the page "Features compared" that are checked by running the libraries.

Usage: feature_table.py [LIBRARY ...]

Every library of ``features/`` that is installed beside this package (adelie wants an environment of its own)
is run on one small problem; its solutions are compared with this package's by their objectives. Prints a line
per cell with what was seen, and ends with an error where the page says something else.
"""

import importlib.util
import re
import sys
import warnings
from pathlib import Path

PAGE = Path(__file__).parents[1] / "doc" / "features.rst"
LIBRARIES = {
    "sklearn": "scikit-learn",
    "celer": "celer",
    "skglm": "skglm",
    "snapml": "snapml",
    "cyanure": "cyanure",
    "liblinear": "LIBLINEAR",
    "glum": "glum",
    "adelie": "adelie",
    "glmnet": "glmnet",
}


def page():
    """What the page says, by (feature, library)."""
    rows = re.findall(r"^   \* - (.+)\n((?:     - .+\n)+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    (_, head), *rows = [(name, re.findall(r"- (.+)\n", cells)) for name, cells in rows]
    return {
        (re.sub(r" \[\d+\]_", "", name), library): cell
        for name, cells in rows
        for library, cell in zip(head, cells, strict=True)
    }


def meaning(cell):
    """Whether a cell says yes, no or partly."""
    if cell.startswith("p "):
        return "p"
    return not cell.startswith(("\\-", "fails"))


def check(name, said):
    """Run the cells of a library; return how many the page contradicts."""
    wrong = 0
    for feature, cell in importlib.import_module(f"features.{name}").CELLS.items():
        try:
            answer, seen = cell()
        except Exception as error:
            answer, seen = False, f"{type(error).__name__}: {error}"
        agrees = meaning(said[feature, LIBRARIES[name]]) == answer
        wrong += not agrees
        mark = answer if answer == "p" else "y" if answer else "-"
        note = "" if agrees else f"  (the page: {said[feature, LIBRARIES[name]]})"
        print(f"{mark}  {LIBRARIES[name]}, {feature}: {' '.join(str(seen).split())[:120]}{note}", flush=True)
    return wrong


def main(wanted):
    said, wrong = page(), 0
    for name in wanted or LIBRARIES:
        if importlib.util.find_spec(name) is None:
            print(f"   {LIBRARIES[name]} is not installed")
            continue
        wrong += check(name, said)
    sys.exit(f"{wrong} cells are not as the page says." if wrong else 0)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(sys.argv[1:])

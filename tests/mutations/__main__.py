"""Puts each fault of the catalogue into a copy of the package, and runs the test that has to see it.

python tests/mutations                 # all of them; ends with an error where one is not seen
python tests/mutations --only PIAG     # those whose words say so
python tests/mutations --table         # writes doc/mutations.csv, the table of the page on trust
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from catalogue import MUTATIONS

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "doc" / "mutations.csv"
SECONDS = 120
"""A test that has not ended by then has seen the fault: it hangs."""


def copied(folder):
    """A copy of the package and its tests."""
    left_out = shutil.ignore_patterns("__pycache__")
    for name in ("sk_asyncprox", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    shutil.copy(ROOT / "pyproject.toml", folder)


def is_seen(mutation, folder):
    """Whether the mutation's test fails when the fault is in the copy."""
    path = folder / "sk_asyncprox" / mutation.module
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        raise SystemExit(f"{mutation.what}: its text is not once in {mutation.module}")
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    test = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*test, f"tests/{mutation.test}"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_text(text, encoding="utf-8")
    if done.returncode > 3:  # pytest has found no test
        raise SystemExit(f"{mutation.what}: {mutation.test} did not run\n{done.stdout}{done.stderr}")
    return done.returncode != 0


def write_table(path=TABLE):
    """The table of the documentation."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["Fault", "In", "Seen by"])
        rows.writerows([m.what, m.module, m.test] for m in MUTATIONS)


def main():
    """Run the mutations, or write their table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="part of the words of those to run")
    parser.add_argument("--table", action="store_true", help="write the table instead")
    options = parser.parse_args()
    if options.table:
        return write_table()
    missed, chosen = 0, [m for m in MUTATIONS if options.only.lower() in m.what.lower()]
    with tempfile.TemporaryDirectory() as folder:
        copied(Path(folder))
        for mutation in chosen:
            begin = time.perf_counter()
            seen = is_seen(mutation, Path(folder))
            missed += not seen
            spent = time.perf_counter() - begin
            print(
                f"{'seen  ' if seen else 'MISSED'} {spent:5.1f} s  {mutation.what} ({mutation.test})",
                flush=True,
            )
    print(f"{len(chosen)} faults, {missed} missed")
    return missed > 0


if __name__ == "__main__":
    sys.exit(main())

"""Random fits, judged by an objective, a bound and a search for a better model in extended precision.

A case is a record of plain values. What fails is shrunk, and written to a script that fails by itself:

    python tests/fuzzing.py --cases 20000 --seed 0 --scripts failures
"""

import argparse
import dataclasses
import os
import sys
import time
import warnings
from pathlib import Path

from fuzz_cases import Case, draw
from fuzz_judge import judge

__all__ = ["Case", "draw", "judge", "script", "shrunk"]

SCRIPT = '''"""Case {seed}: {wrong}"""

import sys

sys.path[:0] = [{tests!r}]

from fuzzing import Case, judge

case = Case(
{fields}
)
if __name__ == "__main__":  # processes import this
    wrong = judge(case)
    sys.exit(wrong and f"{{case}}: {{wrong}}")
'''


def script(case, wrong):
    """A program that repeats the case, and ends with an error while it fails."""
    changed = [f for f in dataclasses.fields(case) if getattr(case, f.name) != f.default]
    said = [f"{f.name}={getattr(case, f.name)!r}" for f in changed]
    rows = [f"    {', '.join(said[i : i + 3])}," for i in range(0, len(said), 3)]
    said = " ".join(wrong.replace('"', "'").replace("\\", "/").split())[:90]
    tests = str(Path(__file__).resolve().parent)
    return SCRIPT.format(seed=case.seed, wrong=said, tests=tests, fields="\n".join(rows))


def shrunk(case):
    """The case with as many fields at their defaults, and as small, as keeps it failing alike."""
    kind = _kind(judge(case))
    before = None
    while case != before:
        before = case
        for plainer in _plainer(case):
            if plainer(case) != case and _kind(judge(plainer(case))) == kind:
                case = plainer(case)
    return case


def _kind(wrong):
    return (wrong or "").split()[:2]


def _plainer(case):
    """Changes that make a case plainer."""
    for field in dataclasses.fields(Case):
        if field.name != "seed":
            yield lambda case, field=field: dataclasses.replace(case, **{field.name: field.default})
    for name, least in {"n": 2 * max(2, case.n_classes), "p": 1}.items():
        for share in (2, 4 / 3, 10 / 9):
            yield lambda case, name=name, least=least, share=share: dataclasses.replace(
                case, **{name: max(min(getattr(case, name), least), int(getattr(case, name) / share))}
            )


def main(arguments=None):
    """Run cases; print those that fail, and write their scripts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first case")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--failures", type=int, default=100, help="stop after so many")
    parser.add_argument("--scripts", type=Path, help="folder for the scripts of what fails")
    parser.add_argument("--nice", type=int, default=0, help="how far to stand back behind other processes")
    options = parser.parse_args(arguments)
    if hasattr(os, "nice"):
        os.nice(options.nice)
    warnings.simplefilter("ignore")
    begin, failures, done = time.perf_counter(), 0, 0
    for seed in range(options.seed, options.seed + options.cases):
        done += 1
        if wrong := judge(draw(seed)):
            failures += 1
            report(draw(seed), wrong, options.scripts)
        if done % 1000 == 0:
            print(f"{done} cases, {failures} failures, {time.perf_counter() - begin:.0f} s", flush=True)
        if failures == options.failures or time.perf_counter() - begin > 60 * options.minutes:
            break
    seconds, cpu = time.perf_counter() - begin, time.process_time()
    print(f"{done} cases from {options.seed}: {failures} failures, {seconds:.0f} s ({cpu:.0f} s of work)")
    return failures


def report(case, wrong, folder):
    """Print the shrunk case, and write its script."""
    plain = shrunk(case)
    text = script(plain, judge(plain) or wrong)
    print(f"# case {case.seed}: {wrong}\n{plain}", flush=True)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"case_{case.seed}.py").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main() > 0)

"""The lab: every exercise can be solved, and its check fails until it is."""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

LAB = Path(__file__).parents[1] / "examples" / "lab"
sys.path.append(str(LAB))
import notebooks  # noqa: E402


@pytest.mark.parametrize("name", notebooks.LAB)
def test_checks_fail_before_the_solution_and_pass_after_it(name):
    plt.switch_backend("agg")
    names, open_exercise, failed = {"__name__": "lab"}, None, set()
    for heading, source in notebooks.cells((LAB / f"{name}.py").read_text(encoding="utf-8")):
        kind, _, number = heading.partition(" ")
        if kind == "[markdown]":
            continue
        code = compile(notebooks.solved(source), f"{name}, {heading}", "exec")
        if kind == "exercise":
            open_exercise, unsolved = number, dict(names)
            exec(notebooks.for_students(source), unsolved)
        elif kind == "check" and number not in failed:
            assert number == open_exercise
            with pytest.raises((AssertionError, TypeError, ValueError, AttributeError)):
                exec(source, unsolved)
            failed.add(number)
        exec(code, names)
    plt.close("all")
    assert len(failed) >= 3


def test_notebooks(tmp_path):
    notebooks.write(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2 * len(notebooks.LAB)
    task, solution = (
        json.loads((tmp_path / f"lab_1_delays{ending}.ipynb").read_text(encoding="utf-8"))
        for ending in ("", "_solved")
    )
    assert len(task["cells"]) == len(solution["cells"]) > 15
    assert task["nbformat"] == 4
    first = task["cells"][0]
    assert first["cell_type"] == "markdown"
    assert first["source"][0] == "# Lab 1: what is a delay? (30 minutes)\n"
    one, other = ("".join("".join(cell["source"]) for cell in made["cells"]) for made in (task, solution))
    assert "searchsorted" not in one
    assert "searchsorted" in other
    assert "counted = ..." in one
    assert "counted = ..." not in other

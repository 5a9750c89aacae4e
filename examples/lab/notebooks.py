"""Make the notebooks of the lab from its plain files: ``python notebooks.py FOLDER``.

A file is cut into cells by lines that begin with ``# %%``. In cells headed
``# %% exercise N`` the lines between ``# solution`` and ``# end`` are the
solution; students get what stands above them, from
``# your answer`` on.
"""

import json
import re
import sys
from pathlib import Path

LAB = ("delays", "steps", "replay")
"""The files, in the order of the class."""

TASK = re.compile(r"^ *# solution\n.*?^ *# end\n", re.MULTILINE | re.DOTALL)
ANSWER = re.compile(
    r"^ *# your answer.*?^ *# solution\n(.*?)^ *# end\n",
    re.MULTILINE | re.DOTALL,
)


def cells(text):
    """Cells of a file, as ``(heading, source)``."""
    parts = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)[1:]
    return [
        (head.strip(), body.strip("\n") + "\n")
        for head, body in zip(parts[::2], parts[1::2], strict=True)
    ]


def for_students(source):
    """The cell without its solution."""
    return TASK.sub("", source)


def solved(source):
    """The cell with its solution only."""
    return ANSWER.sub(r"\1", source)


def notebook(text, edit):
    """A notebook (format 4) of a file's cells; ``edit`` is for the cells of code."""
    made = []
    for number, (heading, source) in enumerate(cells(text)):
        cell = {"id": f"cell-{number}", "metadata": {}, "source": source}
        if heading == "[markdown]":
            cell |= {
                "cell_type": "markdown",
                "source": re.sub(r"^# ?", "", source, flags=re.MULTILINE),
            }
        else:
            cell |= {
                "cell_type": "code",
                "source": edit(source),
                "outputs": [],
                "execution_count": None,
            }
        cell["source"] = cell["source"].rstrip("\n").splitlines(keepends=True)
        made.append(cell)
    kernel = {
        "kernelspec": {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
    }
    return {
        "cells": made,
        "metadata": kernel,
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def write(folder):
    """Write the notebooks for students and those with solutions."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(LAB, 1):
        text = (Path(__file__).parent / f"{name}.py").read_text(
            encoding="utf-8"
        )
        for ending, edit in {"": for_students, "_solved": solved}.items():
            made = json.dumps(
                notebook(text, edit), indent=1, ensure_ascii=False
            )
            (folder / f"lab_{number}_{name}{ending}.ipynb").write_text(
                made + "\n", encoding="utf-8"
            )


if __name__ == "__main__":
    write(*sys.argv[1:])

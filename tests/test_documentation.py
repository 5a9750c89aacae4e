"""The code on the pages runs as it stands there, and prints what is shown below it."""

import io
import re
import sys
from contextlib import redirect_stdout
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "doc").glob("*.rst"))]
MARKDOWN = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
RST = re.compile(
    r"^\.\. code-block:: (?P<language>\w+)\n(?: +:.*\n)*\n(?P<text>(?:(?: {3,}.*)?\n)+)", re.MULTILINE
)


def blocks(page):
    """Blocks of Python on a page, as ``(line, code, output shown or None)``; what follows a block and
    nothing between is its output."""
    text = page.read_text(encoding="utf-8") + "\n"
    found = list((MARKDOWN if page.suffix == ".md" else RST).finditer(text))
    for block, after in zip_longest(found, found[1:]):
        if block["language"] != "python":
            continue
        shown = (
            after is not None
            and after["language"] == "text"
            and not text[block.end() : after.start()].strip()
        )
        line = text.count("\n", 0, block.start("text"))
        yield line, dedent(block["text"]).strip() + "\n", dedent(after["text"]) if shown else None


WITH_CODE = [page for page in PAGES if any(blocks(page))]


def run(page):
    """Run the blocks of a page in one namespace, as a reader who pastes them would."""
    names = {"__name__": "page"}
    for line, code, shown in blocks(page):
        if "sklearn.callback" in code and find_spec("sklearn.callback") is None:
            continue
        printed = io.StringIO()
        with redirect_stdout(printed):
            # Empty lines in front, so that a traceback names the line of the page.
            exec(compile("\n" * line + code, page, "exec"), names)
        assert printed.getvalue().split() == (shown or "").split(), f"{page.name}, line {line}"


def test_the_pages_with_code_are_found():
    names = {page.name for page in WITH_CODE}
    assert names >= {
        "README.md",
        "index.rst",
        "getting_started.rst",
        "user_guide.rst",
        "more_than_one_machine.rst",
    }


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_code_runs_and_prints_what_is_shown(page):
    run(page)


def test_the_first_block_shows_asynchrony():
    _, code, shown = next(blocks(ROOT / "README.md"))
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    delays = [int(word) for word in re.findall(r"\d+", shown.splitlines()[0])]
    assert max(delays) > 1
    assert code == next(blocks(ROOT / "doc" / "index.rst"))[1]


def test_the_table_of_speed_is_what_was_measured():
    sys.path.append(str(ROOT / "doc"))
    import site_parts

    table = site_parts.as_markdown()
    assert table.count("\n") == 10
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(cell in site_parts.as_rst() for row in site_parts.speed() for cell in row)

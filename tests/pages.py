"""The blocks of code on the pages of the documentation."""

import re
from itertools import zip_longest
from pathlib import Path
from textwrap import dedent

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

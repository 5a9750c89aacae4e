"""The code on the pages runs as it stands there, and prints what is shown below it."""

import inspect
import io
import pkgutil
import re
import runpy
import sys
from contextlib import redirect_stdout
from importlib.util import find_spec

import pytest
from numpydoc.validate import validate
from pages import ROOT, WITH_CODE, blocks

sys.path.append(str(ROOT / "doc"))


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
    import site_parts

    table = site_parts.as_markdown()
    assert table.count("\n") == 12
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert table in readme
    assert site_parts.renew(readme) == readme
    assert (
        site_parts.renew(readme.replace("0.0067", "6.7").replace("Measured on 2", "Measured on 3")) == readme
    )
    shown = site_parts.as_rst()
    assert all(cell in shown for row in site_parts.speed() for cell in row)
    assert site_parts.occasion() in shown


def on_the_api_page():
    """Dotted names of all objects that the API page lists."""
    module, names = None, []
    for line in (ROOT / "doc" / "api.rst").read_text(encoding="utf-8").splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif name := re.fullmatch(r"   ([A-Za-z_][\w.]*)", line):
            names.append(f"{module}.{name[1]}")
    return [name for name in names if name != "sk_asyncprox.extending"]


@pytest.mark.parametrize("name", on_the_api_page())
def test_every_object_shows_an_example_and_what_to_see_next(name):
    text = inspect.getdoc(pkgutil.resolve_name(name))
    assert re.search(r"^See Also\n--------\n\w", text, re.MULTILINE)
    assert re.search(r"^Examples\n--------\n(.+\n)*\n?>>> ", text, re.MULTILINE)


def with_methods(name):
    """The object, and the public functions that it defines itself."""
    thing = pkgutil.resolve_name(name)
    own = vars(thing) if inspect.isclass(thing) else {}
    return [name] + [
        f"{name}.{key}" for key, value in own.items() if key[0] != "_" and inspect.isfunction(value)
    ]


@pytest.mark.parametrize("name", on_the_api_page())
def test_docstrings_are_complete(name):
    """Parameters, returned values, summaries: as numpydoc validates them where the site is built."""
    rules = runpy.run_path(str(ROOT / "doc" / "docstring_checks.py"))
    parts = [
        part for part in with_methods(name) if not any(re.search(out, part) for out in rules["LEFT_OUT"])
    ]
    wrong = [
        (part, said) for part in parts for said in validate(part)["errors"] if said[0] in rules["CHECKS"]
    ]
    assert wrong == []


def test_the_api_page_has_all_public_objects():
    import sk_asyncprox
    from sk_asyncprox import executors, inspection, metrics, step_sizes, theory

    listed = on_the_api_page()
    for module in (sk_asyncprox, executors, inspection, metrics, step_sizes, theory):
        for name in module.__all__:
            public = getattr(module, name)
            if inspect.isclass(public) or inspect.isfunction(public):
                assert f"{module.__name__}.{name}" in listed


def test_the_table_of_benchmarks_has_every_script():
    table = (ROOT / "benchmarks" / "README.md").read_text()
    assert [path.name for path in (ROOT / "benchmarks").glob("*.py") if f"| `{path.name}`" not in table] == []


def test_wrong_links_of_the_site_are_seen(tmp_path):
    from check_links import wrong

    (tmp_path / "sub").mkdir()
    (tmp_path / "a.html").write_text('<a href="sub/b.html#here">b</a><a href="#me">me</a><p id="me">')
    (tmp_path / "sub" / "b.html").write_text(
        '<a href="../a.html">a</a><a href="https://a.org">out</a><p id="here">'
    )
    assert list(wrong(tmp_path)) == []
    (tmp_path / "sub" / "b.html").write_text(
        '<a href="c.html">c</a><a href="../a.html#x">a</a><script src="https://a.org/b.js"></script>'
    )
    assert [line.split(" ", 3)[1:3] for line in wrong(tmp_path)] == [
        ["has", "a"],
        ["has", "a"],
        ["has", "a"],
        ["loads", "https://a.org/b.js"],
    ]

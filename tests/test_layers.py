"""Imports point only downwards, and some doors have one key."""

import ast
import csv
from pathlib import Path

import pytest

import sk_asyncprox

ROOT = Path(sk_asyncprox.__file__).parent
PACKAGE = ROOT.name


def read_ranks():
    """Ranks of the design page: a folder stands for all its modules; the longest entry that fits counts."""
    with open(Path(__file__).parents[1] / "doc" / "ranks.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        "" if name == PACKAGE else name: int(row["rank"]) for row in rows for name in row["modules"].split()
    }


RANKS = read_ranks()
LONGEST_MODULE, LONGEST_FUNCTION = 300, 40
LAZY = {"matplotlib", "dask", "distributed", "rich", "pandas"}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").removesuffix("."): path
    for path in sorted(ROOT.rglob("*.py"))
}
each_module = pytest.mark.parametrize("module", MODULES)


def place(module):
    """Entry of RANKS that a module belongs to; None when it has no place."""
    names = module.split(".")
    entries = [".".join(names[:i]) for i in range(len(names), 0, -1)]
    return "" if module == "" else next((entry for entry in entries if entry in RANKS), None)


def imports(source, module, is_package):
    """Dotted names imported by a source: pairs (name, whether when the module is imported).

    ``from a import b`` gives ``a.b``; names of this package start with its name.
    """
    here = [PACKAGE, *filter(None, module.split("."))]
    here = here if is_package else here[:-1]

    def visit(node, lazy):
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.Import):
            yield from ((alias.name, not lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            base = [*base, *filter(None, [node.module])]
            yield from ((".".join([*base, alias.name]), not lazy) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, lazy)

    return list(visit(ast.parse(source), False))


def module_of(name):
    """Module of the package that an imported dotted name lies in; None for other packages."""
    names = name.split(".")
    if names[0] != PACKAGE:
        return None
    inner = [".".join(names[1:i]) for i in range(len(names), 0, -1)]
    return next(candidate for candidate in inner if candidate in MODULES)


def folder(entry):
    """Folder that an entry of RANKS lies in or is; empty for a module at the top."""
    first = entry.split(".")[0]
    return first if (ROOT / first).is_dir() else ""


def faults(source, module, is_package=False):
    """What is wrong with the imports of a module."""
    wrong, mine = [], place(module)
    for name, at_import in imports(source, module, is_package):
        target = module_of(name)
        if target is not None:
            theirs = place(target)
            below = theirs is not None and RANKS[theirs] < RANKS[mine]
            # A module of rank 1 within a folder of rank 2 is not beside the others.
            beside = RANKS[theirs] == RANKS[mine] and folder(theirs) == folder(mine) != ""
            if not (below or beside):
                wrong.append(f"{module or PACKAGE} imports {name}, which is not below it")
            if mine == "linear_model" and theirs == "solvers" and target != "solvers.base":
                wrong.append(f"{module} imports {name}; of the solvers it may know solvers.base only")
        parts = name.split(".")
        if parts[0] == "sklearn" and module != "_compat" and any(part.startswith("_") for part in parts):
            wrong.append(f"{module} imports {name}, which is private; that is for _compat")
        if at_import and parts[0] in LAZY:
            wrong.append(f"{module} imports {name} at module level")
    return wrong


@each_module
def test_module_has_a_rank(module):
    assert place(module) is not None, f"give {module} a rank in doc/ranks.csv"


@each_module
def test_imports(module):
    path = MODULES[module]
    assert faults(path.read_text(encoding="utf-8"), module, path.name == "__init__.py") == []


def code_of(function, lines):
    """Lines of a function that are neither empty, comment nor docstring."""
    told = set()
    for node in ast.walk(function):
        if (
            isinstance(node, ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            told |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    own = (n for n in range(function.lineno, function.end_lineno + 1) if n not in told)
    return sum(bool(lines[n - 1].strip()) and not lines[n - 1].lstrip().startswith("#") for n in own)


def too_long(source):
    """Names of what is longer than CONTRIBUTING.md allows."""
    lines, names = source.splitlines(), []
    if len(lines) > LONGEST_MODULE:
        names.append("module")
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    return names + [node.name for node in functions if code_of(node, lines) > LONGEST_FUNCTION]


@each_module
def test_nothing_is_too_long(module):
    assert too_long(MODULES[module].read_text(encoding="utf-8")) == []


def test_what_is_too_long_is_seen():
    body = "".join(f"    a = {i}\n" for i in range(LONGEST_FUNCTION - 1))
    told = '    """Words\n\n    and more.\n    """\n    # why\n\n'
    assert too_long(f"def f():\n{told}{body}") == []
    assert too_long(f"def f():\n{told}{body}    return a\n") == ["f"]
    assert too_long("a = 0\n" * (LONGEST_MODULE + 1)) == ["module"]


def test_every_rank_is_of_a_module():
    folders = {name.rpartition(".")[0] for name in MODULES}
    assert set(RANKS) <= {*MODULES, *folders}


def test_package_is_found():
    """Guards the tests above against looking at nothing."""
    assert {"losses", "solve", "solvers.bcd", "executors", "linear_model._base", ""} <= set(MODULES)
    assert "step_sizes" in [
        module_of(name) for name, _ in imports(MODULES["solvers.bcd"].read_text(), "solvers.bcd", False)
    ]


@pytest.mark.parametrize(
    ("module", "source", "n_faults"),
    [
        ("losses", "import numpy as np", 0),
        ("losses", "from .penalties import Penalty", 1),
        ("losses", "import sk_asyncprox.penalties", 1),
        ("losses", "from . import penalties", 1),
        ("losses", "def f():\n    from .solve import solve", 1),
        ("problem.in_memory", "from ..data.preprocessing import design_of", 0),
        ("problem", "from .executors.traces import Trace", 1),
        ("executors.base", "from .simulated import Simulated", 1),
        ("executors.base", "from .threads import Threads", 1),
        ("executors.threads", "from .base import Plan", 0),
        ("executors.threads", "from .simulated import Simulated", 0),
        ("executors.threads", "from ..solvers import SOLVERS", 1),
        ("solvers.bcd", "from ..executors.base import Plan", 0),
        ("solve", "from .solvers import SOLVERS", 0),
        ("solve", "from .linear_model import Lasso", 1),
        ("linear_model._base", "from ..solvers.base import Snapshot", 0),
        ("linear_model._base", "from ..solvers.bcd import AsyncBCD", 1),
        ("linear_model._base", "from ..solvers import AsyncBCD", 1),
        ("linear_model._base", "from sklearn.utils._param_validation import Interval", 1),
        ("linear_model._base", "from sklearn.base import _fit_context", 1),
        ("_compat", "from sklearn.linear_model._base import LinearModel", 0),
        ("solve", "import pandas", 1),
        ("solve", "try:\n    from rich.console import Console\nexcept ImportError:\n    pass", 1),
        ("solve", "class A:\n    import matplotlib.pyplot as plt", 1),
        ("solve", "def f():\n    import pandas as pd", 0),
    ],
)
def test_faults_are_seen(module, source, n_faults):
    assert len(faults(source, module)) == n_faults


def test_unplaced_module_is_seen():
    assert place("brand_new") is None
    assert place("solvers.brand_new") == "solvers"

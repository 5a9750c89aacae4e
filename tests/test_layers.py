"""Imports point only downwards, and some doors have one key."""

import ast
from pathlib import Path

import pytest

import sk_asyncprox

ROOT = Path(sk_asyncprox.__file__).parent
PACKAGE = ROOT.name

# A folder stands for all its modules; the longest entry that fits a module counts.
RANKS = {
    "_blas": -1,
    "compressed": -2,
    "constant_columns": -1,
    "losses": 0,
    "balance": 0,
    "certificate": 0,
    "penalties": 0,
    "step_sizes": 0,
    "delays": 0,
    "history": 0,
    "design": 0,
    "moments": 0,
    "block_diagonal": 0,
    "theory": 0,
    "units": 0,
    "_compat": 0,
    "centred": 1,
    "data": 1,
    "looks": 1,
    "problem": 2,
    "shards": 2,
    "sharded": 3,
    "executors.chunks": 4,
    "executors.logs": 2,
    "executors.folded": 4,
    "executors.summed": 4,
    "executors.schedules": 2,
    "executors.traces": 2,
    "executors.plan": 2,
    "executors": 3,
    "solvers": 3,
    "stopping": 3,
    "solve": 4,
    "along": 5,
    "linear_model": 6,
    "metrics": 7,
    "inspection": 7,
    "comparison": 8,
    "": 9,  # the package's own __init__
}
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
    assert place(module) is not None, f"give {module} a rank here and in CONTRIBUTING.md"


@each_module
def test_imports(module):
    path = MODULES[module]
    assert faults(path.read_text(encoding="utf-8"), module, path.name == "__init__.py") == []


def test_package_is_found():
    """Guards the tests above against looking at nothing."""
    assert {"losses", "solve", "solvers.bcd", "executors", "linear_model._base", ""} <= set(MODULES)
    assert "delays" in [
        module_of(name) for name, _ in imports(MODULES["solvers.bcd"].read_text(), "solvers.bcd", False)
    ]


@pytest.mark.parametrize(
    ("module", "source", "n_faults"),
    [
        ("losses", "import numpy as np", 0),
        ("losses", "from .penalties import PENALTIES", 1),
        ("losses", "import sk_asyncprox.penalties", 1),
        ("losses", "from . import penalties", 1),
        ("losses", "def f():\n    from .solve import solve", 1),
        ("problem", "from .design import design_of", 0),
        ("problem", "from .executors.traces import Trace", 1),
        ("executors.plan", "from .simulated import Simulated", 1),
        ("executors.plan", "from .threads import Threads", 1),
        ("executors.threads", "from .plan import Plan", 0),
        ("executors.threads", "from .simulated import Simulated", 0),
        ("executors.threads", "from ..solvers import SOLVERS", 1),
        ("solvers.bcd", "from ..executors.plan import Plan", 0),
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

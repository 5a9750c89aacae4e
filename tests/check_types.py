"""Check the types of the code on the pages by mypy, which need not find the libraries that it calls.

Usage: check_types.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from pages import ROOT, WITH_CODE, blocks

WRONG = """\
from sk_asyncprox import Lasso
from sk_asyncprox.executors import Trace

Lasso(alpha="many")  # type: ignore[arg-type]
Trace.constant(4).delays(10, solver=3)  # type: ignore[arg-type]
Lasso(max_iter=None)  # type: ignore[arg-type]
"""
"""What has to be found wrong: an `ignore` that is not needed is an error."""


def main():
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "wrong.py").write_text(WRONG, encoding="utf-8")
        for page in WITH_CODE:
            code = "\n".join(code for _, code, _ in blocks(page))
            (Path(folder) / f"page_{page.stem}.py").write_text(code, encoding="utf-8")
        flags = ["--ignore-missing-imports", "--follow-imports=silent", "--warn-unused-ignores"]
        files = sorted(map(str, Path(folder).glob("*.py")))
        command = [sys.executable, "-m", "mypy", "--cache-dir", f"{folder}/cache", *flags, *files]
        return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())

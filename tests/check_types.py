"""Check the types of the code on the pages by mypy and pyright, without the libraries that it calls.

Usage: check_types.py
"""

import json
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


MYPY = ["--ignore-missing-imports", "--follow-imports=silent", "--warn-unused-ignores"]
# basedpyright is pyright without a download at the first run; its own default is stricter.
PYRIGHT = {
    "typeCheckingMode": "standard",
    "extraPaths": [str(ROOT)],
    "reportMissingImports": False,
    "reportUnnecessaryTypeIgnoreComment": "error",
}


def main():
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "wrong.py").write_text(WRONG, encoding="utf-8")
        for page in WITH_CODE:
            code = "\n".join(code for _, code, _ in blocks(page))
            (Path(folder) / f"page_{page.stem}.py").write_text(code, encoding="utf-8")
        (Path(folder) / "pyrightconfig.json").write_text(json.dumps(PYRIGHT), encoding="utf-8")
        files = sorted(map(str, Path(folder).glob("*.py")))
        mypy = ["mypy", "--cache-dir", f"{folder}/cache", *MYPY, *files]
        pyright = ["basedpyright", "--project", folder, "--pythonpath", sys.executable]
        return max(
            subprocess.run([sys.executable, "-m", *call], cwd=ROOT).returncode for call in (mypy, pyright)
        )


if __name__ == "__main__":
    sys.exit(main())

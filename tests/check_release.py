"""Check what a release would hand out: both archives, where nothing else of the project is at hand.

Usage: check_release.py, by an interpreter that has `build` and `twine`; wants the package index.
"""

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

from pages import ROOT, blocks

QUICK = ["tests/test_release.py", "tests/test_import.py", "tests/test_layers.py", "tests/test_delays.py"]
QUICK += ["tests/test_step_sizes.py", "tests/test_penalties.py", "tests/test_documentation.py"]
INSTALLED = """
from importlib.metadata import version
from importlib.resources import files
import sk_asyncprox
assert sk_asyncprox.__file__.startswith({home!r}), sk_asyncprox.__file__
assert version("sk-asyncprox") == sk_asyncprox.__version__ == {version!r}
assert (files(sk_asyncprox) / "py.typed").is_file()
"""


def version():
    """Version of the package, which the changelog has to begin with."""
    init = (ROOT / "sk_asyncprox" / "__init__.py").read_text(encoding="utf-8")
    [found] = re.findall(r'^__version__ = "(.+)"$', init, re.MULTILINE)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    top = re.search(r"^## \[(.+?)\]", changelog, re.MULTILINE)[1]
    if top != found:
        raise SystemExit(f"The changelog begins with {top}, and the package is {found}.")
    return found


def run(*command, cwd):
    """Run a command, away from the folders and the packages of this session; answer with what it printed."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout}\nfailed: {' '.join(map(str, command))[:200]}")
    return done.stdout


def built(folder):
    """The source archive, and the wheel that is built from it."""
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    [source], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    print(run(sys.executable, "-m", "twine", "check", "--strict", source, wheel, cwd=folder).strip())
    return source, wheel


def unpacked(source, folder):
    """The folder of the source archive, which has to hold what the repository does."""
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    [root] = (path for path in folder.iterdir() if path.is_dir())
    if (ROOT / ".git").exists():
        # Of a linked folder git lists the link; the archive has the files in it.
        listed = run("git", "ls-files", "-z", cwd=ROOT).split("\0")[:-1]
        lost = [name for name in listed if not (root / name).exists()]
        if lost:
            raise SystemExit(f"Not in the source archive: {', '.join(lost)}")
        print(f"the source archive has all {len(listed)} files")
    return root


def installed(what, home):
    """Interpreter of a new environment with an archive or a folder installed."""
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", what, cwd=home)
    return python


def check_wheel(wheel, found, folder):
    """The wheel alone, with what it depends on: the package and nothing else, its version, README's code."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    if tops != {"sk_asyncprox", f"sk_asyncprox-{found}.dist-info"}:
        raise SystemExit(f"The wheel has {', '.join(sorted(tops))}")
    home = folder / "wheel"
    python = installed(wheel, home)
    run(python, "-c", INSTALLED.format(home=str(home.resolve()), version=found), cwd=folder)
    of_readme = list(blocks(ROOT / "README.md"))
    printed = run(python, "-c", "\n".join(code for _, code, _ in of_readme), cwd=folder)
    if printed.split() != "\n".join(shown or "" for _, _, shown in of_readme).split():
        raise SystemExit(f"README's code prints something else:\n{printed}")
    print(f"sk_asyncprox {found} installs, and README's {len(of_readme)} blocks print what they show")


def check_source(root, folder):
    """The source archive: it installs, and its tests and its demonstration run from it."""
    python = installed(f"{root}[test]", folder / "source")
    quick = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *QUICK, cwd=root)
    print(f"tests from the source archive: {quick.splitlines()[-1]}")
    run(python, "examples/quickstart.py", cwd=root)
    print("examples/quickstart.py runs from it")


def main():
    found = version()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (archives := folder / "archives").mkdir()
        (sources := folder / "sources").mkdir()
        source, wheel = built(archives)
        root = unpacked(source, sources)
        check_wheel(wheel, found, folder)
        check_source(root, folder)


if __name__ == "__main__":
    main()

"""What a release says of itself, in several places, is the same."""

import re
import tomllib

from check_release import version
from pages import ROOT

import sk_asyncprox
from sk_asyncprox.linear_model._base import DOCUMENTATION

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_changelog_begins_with_the_version():
    assert version() == sk_asyncprox.__version__


def test_the_release_notes_are_of_the_version():
    notes = (ROOT / "doc" / "release_notes.rst").read_text(encoding="utf-8")
    assert re.search(r"^Version (\S+)$", notes, re.MULTILINE)[1] == sk_asyncprox.__version__


def test_links_lead_to_the_documentation_that_the_estimators_link_to():
    assert PROJECT["urls"]["Documentation"] == DOCUMENTATION
    assert all(url.startswith(DOCUMENTATION) for url in PROJECT["urls"].values())


def test_pins_of_ruff_are_one():
    pinned = {
        name: pin
        for name, _, pin in (line.partition("==") for line in PROJECT["optional-dependencies"]["lint"])
    }
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert f"rev: v{pinned['ruff']}" in hooks
    assert all(pinned.values())

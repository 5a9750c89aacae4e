"""Sphinx configuration; ``make doc`` builds the pages."""

import sys
from pathlib import Path

import sk_asyncprox

HERE = Path(__file__).parent
sys.path.append(str(HERE))
import problems  # noqa: E402

project = "sk_asyncprox"
author = "the sk_asyncprox developers"
project_copyright = author
version = release = sk_asyncprox.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates"]
default_role = "literal"

autosummary_generate = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(^|/)(?!plot_)[^/]*\.py$",
    "download_all_examples": False,
    "show_memory": False,
    "remove_config_comments": True,
    "capture_repr": (),
}

html_static_path = ["_static"]
html_theme = "pydata_sphinx_theme"
html_title = f"sk_asyncprox {release}"
html_theme_options = {"show_nav_level": 2, "navigation_with_keys": False}
html_sidebars = {"theory": [], "design": []}


def setup(app):
    """Compute the data of the interactive page."""
    app.connect("builder-inited", lambda app: problems.write(HERE / "_static" / "problems.js"))

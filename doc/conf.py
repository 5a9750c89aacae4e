"""Sphinx configuration; ``make doc`` builds the pages."""

import sys
from pathlib import Path

import sk_asyncprox

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "examples" / "lab")]
import docstring_checks  # noqa: E402
import notebooks  # noqa: E402
import problems  # noqa: E402
import site_parts  # noqa: E402

project = "sk_asyncprox"
author = "the sk_asyncprox developers"
project_copyright = author
version = release = sk_asyncprox.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "_static", "**sg_execution_times.rst"]
default_role = "literal"

autosummary_generate = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_validation_checks, numpydoc_validation_exclude = docstring_checks.CHECKS, docstring_checks.LEFT_OUT
autodoc_typehints = "none"  # the docstrings say it better

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(^|/)(?!plot_)[^/]*\.py$",
    "download_all_examples": False,
    "within_subsection_order": "site_parts.InOrder",
    "show_memory": False,
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sk_asyncprox",),
    "write_computation_times": False,
    "min_reported_time": float("inf"),
    "remove_config_comments": True,
    "capture_repr": (),
    "matplotlib_animations": (True, "jshtml"),
}

html_static_path = ["_static"]
html_css_files = ["site.css"]
mathjax_path = "mathjax/tex-svg.js"
html_theme = "pydata_sphinx_theme"
html_title = f"sk_asyncprox {release}"
html_theme_options = {
    "show_nav_level": 2,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 5,
    "secondary_sidebar_items": {"*": ["page-toc"]},  # not in folders: pages of one object or example
}


def generate(app):
    """Make what the pages need: data of the interactive one, notebooks, table of speed, MathJax."""
    problems.write(HERE / "_static" / "problems.js")
    notebooks.write(HERE / "_static" / "lab")
    site_parts.write(HERE / "_static")


def without_network(app, pagename, templatename, context, doctree):
    """Leave out the icons that matplotlib's film wants from the network: the theme has them."""
    context["body"] = site_parts.without_links_out(context.get("body", ""))


def setup(app):
    """Have it made before the pages are read."""
    app.connect("builder-inited", generate)
    app.connect("html-page-context", without_network)

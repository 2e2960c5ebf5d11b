"""How Sphinx makes the site of the pages in this folder: `make docs`.

Nothing is fetched, neither while the site is built nor when it is read, and no page holds a script
or a style of its own, so that it may be served under a strict content security policy.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
sys.path[:0] = [str(REPOSITORY), str(HERE)]

from site_links import link_to_the_repository  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

from segmodels.versions import SOFTWARE  # noqa: E402

project = "segmodels"
author = "The segmodels authors"
release = version = SOFTWARE

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True
# What other libraries are documented as is not known here, and nothing is fetched to know it.
# Types in signatures are links where they are listed; not all are.
nitpick_ignore_regex = [("py:.*", r"(?!segmodels\.).*"), ("py:class", r"segmodels\..*")]

myst_heading_anchors = 4  # links to headings are written as forges name them

default_role = "literal"  # docstrings mark code with single backticks
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_use_rtype = False

html_theme = "furo"
html_title = "segmodels"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = html_show_copyright = False
html_use_index = html_domain_indices = False  # the search finds names, too
html_copy_source = False
html_show_search_summary = False  # it would fetch pages, which browsers refuse from disk
html_theme_options = {"navigation_with_keys": True}
templates_path = ["_templates"]
pygments_style = "friendly"
pygments_dark_style = "monokai"


def without_fields(
    app: Sphinx, what: str, name: str, thing: object, options: object, *_: object
) -> tuple[str, None] | None:
    """A class that reads YAML is called by nobody, and its docstring has every field."""
    return ("", None) if what == "class" and hasattr(thing, "model_fields") else None


def setup(app: Sphinx) -> None:
    """Say what Sphinx does not know by itself."""
    # Where links to files outside this folder lead: the checkout that the site was built from, or
    # an address such as https://HOST/segmodels/blob/main.
    address = os.environ.get("SEGMODELS_REPOSITORY_URL", "")
    app.add_config_value("repository_url", address, "html")
    app.connect("autodoc-process-signature", without_fields)
    app.connect("doctree-read", link_to_the_repository, priority=100)  # before files are copied

"""Links from pages to files and folders of the repository that are no pages of the site."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

REPOSITORY = Path(__file__).resolve().parent.parent

_LOG = logging.getLogger(__name__)


def link_to_the_repository(app: Sphinx, doctree: nodes.document) -> None:
    """Have such links lead to the file itself: in the checkout, or at `repository_url`.

    Sphinx would copy a file and offer it for download, and knows no folders.
    """
    page = Path(app.env.docname)
    for kind in (addnodes.download_reference, addnodes.pending_xref):
        for node in list(doctree.findall(kind)):
            target = _target(Path(app.srcdir) / page.parent, node)
            if target and target.exists():
                where = _address(app, page, target)
                node.replace_self(nodes.reference("", "", *node.children, refuri=where))
            elif target:
                _LOG.warning("no such file: %s", node["reftarget"], location=node)


def _target(folder: Path, node: nodes.Element) -> Path | None:
    """What a link of Markdown means, if that is no page of the site."""
    if node.get("reftype") != "myst" or node.get("refdomain") not in (None, "doc"):
        return None
    path = node["reftarget"].partition("#")[0]
    if node.get("refdomain") == "doc":  # told from the root of the pages, without its ending
        page = REPOSITORY / "docs" / f"{path}.md"
        outside = not page.resolve().is_relative_to(REPOSITORY / "docs")
        return page.resolve() if outside else None
    return (folder / path).resolve() if path else None


def _address(app: Sphinx, page: Path, target: Path) -> str:
    inside = quote(target.relative_to(REPOSITORY).as_posix())
    if app.config.repository_url:
        return f"{app.config.repository_url.rstrip('/')}/{inside}"
    return Path(os.path.relpath(target, (Path(app.outdir) / page).parent)).as_posix()

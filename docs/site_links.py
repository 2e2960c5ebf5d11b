"""Links from pages to files and folders of the repository that are no pages of the site."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
REPOSITORY = DOCS.parent


def link_to_the_repository(app: Sphinx, doctree: nodes.document) -> None:
    """Have such links lead to the file itself: in the checkout, or at `repository_url`.

    Sphinx would copy a file and offer it for download, and knows no folders. Of what is not there
    it warns itself.
    """
    page = Path(app.env.docname)
    for kind in (addnodes.download_reference, addnodes.pending_xref):
        for node in list(doctree.findall(kind)):
            target = _target(DOCS / page.parent, node)
            if target and target.exists():
                where = _address(app, page, target)
                node.replace_self(nodes.reference("", "", *node.children, refuri=where))


def _target(folder: Path, node: nodes.Element) -> Path | None:
    """What a link of Markdown means, if that is no page of the site."""
    if node.get("reftype") != "myst":
        return None
    path = node["reftarget"].partition("#")[0]
    if node.get("refdomain") == "doc":  # told from the root of the pages, without its ending
        target = (DOCS / f"{path}.md").resolve()
    else:
        target = (folder / path).resolve()
    if isinstance(node, addnodes.download_reference):
        return target
    # Within the folder it is a page, or a heading that happens to have the name of a file.
    return None if target.is_relative_to(DOCS) else target


def _address(app: Sphinx, page: Path, target: Path) -> str:
    inside = quote(target.relative_to(REPOSITORY).as_posix())
    if app.config.repository_url:
        return f"{app.config.repository_url.rstrip('/')}/{inside}"
    return Path(os.path.relpath(target, (Path(app.outdir) / page).parent)).as_posix()

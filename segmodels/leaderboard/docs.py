"""Where `docs/` describes protocols and verdicts."""

from __future__ import annotations

import os
import re
from pathlib import Path

from segmodels.core.settings import project_root


class Docs:
    """Addresses inside `docs/`, seen from a folder; none where there is no such page.

    A host may serve the reports alone, so a link to here never stands for an explanation.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.anchors: dict[str, str] = {}
        for page in ("protocols.md", "efficiency.md"):
            for name, anchor in _anchors(self._text(page)).items():
                self.anchors.setdefault(name, f"{self._path(page)}#{anchor}")
        self.verdicts = self._path("verdicts.md") if self._text("verdicts.md") else ""

    def protocol(self, name: str) -> str:
        """The heading that a protocol, or a way to count, stands under; "" for an unknown one."""
        return self.anchors.get(name, "")

    def verdict(self, heading: str = "the-words") -> str:
        """A heading of the page about verdicts; "" without that page."""
        return f"{self.verdicts}#{heading}" if self.verdicts else ""

    @property
    def corruptions(self) -> str:
        """The sheet of examples (`segmodels corruptions`); "" where there is none."""
        name = "corruptions.webp"
        return self._path(name) if (_docs() / name).is_file() else ""

    def _path(self, page: str) -> str:
        return Path(os.path.relpath(_docs() / page, self.folder)).as_posix()

    def _text(self, page: str) -> str:
        path = _docs() / page
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def docs_from(folder: Path) -> str:
    """The folder of the documentation, seen from another."""
    return Path(os.path.relpath(_docs(), folder)).as_posix()


def _docs() -> Path:
    return project_root() / "docs"


def _anchors(text: str) -> dict[str, str]:
    """Names with the anchor that a code host gives the heading above; tables go before prose."""
    tables: dict[str, str] = {}
    prose: dict[str, str] = {}
    anchor = ""
    for line in text.splitlines():
        if line.startswith("#"):
            words = re.sub(r"[^\w\s-]", "", line.lstrip("# ")).lower()
            anchor = words.strip().replace(" ", "-")
        found = tables if line.startswith("|") else prose
        for name in re.findall(r"`([^`]+)`", line):
            found.setdefault(name, anchor)
    return prose | tables

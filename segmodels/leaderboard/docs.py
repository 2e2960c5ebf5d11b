"""Where `docs/protocols.md` describes a protocol."""

from __future__ import annotations

import os
import re
from pathlib import Path

from segmodels.settings import project_root


class ProtocolDocs:
    """Addresses inside `docs/protocols.md`, seen from a folder; none in an installed package."""

    def __init__(self, folder: Path) -> None:
        path = project_root() / "docs" / "protocols.md"
        self.path = Path(os.path.relpath(path, folder)).as_posix()
        self.anchors = _anchors(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def address(self, protocol: str) -> str:
        """The heading it stands under; "" for one that is not described."""
        return f"{self.path}#{self.anchors[protocol]}" if protocol in self.anchors else ""


def _anchors(text: str) -> dict[str, str]:
    """Names in the tables with the anchor that a code host gives the heading above."""
    anchors: dict[str, str] = {}
    anchor = ""
    for line in text.splitlines():
        if line.startswith("#"):
            words = re.sub(r"[^\w\s-]", "", line.lstrip("# ")).lower()
            anchor = words.strip().replace(" ", "-")
        elif line.startswith("|"):
            for name in re.findall(r"`([^`]+)`", line):
                anchors.setdefault(name, anchor)
    return anchors

"""The scratch file of an evaluation: a line per finished image, from which it is taken up again."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from segmodels.evidence import ImageCounts
from segmodels.files import sha256_of_file
from segmodels.labelmaps import Kept


@dataclass(frozen=True)
class Line:
    """A finished image: the digest of it with its labels, its counts, and its map if kept."""

    digest: str
    counts: ImageCounts
    kept: Kept | None = None

    def to_text(self) -> str:
        """One line of the scratch file, with the line end."""
        entry = {"digest": self.digest, "counts": self.counts.to_line()}
        kept = {"map": dataclasses.asdict(self.kept)} if self.kept else {}
        return json.dumps({**entry, **kept}) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Line:
        """Parse one line (ValueError, KeyError or TypeError when it is not one)."""
        entry = json.loads(text)
        kept = Kept(**entry["map"]) if "map" in entry else None
        return cls(entry["digest"], ImageCounts.from_line(entry["counts"]), kept)


def read_lines(scratch: Path, draft: Path | None) -> list[Line]:
    """Finished images of an interrupted evaluation; what follows the last good line is cut off.

    Where maps are kept, an image without its map is not finished.
    """
    if not scratch.exists():
        return []
    lines, good = [], 0
    for text in scratch.read_bytes().splitlines(keepends=True):
        try:
            line = Line.from_text(text.decode()) if text.endswith(b"\n") else None
        except (ValueError, KeyError, TypeError):
            break
        if line is None or (draft and not _has_map(line, draft)):
            break
        lines.append(line)
        good += len(text)
    with scratch.open("r+b") as handle:
        handle.truncate(good)
    return lines


def _has_map(line: Line, draft: Path) -> bool:
    if line.kept is None:
        return False
    path = draft / line.kept.file
    return path.is_file() and sha256_of_file(path) == line.kept.sha256

"""The scratch file of an evaluation: a line per finished image, from which it is taken up again.

The first line says in what arithmetic the others were counted: on another device or with another
torch the same images give other counts, and evidence is of one arithmetic. Every other line ends in
a checksum over the position of its image in the split, the name, the digest and the counts. What
follows a line that is torn, damaged or out of place is counted again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmodels.core.environment import difference
from segmodels.core.files import digest, set_aside, sha256_of_file
from segmodels.core.notes import note
from segmodels.core.settings import cache_dir
from segmodels.evaluation.label_maps import MapFile
from segmodels.evidence import ImageCounts

#: Position of an image in its split, and its name.
ImagePlace = tuple[int, str]


@dataclass(frozen=True)
class Line:
    """A finished image.

    Attributes:
        digest: of the image with its labels.
        counts: of its pixels.
        map_file: its label map, where maps are kept.
    """

    digest: str
    counts: ImageCounts
    map_file: MapFile | None = None

    def to_text(self, place: int) -> str:
        """One line of the scratch file, with the line end."""
        entry: dict[str, Any] = {"digest": self.digest, "counts": self.counts.to_line()}
        if self.map_file:
            entry["map"] = dataclasses.asdict(self.map_file)
        return json.dumps({**entry, "sum": digest([place, entry])}) + "\n"

    @classmethod
    def from_text(cls, text: str, place: ImagePlace) -> Line:
        """Parse one line (ValueError, KeyError or TypeError when it is not that of the place)."""
        entry = json.loads(text)
        position, name = place
        if entry.pop("sum") != digest([position, entry]):
            raise ValueError("checksum")
        map_file = MapFile(**entry["map"]) if "map" in entry else None
        line = cls(entry["digest"], ImageCounts.from_line(entry["counts"]), map_file)
        if line.counts.image != name:
            raise ValueError("another image")
        return line


def scratch_file(name: str) -> Path:
    """Where the counts of an evaluation, or of a shard of one, wait until they are evidence."""
    return cache_dir() / "evaluations" / f"{name}.jsonl"


def head(arithmetic: Mapping[str, str]) -> str:
    """The first line of a scratch file, with the line end."""
    return json.dumps({"arithmetic": dict(arithmetic), "sum": digest(dict(arithmetic))}) + "\n"


def read_lines(
    scratch: Path, arithmetic: Mapping[str, str], places: Sequence[ImagePlace], draft: Path | None
) -> list[Line]:
    """Finished images of an interrupted evaluation; what follows the last good line is cut off.

    Afterwards the file is there and begins with its head. Where maps are kept, an image without
    its map is not finished. A note says what is not taken up.

    Args:
        scratch: the file.
        arithmetic: of this process; a file of another one is set aside.
        places: of the images that are to be counted, in their order.
        draft: folder of the maps, if they are kept.
    """
    head_line, *texts = scratch.read_bytes().splitlines(keepends=True) if _any(scratch) else [b""]
    if head_line != head(arithmetic).encode():
        _begin(scratch, arithmetic, head_line)
        return []
    lines: list[Line] = []
    for text, place in zip(texts, places, strict=False):
        line = _line(text, place)
        if line is None or (draft and not _has_map(line, draft)):
            break
        lines.append(line)
    if len(lines) < len(texts):
        note(
            f"{scratch}: line {len(lines) + 2} cannot be used; {len(lines)} of {len(texts)} "
            f"finished images are taken up, what follows is counted again."
        )
        with scratch.open("r+b") as handle:
            handle.truncate(len(head_line) + sum(map(len, texts[: len(lines)])))
    return lines


def forget(scratch: Path) -> None:
    """Delete a scratch file, and one that was set aside."""
    for path in (scratch, scratch.with_name(f"{scratch.name}.aside")):
        path.unlink(missing_ok=True)


def forget_older(scratch: Path, evidence: Iterable[Path]) -> None:
    """Delete a scratch file that became evidence, if its writer was killed before it could.

    Counts that are newer than the evidence are those of a later attempt, which goes on.

    Args:
        scratch: the file.
        evidence: files that may hold these counts.
    """
    if is_older(scratch, evidence):
        forget(scratch)


def is_older(path: Path, others: Iterable[Path]) -> bool:
    """Whether a file was last written before one of others was (not, if it is not there)."""
    written = _modified(path)
    return written is not None and any(written <= (_modified(other) or 0) for other in others)


def _modified(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _any(scratch: Path) -> bool:
    return scratch.is_file() and scratch.stat().st_size > 0


def _begin(scratch: Path, arithmetic: Mapping[str, str], head_line: bytes) -> None:
    if head_line:
        why = _difference(head_line, arithmetic)
        note(f"{scratch}: {why}; counted from the start. It is kept as {set_aside(scratch).name}.")
    scratch.write_text(head(arithmetic), encoding="utf-8")


def _difference(head_line: bytes, arithmetic: Mapping[str, str]) -> str:
    try:
        entry = json.loads(head_line)
        begun = entry["arithmetic"]
        whole = entry["sum"] == digest(begun) and head_line == head(begun).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    return difference(begun, arithmetic) if whole else "its first line is damaged"


def _line(text: bytes, place: ImagePlace) -> Line | None:
    try:
        return Line.from_text(text.decode(), place) if text.endswith(b"\n") else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _has_map(line: Line, draft: Path) -> bool:
    if line.map_file is None:
        return False
    path = draft / line.map_file.file
    return path.is_file() and sha256_of_file(path) == line.map_file.sha256

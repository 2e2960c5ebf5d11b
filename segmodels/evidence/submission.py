"""A submission: evidence of a run in one file, as somebody hands it to somebody else.

Its lines are: what it is, its content as JSON, the four lines of a minisign signature if it is
signed, and the sha256 of all bytes above. So a file of which one byte was changed is refused; that
nobody wrote another sum below is what the signature is for.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segmodels.core.files import atomic_path, canonical_json, naming, readable_json
from segmodels.errors import SegmodelsError
from segmodels.evidence.files import PACKED
from segmodels.evidence.head import head_of
from segmodels.evidence.identity import KEY
from segmodels.evidence.packing import pack
from segmodels.evidence.record import Evidence

#: The first line; its number is raised when the form changes.
FIRST = b"segmodels submission 1\n"

#: What names of such files end with.
ENDING = ".submission"

#: Lines of a signature.
_SIGNATURE = 4


@dataclass(frozen=True)
class Part:
    """One piece of evidence in a submission.

    Attributes:
        protocol: name of the protocol, or of the folder it lay in.
        head: of the evidence.
        counts: packed, as in `<key>.counts.xz`.
        maps: digest and number of the label maps behind it; empty where none were kept.
        environment: machine, seconds and software of the count; empty where none is on record.
    """

    protocol: str
    head: Mapping[str, Any]
    counts: bytes
    maps: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Of the evidence."""
        return str(self.head["key"])


@dataclass(frozen=True)
class Submission:
    """What a file holds.

    Attributes:
        run: its name on the side of whoever packed it.
        parts: pieces of evidence.
        signature: four lines of minisign over `signed`; empty where it is not signed.
        signed: the bytes that a signature is of.
    """

    run: str
    parts: tuple[Part, ...]
    signed: bytes
    signature: bytes = b""


def part_of(
    evidence: Evidence,
    protocol: str,
    maps: Mapping[str, Any],
    environment: Mapping[str, Any],
) -> Part:
    """A piece of evidence as a part of a submission."""
    cells = (len(evidence.classes) + 1) * evidence.outputs
    return Part(protocol, head_of(evidence), pack(evidence.images, cells), maps, environment)


def submission_of(run: str, parts: Sequence[Part]) -> Submission:
    """A submission that is not signed yet."""
    content = {"run": run, "parts": [_plain(part) for part in parts]}
    return Submission(run, tuple(parts), FIRST + canonical_json(content).encode() + b"\n")


def _plain(part: Part) -> dict[str, Any]:
    return {**vars(part), "counts": base64.b64encode(part.counts).decode()}


def write_submission(path: Path, submission: Submission) -> None:
    """Write the file whole or not at all.

    Raises:
        SegmodelsError: it cannot be written.
    """
    body = submission.signed + submission.signature
    with naming(path), atomic_path(path) as temporary:
        temporary.write_bytes(body + _sum(body))


def _sum(body: bytes) -> bytes:
    return f"sha256 {hashlib.sha256(body).hexdigest()}\n".encode()


def is_submission(path: Path) -> bool:
    """Whether a file begins as a submission does, or is called one."""
    if path.suffix == ENDING:
        return path.is_file()
    try:
        with path.open("rb") as stream:
            return stream.read(20) == FIRST[:20]
    except OSError:
        return False


def read_submission(path: Path) -> Submission:
    """Read a file and check that it is whole; evidence in it is checked by whoever unpacks it.

    Raises:
        SegmodelsError: a byte of it was changed, or it is of another form.
    """
    with naming(path):
        return submission_in(path, path.read_bytes())


def submission_in(path: Path, raw: bytes) -> Submission:
    """As `read_submission`, of the bytes of a file; `path` is for messages."""
    end = raw.rfind(b"\n", 0, -1) + 1
    body, last = raw[:end], raw[end:]
    if _sum(body) != last:
        raise SegmodelsError(
            f"{path}: it was changed after it was packed, or did not come whole: its last line is "
            f"not the sha256 of the others. Ask for it again."
        )
    lines = body.splitlines(keepends=True)
    if lines[:1] != [FIRST] or len(lines) not in (2, 2 + _SIGNATURE):
        raise SegmodelsError(
            f"{path}: expected the line {FIRST.decode().strip()!r}, one of JSON and perhaps "
            f"{_SIGNATURE} of a signature; another version of segmodels may have packed it."
        )
    try:
        content = json.loads(lines[1])
        parts = tuple(_part(one) for one in content["parts"])
        run = str(content["run"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SegmodelsError(f"{path}: no submission ({error!r}).") from None
    return Submission(run, parts, b"".join(lines[:2]), b"".join(lines[2:]))


def _part(raw: Mapping[str, Any]) -> Part:
    counts = base64.b64decode(raw["counts"], validate=True)
    head, maps, environment = raw["head"], raw["maps"], raw["environment"]
    if not all(isinstance(one, dict) for one in (head, maps, environment)):
        raise TypeError("'head', 'maps' and 'environment' are objects")
    if not KEY.fullmatch(str(head["key"])):
        raise ValueError(f"key {head['key']!r}")
    return Part(str(raw["protocol"]), head, counts, maps, environment)


def unpack_part(part: Part, folder: Path) -> Path:
    """Write the evidence of a part as files of its own; returns its `<key>.json`."""
    path = folder / f"{part.key}.json"
    path.write_bytes(readable_json(part.head).encode())
    path.with_suffix(PACKED).write_bytes(part.counts)
    return path

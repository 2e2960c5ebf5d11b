"""A bundle: evidence of one network under many conditions, as two files of one folder.

`bundle.json` has what all heads share, once, and what each has of its own; the blocks of their
counts (`segmodels.evidence.packing`) lie one after the other in `bundle.counts.xz`. The first is
whole; the others leave out what its labels tell, where they are of the same images. A piece has the
path that a file of its own would have, `<key>.json` beside them, and every checksum that it would
have there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from segmodels.core.files import atomic_path, canonical_json, naming, read_json, readable_json
from segmodels.errors import SegmodelsError
from segmodels.evidence.head import Head, head_of
from segmodels.evidence.identity import KEY
from segmodels.evidence.images import Images
from segmodels.evidence.labels import Labels
from segmodels.evidence.packing import labels_of, pack, unpack
from segmodels.evidence.record import Evidence

BUNDLE = "bundle.json"
COUNTS = "bundle.counts.xz"

#: 1: every block is whole.
_SCHEMAS = (1, 2)


@dataclass(frozen=True)
class Piece:
    """One piece of a bundle: its head, and where its counts begin and end, bytes."""

    head: Head
    start: int
    end: int


def pieces_of(bundle: Path) -> dict[str, Piece]:
    """Everything in a bundle, by key; nothing if there is no such file.

    Raises:
        SegmodelsError: the file is no bundle.
    """
    try:
        stat = bundle.stat()
    except FileNotFoundError:
        return {}
    return _read(bundle, stat.st_mtime_ns, stat.st_size)


def piece_at(path: Path) -> Piece | None:
    """The piece that has a path, `<key>.json`; None where a file, or nothing, has it."""
    return None if path.is_file() else pieces_of(path.with_name(BUNDLE)).get(path.stem)


def file_of(path: Path) -> Path:
    """The file that holds the head of a piece: its own, or a bundle."""
    return path if piece_at(path) is None else path.with_name(BUNDLE)


@lru_cache(maxsize=256)  # a board has one or two of each run
def _read(bundle: Path, changed: int, size: int) -> dict[str, Piece]:
    del changed, size  # they tell one content of a path from the next
    content, found, start = read_json(bundle), {}, 0
    try:
        if content["bundle"] not in _SCHEMAS:
            raise SegmodelsError(
                f"{bundle}: field 'bundle' is {content['bundle']!r}, this version reads 1 and 2."
            )
        for own in content["pieces"]:
            head, length = _joined(content["common"], own), int(own["counts_bytes"])
            if not KEY.fullmatch(own["key"]) or own["key"] in found or length < 0:
                raise ValueError(f"{own['key']!r}, {length} bytes")
            found[own["key"]] = Piece(head, start, start + length)
            start += length
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SegmodelsError(f"{bundle}: no bundle of evidence ({error!r}).") from None
    return found


def _joined(common: Head, own: Head) -> Head:
    identity = {**common["identity"], **own["identity"]}
    head = {**common, **own, "identity": identity}
    return {name: value for name, value in head.items() if name != "counts_bytes"}


def read_counts(bundle: Path, piece: Piece) -> Images:
    """The counts of a piece.

    Raises:
        SegmodelsError: the file of the counts is missing, or cannot be read.
        ValueError, KeyError, TypeError: what lies there are no counts.
    """
    block = _block(bundle.with_name(COUNTS), piece)
    if piece.start == 0:
        return unpack(block)
    stat = bundle.with_name(COUNTS).stat()
    return unpack(block, _labels(bundle, stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=8)
def _labels(bundle: Path, changed: int, size: int) -> Labels:
    """What the first piece of a bundle tells of its images."""
    del changed, size
    first = next(piece for piece in pieces_of(bundle).values() if piece.start == 0)
    rows, outputs = len(first.head["classes"]) + 1, int(first.head["outputs"])
    return labels_of(read_counts(bundle, first), rows, outputs)


def _block(counts: Path, piece: Piece) -> bytes:
    try:
        with counts.open("rb") as stream:
            stream.seek(piece.start)
            return stream.read(piece.end - piece.start)
    except FileNotFoundError:
        raise SegmodelsError(f"{counts}: missing beside {BUNDLE}.") from None
    except OSError as error:
        raise SegmodelsError(f"{counts}: cannot be read ({error.strerror or error}).") from None


def write_bundle(folder: Path, found: Iterable[Evidence]) -> Path:
    """Write both files; `bundle.json` last, so that a reader never finds it without its counts.

    What is there already with the same heads stays as it is, to the byte.

    Returns:
        the path of `bundle.json`.
    """
    ordered = sorted(found, key=lambda e: (canonical_json(e.identity.condition), e.key))
    bundle, heads = folder / BUNDLE, {evidence.key: head_of(evidence) for evidence in ordered}
    if _holds(bundle, heads, ordered):
        return bundle
    blocks = list(_blocks(ordered))
    with naming(bundle), atomic_path(bundle) as new_bundle:
        text = readable_json(_content(list(heads.values()), list(map(len, blocks))))
        new_bundle.write_bytes(text.encode())
        with atomic_path(folder / COUNTS) as new_counts:
            new_counts.write_bytes(b"".join(blocks))
            bundle.unlink(missing_ok=True)  # else a kill here would leave it beside other counts
    return bundle


def _blocks(found: Iterable[Evidence]) -> Iterator[bytes]:
    """The counts of each: those of the first whole, the others without what its labels tell."""
    labels = None
    for evidence in found:
        rows, outputs = len(evidence.classes) + 1, evidence.outputs
        own = labels_of(evidence.images, rows, outputs)
        shared = labels if labels and labels.same(own) else None
        yield pack(evidence.images, rows * outputs, shared)
        labels = labels or own


def _holds(bundle: Path, heads: dict[str, Head], found: Iterable[Evidence]) -> bool:
    """Whether a bundle has these heads, and their counts too, in the form of today."""
    try:
        if not bundle.is_file() or read_json(bundle)["bundle"] != _SCHEMAS[-1]:
            return False
        pieces = pieces_of(bundle)
        if {key: piece.head for key, piece in pieces.items()} != heads:
            return False
        return all(read_counts(bundle, pieces[e.key]) == e.images for e in found)
    except (SegmodelsError, KeyError, TypeError, ValueError):
        return False


def _content(heads: Sequence[Head], lengths: Sequence[int]) -> dict[str, Any]:
    """What `bundle.json` says of heads, and of the bytes of the counts of each."""
    common = _shared(heads)
    common["identity"] = _shared([head["identity"] for head in heads])
    own = [
        {
            **_rest(head, common),
            "identity": _rest(head["identity"], common["identity"]),
            "counts_bytes": length,
        }
        for head, length in zip(heads, lengths, strict=True)
    ]
    return {"bundle": _SCHEMAS[-1], "common": common, "pieces": own}


def _shared(dicts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Fields that all have, with the same value."""
    first, *others = dicts
    return {k: v for k, v in first.items() if all(k in o and o[k] == v for o in others)}


def _rest(fields: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in common}

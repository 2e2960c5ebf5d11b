"""A bundle: evidence of one network under many conditions, as two files of one folder.

`bundle.json` has what all heads share, once, and a line for what each has of its own. Their counts
are in `bundle.counts.xz`, those of the same images and labels in one stack
(`segmodels.evidence.stack`), and stacks one after the other. A piece has the path that a file of
its own would have, `<key>.json` beside them, and every checksum that it would have there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from segmodels.core.files import (
    atomic_path,
    canonical_json,
    json_by_lines,
    naming,
    read_json,
)
from segmodels.errors import SegmodelsError
from segmodels.evidence.earlier_bundle import FORMS, unpack_earlier
from segmodels.evidence.head import Head, head_of
from segmodels.evidence.identity import KEY
from segmodels.evidence.images import Images
from segmodels.evidence.labels import Labels
from segmodels.evidence.record import Evidence
from segmodels.evidence.stack import fit, pack_stack, unpack_stack

BUNDLE = "bundle.json"
COUNTS = "bundle.counts.xz"

#: The form that is written; earlier ones are read.
_FORM = 3

#: Counts that one stack holds at most, if it is of more than one condition: they are unpacked
#: together. Suites of CamVid have a tenth of them.
_MOST = 2**20

#: Fields that are objects, of which conditions share a part.
_OBJECTS = ("identity", "blocks")


@dataclass(frozen=True)
class Piece:
    """One piece of a bundle.

    Attributes:
        head: as in a file of its own.
        start: where its stack begins in `bundle.counts.xz`, bytes.
        end: where the stack ends.
        place: which condition of the stack it is; None: it has a block of an earlier form alone.
    """

    head: Head
    start: int
    end: int
    place: int | None


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
    content, found = read_json(bundle), {}
    try:
        if content["bundle"] not in (*FORMS, _FORM):
            raise SegmodelsError(
                f"{bundle}: field 'bundle' is {content['bundle']!r}, this version reads 1 to 3."
            )
        for own, (start, end, place) in zip(content["pieces"], _spans(content), strict=True):
            if not KEY.fullmatch(own["key"]) or own["key"] in found or end < start:
                raise ValueError(f"{own['key']!r}, {end - start} bytes")
            found[own["key"]] = Piece(_joined(content["common"], own), start, end, place)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise SegmodelsError(f"{bundle}: no bundle of evidence ({error!r}).") from None
    return found


def _spans(content: dict[str, Any]) -> Iterator[tuple[int, int, int | None]]:
    """Where the counts of each piece are: the bytes, and the place in the stack."""
    earlier, end = content["bundle"] in FORMS, 0
    stacks = content["pieces"] if earlier else content["stacks"]
    if not earlier and sum(one["conditions"] for one in stacks) != len(content["pieces"]):
        raise ValueError("stacks of another number of conditions")
    for entry in stacks:
        start, end = end, end + int(entry["counts_bytes" if earlier else "bytes"])
        for place in (None,) if earlier else range(entry["conditions"]):
            yield start, end, place


def _joined(common: Head, own: Head) -> Head:
    objects = {
        name: {**common.get(name, {}), **own.get(name, {})}
        for name in _OBJECTS
        if name in common or name in own
    }
    head = {**common, **own, **objects}
    return {name: value for name, value in head.items() if name != "counts_bytes"}


def read_counts(bundle: Path, piece: Piece) -> Images:
    """The counts of a piece.

    Raises:
        SegmodelsError: the file of the counts is missing, or cannot be read.
        ValueError, KeyError, TypeError: what lies there are no counts.
    """
    counts, pieces = bundle.with_name(COUNTS), pieces_of(bundle).values()
    with _reading(counts):
        stat = counts.stat()
    if stat.st_size != (end := next(reversed(pieces)).end):
        raise ValueError(f"{stat.st_size} bytes where there should be {end}")
    if piece.place is None:
        first = next(iter(pieces))
        block, other = (_block(counts, one.start, one.end) for one in (piece, first))
        return unpack_earlier(block, other, first.head)
    images = _stack(counts, piece.start, piece.end, (stat.st_mtime_ns, stat.st_size))
    if piece.place >= len(images):
        raise ValueError(f"{len(images)} conditions, this is number {piece.place + 1}")
    return images[piece.place]


@lru_cache(maxsize=16)
def _stack(counts: Path, start: int, end: int, changed: object) -> tuple[Images, ...]:
    del changed  # it tells one content of a path from the next
    return unpack_stack(_block(counts, start, end))


def _block(counts: Path, start: int, end: int) -> bytes:
    with _reading(counts), counts.open("rb") as stream:
        stream.seek(start)
        return stream.read(end - start)


@contextmanager
def _reading(counts: Path) -> Iterator[None]:
    try:
        yield
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
    stacks = list(_stacks(ordered))
    blocks = [pack_stack(every, labels) for every, labels in stacks]
    told = [
        {"conditions": len(every), "bytes": len(block)}
        for (every, _), block in zip(stacks, blocks, strict=True)
    ]
    with naming(bundle), atomic_path(bundle) as new_bundle:
        new_bundle.write_bytes(_text(list(heads.values()), told).encode())
        with atomic_path(folder / COUNTS) as new_counts:
            new_counts.write_bytes(b"".join(blocks))
            bundle.unlink(missing_ok=True)  # else a kill here would leave it beside other counts
    return bundle


def _stacks(found: Iterable[Evidence]) -> Iterator[tuple[list[Images], Labels]]:
    """Runs of counts with the same labels, so long as they are not too many."""
    every: list[Images] = []
    labels, number = None, 0
    for evidence in found:
        images = Images(evidence.images)
        own = Labels.of(images.names, images.sparse, len(evidence.classes) + 1, evidence.outputs)
        number += len(images.sparse[0])
        fits = number <= _MOST and fit(len(every) + 1, own)
        if labels is not None and not (labels.same(own) and fits):
            yield every, labels
            every, number = [], len(images.sparse[0])
        every.append(images)
        labels = own
    if labels is not None:
        yield every, labels


def _holds(bundle: Path, heads: dict[str, Head], found: Iterable[Evidence]) -> bool:
    """Whether a bundle has these heads, and their counts too, in the form of today."""
    try:
        if not bundle.is_file() or read_json(bundle)["bundle"] != _FORM:
            return False
        pieces = pieces_of(bundle)
        if {key: piece.head for key, piece in pieces.items()} != heads:
            return False
        return all(read_counts(bundle, pieces[e.key]) == e.images for e in found)
    except (SegmodelsError, KeyError, TypeError, ValueError):
        return False


def _text(heads: Sequence[Head], stacks: list[dict[str, int]]) -> str:
    """What `bundle.json` says of heads, one a line, and of the bytes of their counts."""
    common = _shared(heads)
    for name in _OBJECTS:
        if all(name in head for head in heads):
            common[name] = _shared([head[name] for head in heads])
    own = [_rest(head, common) for head in heads]
    return json_by_lines({"bundle": _FORM, "stacks": stacks, "common": common, "pieces": own})


def _shared(dicts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Fields that all have, with the same value."""
    first, *others = dicts
    return {k: v for k, v in first.items() if all(k in o and o[k] == v for o in others)}


def _rest(head: Head, common: Head) -> Head:
    """Of a head, what it does not share."""
    rest = {name: value for name, value in head.items() if name not in common}
    for name in _OBJECTS:
        if name in common and (
            own := {k: v for k, v in head[name].items() if k not in common[name]}
        ):
            rest[name] = own
    return rest

"""Evidence on disk: `<key>.json`, with `<key>.counts.jsonl`, `<key>.counts.xz` or in a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from segmodels.core.arguments import an, path_to
from segmodels.core.files import atomic_path, naming, read_json, readable_json
from segmodels.errors import SegmodelsError
from segmodels.evidence.bundle import BUNDLE, COUNTS, piece_at, pieces_of, read_counts, write_bundle
from segmodels.evidence.head import READABLE, Head, counts_text, evidence_of, head_of, problems
from segmodels.evidence.image_counts import ImageCounts
from segmodels.evidence.images import Images
from segmodels.evidence.packing import pack, unpack
from segmodels.evidence.record import Evidence

LINES = ".counts.jsonl"
PACKED = ".counts.xz"


def write_evidence(folder: str | Path, evidence: Evidence) -> Path:
    """Write both files; the `.json` last, so that a reader never finds it without its counts.

    A disk that is full loses nothing: both are written before the first takes its place.

    Returns:
        the path of `<key>.json`.
    """
    folder, evidence = path_to("folder", folder), an(Evidence, "evidence", evidence, "evaluate")
    return _write(folder, evidence, LINES, counts_text(evidence.images))


def write_compact(folder: Path, found: Iterable[Evidence]) -> list[Path]:
    """Write evidence for git: a bundle of one network's conditions, else packed counts of each.

    What is there already with the same content stays as it is, to the byte.

    Returns:
        all files that hold it.
    """
    every = list(found)
    if len(every) > 1 and all(evidence.identity.condition for evidence in every):
        return [write_bundle(folder, every), folder / COUNTS]
    paths = [_write_packed(folder, evidence) for evidence in every]
    return [file for path in paths for file in (path, path.with_suffix(PACKED))]


def _write_packed(folder: Path, evidence: Evidence) -> Path:
    packed = folder / f"{evidence.key}{PACKED}"
    try:
        same = unpack(packed.read_bytes()) == evidence.images
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    cells = (len(evidence.classes) + 1) * evidence.outputs
    block = packed.read_bytes() if same else pack(evidence.images, cells)
    path = _write(folder, evidence, PACKED, block)
    path.with_suffix(LINES).unlink(missing_ok=True)  # which would be read in its place
    return path


def _write(folder: Path, evidence: Evidence, ending: str, content: bytes) -> Path:
    counts, path = folder / f"{evidence.key}{ending}", folder / f"{evidence.key}.json"
    with naming(path), atomic_path(path) as new_head:
        new_head.write_bytes(readable_json(head_of(evidence)).encode())
        with atomic_path(counts) as new_counts:
            new_counts.write_bytes(content)
            if not (counts.is_file() and counts.read_bytes() == content):
                path.unlink(missing_ok=True)  # else a kill here would leave it beside other counts
    return path


def read_head(path: Path) -> Head:
    """What stands in a `<key>.json`, or of it in a bundle beside; unchecked.

    Raises:
        SegmodelsError: there is neither, or it is no JSON.
    """
    if path.name == BUNDLE and path.is_file():
        keys = list(pieces_of(path))
        first = path.with_name(f"{min(keys)}.json") if keys else "nothing"
        raise SegmodelsError(f"{path}: a bundle of {len(keys)}; name one of them, such as {first}.")
    piece = piece_at(path)
    head: Head = piece.head if piece else read_json(path)
    return head


def read_evidence(path: str | Path) -> Evidence:
    """Read and check one `<key>.json` with its counts.

    Args:
        path: of the file, or the one it would have if it were not in a bundle.

    Raises:
        SegmodelsError: a file is missing, was edited, or does not add up.
    """
    path = path_to("path", path)
    state = _state(path)
    try:
        head = read_head(path)
        known = state in _SOUND
        evidence = evidence_of(head, _counts(path, None if known else head["counts_sha256"]))
        problem = None if known else next(problems(path.stem, head, evidence), None)
    except KeyError as error:
        raise SegmodelsError(
            f"{path}: not evidence of {READABLE}; it lacks the field {error}."
        ) from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SegmodelsError(f"{path}: not evidence of {READABLE} ({error}).") from None
    if problem:
        raise SegmodelsError(f"{path}: {problem}")
    _SOUND.add(state)
    return evidence


#: Files that were found sound, each with size and date: judging reads disturbed evidence a second
#: time, for its intervals, and hashing it is most of the work.
_SOUND: set[tuple[object, ...]] = set()


def _state(path: Path) -> tuple[object, ...]:
    """The files that evidence of a path may lie in, as they are now."""
    ends = (path.suffix, LINES, PACKED)
    files = [path.with_suffix(end) for end in ends] + [path.with_name(n) for n in (BUNDLE, COUNTS)]
    return path.absolute(), *map(_stat, files)


def _stat(file: Path) -> tuple[int, ...] | None:
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _counts(path: Path, expected: str | None) -> Sequence[ImageCounts]:
    """The counts of a piece, if their lines have the SHA-256 that its head recorded.

    None: of files that were found sound.
    """
    lines, packed = path.with_suffix(LINES), path.with_suffix(PACKED)
    if piece := piece_at(path):
        bundle, counts = path.with_name(BUNDLE), path.with_name(COUNTS)
        return _unpacked(counts, path.name, expected, partial(read_counts, bundle, piece))
    if packed.is_file() and not lines.is_file():
        block = _bytes(packed, path)
        return _unpacked(packed, path.name, expected, partial(unpack, block))
    data = _bytes(lines, path)
    if expected is not None:
        _check(lines, path.name, expected, data)
    return [ImageCounts.from_line(line) for line in data.decode().splitlines()]


def _unpacked(file: Path, name: str, expected: str | None, read: Callable[[], Images]) -> Images:
    try:
        images = read()
    except (ValueError, KeyError, TypeError) as error:
        raise SegmodelsError(
            f"{file}: the counts of {name} cannot be unpacked ({error}); they were changed after "
            f"they were written."
        ) from None
    if expected is not None:
        _check(file, name, expected, counts_text(images))
    return images


def _check(file: Path, name: str, expected: str, text: bytes) -> None:
    found = hashlib.sha256(text).hexdigest()
    if found != expected:
        raise SegmodelsError(
            f"{file}: its sha256 {found[:12]}… is not the {expected[:12]}… that "
            f"{name} recorded; the counts were changed after they were written."
        )


def _bytes(counts: Path, path: Path) -> bytes:
    try:
        return counts.read_bytes()
    except FileNotFoundError:
        raise SegmodelsError(f"{counts}: missing beside {path.name}.") from None
    except OSError as error:
        raise SegmodelsError(f"{counts}: cannot be read ({error.strerror or error}).") from None

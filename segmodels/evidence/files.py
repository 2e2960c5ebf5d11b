"""Evidence on disk: `<key>.json` and `<key>.counts.jsonl`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from segmodels.core.arguments import an, path_to
from segmodels.core.files import atomic_path, digest, naming, read_json, readable_json
from segmodels.core.listing import without_strays
from segmodels.errors import SegmodelsError
from segmodels.evidence.counted import Counted
from segmodels.evidence.identity import KEY_LENGTH, Identity
from segmodels.evidence.image_counts import ImageCounts
from segmodels.evidence.record import Evidence
from segmodels.evidence.shard import Shard
from segmodels.evidence.soundness import unsound

SCHEMA = 2

_KEY = re.compile(f"[0-9a-f]{{{KEY_LENGTH}}}")
_NAMED = re.compile(rf"{_KEY.pattern}\.(json|counts\.jsonl)")
_ALMOST = re.compile(rf"{_KEY.pattern}\b.*\.(?i:jsonl?)\b")

#: Evidence of schema 1 has no field for who counted it, so it counts as unknown.
_READABLE = (1, SCHEMA)


def write_evidence(folder: str | Path, evidence: Evidence) -> Path:
    """Write both files; the `.json` last, so that a reader never finds it without its counts.

    A disk that is full loses nothing: both are written before the first takes its place.

    Returns:
        the path of `<key>.json`.
    """
    folder, evidence = path_to("folder", folder), an(Evidence, "evidence", evidence, "evaluate")
    lines = "".join(image.to_line() + "\n" for image in evidence.images).encode()
    counts = folder / f"{evidence.key}.counts.jsonl"
    head = _head(evidence, hashlib.sha256(lines).hexdigest())
    path = folder / f"{evidence.key}.json"
    with naming(path), atomic_path(path) as new_head:
        text = readable_json({**head, "record_sha256": digest(head)})
        new_head.write_bytes(text.encode())
        with atomic_path(counts) as new_counts:
            new_counts.write_bytes(lines)
            if not (counts.is_file() and counts.read_bytes() == lines):
                path.unlink(missing_ok=True)  # else a kill here would leave it beside other counts
    return path


def _head(evidence: Evidence, counts_sha256: str) -> dict[str, Any]:
    head = {
        "schema": SCHEMA,
        "key": evidence.key,
        "identity": vars(evidence.identity),
        "weights_origin": evidence.weights_origin,
        "classes": list(evidence.classes),
        "outputs": evidence.outputs,
        "images": len(evidence.images),
        "expected_images": evidence.expected_images,
        "software": evidence.software,
        "counts_sha256": counts_sha256,
        "counted": {name: value for name, value in vars(evidence.counted).items() if value},
    }
    if evidence.shard is not None:
        head["shard"] = asdict(evidence.shard)
    if evidence.effect is not None:
        head["effect"] = evidence.effect
    if evidence.skipped:
        head["skipped"] = evidence.skipped
    return head


def read_evidence(path: str | Path) -> Evidence:
    """Read and check one `<key>.json` with its counts.

    Raises:
        SegmodelsError: a file is missing, was edited, or does not add up.
    """
    path = path_to("path", path)
    head = read_json(path)
    try:
        evidence = Evidence(
            identity=Identity(**head["identity"]),
            classes=tuple(head["classes"]),
            outputs=int(head["outputs"]),
            expected_images=int(head["expected_images"]),
            weights_origin=dict(head["weights_origin"]),
            software=dict(head["software"]),
            images=tuple(_read_counts(path, head["counts_sha256"])),
            shard=_read_shard(head.get("shard")),
            effect=head.get("effect"),
            skipped=dict(head.get("skipped", {})),
            counted=Counted(**head["counted"]) if head["schema"] != 1 else Counted(),
        )
        problem = next(_problems(path, head, evidence), None)
    except KeyError as error:
        raise SegmodelsError(
            f"{path}: not evidence of schema {SCHEMA}; it lacks the field {error}."
        ) from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SegmodelsError(f"{path}: not evidence of schema {SCHEMA} ({error}).") from None
    if problem:
        raise SegmodelsError(f"{path}: {problem}")
    return evidence


def _problems(path: Path, head: dict[str, Any], evidence: Evidence) -> Iterator[str]:
    if head.get("schema") not in _READABLE:
        yield f"field 'schema' is {head.get('schema')!r}, this version reads {SCHEMA}."
    yield from unsound(evidence)
    if evidence.key != head["key"] or evidence.key != path.stem:
        yield f"the identity hashes to key {evidence.key}, not to the name it carries."
    if len(evidence.images) != head["images"]:
        yield f"{len(evidence.images)} images are counted, field 'images' says {head['images']}."
    if head["schema"] != 1 and head["record_sha256"] != digest(_without_digest(head)):
        yield "a field was changed after it was written; 'record_sha256' is of other ones."


def _without_digest(head: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in head.items() if name != "record_sha256"}


def find_evidence(folder: Path) -> Iterable[Evidence]:
    """All evidence below a folder, sorted by path."""
    return map(read_evidence, evidence_files(folder))


def evidence_files(folder: Path) -> list[Path]:
    """Every `<key>.json` below a folder, sorted.

    Raises:
        SegmodelsError: a file is evidence by its name or its content, and would be passed over.
    """
    found = without_strays(folder, folder.rglob("*"))
    for path in found:
        if not _NAMED.fullmatch(path.name) and _is_misnamed(path):
            raise SegmodelsError(
                f"{path}: files of evidence are called KEY.json and KEY.counts.jsonl, where KEY "
                f"is the field 'key' of {KEY_LENGTH} digits; rename it, or remove a second copy."
            )
    return [path for path in found if path.suffix == ".json" and _KEY.fullmatch(path.stem)]


def _is_misnamed(path: Path) -> bool:
    """Another spelling, a second copy as browsers save it (`KEY (1).json`), or a new name."""
    if _ALMOST.match(path.name):
        return path.is_file()
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    try:
        head = read_json(path)
    except SegmodelsError:
        return False
    return isinstance(head, dict) and head.keys() >= {"key", "identity", "counts_sha256"}


def _read_shard(entry: dict[str, Any] | None) -> Shard | None:
    if entry is None:
        return None
    return Shard(int(entry["index"]), int(entry["number"]), tuple(entry["digests"]))


def _read_counts(path: Path, expected: str) -> Iterator[ImageCounts]:
    counts = path.with_suffix(".counts.jsonl")
    try:
        data = counts.read_bytes()
    except FileNotFoundError:
        raise SegmodelsError(f"{counts}: missing beside {path.name}.") from None
    except OSError as error:
        raise SegmodelsError(f"{counts}: cannot be read ({error.strerror or error}).") from None
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise SegmodelsError(
            f"{counts}: its sha256 {found[:12]}… is not the {expected[:12]}… that "
            f"{path.name} recorded; the counts were changed after they were written."
        )
    return (ImageCounts.from_line(line) for line in data.decode().splitlines())

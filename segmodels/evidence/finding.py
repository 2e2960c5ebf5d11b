"""Evidence below a folder, by the paths that its pieces have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from segmodels.core.files import read_json
from segmodels.core.listing import without_strays
from segmodels.errors import SegmodelsError
from segmodels.evidence.bundle import BUNDLE, pieces_of
from segmodels.evidence.files import LINES, PACKED, read_evidence
from segmodels.evidence.identity import KEY, KEY_LENGTH
from segmodels.evidence.record import Evidence

#: Files of evidence.
NAMED = re.compile(rf"{KEY.pattern}\.(?:json|counts\.(?:jsonl|xz))|bundle\.(?:json|counts\.xz)")
_ALMOST = re.compile(rf"{KEY.pattern}\b.*\.(?i:jsonl?|xz)\b")


def find_evidence(folder: Path) -> Iterable[Evidence]:
    """All evidence below a folder, sorted by path."""
    return map(read_evidence, evidence_files(folder))


def evidence_files(folder: Path) -> list[Path]:
    """Every `<key>.json` below a folder, sorted; those in bundles by the path they would have.

    Raises:
        SegmodelsError: a file is evidence by its name or its content, and would be passed over;
            or a bundle cannot be read.
    """
    found = without_strays(folder, folder.rglob("*"))
    for path in found:
        if not NAMED.fullmatch(path.name) and _is_misnamed(path):
            raise SegmodelsError(
                f"{path}: files of evidence are called KEY.json and KEY.counts.jsonl (or .xz), "
                f"where KEY is the field 'key' of {KEY_LENGTH} digits; rename it, or remove a "
                f"second copy."
            )
    return sorted({path for file in found for path in paths_in(file)})


def paths_in(file: Path) -> Iterator[Path]:
    """Paths of the evidence whose heads a file holds: of one piece, or of all in a bundle."""
    if file.name == BUNDLE:
        yield from (file.with_name(f"{key}.json") for key in pieces_of(file))
    elif file.suffix == ".json" and KEY.fullmatch(file.stem):
        yield file


def head_beside(file: Path) -> Path:
    """Of a file of counts, the one that has their heads, whether or not it is there."""
    for ending in (LINES, PACKED):
        if file.name.endswith(ending):
            return file.with_name(file.name.removesuffix(ending) + ".json")
    return file


def lone_counts(folder: Path) -> list[Path]:
    """Files of counts below a folder whose heads are not beside them, sorted.

    A writer that was killed leaves such counts, which are then counted again; so nothing but a
    check speaks of them.
    """
    files = (file for file in folder.rglob("*") if NAMED.fullmatch(file.name))
    return [file for file in without_strays(folder, files) if not head_beside(file).is_file()]


def paths_of_key(folder: Path, key: str) -> list[Path]:
    """Where evidence of a key lies below a folder, sorted."""
    alone = without_strays(folder, folder.rglob(f"{key}.json"))
    bundles = without_strays(folder, folder.rglob(BUNDLE))
    inside = (one.with_name(f"{key}.json") for one in bundles if key in pieces_of(one))
    return sorted({*alone, *inside})


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
    alone, bundled = {"key", "identity", "counts_sha256"}, {"bundle", "common", "pieces"}
    return isinstance(head, dict) and (head.keys() >= alone or head.keys() >= bundled)

"""The two sides of `segmodels doctor diff`: evidence, found by file, key or claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmodels.claims import load_claim
from segmodels.core import paths
from segmodels.core.files import first_file, read_json
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence, evidence_files, read_evidence
from segmodels.evidence.finding import head_beside
from segmodels.protocols.protocol import Protocol

#: Digits of a key that are enough to name evidence; the page shows ten.
_ENOUGH = 8


@dataclass(frozen=True)
class Side:
    """One of two pieces of evidence.

    Attributes:
        path: its `<key>.json`.
        evidence: what stands there.
        protocol: how its counts become a number; None unless a claim names it.
    """

    path: Path
    evidence: Evidence
    protocol: Protocol | None = None

    @property
    def run(self) -> str:
        """The run it was made by, from the name of its folder; else `RUN`."""
        folders = [one for one in paths.evidence_folders() if self.path.is_relative_to(one)]
        return self.path.relative_to(folders[0]).parts[0] if folders else "RUN"


def find_side(name: str) -> Side:
    """Evidence by the path of its file, by its key (eight digits or more), or by a claim id.

    Raises:
        SegmodelsError: there is none, more than one, or it does not add up.
    """
    path = Path(name)
    if path.suffix == ".json" or path.is_file():
        return _read(path)
    if path.is_dir():
        raise SegmodelsError(f"{name}: a folder; name one <key>.json in it.")
    if set(name) <= set("0123456789abcdef"):
        return _by_key(name)
    return _by_claim(name)


def protocols(a: Side, b: Side) -> tuple[Protocol, Protocol]:
    """How the counts of each become a score.

    A side without a protocol takes the other's if it has its classes; else void is ignored and
    all classes are averaged.
    """
    usual = Protocol(
        name="usual (void ignored, all classes)",
        version=1,
        title="usual (void ignored, all classes)",
    )
    if a.evidence.classes == b.evidence.classes:
        usual = a.protocol or b.protocol or usual
    return a.protocol or usual, b.protocol or usual


def _read(path: Path, protocol: Protocol | None = None) -> Side:
    path = head_beside(path.resolve())
    return Side(path, read_evidence(path), protocol)


def _by_key(key: str) -> Side:
    """What this machine counted goes before published evidence of the same key."""
    if len(key) < _ENOUGH:
        raise SegmodelsError(f"{key!r}: of a key at least {_ENOUGH} digits are needed.")
    folders = paths.evidence_folders()
    files = (path for folder in folders for path in evidence_files(folder))
    found = [path for path in files if path.stem.startswith(key)]
    if not found:
        places = " and ".join(map(str, folders))
        raise SegmodelsError(f"{places}: no evidence here begins with {key}.")
    if len({path.stem for path in found}) > 1:
        listed = ", ".join(dict.fromkeys(path.stem for path in found))
        raise SegmodelsError(f"{key} begins several keys: {listed}.")
    return _read(found[0])


def _by_claim(name: str) -> Side:
    """The evidence a claim was judged by, or a number of ours by the name of its page.

    By its page on the local board, if there is one, else on the published one.
    """
    boards = paths.local() / "claims", paths.reports() / "claims"
    page = first_file(boards, f"{name}.json") or boards[0] / f"{name}.json"
    record = read_json(page) if page.is_file() else {}
    if file := record.get("evidence_file"):
        return _read(page.parents[1] / file, _protocol(page, record))
    claim = load_claim(name)
    if not page.is_file():  # git does not keep the pages
        raise SegmodelsError(
            f"{page}: not written yet, and claims are looked up there. Run: segmodels leaderboard"
        )
    raise SegmodelsError(
        f"claim {name!r} ({claim.dataset} {claim.split}) has no evidence in {page}. What is "
        f"missing, and how to get it: segmodels verify {name}"
    )


def _protocol(page: Path, record: Mapping[str, Any]) -> Protocol:
    try:
        name, version = record["protocol"], record["protocol_version"]
        return Protocol(name=name, version=version, title=name, **record["protocol_fields"])
    except (KeyError, TypeError, SegmodelsError) as error:
        problem = f"is not a page of this version ({error!r}). Run: segmodels leaderboard"
        raise SegmodelsError(f"{page}: {problem}") from None

"""Checks of the weights and evidence that are here, against `params/` and this version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from segmodels.assets.addresses import names_branch
from segmodels.assets.checksums import fault
from segmodels.assets.entries import WeightsEntry, load_weights_entries
from segmodels.assets.remote_file import RemoteFile
from segmodels.claims import load_claims
from segmodels.core import paths as layout
from segmodels.core.files import read_json, sha256_of_file
from segmodels.datasets.described import description_path
from segmodels.doctor.finding import Finding, Grade, first_of
from segmodels.errors import SegmodelsError
from segmodels.evidence import check_evidence, evidence_files
from segmodels.evidence.files import read_head
from segmodels.runs.run import run_names
from segmodels.versions import EVALUATOR

#: Bytes hashed without being asked: a second or two.
_QUICK = 500_000_000


def examine_weights(deep: bool = False) -> Iterator[Finding]:
    """Compare released weights that were fetched with `params/weights.yaml`.

    Args:
        deep: hash all files; else half a gigabyte of them, smallest first.
    """
    entries = load_weights_entries().values()
    here = [(e, f) for e in entries if layout.released_weights(e.name).is_dir() for f in e.files]
    if not here:
        yield Finding("note", "weights", "no released weights are here; runs fetch what they need.")
    budget = None if deep else _QUICK
    for entry, file in sorted(here, key=lambda pair: _bytes(_path(*pair))):
        path = _path(entry, file)
        level, text = _weights(entry, file, path, budget)
        yield Finding(level, f"weights {entry.name}", f"{path}: {text}")
        budget = budget and max(0, budget - _bytes(path))


def _weights(
    entry: WeightsEntry, file: RemoteFile, path: Path, budget: int | None
) -> tuple[Grade, str]:
    if not path.is_file():
        return "bad", f"missing. Runs fetch it again, or take it from {file.url}"
    if budget is not None and _bytes(path) > budget:
        return "note", f"{_bytes(path) / 1e6:.0f} MB not hashed: segmodels doctor --deep"
    if not file.accepted:
        found = sha256_of_file(path)
        return "note", f"nothing pins it yet; the next fetch notes its sha256 {found}"
    if wrong := fault(file, path):
        listed = " in params/weights.yaml" if file.sha256 else ""
        return "bad", f"{wrong}{listed}. Delete the file; runs fetch it again."
    known = "registered" if file.sha256 else "noted"
    return "ok", f"the {known} sha256 {file.accepted[0][:12]}…"


def examine_addresses() -> Finding:
    """Count released files at an address that may serve another file tomorrow."""
    files = [file for entry in load_weights_entries().values() for file in entry.files]
    moving = sum(names_branch(file.address) for file in files)
    bare = sum(not file.accepted for file in files)
    text = f"{len(files)} files of released weights: {moving} lie on a branch at no known revision"
    level: Grade = "note" if moving or bare else "ok"
    text = f"{text}, {bare} have no sha256 yet. The first fetch notes both (docs/weights.md)."
    return Finding(level, "addresses", text)


def _path(entry: WeightsEntry, file: RemoteFile) -> Path:
    return layout.released_weights(entry.name) / file.name


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def examine_evidence(deep: bool = False) -> Iterator[Finding]:
    """Find evidence that is stale, of other weights or of other images than are here.

    Args:
        deep: check every count, as `segmodels evidence check` does.
    """
    paths = [path for folder in layout.evidence_folders() for path in evidence_files(folder)]
    faults: dict[tuple[Grade, str], list[str]] = defaultdict(list)
    released = load_weights_entries()
    for path in paths:
        for level, text in _evidence(path, released, deep):
            faults[level, text].append(str(path))
    for (level, text), files in faults.items():
        yield Finding(level, "evidence", f"{text} ({len(files)} files): {first_of(files)}")
    if not faults:
        how = "every count checked" if deep else "heads read; counts: segmodels doctor --deep"
        yield Finding("ok", "evidence", f"{len(paths)} files of evaluator {EVALUATOR}, {how}")


def _evidence(
    path: Path, released: dict[str, WeightsEntry], deep: bool
) -> Iterable[tuple[Grade, str]]:
    try:
        if deep:
            check_evidence(path, *layout.descriptions())
        head = read_head(path)
        return list(_heads(path, head["identity"], head["weights_origin"], released))
    except SegmodelsError as error:
        return [("bad", str(error))]
    except (KeyError, TypeError) as error:
        return [("bad", f"not evidence ({error!r}); count it again")]


def _heads(
    path: Path, identity: dict[str, Any], origin: dict[str, Any], released: dict[str, WeightsEntry]
) -> Iterator[tuple[Grade, str]]:
    folder = next(one for one in layout.evidence_folders() if path.is_relative_to(one))
    run = path.relative_to(folder).parts[0]
    if identity["evaluator"] != EVALUATOR:
        text = f"stale: evaluator {identity['evaluator']}, now it is {EVALUATOR}"
        yield "note", f"{text}; run {_again(run)}"
    entry = released.get(origin.get("released", ""))
    known = entry.identities if entry else ()
    if entry and known and identity["weights"] not in known:
        text = (
            f"weights {identity['weights'][:12]}… are none of {entry.name} in params/weights.yaml"
        )
        yield "bad", f"{text}; fetch the registered ones and run {_again(run)}"
    here = _fingerprint(identity["dataset"], identity["split"])
    if here not in (None, identity["fingerprint"]):
        text = f"counted on other images than the {identity['dataset']} prepared here"
        yield "bad", f"{text} ({description_path(identity['dataset'])}); count it again"


def _again(name: str) -> str:
    """The command that counts evidence again which lies below a folder of this name."""
    if name in load_claims() and name not in run_names():
        return f"segmodels verify --force {name}"
    return f"segmodels evaluate {name}"


def _fingerprint(dataset: str, split: str) -> str | None:
    path = description_path(dataset)
    about = read_json(path)["splits"] if path.is_file() else {}
    found: str | None = about.get(split, {}).get("fingerprint")
    return found

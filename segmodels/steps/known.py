"""Evidence that is here already, and the folders it lies in."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from segmodels import layout
from segmodels.datasets import Dataset
from segmodels.evaluate import Progress, Subject, evaluate, identify
from segmodels.evidence import Evidence, read_evidence, write_evidence
from segmodels.files import write_json
from segmodels.labelmaps import is_whole
from segmodels.protocols import Protocol
from segmodels.runs import Run


def known_evidence(
    subject: Subject,
    dataset: Dataset,
    protocol: Protocol,
    maps: Path | None = None,
    folder: Path | None = None,
) -> Evidence | None:
    """Evidence that is here already, and its label maps if they are asked for."""
    key = identify(subject, dataset, protocol).key
    path = find_key(key, folder) if maps is None or is_whole(maps, key) else None
    evidence = None if path is None else read_evidence(path)
    same = evidence is not None and evidence.weights_origin == subject.origin
    return evidence if same else None


def known_or_new(
    run: Run,
    subject: Subject,
    dataset: Dataset,
    protocol: Protocol,
    progress: Progress | None,
    force: bool,
    maps: Path | None = None,
) -> Evidence:
    """Evidence that is here, else counted now with its record; unless forced."""
    known = None if force else known_evidence(subject, dataset, protocol, maps)
    if known is not None:
        return known
    evidence, record = evaluate(subject, dataset, protocol, progress=progress, maps=maps)
    if subject.condition is None:
        write_json(layout.record(run.name, protocol.name), record)
    return evidence


def find_key(key: str, folder: Path | None = None) -> Path | None:
    """Where complete evidence of a key lies in a folder, or in this project, if anywhere."""
    return next(iter(sorted((folder or layout.evidence()).rglob(f"{key}.json"))), None)


def replace_evidence(folder: Path, found: Iterable[Evidence]) -> None:
    """Make `folder` hold exactly this evidence; what it held before goes last."""
    kept = {path for evidence in found for path in _written(folder, evidence)}
    for path in set(folder.iterdir()) - kept:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _written(folder: Path, evidence: Evidence) -> list[Path]:
    path = write_evidence(folder, evidence)
    return [path, path.with_suffix(".counts.jsonl")]

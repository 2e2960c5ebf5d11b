"""Evidence that is here already, and the folders it lies in."""

from __future__ import annotations

import dataclasses
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
    """Evidence of this project that is here already, and its label maps if they are asked for.

    What others counted is never taken for it, wherever their file lies.
    """
    key = identify(subject, dataset, protocol).key
    files = files_of_key(key, folder) if maps is None or is_whole(maps, key) else []
    ours = (one for one in map(read_evidence, files) if one.counted.ours and one.shard is None)
    evidence = next(ours, None)
    # Equal content under another name: the name is that of who asks.
    return evidence and dataclasses.replace(evidence, weights_origin=subject.origin)


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


def files_of_key(key: str, folder: Path | None = None) -> list[Path]:
    """Where evidence of a key lies in a folder, or in this project."""
    return sorted((folder or layout.evidence()).rglob(f"{key}.json"))


def replace_evidence(folder: Path, found: Iterable[Evidence]) -> None:
    """Make `folder` hold exactly this evidence; what it held before goes last."""
    kept = {path for evidence in found for path in _written(folder, evidence)}
    for path in set(folder.iterdir()) - kept:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _written(folder: Path, evidence: Evidence) -> list[Path]:
    path = write_evidence(folder, evidence)
    return [path, path.with_suffix(".counts.jsonl")]

"""Evidence that is here already, and the folders it lies in."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from segmodels.core import paths
from segmodels.core.locks import only_one
from segmodels.core.settings import cache_dir
from segmodels.datasets import Dataset
from segmodels.evaluation.evaluate import Progress, Record, evaluate
from segmodels.evaluation.label_maps import is_whole
from segmodels.evaluation.subject import Subject, identify
from segmodels.evidence import Evidence, evidence_files, read_evidence, write_evidence
from segmodels.protocols.protocol import Protocol

#: Puts evidence in its place, with its record if it was counted now; gives it as it was kept.
Keep = Callable[[Evidence, Record | None], Evidence]


class Asked:
    """What evidence was here when something was asked for.

    What another process has written since then is as fresh as counting by force would make it.
    """

    def __init__(self) -> None:
        self._before = _stamps()

    def answered(self, key: str) -> bool:
        """Whether evidence of a key was written since."""
        return any(path.stem == key for path, _ in _stamps() - self._before)


def _stamps() -> set[tuple[Path, tuple[int, int]]]:
    found = ((path, path.stat()) for path in evidence_files(paths.evidence()))
    return {(path, (stat.st_ino, stat.st_mtime_ns)) for path, stat in found}


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
    subject: Subject,
    dataset: Dataset,
    protocol: Protocol,
    keep: Keep,
    progress: Progress | None,
    force: bool,
    maps: Path | None = None,
) -> Evidence:
    """Evidence that is here, else (or if forced) counted now; either way `keep` puts it in place.

    Who asks while another process counts the same waits, and takes what that one found.
    """
    asked, key = Asked(), identify(subject, dataset, protocol).key
    turn = cache_dir() / "evaluations" / f"{key}.turn"
    with only_one(turn, f"evaluation {key}", wait=True):
        if not force or asked.answered(key):
            known = known_evidence(subject, dataset, protocol, maps)
            if known is not None:
                return keep(known, None)
        return evaluate(subject, dataset, protocol, progress=progress, maps=maps, finish=keep)[0]


def files_of_key(key: str, folder: Path | None = None) -> list[Path]:
    """Where evidence of a key lies in a folder, or in this project."""
    return sorted((folder or paths.evidence()).rglob(f"{key}.json"))


def replace_evidence(folder: Path, found: Iterable[Evidence]) -> None:
    """Make `folder` hold exactly this evidence; what it held before goes last.

    Two that write one folder take turns, so that neither deletes what the other just wrote.
    """
    lock = cache_dir() / "writing" / f"{folder.parent.name}-{folder.name}.lock"
    with only_one(lock, f"writing {folder}", wait=True):
        kept = {path for evidence in found for path in _written(folder, evidence)}
        for path in set(folder.iterdir()) - kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _written(folder: Path, evidence: Evidence) -> list[Path]:
    path = write_evidence(folder, evidence)
    return [path, path.with_suffix(".counts.jsonl")]

"""Evidence that is here already, and the folders it lies in."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from segmodels.core import paths
from segmodels.core.files import sweep
from segmodels.core.locks import only_one
from segmodels.core.notes import note
from segmodels.core.settings import cache_dir
from segmodels.datasets import Dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation.evaluate import Record, evaluate
from segmodels.evaluation.label_maps import is_whole
from segmodels.evaluation.resume import forget, forget_older, scratch_file
from segmodels.evaluation.subject import Subject, identify
from segmodels.evidence import Evidence, evidence_files, read_evidence, write_evidence
from segmodels.evidence.adding import finest
from segmodels.evidence.bundle import file_of
from segmodels.evidence.files import LINES, write_compact
from segmodels.evidence.finding import NAMED, paths_of_key
from segmodels.protocols.protocol import Protocol
from segmodels.steps.options import Options

#: What a killed writer of evidence may have left.
_LEFT = re.compile(rf"\.({NAMED.pattern})\.(\d+)")

#: Puts evidence in its place, with its record if it was counted now; gives it as it was kept.
Keep = Callable[[Evidence, Record | None], Evidence]


class EvidenceSnapshot:
    """What evidence was here when something was asked for.

    What another process has written since then is as fresh as counting by force would make it.
    """

    def __init__(self) -> None:
        self._before = _stamps()

    def answered(self, key: str) -> bool:
        """Whether evidence of a key was written since."""
        return any(path.stem == key for path, _ in _stamps() - self._before)


def _stamps() -> set[tuple[Path, tuple[int, int]]]:
    stamps = set()
    for path in evidence_files(paths.evidence()):
        try:
            stat = file_of(path).stat()
        except FileNotFoundError:  # replaced this moment, or a link that leads nowhere
            continue
        stamps.add((path, (stat.st_ino, stat.st_mtime_ns)))
    return stamps


def known_evidence(
    subject: Subject,
    dataset: Dataset,
    protocol: Protocol,
    maps: Path | None = None,
    folder: Path | None = None,
) -> Evidence | None:
    """Evidence of this project that is here or published, and its label maps if asked for.

    What others counted is never taken for it, wherever their file lies; nor sums of blocks of
    images where their own counts are here.
    """
    key = identify(subject, dataset, protocol).key
    files = files_of_key(key, folder) if maps is None or is_whole(maps, key) else []
    here = (one for one in map(_readable, files) if one)
    evidence = finest(one for one in here if one.counted.ours and one.shard is None)
    # Equal content under another name: the name is that of who asks.
    return evidence and dataclasses.replace(evidence, weights_origin=subject.origin)


def _readable(path: Path) -> Evidence | None:
    """Evidence that is whole; a torn or damaged one is a note, and does not count."""
    try:
        return read_evidence(path)
    except SegmodelsError as error:
        note(f"{error} It is taken for missing.")
        return None


def known_or_new(
    wanted: tuple[Subject, Dataset, Protocol],
    keep: Keep,
    options: Options,
    maps: Path | None = None,
    count: Callable[[], Evidence] | None = None,
) -> Evidence:
    """Evidence that is here, else (or if forced) counted now; either way `keep` puts it in place.

    `count` counts and keeps; without it that is done here, by this process.


    Who asks while another process counts the same waits, and takes what that one found.
    """
    asked, key = EvidenceSnapshot(), identify(*wanted).key
    turn = cache_dir() / "evaluations" / f"{key}.turn"
    with only_one(turn, f"evaluation {key}", wait=True):
        if options.force:
            _forget_what_was_kept(key)
        if not options.force or asked.answered(key):
            known = known_evidence(*wanted, maps)
            if known is not None:
                kept = keep(known, None)
                forget(scratch_file(key))  # of a writer that was killed at its very end
                return kept
        if count is not None:
            return count()
        evidence, _ = evaluate(*wanted, progress=options.progress, maps=maps, finish=keep)
        return evidence


def _forget_what_was_kept(key: str) -> None:
    """Delete the counts behind evidence that is here already, which its writer left behind.

    Counted by force, all is counted by the code of now.
    """
    forget_older(scratch_file(key), files_of_key(key))


def files_of_key(key: str, folder: Path | None = None) -> list[Path]:
    """Where evidence of a key lies in a folder, or in this project: here first, then published."""
    folders = [folder] if folder else paths.evidence_folders()
    return [path for one in folders for path in paths_of_key(one, key)]


def replace_evidence(folder: Path, found: Iterable[Evidence], *, compact: bool = False) -> None:
    """Make `folder` hold this evidence and no other, in the form for git if `compact`.

    What it held before goes last.

    Files that are no evidence stay, and so do folders with whatever they hold. Two that write
    one folder take turns, so that neither deletes what the other just wrote.

    Raises:
        SegmodelsError: the folder is a link, behind which other things may lie.
    """
    check_folder(folder)
    lock = cache_dir() / "writing" / f"{folder.parent.name}-{folder.name}.lock"
    with only_one(lock, f"writing {folder}", wait=True):
        kept = set(write_compact(folder, found) if compact else _written(folder, found))
        for path in set(folder.iterdir()) - kept:
            if left := _LEFT.fullmatch(path.name):
                sweep(folder / left[1], int(left[2]))
            elif NAMED.fullmatch(path.name) and (path.is_symlink() or path.is_file()):
                path.unlink(missing_ok=True)


def check_folder(folder: Path) -> None:
    """Refuse a folder of evidence that is a link, before the work that fills it.

    Raises:
        SegmodelsError: it is one.
    """
    if folder.is_symlink():
        raise SegmodelsError(
            f"{folder}: a link to {folder.resolve()}, where other files may lie. Remove the link; "
            f"evidence that lies there can be moved into a folder of this name."
        )


def _written(folder: Path, found: Iterable[Evidence]) -> Iterator[Path]:
    for evidence in found:
        path = write_evidence(folder, evidence)
        yield from (path, path.with_suffix(LINES))

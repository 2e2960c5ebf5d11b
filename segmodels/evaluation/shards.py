"""One process of several at the same evaluation: it counts its shard, the last one merges.

    torchrun --nproc-per-node 2 -m segmodels.cli evaluate RUN

needs no connection between the processes, only a cache folder that all of them see. Without
such a folder `segmodels evidence merge` puts together what somebody copied.

A verdict needs the whole evidence, which all processes but the last do not have: `segmodels verify`
behind a sharded `evaluate` finds it and judges at once. Where an engine deals the shards out
(`segmodels.steps.dealing`), they come back to the process that asked, which merges them here.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from segmodels.core.files import read_json, write_json
from segmodels.core.locks import only_one
from segmodels.core.notes import note
from segmodels.core.progress import Progress
from segmodels.core.settings import cache_dir
from segmodels.datasets.reading.base import Dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation.evaluate import Finish, Record, evaluate
from segmodels.evaluation.label_maps import is_whole, merge_maps
from segmodels.evaluation.resume import forget_older, scratch_file
from segmodels.evaluation.subject import Subject, identify
from segmodels.evidence import Evidence, Shard, read_evidence, write_evidence
from segmodels.evidence.merge import merge_evidence
from segmodels.protocols.protocol import Protocol


def evaluate_shard(
    subject: Subject,
    dataset: Dataset,
    protocol: Protocol,
    shard: tuple[int, int],
    finish: Finish,
    progress: Progress | None = None,
    force: bool = False,
    maps: Path | None = None,
) -> Evidence:
    """Count one shard, unless it was counted already, and merge if it was the last.

    Args:
        subject: what is evaluated.
        dataset: the split.
        protocol: how.
        shard: `(index, number)`.
        finish: called once, by the process that merged, with the whole evidence and its own
            record; keeps both. The shards are deleted when it returns.
        progress: called after every image.
        force: count although this shard lies in the cache.
        maps: folder that the merged label maps of all shards are to become; None keeps none.

    Returns:
        the whole evidence from the process that merged, its own shard from every other.

    Raises:
        SegmodelsError: as `evaluate` and `merge_evidence`; shards that cannot be merged are
            deleted, so that the next attempt counts them again.
    """
    part, key = Shard(*shard), identify(subject, dataset, protocol).key
    own_file, keeps = shard_file(key, part), maps is not None
    known = None if force or not _finished(own_file, keeps) else _readable(own_file)
    forget_older(scratch_file(f"{key}.{part.index}-of-{part.number}"), [own_file])
    if known is not None:
        evidence = known
    else:
        draft = shard_maps(own_file) if keeps else None

        evidence, _ = evaluate(
            subject, dataset, protocol, progress=progress, shard=shard, maps=draft, finish=put_shard
        )
    return merge_shards(key, part.number, finish, own=part, maps=maps) or evidence


def merge_shards(
    key: str, number: int, finish: Finish, own: Shard | None = None, maps: Path | None = None
) -> Evidence | None:
    """Merge the shards that wait in the cache, if all are there.

    Args:
        key: of the whole evidence.
        number: of its shards.
        finish: keeps the whole evidence, with the record of one shard; they are deleted when it
            returns.
        own: the shard whose record that is; None takes the first one's.
        maps: folder that their label maps are to become; None keeps none.

    Returns:
        the whole evidence as it was kept; None where a shard is missing.

    Raises:
        SegmodelsError: as `merge_evidence`; the shards are deleted, to be counted again.
    """
    keeps, own_file = maps is not None, shard_file(key, own or Shard(0, number))
    # Who waits here finds the shards of all who were here before: none of several processes
    # that finish at the same moment can leave merging to another that has already looked.
    with only_one(own_file.parents[1] / "merge.lock", f"merging {key}", wait=True):
        files = [shard_file(key, Shard(i, number)) for i in range(number)]
        if not all(_finished(file, keeps) for file in files):
            return None
        parts = [one for file in files if (one := _readable(file)) is not None]
        if len(parts) < len(files):
            return None
        record = read_json(own_file.with_name("record.json"))
        try:
            whole = merge_evidence(parts)
            if maps is not None:
                merge_maps([shard_maps(file) for file in files], maps, whole)
        except SegmodelsError:
            _delete(files)
            raise
        final = finish(whole, record)
        _delete(files)
        return final


def put_shard(evidence: Evidence, record: Record) -> Evidence:
    """Let a shard wait in the cache for the others."""
    assert evidence.shard is not None
    file = shard_file(evidence.key, evidence.shard)
    write_json(file.with_name("record.json"), record)
    write_evidence(file.parent, evidence)
    return evidence


def waits(key: str, shard: Shard) -> bool:
    """Whether a shard was counted and waits for the others; one that is damaged is deleted."""
    file = shard_file(key, shard)
    return _finished(file, keeps=False) and _readable(file) is not None


def shard_file(key: str, shard: Shard) -> Path:
    """Where a finished shard waits for the others."""
    folder = cache_dir() / "evaluations" / key / f"{shard.index}-of-{shard.number}"
    return folder / f"{key}.json"


def shard_maps(file: Path) -> Path:
    """Where the label maps of a shard wait, beside its evidence."""
    return file.parent / "maps"


def _readable(file: Path) -> Evidence | None:
    """A finished shard. One that cannot be read is deleted alone, so that it is counted again."""
    try:
        read_json(file.with_name("record.json"))
        return read_evidence(file)
    except SegmodelsError as error:
        note(f"{error} This shard is deleted; count it again, and the last one merges.")
        _delete([file])
        return None


def _finished(file: Path, keeps: bool) -> bool:
    return file.is_file() and (not keeps or is_whole(shard_maps(file), file.stem))


def _delete(files: list[Path]) -> None:
    for file in files:
        shutil.rmtree(file.parent)

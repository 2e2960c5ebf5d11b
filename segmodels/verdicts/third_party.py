"""Evidence that somebody else computed: checked as far as can be, at a level of its own.

Counts that were made up, but consistently, look like counted ones without the weights
and the images. So evidence of others has a level of its own, carries their name in the record
itself, and never stands in for evidence that was computed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from segmodels.assets.entries import WeightsEntry, load_dataset_entries, load_weights_entries
from segmodels.errors import SegmodelsError
from segmodels.evidence import (
    Counted,
    Evidence,
    check_evidence,
    evidence_files,
    read_evidence,
    write_evidence,
)
from segmodels.evidence.counted import NOT_CHECKED
from segmodels.metrics.scores import score
from segmodels.models.own_source import is_own
from segmodels.protocols.reading import load_protocols
from segmodels.verdicts.matching import as_prepared, has_released_weights
from segmodels.verdicts.rules import load_rules
from segmodels.versions import EVALUATOR

#: Folder of evidence that others computed; below it one folder each.
THIRD_PARTY = "third-party"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


def admit(
    path: Path,
    folders: Sequence[Path],
    descriptions: Sequence[Path],
    by: str,
    url: str = "",
    signed: str = "",
) -> Path:
    """Check evidence of a third party and keep a copy under its name.

    Args:
        path: their `<key>.json`, with its counts beside it.
        folders: all folders of evidence of the project; the copy is kept in the last, the
            published one.
        descriptions: folders of `<dataset>.json` as `prepare` writes them.
        by: who computed it: lower-case letters, digits and `-`.
        url: where they published it.
        signed: what is known of their signature (`Counted.signed`).

    Returns:
        the path of the copy.

    Raises:
        SegmodelsError: anything about it is wrong or unknown; nothing is written.
    """
    check_names(by, url)
    evidence = check_evidence(path, *descriptions)
    if evidence.counted.by not in ("", by):
        raise SegmodelsError(
            f"{path}: it says that {evidence.counted.by} counted it; --by {by!r} is somebody else."
        )
    check_answers(path, evidence, *descriptions)
    if (counted := evidence.identity.evaluator) != EVALUATOR:
        reason = f"it was counted by evaluator {counted}, this is {EVALUATOR}; count again."
        raise SegmodelsError(f"{path}: {reason}")
    if problem := disagreement(evidence, folders):
        raise SegmodelsError(f"{path}: {problem}")
    place = folders[-1] / THIRD_PARTY / by
    copy = place / path.name
    before = read_evidence(copy) if copy.is_file() else None
    if before and before.images != evidence.images:
        raise SegmodelsError(f"{path}: {by} gave other counts before; remove {copy} first.")
    unchecked = ("", NOT_CHECKED)
    if before and signed in unchecked and before.counted.signed not in unchecked:
        return copy  # or whoever passes the file on without its signature would take it away
    return write_evidence(place, replace(evidence, counted=Counted("checked", by, url, signed)))


def check_names(by: str, url: str = "") -> None:
    """Ask whether somebody can be called so, before anything of theirs is looked at.

    Raises:
        SegmodelsError: the name or the address is of another form.
    """
    if not _NAME.fullmatch(by):
        near = re.sub(r"[^a-z0-9]+", "-", by.lower()).strip("-")[:60]
        near = f" Say --by {near}." if near else ""
        raise SegmodelsError(f"--by {by!r}: a name of lower-case letters, digits and '-'.{near}")
    if url and not url.startswith("https://"):
        raise SegmodelsError(f"--url {url!r}: an address that begins with https://.")


def check_answers(path: Path, evidence: Evidence, *descriptions: Path) -> None:
    """Ask of a third party's evidence what its own files cannot show.

    Raises:
        SegmodelsError: the first of `objections`.
    """
    for problem in objections(evidence, *descriptions):
        raise SegmodelsError(f"{path}: {problem}")


def objections(evidence: Evidence, *descriptions: Path) -> Iterator[str]:
    """Why evidence cannot answer anything here, beyond what its own files show."""
    identity = evidence.identity
    if evidence.shard is not None:
        yield f"it is shard {evidence.shard}; merge all shards first (segmodels evidence merge)."
    if identity.condition is not None:
        yield f"it saw disturbed images or weights ({identity.condition}), which answers no claim."
    if identity.precision != "fp32":
        yield f"it was counted in {identity.precision}; of others only fp32 is taken."
    datasets = load_dataset_entries()
    entry = datasets.get(identity.dataset)
    listed = as_prepared(entry, *descriptions).splits if entry else {}
    split = listed.get(identity.split)
    if split is None:
        yield f"the images of {identity.dataset} {identity.split} are not registered here."
        return
    if split.fingerprint not in (None, identity.fingerprint):
        yield f"it saw other images than {identity.dataset} {identity.split} as registered here."
    if evidence.skipped:
        yield f"it left out {len(evidence.skipped)} images; of others only whole splits are taken."
    if split.images not in (None, evidence.expected_images):
        yield f"it expects {evidence.expected_images} images, the split has {split.images}."
    if not any(p.inference == identity.inference for p in load_protocols().values()):
        yield "no protocol in params/protocols.yaml has its inference; add the protocol first."
    yield from _about_weights(evidence)


def _about_weights(evidence: Evidence) -> Iterator[str]:
    entry = _entry(evidence)
    name = evidence.identity.model.get("name")
    if is_own(str(name)):
        yield f"it is of somebody's own network ({name}), which answers no claim here."
    elif entry is None:
        yield "its weights are none of params/weights.yaml; add the entry with their sha256 first."
    elif name != entry.model:
        yield f"weights {entry.name!r} are those of {entry.model!r}, not of {name!r}."


def _entry(evidence: Evidence) -> WeightsEntry | None:
    entries = load_weights_entries().values()
    exact = (entry for entry in entries if has_released_weights(evidence, entry))
    by_digits = (entry for entry in entries if entry.may_be(evidence.identity.weights))
    return next(exact, None) or next(by_digits, None)


def disagreement(evidence: Evidence, folders: Sequence[Path]) -> str:
    """Where the same thing was counted here, the two must come to the same number; else why not."""
    files = (file for folder in folders for file in evidence_files(folder))
    same = [read_evidence(file) for file in files if file.stem == evidence.key]
    own = next((one for one in same if one.counted.ours), None)
    if own is None:
        return ""
    allowed = load_rules().tolerance.third_party.points
    for protocol in load_protocols().values():
        if protocol.inference != evidence.identity.inference:
            continue
        here, there = (score(e, protocol).miou for e in (own, evidence))
        if not abs(here - there) <= allowed:
            return (
                f"says mIoU {there:.2f} under {protocol.name}, but the same weights on the "
                f"same images gave {here:.2f} here; {allowed} points are tolerated."
            )
    return ""

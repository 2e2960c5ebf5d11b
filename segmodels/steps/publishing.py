"""Publishing: evidence that this machine counted, checked and copied to where git keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from segmodels.assets.entries import load_dataset_entries
from segmodels.assets.groups import units_of
from segmodels.core import paths
from segmodels.core.files import read_json, sha256_of_file, write_json
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.evidence import Evidence, check_evidence, evidence_files, read_evidence
from segmodels.evidence.adding import finest, in_blocks, same_counts
from segmodels.evidence.bundle import file_of
from segmodels.evidence.check import check_part
from segmodels.evidence.files import read_head
from segmodels.evidence.finding import paths_of_key
from segmodels.evidence.head import Head, head_of
from segmodels.evidence.places import has_images_of, whole_of
from segmodels.metrics.precision_effect import check_effect, full_precision
from segmodels.steps.stored import files_of_key, replace_evidence
from segmodels.verdicts.publishing import unpublishable


@dataclass(frozen=True)
class Published:
    """A file in `reports/evidence` or `reports/datasets`, and whether it was not so before."""

    path: Path
    new: bool


def publish(run: str, what: str | None = None) -> list[Published]:
    """Copy evidence of a run from `reports/local/evidence` to `reports/evidence`.

    Everything is checked before anything is written. A folder that is published holds this
    evidence alone afterwards, that of disturbed frames of a drive in blocks of images; what
    `prepare` recorded of its images goes along. A suite whose conditions are all published as a
    part of another, such as `imagenet-c-3` of `imagenet-c`, gets no folder of its own.

    Args:
        run: its name; or a claim that `segmodels verify` evaluated without a run.
        what: one of its protocols, or `robustness-<suite>`; None for all that is here.

    Raises:
        SegmodelsError: there is none, or a piece is unsound, stale, not counted by this project,
            or published with other counts; nothing is written.
    """
    folders = _folders(run, what)
    checked = {folder: [_for_git(one) for one in _checked(folder)] for folder in folders}
    written = [one for found in checked.values() for e in found for one in _descriptions_of(e)]
    for folder, found in checked.items():
        place = paths.published_evidence() / folder.relative_to(paths.evidence())
        if there := _published_beside(place, found):
            written += [Published(file, new=False) for file in sorted(there)]
            continue
        files = [place / f"{e.key}.json" for e in found]
        before = [_head(file) for file in files]
        replace_evidence(place, found, compact=True)
        new = {file_of(file): False for file in files}
        for file, head in zip(files, before, strict=True):
            new[file_of(file)] |= _head(file) != head
        written += [Published(file, changed) for file, changed in new.items()]
    return written


def _published_beside(place: Path, found: Sequence[Evidence]) -> set[Path]:
    """Files of other suites of a run that hold all of this; none if it has a folder already."""
    if place.exists() or not all(one.identity.condition for one in found):
        return set()
    files = set()
    for one in found:
        head = head_of(one)
        same = (path for path in paths_of_key(place.parent, one.key) if _head(path) == head)
        if (path := next(same, None)) is None:
            return set()
        files.add(file_of(path))
    return files


def pack_published(folder: Path) -> Iterator[Path]:
    """Give all evidence below a folder the form for git; yields each folder that changed.

    Keys and sums of counts stay what they are; outside of `reports/evidence`, where nobody may have
    them otherwise, the counts of every image too.

    Raises:
        SegmodelsError: a piece is unsound; its folder, and those after it, stay as they are.
    """
    published = folder.resolve().is_relative_to(paths.published_evidence().resolve())
    for place in sorted({path.parent for path in evidence_files(folder)}):
        inside = [path for path in evidence_files(place) if path.parent == place]
        found = [_for_git(one) if published else one for one in map(read_evidence, inside)]
        before = _files(place)
        replace_evidence(place, found, compact=True)
        if _files(place) != before:
            yield place


def _files(folder: Path) -> dict[str, str]:
    return {file.name: sha256_of_file(file) for file in folder.iterdir() if file.is_file()}


def _for_git(evidence: Evidence) -> Evidence:
    """Disturbed evidence with a sum for each block of images that intervals leave out together.

    Nothing that is judged needs more of it, and a tenth of the bytes is left. Where images are
    independent, each keeps its own counts. What is in blocks already stays in these, whatever they
    are: nobody could take larger ones apart when the groups change again.
    """
    entry = load_dataset_entries().get(evidence.identity.dataset)
    whole = evidence.blocks is None and evidence.shard is None
    if entry is None or entry.groups is None or evidence.identity.condition is None or not whole:
        return evidence
    places = units_of(evidence.names, entry.groups, every=evidence.identity.every).places
    sizes = [len(list(images)) for _, images in groupby(places)]
    return in_blocks(evidence, sizes) if max(sizes, default=1) > 1 else evidence


def _folders(run: str, what: str | None) -> list[Path]:
    runs = _below(paths.evidence())
    if run not in runs:
        raise UnknownNameError(f"run in {paths.evidence()}", run, runs)
    parts = _below(runs[run])
    if what is not None and what not in parts:
        raise UnknownNameError(f"protocol or suite in {runs[run]}", what, parts)
    return list(parts.values()) if what is None else [parts[what]]


def _below(folder: Path) -> dict[str, Path]:
    """Folders that hold evidence, by name."""
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    return {one.name: one for one in inside if one.is_dir() and evidence_files(one)}


def _checked(folder: Path) -> Iterator[Evidence]:
    for path in evidence_files(folder):
        evidence = check_evidence(path, *paths.descriptions())
        for problem in unpublishable(evidence, *paths.descriptions()):
            raise SegmodelsError(f"{path}: {problem}")
        _check_precision(path, evidence)
        _check_places(path, evidence)
        best = evidence
        for file in files_of_key(evidence.key, paths.published_evidence()):
            other = read_evidence(file)
            if not other.counted.ours:
                continue
            if not same_counts(other, evidence):
                raise SegmodelsError(
                    f"{path}: {file} is of the very same evaluation and has other counts; "
                    f"remove the wrong one."
                )
            # What was taken over in larger blocks must not undo what is published in smaller ones.
            best = finest([best, other]) or best
        yield replace(evidence, images=best.images, blocks=best.blocks)


def _check_precision(path: Path, evidence: Evidence) -> None:
    """Compare the stated effect of cheaper arithmetic with the evidence in fp32."""
    if evidence.identity.precision == "fp32":
        return
    wanted = full_precision(evidence.identity).key
    files = files_of_key(wanted)
    if not files:
        raise SegmodelsError(f"{path}: fp32 evidence {wanted} is not here to compare with.")
    check_effect(evidence, read_evidence(files[0]))


def _check_places(path: Path, evidence: Evidence) -> None:
    """Compare what a part of a split saw with undisturbed evidence of the same images."""
    if (wanted := whole_of(evidence.identity)) is None:
        return
    here = map(read_evidence, files_of_key(wanted))
    clean = next((one for one in here if one.counted.ours), None)
    if clean is None:
        raise SegmodelsError(f"{path}: undisturbed evidence {wanted} is not here to compare with.")
    if not has_images_of(clean, evidence):
        raise SegmodelsError(f"{path}: undisturbed evidence {wanted} is not of the same images.")
    check_part(path, evidence, clean)


def _descriptions_of(evidence: Evidence) -> Iterator[Published]:
    """Publish what is recorded of the images that evidence saw, unless it is published."""
    name = f"{evidence.identity.dataset}.json"
    here, published = (folder / name for folder in paths.descriptions())
    if not here.is_file():
        return
    about, before = read_json(here), read_json(published) if published.is_file() else {}
    old, new = before.get("splits", {}), _whole(about)
    names = {evidence.identity.split, "train"} & new.keys()
    if all(_fingerprint(old, split) == _fingerprint(new, split) for split in names):
        return
    write_json(published, {**about, "splits": {**old, **new}})
    yield Published(published, new=True)


def _whole(about: dict[str, Any]) -> dict[str, Any]:
    """Splits of which no image was left out."""
    return {name: one for name, one in about["splits"].items() if "skipped" not in one}


def _fingerprint(splits: dict[str, Any], name: str) -> str | None:
    found: str | None = splits.get(name, {}).get("fingerprint")
    return found


def _head(path: Path) -> Head | None:
    return read_head(path) if file_of(path).is_file() else None

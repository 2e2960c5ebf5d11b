"""Datasets that are here: numbers of images, damaged files, labels, overlap of splits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import combinations

from segmodels.assets.entries import DatasetEntry, load_dataset_entries
from segmodels.core.files import read_json
from segmodels.datasets import Dataset
from segmodels.datasets.described import description_path
from segmodels.datasets.description import check_labels
from segmodels.datasets.fingerprint import check_number
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.registry import DATASETS, data_folder, splits_here
from segmodels.datasets.survey import Survey, empty_files, kept_survey, overlap, survey
from segmodels.doctor.finding import Finding, Grade, first_of, guarded
from segmodels.errors import SegmodelsError

_DEEP = "segmodels doctor --deep"


def examine_datasets(deep: bool = False) -> Iterator[Finding]:
    """Check every dataset that was prepared or added.

    Args:
        deep: decode every image and label, and keep digests of the pixels in the cache; else
            the first, middle and last of each split, and what is kept is used.
    """
    known = {n for n, entry in load_dataset_entries().items() if n in DATASETS or entry.own}
    here = [name for name in sorted(known) if data_folder(name).is_dir()]
    if not here:
        yield Finding("note", "data", "no dataset is here; segmodels data tells where they are.")
    for name in here:
        yield from guarded(f"data {name}", partial(_dataset, name, deep))


def _dataset(name: str, deep: bool) -> Iterator[Finding]:
    entry, surveys = load_dataset_entries()[name], {}
    for split in splits_here(name):
        subject, dataset = f"data {name} {split}", open_dataset(name, split)
        yield from guarded(subject, partial(_number, entry, dataset, subject))
        found = survey(dataset) if deep else kept_survey(dataset)
        if found is not None:
            surveys[split] = found
        yield from _content(entry, dataset, subject, found)
    yield from _overlaps(entry, surveys, f"data {name}")


def _number(entry: DatasetEntry, dataset: Dataset, subject: str) -> Iterator[Finding]:
    if dataset.skipped:
        named = first_of([f"{name} ({reason})" for name, reason in dataset.skipped.items()])
        yield Finding("note", subject, f"{len(dataset.skipped)} images are left out: {named}")
    for note in check_number(entry, dataset.split, len(dataset) + len(dataset.skipped)):
        yield Finding("note", subject, f"{dataset.root}: {note}")
    path = description_path(entry.name)
    about = read_json(path)["splits"].get(dataset.split, {}) if path.is_file() else {}
    if about and about["images"] != len(dataset):
        yield Finding(
            "bad",
            subject,
            f"{dataset.root}: {len(dataset)} images, but {path} counted {about['images']} when it "
            f"was prepared; files were added or lost. Bring them back, or prepare it again.",
        )


def _content(
    entry: DatasetEntry, dataset: Dataset, subject: str, found: Survey | None
) -> Iterator[Finding]:
    faults = _all_faults(dataset, found) if found else _quick_faults(dataset)
    if faults:
        text = f"{len(faults)} faults: {first_of(faults)}"
        yield Finding("bad", subject, text if len(faults) > 1 else faults[0])
        return
    listed = None if dataset.skipped else entry.fingerprint(dataset.split)
    if found and listed not in (None, found.fingerprint):
        yield Finding(
            "bad",
            subject,
            f"{dataset.root}: the decoded content has fingerprint {found.fingerprint[:12]}…, "
            f"{entry.file} lists {listed[:12]}…: another copy, or changed files. "
            f"Get it again: segmodels data show {entry.name}",
        )
        return
    how = "all decoded" if found else f"3 decoded; all: {_DEEP}"
    known = ", the registered content" if found and listed else ""
    yield Finding("ok", subject, f"{len(dataset)} images, {how}{known}")


def _all_faults(dataset: Dataset, found: Survey) -> list[str]:
    if found.faults:
        return found.faults
    try:
        check_labels(dataset, found)
    except SegmodelsError as error:
        return [str(error)]
    return []


def _quick_faults(dataset: Dataset) -> list[str]:
    faults = [f"{path}: empty or gone. Get it again." for path in empty_files(dataset)]
    for index in sorted({0, len(dataset) // 2, len(dataset) - 1}):
        try:
            dataset.read(index)
        except SegmodelsError as error:
            faults.append(str(error))
    return faults


def _overlaps(entry: DatasetEntry, surveys: dict[str, Survey], subject: str) -> Iterator[Finding]:
    if len(surveys) < 2:
        if len(splits_here(entry.name)) > 1:
            yield Finding("note", subject, f"splits not compared with each other yet: {_DEEP}")
        return
    clean = True
    for a, b in combinations(surveys, 2):
        pairs = [f"{one} is {other}" for one, other in overlap(surveys[a], surveys[b])]
        if pairs:
            clean = False
            level: Grade = "note" if _official(entry, surveys, a, b) else "bad"
            text = f"{len(pairs)} images of {a} are in {b} too: {first_of(pairs)}. Numbers on one "
            text += "flatter what was trained on the other; take them out of the training list."
            yield Finding(level, subject, text)
    if clean:
        what = "decoded pixels, exact; copies resized or compressed again are not seen"
        yield Finding("ok", subject, f"no image of {', '.join(surveys)} in another split ({what})")


def _official(entry: DatasetEntry, surveys: dict[str, Survey], *splits: str) -> bool:
    """Whether both splits are as published, so that the overlap is their authors'."""
    listed = [entry.fingerprint(split) for split in splits]
    return listed == [surveys[split].fingerprint for split in splits]

"""What `prepare` records of a dataset: how many images, of what sizes, which pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from segmodels.core.arrays import VOID, VOID_OF_IMAGE
from segmodels.core.progress import Progress
from segmodels.datasets.reading.base import Dataset
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.datasets.survey import Survey, survey
from segmodels.errors import SegmodelsError
from segmodels.versions import DATASETS

#: Share of a split that may be left out; more is no damage of single files.
_MOST_SKIPPED = 0.02
#: Different sizes that are listed one by one; of more, three are listed.
_LISTED = 8


def describe(
    kind: type[Dataset],
    splits: dict[str, Dataset],
    progress: Progress | None = None,
    skip: bool = False,
) -> dict[str, Any]:
    """What `prepare` records of a dataset and every later stage depends on.

    Splits of the dataset that are not here stand under `absent`.

    Args:
        kind: the dataset.
        splits: those that are here.
        progress: called after every sample that had to be decoded.
        skip: leave out samples that are damaged, if they are few; `skipped` names them.

    Raises:
        SegmodelsError: a sample cannot be read, or labels are written in another way.
    """
    absent = [split for split in kind.splits if split not in splits]
    return {
        "dataset": kind.name,
        "version": DATASETS,
        "classes": list(kind.class_names),
        **({"absent": absent} if absent else {}),
        "splits": {s: describe_split(d, survey(d, progress), skip) for s, d in splits.items()},
    }


def describe_split(dataset: Dataset, found: Survey, skip: bool = False) -> dict[str, Any]:
    """Number of images, fingerprint, sizes and pixels per class of a split.

    What cannot be read stands under `skipped`, by name, and counts nowhere else.

    Raises:
        SegmodelsError: as `describe`.
    """
    skipped = left_out(dataset, found, skip)
    return {
        "images": len(found.good),
        "fingerprint": found.fingerprint,
        "total_pixels": sum(height * width for height, width in found.sizes),
        "sizes": summarised(found.sizes),
        "pixels": check_labels(dataset, found),
        **({"skipped": skipped} if skipped else {}),
    }


def left_out(dataset: Dataset, found: Survey, skip: bool) -> dict[str, str]:
    """The damaged samples of a split, by name with the reason, if they may be left out.

    Raises:
        SegmodelsError: there are some and they may not, there are too many, or what is wrong is
            not damage: labels in another encoding are wrong in every file.
    """
    damaged, faults = found.damaged, found.faults
    wrong = [look.fault for look in found.looks if look.fault and not look.reason]
    if wrong:
        raise SegmodelsError(_listed(dataset, wrong))
    most = max(1, int(_MOST_SKIPPED * len(dataset))) if len(dataset) > 1 else 0
    if skip and len(damaged) > most:
        raise SegmodelsError(
            f"{dataset.root}: {len(damaged)} of {len(dataset)} {dataset.split} images cannot be "
            f"read, which is too many to leave out (at most {_MOST_SKIPPED:.0%}). The first: "
            f"{faults[0]}"
        )
    if damaged and not skip:
        own = isinstance(dataset, FolderDataset) and dataset.is_copy
        way = f" Or go on without: segmodels data check {dataset.name} --skip-unreadable"
        raise SegmodelsError(_listed(dataset, faults) + (way if own else ""))
    return damaged


def _listed(dataset: Dataset, faults: Sequence[str]) -> str:
    """The first fault, and how many more there are."""
    more = f" So are {len(faults) - 1} more of {len(dataset)}; all of them: "
    return faults[0] + (f"{more}segmodels data check {dataset.name}" if len(faults) > 1 else "")


def check_labels(dataset: Dataset, found: Survey) -> dict[str, int]:
    """Pixels by the name of their class, and `void`.

    Raises:
        SegmodelsError: all labels together show that they are written in another way.
    """
    histogram = found.histogram
    known = {label: int(number) for label, number in enumerate(histogram)}
    pixels = {name: known.get(label, 0) for label, name in enumerate(dataset.class_names)}
    pixels["void"] = known.get(VOID_OF_IMAGE if dataset.labels_images else VOID, 0)
    dataset.check_pixels(dataset.split, len(found.good), pixels)
    return pixels


def summarised(sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Images by height x width where there are few sizes; else how many, and three of them."""
    number = Counter(sizes)
    if len(number) <= _LISTED:
        return {_text(size): number[size] for size in sorted(number, key=_area)}
    ordered = sorted(sizes, key=_area)
    return {
        "different": len(number),
        "smallest": _text(ordered[0]),
        "median": _text(ordered[(len(ordered) - 1) // 2]),
        "largest": _text(ordered[-1]),
    }


def _area(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] * size[1], size[0]


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"

"""What `prepare` records of a dataset: how many images, of what sizes, which pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from segmodels.datasets.base import Dataset
from segmodels.datasets.survey import Progress, Survey, survey
from segmodels.errors import SegmodelsError
from segmodels.pixels import VOID
from segmodels.versions import DATASETS

#: Different sizes that are listed one by one; of more, three are told.
_LISTED = 8


def describe(
    kind: type[Dataset], splits: dict[str, Dataset], progress: Progress | None = None
) -> dict[str, Any]:
    """What `prepare` records of a dataset and every later stage depends on.

    Splits of the dataset that are not here stand under `absent`.

    Raises:
        SegmodelsError: a sample cannot be read, or labels are written in another way.
    """
    absent = [split for split in kind.splits if split not in splits]
    return {
        "dataset": kind.name,
        "version": DATASETS,
        "classes": list(kind.class_names),
        **({"absent": absent} if absent else {}),
        "splits": {s: describe_split(d, survey(d, progress)) for s, d in splits.items()},
    }


def describe_split(dataset: Dataset, found: Survey) -> dict[str, Any]:
    """Number of images, fingerprint, sizes and pixels per class of a split.

    Raises:
        SegmodelsError: as `describe`.
    """
    check_faults(dataset, found)
    return {
        "images": len(found.good),
        "fingerprint": found.fingerprint,
        "total_pixels": sum(height * width for height, width in found.sizes),
        "sizes": summarised(found.sizes),
        "pixels": check_labels(dataset, found),
    }


def check_faults(dataset: Dataset, found: Survey) -> None:
    """Refuse a split of which a sample cannot be read (SegmodelsError names the first)."""
    if not (faults := found.faults):
        return
    more = len(faults) - 1
    others = f" So are {more} more of {len(dataset)}; a list: segmodels data check {dataset.name}"
    raise SegmodelsError(faults[0] + (others if more else ""))


def check_labels(dataset: Dataset, found: Survey) -> dict[str, int]:
    """Pixels by the name of their class, and `void`.

    Raises:
        SegmodelsError: all labels together show that they are written in another way.
    """
    histogram = found.histogram
    pixels = {name: int(histogram[label]) for label, name in enumerate(dataset.class_names)}
    pixels["void"] = int(histogram[VOID])
    dataset.check_pixels(dataset.split, len(dataset), pixels)
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

"""Images that two splits of a dataset share, told by their pixels, whatever files are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from segmodels.assets.own_dataset import OwnDataset
from segmodels.datasets.reading.base import Dataset
from segmodels.datasets.survey import overlap, survey
from segmodels.errors import SegmodelsError


def check_shared(about: OwnDataset, splits: Mapping[str, Dataset]) -> list[str]:
    """Compare the splits of a user's own dataset with each other.

    A number on images that were trained on says nothing. Two splits to measure on may share some.

    Returns:
        notes about images that are shared and may be.

    Raises:
        SegmodelsError: training images are in another split, and the description does not say
            `shared: true`.
    """
    notes = []
    for one, other, pairs in _shared(splits):
        (first, second), most = pairs[0], len(splits[one])
        text = (
            f"{len(pairs)} of {most} images of split {one!r} are in {other!r} too: {first} is "
            f"{second}"
        )
        if "train" in (one, other) and not about.shared:
            raise SegmodelsError(
                f"{about.file}: {text}. Numbers on one flatter what was trained on the other; take "
                f"them out of a split, or write 'shared: true'."
            )
        notes.append(text)
    return notes


def _shared(splits: Mapping[str, Dataset]) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    surveys = {name: survey(dataset) for name, dataset in splits.items()}
    for one, other in combinations(surveys, 2):
        if pairs := overlap(surveys[one], surveys[other]):
            yield one, other, pairs

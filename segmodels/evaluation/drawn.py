"""The labels of the few images that a figure shows, kept while they are counted.

So figure and evidence show the same labels, and drawing needs neither network nor memory. They lie
beside the scratch file, survive a kill as it does, and are there for every shard. Whether they are
those of the evidence is not believed but counted: labels that do not give its counts are none.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segmodels.core.arrays import Pixels, void_of
from segmodels.core.settings import cache_dir
from segmodels.datasets.reading.base import Dataset, Sample
from segmodels.errors import SegmodelsError
from segmodels.evaluation.counting import count_pairs
from segmodels.evaluation.label_maps import LabelMap, read_map, write_map
from segmodels.evidence import Evidence, ImageCounts

#: Images in a figure.
NUMBER = 3


def spread(images: int, number: int = NUMBER) -> list[int]:
    """Positions of the images that a figure shows, evenly spread over a split."""
    places = np.linspace(0, images - 1, min(number, images)).round()
    return [int(place) for place in places]


@dataclass(frozen=True)
class Drawn:
    """Labels of the images of a figure.

    Attributes:
        folder: where they lie.
        places: the position of each image in its split, by name.
    """

    folder: Path
    places: Mapping[str, int]

    @classmethod
    def of(cls, key: str, dataset: Dataset) -> Drawn:
        """Those of the evidence of a key."""
        places = {dataset.files[place].name: place for place in spread(len(dataset))}
        return cls(cache_dir() / "evaluations" / f"{key}.drawn", places)

    def wants(self, image: str) -> bool:
        """Whether a figure shows an image."""
        return image in self.places

    def keep(self, image: str, labels: LabelMap) -> None:
        """Keep the labels of an image."""
        write_map(self.folder, str(self.places[image]), labels)

    def labels(self, sample: Sample, evidence: Evidence) -> Pixels | None:
        """The labels that were counted for a sample; None where they are lost or others."""
        counts = next((one for one in evidence.images if one.image == sample.name), None)
        path = self.folder / f"{self.places[sample.name]}.png"
        if counts is None or not path.is_file():
            return None
        try:
            found = read_map(path)
            shape = len(evidence.classes), evidence.outputs
            matrix = count_pairs(sample.label, found, *shape, void_of(sample.label))
        except SegmodelsError:
            return None  # damaged, or of an image of another size
        same = ImageCounts.from_matrix(sample.name, matrix) == counts
        return np.asarray(found, dtype=sample.label.dtype) if same else None

    def forget(self) -> None:
        """Delete them."""
        shutil.rmtree(self.folder, ignore_errors=True)

"""What a training says of a few validation images, to look at while it goes on."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.core.notes import note
from segmodels.datasets.reading.base import Sample
from segmodels.errors import SegmodelsError
from segmodels.evaluation.drawn import spread
from segmodels.evaluation.figure import row_of, write_rows
from segmodels.training.job import Job
from segmodels.training.processes import ALONE, Processes

#: Longest side of an image in the picture, in pixels: there is a picture for every look.
_LONGEST = 384


@dataclass(frozen=True)
class Samples:
    """A picture of a few of the images that a training looks at, the same ones each time.

    Attributes:
        job: the training.
        path: of the picture, a PNG: one row per image, with truth, prediction and error.
        places: of the images in the validation split.
        rows: of the picture, as far as there are predictions.
    """

    job: Job
    path: Path
    places: frozenset[int]
    rows: list[Pixels] = field(default_factory=list)

    @classmethod
    def of(cls, job: Job, path: Path, processes: Processes = ALONE) -> Samples:
        """Of the images that the first process looks at; none in the others."""
        own = processes.share(looked_at(job)) if processes.first else ()
        return cls(
            job, path, frozenset(own[place] for place in spread(len(own))) if own else frozenset()
        )

    def keep(self, place: int, sample: Sample, prediction: Pixels) -> None:
        """Take what the network says of an image, if it is one of the picture's."""
        if place in self.places:
            small = replace(sample, image=_small(sample.image), label=_small(sample.label))
            self.rows.append(row_of(small, _small(prediction), self.job.val.palette))

    def draw(self) -> None:
        """Write the picture. Where that fails there is none, and the training goes on."""
        try:
            if self.rows:
                write_rows(self.rows, self.path)
        except SegmodelsError as error:
            note(f"{error} The training goes on without a picture of its labels.")
            with suppress(OSError):
                self.path.unlink()
        finally:
            self.rows.clear()


def looked_at(job: Job) -> range:
    """Places of the validation images at which a training looks."""
    return range(min(job.recipe.validate_images, len(job.val)))


def _small(pixels: Pixels) -> Pixels:
    """An image (H, W, 3), or labels (H, W), with sides of at most `_LONGEST`."""
    height, width = pixels.shape[:2]
    share = _LONGEST / max(height, width)
    if share >= 1:
        return pixels
    size = max(1, round(width * share)), max(1, round(height * share))
    way = cv2.INTER_NEAREST if pixels.ndim == 2 else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, size, interpolation=way), dtype=np.uint8)

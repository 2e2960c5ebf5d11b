"""Which images a training step sees, and by which chance: functions of the seed alone.

An epoch is a permutation of the images. Batches follow each other without end, across epochs
if they have to, so every image is seen equally often; or an epoch ends with a batch as short as
it comes, as PyTorch's loader gives them. Nothing here depends on the step a training was taken up
at, or on how many processes do the work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Turn:
    """One image in one epoch.

    Attributes:
        epoch: from 0.
        index: of the image in its split.
        labelled: whether its labels are looked at; else all of them are void.
    """

    epoch: int
    index: int
    labelled: bool = True

    def random(self, seed: int) -> np.random.Generator:
        """The chance of this turn, and of no other."""
        return _generator(seed, self.epoch, self.index)


@dataclass(frozen=True)
class Order:
    """The order of images in a training.

    Attributes:
        images: how many there are.
        batch: how many a step sees.
        seed: of the training.
        whole_epochs: whether no batch spans two epochs; the last of each may be short.
        rank: which of several processes sees
        count: a share of each batch.
    """

    images: int
    batch: int
    seed: int
    whole_epochs: bool = False
    rank: int = 0
    count: int = 1

    def at(self, step: int) -> list[Turn]:
        """The images of a step (0-based), over all processes."""
        return [self._turn(place) for place in self._places(step)]

    def own(self, step: int) -> list[Turn]:
        """The images of a step that this process sees.

        Where a short batch has none for it, it sees the first without labels: gradients are taken
        by all processes together, and this one adds nothing to them.
        """
        turns = self.at(step)
        return turns[self.rank :: self.count] or [replace(turns[0], labelled=False)]

    def _places(self, step: int) -> range:
        if not self.whole_epochs:
            return range(step * self.batch, (step + 1) * self.batch)
        epoch, number = divmod(step, math.ceil(self.images / self.batch))
        first, end = epoch * self.images + number * self.batch, (epoch + 1) * self.images
        return range(first, min(first + self.batch, end))

    def _turn(self, place: int) -> Turn:
        epoch, position = divmod(place, self.images)
        return Turn(epoch, int(_permutation(self.seed, epoch, self.images)[position]))


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, images: int) -> npt.NDArray[np.int64]:
    return _generator(seed, epoch).permutation(images)


def _generator(seed: int, *path: int) -> np.random.Generator:
    # A path, because a list of numbers gives the same stream with and without zeros at its end.
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=path))

"""The feed of a training: decoded, augmented, stacked, in this process or in others."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Indexed

from segmodels.core.arrays import VOID
from segmodels.core.settings import WORKERS, loading_workers
from segmodels.datasets.reading.base import Dataset, Sample
from segmodels.errors import SegmodelsError
from segmodels.training.augmentation import Augmentation
from segmodels.training.order import Order, Turn

#: Bytes of decoded images in memory, over all processes that load.
CACHE_BYTES = 2**30

#: More processes than this wait for the disk or for each other.
_MOST_WORKERS = 8

#: float32 (3, h, w) and uint8 (h, w); or, from another process, what went wrong.
_Loaded = tuple[Any, Any] | SegmodelsError


@dataclass(frozen=True)
class Feed:
    """Augmented batches of a split.

    Attributes:
        dataset: the split.
        augment: what is done to each image.
        order: which images, when.
        device: where batches are wanted.
    """

    dataset: Dataset
    augment: Augmentation
    order: Order
    device: str = "cpu"

    def batches(self, start: int, stop: int) -> Generator[tuple[Tensor, Tensor]]:
        """Images float32 (B, 3, h, w) and labels int64 (B, h, w) of the steps start..stop-1.

        The same whatever `start` is and however many processes load (`SEGMODELS_WORKERS`).

        Raises:
            SegmodelsError: a file cannot be read, or a process that loads was killed.
        """
        loader = self._loader(start, stop)
        try:
            for loaded in loader:
                if isinstance(loaded, SegmodelsError):
                    raise loaded
                yield self._placed(*loaded)
        except RuntimeError as error:  # how torch tells that a worker is gone
            if not str(error).startswith("DataLoader worker (pid"):
                raise
            raise SegmodelsError(
                f"a process that loads images of {self.dataset.name} ended ({error}). If memory "
                f"ran out, set {WORKERS} to less; 0 loads in the training's own process."
            ) from error

    def _loader(self, start: int, stop: int) -> DataLoader[Any]:
        workers = loading_workers()
        if workers is None:
            workers = 0 if self.device == "cpu" else min(os.cpu_count() or 1, _MOST_WORKERS)
        cached = CACHE_BYTES // max(workers, 1)
        return DataLoader(
            _Augmented(Reader(self.dataset, cached), self.augment, self.order.seed),
            batch_sampler=_Steps(self.order, range(start, stop)),
            num_workers=workers,
            collate_fn=_stacked,
            pin_memory=self.device.startswith("cuda"),
            worker_init_fn=_one_thread,
            generator=torch.Generator(),  # else the loader draws from the training's own
        )

    def _placed(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        images = images.to(self.device, non_blocking=True)
        return images, labels.to(self.device, non_blocking=True).long()


@dataclass(frozen=True)
class _Steps:
    """The turns of step after step, made when they are due."""

    order: Order
    steps: range

    def __iter__(self) -> Iterator[list[Turn]]:
        return (self.order.own(step) for step in self.steps)


class Reader:
    """Reads samples and keeps the first that fit, so that they are decoded once.

    Keeping what came first beats dropping the oldest: epochs are permutations, so what was not
    seen for longest is wanted next.

    Args:
        dataset: the split.
        limit: bytes of images and labels to keep.
    """

    def __init__(self, dataset: Dataset, limit: int) -> None:
        self.dataset = dataset
        self.left = limit
        self._cache: dict[int, Sample] = {}

    def read(self, index: int) -> Sample:
        """A sample, as `Dataset.read` gives it."""
        if index in self._cache:
            return self._cache[index]
        sample = self.dataset.read(index)
        size = sample.image.nbytes + sample.label.nbytes
        if size <= self.left:
            self.left -= size
            self._cache[index] = sample
        return sample


class _Augmented(Indexed[_Loaded]):
    """What torch's loader asks for items, one turn each."""

    def __init__(self, reader: Reader, augment: Augmentation, seed: int) -> None:
        self.reader, self.augment, self.seed = reader, augment, seed

    def __getitem__(self, turn: Turn) -> _Loaded:
        try:
            sample = self.reader.read(turn.index)
        except SegmodelsError as error:
            # Raised in another process, it would arrive with a traceback as its text.
            return SegmodelsError(str(error))
        image, label = self.augment(sample.image, sample.label, turn.random(self.seed))
        return image, label if turn.labelled else np.full_like(label, VOID)


def _stacked(items: list[_Loaded]) -> tuple[Tensor, Tensor] | SegmodelsError:
    pairs = []
    for item in items:
        if isinstance(item, SegmodelsError):
            return item
        pairs.append(item)
    images, labels = (np.stack(parts) for parts in zip(*pairs, strict=True))
    return torch.from_numpy(images), torch.from_numpy(labels)


def _one_thread(_: int) -> None:
    # Processes are the parallelism here. 0, because 1 would wait forever for OpenCV's threads of
    # the parent, which a forked child does not have.
    cv2.setNumThreads(0)

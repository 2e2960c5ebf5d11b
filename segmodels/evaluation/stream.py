"""Images of a split on their way to a network and past it: read, prepared, judged, in order.

Networks add up in another order on another number of threads, so whatever runs one here runs it on
one thread, and TF32 is off: the result does not depend on how many are at work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from segmodels.core.arrays import Pixels
from segmodels.core.environment import cores
from segmodels.datasets.fingerprint import sample_digest
from segmodels.datasets.reading.base import Dataset, Sample
from segmodels.errors import SegmodelsError
from segmodels.evaluation.precision import full_precision
from segmodels.evaluation.reference import network_inputs
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol

T = TypeVar("T")
R = TypeVar("R")

#: Changes the pixels of an image before the network sees them (uint8 RGB in and out).
Disturb = Callable[[str, Pixels], Pixels]

#: Begins with some images; what it gives back waits for what comes of them.
Judge = Callable[[Sequence["Shown"]], Callable[[], R]]


@dataclass(frozen=True)
class Shown:
    """An image as the network is to see it.

    Attributes:
        sample: image and labels, as decoded.
        digest: of both (`sample_digest`).
        image: uint8 (H, W, 3), after the disturbance if there is one.
        inputs: resized and normalised for every scale, if that was done ahead.
    """

    sample: Sample
    digest: str
    image: Pixels
    inputs: tuple[Tensor, ...] | None = None


def show(sample: Sample, disturb: Disturb | None) -> Shown:
    """A decoded sample, disturbed."""
    image = disturb(sample.name, sample.image) if disturb else sample.image
    return Shown(sample, sample_digest(sample), image)


@dataclass(frozen=True)
class Stream:
    """How images come to a network.

    Attributes:
        model: the network, on its device.
        dataset: the split.
        protocol: how images are resized.
        disturb: what is done to their pixels before.
        images: judged at a time.
    """

    model: SegModel
    dataset: Dataset
    protocol: Protocol
    disturb: Disturb | None
    images: int

    def judged(self, indices: Sequence[int], judge: Judge[R]) -> Iterator[R]:
        """What `judge` says of hands full of images, in their order.

        On a processor every worker reads and judges its own. A GPU is fed: all cores decode,
        disturb, resize and normalise ahead of it, and it is given a hand before it is asked for
        what it made of the last, so that it waits for none of that.

        Raises:
            SegmodelsError: an image cannot be read, or the GPU's memory is full.
        """
        with full_precision(), _single_threaded(), self._enough_memory():
            if fed(self.model):
                ready = _in_order(self._ready, indices, cores())
                yield from _one_behind(map(judge, _hands(ready, self.images)))
            else:
                hands = _hands(indices, self.images)
                yield from _in_order(lambda hand: self._said(judge, hand), hands, cores())

    @contextmanager
    def _enough_memory(self) -> Iterator[None]:
        try:
            yield
        except torch.OutOfMemoryError as error:
            device = next(self.model.parameters()).device
            raise SegmodelsError(
                f"the memory of {device} is full with {self.images} images in hand "
                f"({str(error).split('. ')[0]}). Set SEGMODELS_IMAGES to fewer, which changes no "
                f"result, end other programs that use it, or take --device cpu."
            ) from error

    def _said(self, judge: Judge[R], hand: Sequence[int]) -> R:
        return judge(list(map(self._shown, hand)))()

    def _shown(self, index: int) -> Shown:
        return show(self.dataset.read(index), self.disturb)

    def _ready(self, index: int) -> Shown:
        shown = self._shown(index)
        return replace(shown, inputs=tuple(network_inputs(self.model, shown.image, self.protocol)))


def fed(model: SegModel) -> bool:
    """Whether preparing images is other hands' work than running the network."""
    return next(model.parameters()).device.type != "cpu"


def _hands(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while hand := list(islice(left, size)):
        yield hand


def _in_order(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Results of `work` in the order of `items`, at most two a worker ahead of the reader."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, initializer=_one_thread) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _one_behind(begun: Iterable[Callable[[], R]]) -> Iterator[R]:
    """Results, each waited for when the next has been begun.

    All in the thread that asks: recorded CUDA graphs belong to the thread that recorded them.
    """
    last: Callable[[], R] | None = None
    for finish in begun:
        if last is not None:
            yield last()
        last = finish
    if last is not None:
        yield last()


def _one_thread() -> None:
    torch.set_num_threads(1)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """One thread is always there; see the module."""
    before = torch.get_num_threads()
    _one_thread()
    try:
        yield
    finally:
        torch.set_num_threads(before)

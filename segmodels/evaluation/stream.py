"""Images of a split on their way to a network and past it: read, prepared, predicted, in order.

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
from typing import Generic, TypeVar

import torch
from torch import Tensor

from segmodels.core.arrays import Pixels
from segmodels.core.environment import cores
from segmodels.datasets.fingerprint import sample_digest
from segmodels.datasets.reading.base import Sample
from segmodels.errors import SegmodelsError
from segmodels.evaluation.pending import Pending
from segmodels.evaluation.precision import evaluating, full_precision
from segmodels.evaluation.truth import Compared
from segmodels.evaluation.views import network_inputs
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol

T = TypeVar("T")
R = TypeVar("R")

#: Changes the pixels of an image before the network sees them (uint8 RGB in and out).
Disturb = Callable[[str, Pixels], Pixels]

#: Begins the work on a batch of images; the result of each image can be asked for later.
Begin = Callable[[Sequence["PreparedImage"]], Sequence[Pending[R]]]


@dataclass(frozen=True)
class PreparedImage:
    """An image as the network gets it.

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


def prepared(
    sample: Sample,
    disturb: Disturb | None,
    compared: Compared | None = None,
    digest: str | None = None,
) -> PreparedImage:
    """A decoded sample, disturbed, and then brought to the size at which labels are compared."""
    digest = digest or sample_digest(sample)
    if disturb:
        sample = replace(sample, image=disturb(sample.name, sample.image))
    if compared:
        sample = compared(sample)
    return PreparedImage(sample, digest, sample.image)


@dataclass(frozen=True)
class Stream(Generic[T]):
    """How images come to a network.

    Attributes:
        model: the network, on its device.
        prepare: reads what an item stands for, and disturbs its pixels if that is asked for.
        protocol: how images are resized.
        images: in a batch.
    """

    model: SegModel
    prepare: Callable[[T], PreparedImage]
    protocol: Protocol
    images: int

    def results(self, items: Sequence[T], begin: Begin[R]) -> Iterator[R]:
        """What `begin` makes of each image, in the order of `items`.

        On a processor every worker reads a batch and works on it to the end. A GPU is fed: all
        cores decode, disturb, resize and normalise ahead of it, and it is given a batch before it
        is asked for the results of the last, so that it waits for none of that.

        Raises:
            SegmodelsError: an image cannot be read, or the GPU's memory is full.
        """
        with full_precision(), _single_threaded(), self._enough_memory(), evaluating(self.model):
            if is_fed(self.model):
                ready = _in_order(self._with_inputs, items, cores())
                yield from _one_behind(map(begin, _batches(ready, self.images)))
            else:
                batches = _batches(items, self.images)
                for done in _in_order(lambda batch: self._done(begin, batch), batches, cores()):
                    yield from done

    @contextmanager
    def _enough_memory(self) -> Iterator[None]:
        try:
            yield
        except torch.OutOfMemoryError as error:
            device = next(self.model.parameters()).device
            raise SegmodelsError(
                f"the memory of {device} is full with batches of {self.images} images "
                f"({str(error).split('. ')[0]}). Set SEGMODELS_IMAGES to fewer, which changes no "
                f"result, end other programs that use it, or take --device cpu."
            ) from error

    def _done(self, begin: Begin[R], batch: Sequence[T]) -> list[R]:
        return [pending.result() for pending in begin(list(map(self.prepare, batch)))]

    def _with_inputs(self, item: T) -> PreparedImage:
        image = self.prepare(item)
        return replace(image, inputs=tuple(network_inputs(self.model, image.image, self.protocol)))


def is_fed(model: SegModel) -> bool:
    """Whether images are prepared on other processors than the one that runs the network."""
    return next(model.parameters()).device.type != "cpu"


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


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


def _one_behind(batches: Iterable[Sequence[Pending[R]]]) -> Iterator[R]:
    """Results, those of a batch waited for when the next batch has been begun.

    All in the thread that asks: recorded CUDA graphs belong to the thread that recorded them.
    """
    last: Sequence[Pending[R]] = ()
    for begun in batches:
        yield from (pending.result() for pending in last)
        last = begun
    yield from (pending.result() for pending in last)


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

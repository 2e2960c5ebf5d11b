"""Counting images: predicted, compared with their labels, and the labels kept that are wanted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from segmodels.core.arrays import Counts, Pixels, void_of
from segmodels.datasets.reading.base import Dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation.counting import begin_to_count
from segmodels.evaluation.device import arriving
from segmodels.evaluation.drawn import Drawn
from segmodels.evaluation.label_maps import MapFile, write_map
from segmodels.evaluation.pending import Pending
from segmodels.evaluation.predict import by_reference, predict_many
from segmodels.evaluation.prediction import Prediction, check_finite
from segmodels.evaluation.resume import Line
from segmodels.evaluation.stream import PreparedImage, Stream, prepared
from segmodels.evaluation.subject import Subject
from segmodels.evaluation.truth import comparing
from segmodels.evaluation.windows import Batching
from segmodels.evidence import ImageCounts
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol


@dataclass(frozen=True)
class LabelStore:
    """Which predicted labels are written while they are counted.

    Attributes:
        folder: takes the labels of every image; None for none.
        drawn: takes those of the images of a figure; None for none.
    """

    folder: Path | None = None
    drawn: Drawn | None = None

    def wants(self, image: str) -> bool:
        """Whether the labels of an image are written."""
        return self.folder is not None or (self.drawn is not None and self.drawn.wants(image))

    def write(self, image: str, labels: Pixels) -> MapFile | None:
        """Write the labels of an image; the file in `folder`, if there is one."""
        if self.drawn is not None and self.drawn.wants(image):
            self.drawn.keep(image, labels)
        return write_map(self.folder, image, labels) if self.folder else None


@dataclass(frozen=True)
class ImageCounter:
    """Counts the images of a split for one subject under one protocol.

    Attributes:
        subject: what is evaluated.
        protocol: how.
        classes: that are scored; the network may have more outputs.
        store: which predicted labels are written.
    """

    subject: Subject
    protocol: Protocol
    classes: int
    store: LabelStore = LabelStore()

    def begin(self, batch: Sequence[PreparedImage]) -> list[Pending[Line]]:
        """Predict a batch of images and begin to count them where their predictions are.

        Returns:
            a line for each image. Its `result` raises SegmodelsError when a label or prediction
            is out of range, or scores are not finite; the message names the image.
        """
        predictions = predicted(self.subject, batch, self.protocol)
        return [self._count(*pair) for pair in zip(batch, predictions, strict=True)]

    def _count(self, image: PreparedImage, prediction: Prediction) -> _ImageCount:
        outputs, name = self.subject.model.num_classes, image.sample.name
        labels = prediction.labels
        label = image.sample.label
        counts = begin_to_count(label, labels, self.classes, outputs, void_of(label))
        finite = arriving(prediction.finite)
        kept = arriving(labels) if self.store.wants(name) else None
        return _ImageCount(name, image.digest, counts, finite, kept, self.store)


@dataclass(frozen=True)
class _ImageCount:
    """The line of one image, while its counts and labels are on their way."""

    image: str
    digest: str
    counts: Pending[Counts]
    finite: Pending[Tensor]
    labels: Pending[Tensor] | None
    store: LabelStore

    def result(self) -> Line:
        try:
            check_finite(bool(self.finite.result()))
            matrix = self.counts.result()
        except SegmodelsError as error:
            raise SegmodelsError(f"image {self.image!r}: {error}") from None
        written = (
            self.store.write(self.image, self.labels.result().numpy()) if self.labels else None
        )
        return Line(self.digest, ImageCounts.from_matrix(self.image, matrix), written)


@dataclass(frozen=True)
class _Labels:
    """The labels of one image, and whether they mean anything, while they are on their way."""

    labels: Pending[Tensor]
    finite: Pending[Tensor]

    def result(self) -> Tensor:
        check_finite(bool(self.finite.result()))
        return self.labels.result()


def predicted(
    subject: Subject, batch: Sequence[PreparedImage], protocol: Protocol
) -> list[Prediction]:
    """Predictions of a batch of images, where the model is."""
    batching = _batching(subject, protocol)
    if subject.attack is not None and protocol.whole_image:
        raise SegmodelsError(
            f"protocol {protocol.name!r} gives one answer for an image; attacks here are on the "
            f"labels of pixels."
        )
    if subject.attack is not None:
        attacked = [subject.attack(subject.model, one.sample, protocol) for one in batch]
        return predict_many(subject.model, attacked, protocol, batching)
    inputs = [one.inputs for one in batch if one.inputs is not None]
    images = [one.image for one in batch]
    found = predict_many(subject.model, images, protocol, batching, inputs or None)
    if not subject.overflows:
        return found
    pairs = zip(found, images, strict=True)
    return [_accepted(one, subject.model, image, protocol) for one, image in pairs]


def _accepted(found: Prediction, model: SegModel, image: Pixels, protocol: Protocol) -> Prediction:
    """Labels that are taken even if their scores are not finite: those of the reference path, as
    such scores spread where the quick one multiplies them by 0.
    """
    if not (protocol.whole_image or bool(found.finite)):
        found = by_reference(model, image, protocol)
    return Prediction(found.labels, torch.ones_like(found.finite))


def stream_of(subject: Subject, dataset: Dataset, protocol: Protocol) -> Stream[int]:
    """The images of a split, by their places, on their way to the model of a subject."""

    how = comparing(dataset, protocol)

    def prepare(place: int) -> PreparedImage:
        return prepared(dataset.read(place), subject.disturb, how)

    return Stream(subject.model, prepare, protocol, images_of_batch(subject, protocol))


def images_of_batch(subject: Subject, protocol: Protocol) -> int:
    """How many images share a batch."""
    return _batching(subject, protocol).images


def predict_images(
    subject: Subject, dataset: Dataset, protocol: Protocol, places: Sequence[int]
) -> Iterator[Pixels]:
    """The labels uint8 (H, W) of some images of a split, by the path that counts them.

    Raises:
        NotFiniteError: scores are not finite.
    """

    def begin(batch: Sequence[PreparedImage]) -> list[_Labels]:
        found = predicted(subject, batch, protocol)
        return [_Labels(arriving(one.labels), arriving(one.finite)) for one in found]

    for labels in stream_of(subject, dataset, protocol).results(places, begin):
        yield labels.numpy()


def _batching(subject: Subject, protocol: Protocol) -> Batching:
    """The passes of the device, which no setting changes: labels follow them at ties."""
    usual = Batching.usual(next(subject.model.parameters()).device, protocol)
    return dataclasses.replace(usual, images=subject.images or usual.images)

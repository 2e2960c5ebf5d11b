"""The ground truth as a protocol compares it with labels: as it is, or resized with the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from segmodels.core.arrays import VOID, Pixels
from segmodels.datasets.reading.base import Dataset, Sample
from segmodels.evaluation.resize import resize, resized_view
from segmodels.protocols.protocol import Protocol

#: Brings a sample to the size at which its labels are compared.
Compared = Callable[[Sample], Sample]


def comparing(dataset: Dataset, protocol: Protocol) -> Compared:
    """What `compared` makes of the samples of a data set."""
    return partial(compared, protocol=protocol, classes=len(dataset.class_names))


def compared(sample: Sample, protocol: Protocol, classes: int) -> Sample:
    """A sample at the size at which its labels are compared.

    Args:
        sample: image and labels as decoded.
        protocol: `labels_resized` decides.
        classes: of the data set; while ids are interpolated, void is the one behind them.
    """
    if not protocol.labels_resized:
        return sample
    image: Pixels = np.asarray(resized_view(sample.image, protocol, 1.0), dtype=np.uint8)
    return replace(sample, image=image, label=_interpolated(sample.label, image, classes))


def _interpolated(label: Pixels, image: Pixels, classes: int) -> Pixels:
    """Labels resized bilinearly to an image, as if an id were a grey level."""
    ids = np.where(label == VOID, classes, label).astype(np.uint8)
    resized = resize(ids, *image.shape[:2])
    return np.where(resized == classes, VOID, resized).astype(np.uint8)

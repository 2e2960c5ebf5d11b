"""The ground truth as a protocol compares it with labels: as it is, or resized with the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
from PIL import Image

from segmodels.core.arrays import VOID, Pixels
from segmodels.datasets.reading.base import Dataset, Sample
from segmodels.evaluation.resize import resize, resized_view
from segmodels.protocols.protocol import Library, Protocol

#: Brings a sample to the size at which its labels are compared.
Compared = Callable[[Sample], Sample]


def comparing(dataset: Dataset, protocol: Protocol) -> Compared:
    """What `compared` makes of the samples of a data set."""
    return partial(compared, protocol=protocol, classes=len(dataset.class_names))


def compared(sample: Sample, protocol: Protocol, classes: int) -> Sample:
    """A sample at the size at which its labels are compared.

    Args:
        sample: image and labels as decoded.
        protocol: `labels_resized` decides, and `labels_resized_by` how.
        classes: of the data set; while ids are interpolated, void is the one behind them.
    """
    if not protocol.labels_resized:
        return sample
    image: Pixels = np.asarray(resized_view(sample.image, protocol, 1.0), dtype=np.uint8)
    if protocol.labels_resized_by == "nearest":
        label = _nearest(sample.label, image, protocol.resize_library)
    else:
        label = _interpolated(sample.label, image, classes)
    return replace(sample, image=image, label=label)


def _nearest(label: Pixels, image: Pixels, library: Library) -> Pixels:
    """The label at the pixel that Pillow finds in the middle of each, or OpenCV at its corner."""
    height, width = image.shape[:2]
    if library == "pillow":
        return np.asarray(Image.fromarray(label).resize((width, height), Image.Resampling.NEAREST))
    found = cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(found, dtype=np.uint8)


def _interpolated(label: Pixels, image: Pixels, classes: int) -> Pixels:
    """Labels resized bilinearly to an image, as if an id were a grey level."""
    ids = np.where(label == VOID, classes, label).astype(np.uint8)
    resized = resize(ids, *image.shape[:2])
    return np.where(resized == classes, VOID, resized).astype(np.uint8)

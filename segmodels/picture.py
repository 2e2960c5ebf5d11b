"""A few images beside their truth and prediction, to look at before believing a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from segmodels.datasets.base import Dataset
from segmodels.files import atomic_path
from segmodels.inference import predict
from segmodels.models.base import SegModel
from segmodels.pixels import VOID, Pixels
from segmodels.protocols import Protocol

_GAP = 6
_WHITE = 255
#: Colours of the error panel: right, wrong, without truth.
_RIGHT, _WRONG, _UNKNOWN = (228, 228, 222), (196, 52, 40), (0, 0, 0)


def colour(labels: Pixels, palette: tuple[tuple[int, int, int], ...]) -> Pixels:
    """uint8 (H, W) labels as uint8 (H, W, 3); void and outputs without a class are black."""
    table = np.zeros((256, 3), dtype=np.uint8)
    table[: len(palette)] = palette
    return np.asarray(table[labels])


def error(labels: Pixels, prediction: Pixels) -> Pixels:
    """Where a prediction is wrong: uint8 (H, W, 3), grey right, red wrong, black without truth."""
    kinds = np.where(labels == VOID, 2, labels != prediction)
    return np.array([_RIGHT, _WRONG, _UNKNOWN], dtype=np.uint8)[kinds]


def draw_picture(
    model: SegModel, dataset: Dataset, protocol: Protocol, path: Path, number: int = 3
) -> None:
    """Write a PNG: one row per image (evenly spread over the split), columns image, truth,
    prediction, error.
    """
    spread = np.linspace(0, len(dataset) - 1, min(number, len(dataset))).round().astype(int)
    rows = [_row(model, dataset, protocol, int(index)) for index in spread]
    width = max(row.shape[1] for row in rows)
    padded = [_pad(row, row.shape[0] + _GAP, width) for row in rows]
    with atomic_path(path) as temporary:
        Image.fromarray(np.concatenate(padded)).save(temporary, "PNG")


def _row(model: SegModel, dataset: Dataset, protocol: Protocol, index: int) -> Pixels:
    sample = dataset.read(index)
    prediction = predict(model, sample.image, protocol)
    # Void truth is black; black there in the prediction too lets the eye compare like with like.
    shown = np.where(sample.label == VOID, VOID, prediction).astype(np.uint8)
    labels = [colour(sample.label, dataset.palette), colour(shown, dataset.palette)]
    panels = (sample.image, *labels, error(sample.label, shown))
    height, width = sample.label.shape
    return np.concatenate([_pad(panel, height, width + _GAP) for panel in panels], axis=1)


def _pad(pixels: Pixels, height: int, width: int) -> Pixels:
    below, right = height - pixels.shape[0], width - pixels.shape[1]
    return np.pad(pixels, ((0, below), (0, right), (0, 0)), constant_values=_WHITE)

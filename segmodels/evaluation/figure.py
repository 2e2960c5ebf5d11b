"""A few images beside their truth and prediction, to look at before believing a number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from segmodels.core.arrays import VOID, Pixels
from segmodels.core.files import atomic_path, naming
from segmodels.datasets.reading.base import Dataset, Sample
from segmodels.evaluation.drawn import NUMBER, spread
from segmodels.evaluation.truth import Compared

_GAP = 6
_WHITE = 255
#: Colours of the error panel: right, wrong, without truth.
_RIGHT, _WRONG, _UNKNOWN = (228, 228, 222), (196, 52, 40), (0, 0, 0)
#: Where the file says whose labels it shows.
_EVIDENCE = "evidence"

#: The labels uint8 (H, W) that a network gives an image, by its position and the sample.
LabelsOfImage = Callable[[int, Sample], Pixels]


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
    dataset: Dataset,
    labels: LabelsOfImage,
    path: Path,
    number: int = NUMBER,
    evidence: str = "",
    compared: Compared | None = None,
) -> None:
    """Write a PNG: one row per image (evenly spread over the split), columns image, truth,
    prediction, error.

    Args:
        dataset: the split.
        labels: what a network says of an image.
        path: of the PNG.
        number: of images, if there are so many.
        evidence: key of the evidence with these labels, which the file then names.
        compared: brings a sample to the size of its labels, where that is another.
    """
    places = ((place, dataset.read(place)) for place in spread(len(dataset), number))
    samples = ((place, compared(one) if compared else one) for place, one in places)
    rows = [row_of(sample, labels(place, sample), dataset.palette) for place, sample in samples]
    about = PngInfo()
    about.add_text(_EVIDENCE, evidence)
    write_rows(rows, path, about)


def write_rows(rows: list[Pixels], path: Path, about: PngInfo | None = None) -> None:
    """Write a PNG of rows uint8 (h, w, 3), one below the other.

    Args:
        rows: at least one, of any sizes.
        path: of the PNG.
        about: texts that go into the file.

    Raises:
        SegmodelsError: the disk is full or read-only; what was there before stays.
    """
    width = max(row.shape[1] for row in rows)
    padded = [_pad(row, row.shape[0] + _GAP, width) for row in rows]
    with naming(path), atomic_path(path) as temporary:
        Image.fromarray(np.concatenate(padded)).save(temporary, "PNG", pnginfo=about)


def evidence_of_picture(path: Path) -> str | None:
    """Key of the evidence whose labels a picture shows; None if it is not here, or does not say."""
    try:
        with Image.open(path) as picture:
            named: str | None = picture.info.get(_EVIDENCE)
            return named
    except (OSError, SyntaxError, ValueError):
        return None


def row_of(sample: Sample, prediction: Pixels, palette: tuple[tuple[int, int, int], ...]) -> Pixels:
    """An image beside its truth, what a network says, and where that is wrong: uint8 (h, w, 3).

    Args:
        sample: image and labels.
        prediction: labels uint8 (H, W) of the image.
        palette: colour of each class.
    """
    if sample.label.dtype.itemsize > 1:
        return _row_of_answer(sample, prediction, palette)
    # Void truth is black; black there in the prediction too lets the eye compare like with like.
    drawn = np.where(sample.label == VOID, VOID, prediction).astype(np.uint8)
    maps = [colour(sample.label, palette), colour(drawn, palette)]
    panels = (sample.image, *maps, error(sample.label, drawn))
    height, width = sample.label.shape
    return np.concatenate([_pad(panel, height, width + _GAP) for panel in panels], axis=1)


def _row_of_answer(
    sample: Sample, prediction: Pixels, palette: tuple[tuple[int, int, int], ...]
) -> Pixels:
    """The same of an image with one label: its colour, that of the answer, whether it is right."""
    height, width = sample.image.shape[:2]
    truth, answer = (int(one[0, 0]) for one in (sample.label, prediction))
    verdict = _RIGHT if truth == answer else _WRONG
    plain = [
        np.full((height, width, 3), one, np.uint8) for one in (palette[truth], palette[answer])
    ]
    panels = (sample.image, *plain, np.full((height, width, 3), verdict, np.uint8))
    return np.concatenate([_pad(panel, height, width + _GAP) for panel in panels], axis=1)


def _pad(pixels: Pixels, height: int, width: int) -> Pixels:
    below, right = height - pixels.shape[0], width - pixels.shape[1]
    return np.pad(pixels, ((0, below), (0, right), (0, 0)), constant_values=_WHITE)

"""From one image to one label map, the quick way: the same labels as the reference path.

The reference path builds classes x height x width for every view, several times over. Here
only the low-resolution logits of every window are kept (`segmodels.evaluation.windows`). The image
is then made in small tiles that fit a processor's cache: for each view two small matrix products
give a tile's logits (see `segmodels.evaluation.interpolation`), softmax follows only when views
are averaged, and the argmax is taken before the next tile.

What remains is rounding: of 123 million labels of six trained networks one is another than the
reference path's, whose two best scores there are the same float32 (`benchmarks/labels.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segmodels.core.arrays import Pixels
from segmodels.errors import SegmodelsError
from segmodels.evaluation.device import to_device
from segmodels.evaluation.geometry import decided_at
from segmodels.evaluation.interpolation import Band
from segmodels.evaluation.precision import full_precision
from segmodels.evaluation.prediction import Prediction, are_finite
from segmodels.evaluation.views import mirrored_views
from segmodels.evaluation.windows import Batching, LowResolution, low_resolutions
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol

#: Numbers in a tile: some of them fit a core's second-level cache, or are plenty for a GPU.
_TILE = {"cpu": 150_000, "cuda": 1 << 26}


def fast_labels(
    model: SegModel,
    images: Sequence[Pixels],
    inputs: Sequence[Iterable[Tensor]],
    protocol: Protocol,
    batching: Batching,
) -> list[Prediction]:
    """Label every pixel of some images whose windows share forward passes.

    Args:
        model: a network in eval mode that `covers` accepts.
        images: uint8 (H, W, 3), RGB, of any sizes.
        inputs: what `network_inputs` gives for each image.
        protocol: how to look at them.
        batching: how many windows share a forward pass.

    Returns:
        the labels of each image, where the model is, so that they can be counted there.
    """
    sizes = [decided_at(one, protocol) for one in images]
    views = (mirrored_views(model, given, protocol) for given in inputs)
    maps = low_resolutions(model, views, sizes, protocol, batching)
    return [
        Prediction(_at_image(_labels(of_image, protocol), one), _finite(of_image))
        for of_image, one in zip(maps, images, strict=True)
    ]


def _finite(maps: Sequence[LowResolution]) -> Tensor:
    return torch.stack([are_finite(one.logits) for one in maps]).all()


def covers(model: SegModel) -> bool:
    """Whether the fast path knows this model's order of operations.

    Left to the reference path: models that bring logits to the image in their own way, and more
    outputs than a byte can number (it refuses them).
    """
    usual = type(model).forward is SegModel.forward and type(model).to_image is SegModel.to_image
    return usual and model.num_classes <= 256


def _labels(maps: Sequence[LowResolution], protocol: Protocol) -> Tensor:
    labels = torch.empty(maps[0].output, dtype=torch.uint8, device=maps[0].logits.device)
    # With one view softmax cannot change the winner, so its rounding is left out.
    softmax = len(maps) > 1 and protocol.average == "probabilities"
    for rows, columns, scores in tiles(maps, softmax=softmax):
        labels[rows, columns] = _winner(scores)
    return labels


def _at_image(labels: Tensor, image: Pixels) -> Tensor:
    """Labels (h, w) at the size of the image, as `nearest` resizes them, where they are."""
    for dim, length in enumerate(image.shape[:2]):
        if labels.shape[dim] != length:
            taken = to_device(_taken(labels.shape[dim], length), labels.device)
            labels = labels.index_select(dim, taken)
    return labels


@lru_cache(maxsize=128)
def _taken(length: int, resized: int) -> npt.NDArray[np.int32]:
    """Which of `length` pixels OpenCV takes for each of `resized`."""
    numbers = np.arange(length, dtype=np.int32)[None]
    taken = cv2.resize(numbers, (resized, 1), interpolation=cv2.INTER_NEAREST)
    return np.asarray(taken[0], dtype=np.int32)


@torch.inference_mode()
def tiles(maps: Sequence[LowResolution], *, softmax: bool) -> Iterator[tuple[slice, slice, Tensor]]:
    """The image, tile by tile: rows, columns, and scores (rows, columns, classes).

    Args:
        maps: what `low_resolution` gave for the views of one image.
        softmax: whether scores are probabilities averaged over views, or averaged logits.
    """
    if not maps:
        raise SegmodelsError("an image needs at least one view.")
    length = _tile_length(maps[0].logits)
    grids = [one.bands(length) for one in maps]
    for row, rows in enumerate(grids[0][0]):
        for column, columns in enumerate(grids[0][1]):
            total: Tensor | None = None
            for one, (vertical, horizontal) in zip(maps, grids, strict=True):
                scores = _mixed(one.logits, vertical[row], horizontal[column])
                if softmax:
                    scores = _softmax(scores)
                total = scores if total is None else total + scores
            assert total is not None
            yield rows.pixels, columns.pixels, total if len(maps) == 1 else total / len(maps)


def _tile_length(logits: Tensor) -> int:
    """Side in pixels of square tiles; decides nothing but time and memory."""
    return max(8, math.isqrt(_TILE.get(logits.device.type, _TILE["cpu"]) // logits.shape[-1]))


@full_precision()
def _mixed(logits: Tensor, rows: Band, columns: Band) -> Tensor:
    """Logits (pixel rows, pixel columns, classes) of one tile of one view."""
    block = logits[rows.logits, columns.logits]
    if columns.weights is not None:
        block = torch.bmm(columns.weights.expand(len(block), -1, -1), block)
    if rows.weights is not None:
        block = (rows.weights @ block.flatten(1)).view(-1, *block.shape[1:])
    return block


def _softmax(scores: Tensor) -> Tensor:
    """Softmax over classes, the last dimension.

    On a processor PyTorch's own takes ten times as long when there are fewer than 16 of them.
    """
    if scores.device.type != "cpu":
        return scores.softmax(dim=-1)
    powers = (scores - scores.amax(dim=-1, keepdim=True)).exp_()
    return powers.div_(powers.sum(dim=-1, keepdim=True))


def _winner(scores: Tensor) -> Tensor:
    if scores.device.type == "cpu":  # NumPy's argmax takes a fifth of the time of PyTorch's
        return torch.from_numpy(scores.numpy().argmax(axis=-1).astype(np.uint8))
    return scores.argmax(dim=-1).to(torch.uint8)

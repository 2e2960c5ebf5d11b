"""From one image to one label map, the quick way: the same labels as `inference.predict`.

The reference path builds classes x height x width for every view, several times over. Here
only the low-resolution logits of every window are kept. The image is then made in small tiles
that fit a processor's cache: for each view two small matrix products give a tile's logits
(see `segmodels.axis`), softmax follows only when views are averaged, and the argmax is taken
before the next tile.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from segmodels.axis import Axis, Band, bands, slots
from segmodels.errors import SegmodelsError
from segmodels.inference import (
    View,
    decided_at,
    enlarged,
    image_views,
    nearest,
    padded,
    predict,
    window_origins,
)
from segmodels.models.base import SegModel
from segmodels.pixels import Pixels
from segmodels.protocols import Protocol

#: Windows per forward pass. A GPU needs many at once; a processor only needs more memory.
_WINDOW_BATCH = {"cpu": 1, "cuda": 32}
#: Numbers in a tile: some of them fit a core's second-level cache, or are plenty for a GPU.
_TILE = {"cpu": 150_000, "cuda": 1 << 26}


def predict_fast(
    model: SegModel, image: Pixels, protocol: Protocol, *, window_batch: int | None = None
) -> Pixels:
    """Label every pixel of one image; the meaning is that of `inference.predict`.

    What `covers` refuses is done by `inference.predict` itself.

    Args:
        model: a network in eval mode that carries its preprocessing. Whether
            `optimize_for_inference` was called is left to the caller.
        image: uint8 (H, W, 3), RGB.
        protocol: how to look at it.
        window_batch: windows of equal shape per forward pass, from all views; None for 1 on a
            processor and 32 on a GPU. It decides nothing but time and memory.

    Returns:
        uint8 (H, W), the index of the winning output.

    Raises:
        SegmodelsError: the model does not say how pixels become input, or has more outputs
            than a byte can number.
    """
    if window_batch is not None and window_batch < 1:
        raise SegmodelsError(f"window_batch must be at least 1, not {window_batch}.")
    if not covers(model, protocol):
        return predict(model, image, protocol)
    size = decided_at(image, protocol)
    labels = np.empty(size, dtype=np.uint8)
    views = image_views(model, image, protocol)
    maps = low_resolution(model, views, size, protocol, window_batch)
    # With one view softmax cannot change the winner, so its rounding is left out.
    softmax = len(maps) > 1 and protocol.average == "probabilities"
    for rows, columns, scores in tiles(maps, softmax=softmax):
        labels[rows, columns] = _winner(scores)
    return nearest(labels, image.shape[0], image.shape[1])


def covers(model: SegModel, protocol: Protocol) -> bool:
    """Whether the fast path knows this model's and this protocol's order of operations.

    Left to the reference path: models that bring logits to the image in their own way, more
    outputs than a byte can number (it refuses them), and `upsample_once`.
    """
    usual = type(model).forward is SegModel.forward and type(model).to_image is SegModel.to_image
    return usual and model.num_classes <= 256 and not protocol.upsample_once


@dataclass
class LowResolution:
    """Logits of all windows of one view, sorted by place, and the way to the image.

    Pairs are (vertical, horizontal).

    Attributes:
        size: of the view, without its padding.
        padded: of the view, with it.
        window: size of the windows, clipped to the view.
        origins: where windows start.
        output: size of the result.
        mirrored: None, "horizontal" or "vertical".
        logits: (rows, columns, classes), once the first window has been through the network.
        axes: both axes, likewise.
    """

    size: tuple[int, int]
    padded: tuple[int, int]
    window: tuple[int, int]
    origins: tuple[tuple[int, ...], tuple[int, ...]]
    output: tuple[int, int]
    mirrored: str | None
    logits: Tensor = field(init=False)
    axes: tuple[Axis, Axis] | None = field(init=False, default=None)

    def store(self, model: SegModel, row: int, column: int, logits: Tensor) -> None:
        """Keep the logits (classes, h, w) of the window in this row and column."""
        logits = logits.permute(1, 2, 0).float()
        if self.axes is None:
            self.axes = self._axes(model, logits)
            tall, wide = (axis.lowres * len(axis.origins) for axis in self.axes)
            self.logits = logits.new_empty(tall, wide, logits.shape[-1])
        vertical, horizontal = (slots(axis).to(logits.device) for axis in self.axes)
        self.logits[vertical[row][:, None], horizontal[column]] = logits

    def _axes(self, model: SegModel, logits: Tensor) -> tuple[Axis, Axis]:
        upsampled = model.upsampled_size(*self.window)
        vertical, horizontal = (
            Axis(
                lowres=logits.shape[side],
                upsampled=upsampled[side],
                window=self.window[side],
                origins=self.origins[side],
                padded=self.padded[side],
                view=self.size[side],
                output=self.output[side],
                mirrored=self.mirrored == how,
            )
            for side, how in enumerate(("vertical", "horizontal"))
        )
        return vertical, horizontal

    def bands(self, length: int) -> tuple[tuple[Band, ...], tuple[Band, ...]]:
        """Bands of rows and of columns for square tiles of `length` pixels."""
        assert self.axes is not None
        vertical, horizontal = (bands(axis, length, self.logits.device) for axis in self.axes)
        return vertical, horizontal


@dataclass(frozen=True)
class _Crop:
    view: LowResolution
    row: int
    column: int
    pixels: Tensor


@torch.inference_mode()
def low_resolution(
    model: SegModel,
    views: Iterable[View],
    size: tuple[int, int],
    protocol: Protocol,
    window_batch: int | None = None,
) -> list[LowResolution]:
    """Run the network over every window of every view.

    Args:
        model: a network in eval mode.
        views: as `inference.predict_views` takes them.
        size: height and width of the result.
        protocol: gives window, stride and everything else that follows the resize.
        window_batch: see `predict_fast`.
    """
    number = window_batch or _WINDOW_BATCH.get(next(model.parameters()).device.type, 1)
    found: list[LowResolution] = []
    waiting: dict[tuple[int, ...], list[_Crop]] = {}
    for pixels, mirrored in views:
        view, crops = _windows(pixels, mirrored, size, protocol)
        found.append(view)
        for crop in crops:
            queue = waiting.setdefault(tuple(crop.pixels.shape), [])
            queue.append(crop)
            if len(queue) == number:
                _forward(model, queue, protocol)
                queue.clear()
    for queue in filter(None, waiting.values()):
        _forward(model, queue, protocol)
    return found


def _windows(
    pixels: Tensor, mirrored: str | None, size: tuple[int, int], protocol: Protocol
) -> tuple[LowResolution, list[_Crop]]:
    """One view, and its windows row by row."""
    if mirrored not in (None, "horizontal", "vertical"):
        raise SegmodelsError(f"a view is mirrored None, horizontal, vertical, not {mirrored!r}.")
    if isinstance(protocol.window, int) and protocol.enlarge:
        pixels = enlarged(pixels, protocol.window)
    inner = (pixels.shape[-2], pixels.shape[-1])
    pixels = padded(pixels, protocol.pad_multiple or 1)
    outer = (pixels.shape[-2], pixels.shape[-1])
    (tall, wide), (down, right) = protocol.windows or (outer, outer)
    tops = tuple(window_origins(outer[0], tall, down))
    lefts = tuple(window_origins(outer[1], wide, right))
    window = (min(tall, outer[0]), min(wide, outer[1]))
    view = LowResolution(inner, outer, window, (tops, lefts), size, mirrored)
    crops = [
        _Crop(view, row, column, pixels[0, :, top : top + tall, left : left + wide])
        for row, top in enumerate(tops)
        for column, left in enumerate(lefts)
    ]
    return view, crops


def _forward(model: SegModel, crops: Sequence[_Crop], protocol: Protocol) -> None:
    images = torch.stack([crop.pixels for crop in crops])
    model.check(images)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=protocol.precision == "bf16"):
        logits = model.forward_lowres(images)
    for crop, one in zip(crops, logits, strict=True):
        crop.view.store(model, crop.row, crop.column, one)


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


def _winner(scores: Tensor) -> Pixels:
    if scores.device.type == "cpu":  # NumPy's argmax takes a fifth of the time of PyTorch's
        return np.asarray(scores.numpy().argmax(axis=-1), dtype=np.uint8)
    return np.asarray(scores.argmax(dim=-1).to(torch.uint8).cpu().numpy(), dtype=np.uint8)

"""Windows of views through the network, many at once, and only their low-resolution logits kept.

Windows of all scales, mirror images and several images wait in queues by their shape. A queue
that is full is one forward pass; what is left at the end is filled up with repeats, so that
every window of a shape goes through passes of one size, whatever else is in them. Networks round
sums in an order that may depend on the size of a pass, and on nothing else: with one size of pass
no bit of the logits depends on how many images make a batch, where an interrupted evaluation was
taken up, or how it was dealt out. So evaluations leave the size of a pass alone.

Between two sizes, labels can differ where the two best scores are equal but for rounding: at
least two of 40 million labels of ESPNet on CamVid, passes of 4 against passes of 1. A recount of
close calls would not pay: the logits moved by up to 1.6e-5, and 40 of 96 images held a pixel whose
two best were nearer than 3e-5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from segmodels.errors import SegmodelsError
from segmodels.evaluation.geometry import View, check_mirrored, check_once, fitted, window_origins
from segmodels.evaluation.interpolation import Axis, Band, bands, slots_on
from segmodels.evaluation.precision import (
    check_compiled,
    inference,
    lowres_logits,
    lowres_logits_fixed,
)
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol

#: Pixels of a forward pass: 32 windows of 512x512, or 8 of 1024x1024.
_PASS_PIXELS = 1 << 23


@dataclass(frozen=True)
class Batching:
    """How much is done at once: a matter of time, memory and, at ties, of rounding.

    Attributes:
        windows: inputs per forward pass whose shape the protocol fixes: full windows, and whole
            images of one `resize_fixed`. Fewer where they are large.
        whole: inputs per forward pass whose shape the image decides. More than 1 pays only where
            most images of a data set have one size; others are filled up with repeats.
        images: of a batch, whose windows share forward passes; rounds nothing.
    """

    windows: int = 1
    whole: int = 1
    images: int = 1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise SegmodelsError(f"batching: {name!r} must be at least 1, not {value}.")

    @classmethod
    def usual(cls, device: torch.device, protocol: Protocol) -> Batching:
        """A GPU needs many windows at once; for a processor they only need more memory.

        Whole images go together with their own mirror images, which have their shape. The last
        pass of a batch is half empty on average: few views need many images, or a
        good part of the work is repeats.
        """
        if device.type != "cuda":
            return cls()
        mirrored = 2 if protocol.flip else 1
        views = mirrored * len(protocol.scales)
        return cls(windows=32, whole=mirrored, images=max(4, 64 // views))

    def of_shape(self, shape: tuple[int, int], protocol: Protocol) -> int:
        """Inputs of this (height, width) per forward pass under a protocol."""
        if is_fixed(shape, protocol):
            return min(self.windows, max(1, _PASS_PIXELS // (shape[0] * shape[1])))
        return self.whole


def is_fixed(shape: tuple[int, int], protocol: Protocol) -> bool:
    """Whether the protocol, and not the image, decides that an input has this shape."""
    full = protocol.windows[0] if protocol.windows else None
    return shape == full or (full is None and protocol.resize_fixed is not None)


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
        once: whether logits go from the network's resolution to the image in one step.
        logits: (rows, columns, classes), once the first window has been through the network.
        axes: both axes, likewise.
    """

    size: tuple[int, int]
    padded: tuple[int, int]
    window: tuple[int, int]
    origins: tuple[tuple[int, ...], tuple[int, ...]]
    output: tuple[int, int]
    mirrored: str | None
    once: bool
    logits: Tensor = field(init=False)
    axes: tuple[Axis, Axis] | None = field(init=False, default=None)

    def store(self, model: SegModel, row: int, column: int, logits: Tensor) -> None:
        """Keep the logits (classes, h, w) of the window in this row and column."""
        logits = logits.permute(1, 2, 0)
        if self.axes is None:
            self.axes = self._axes(model, logits)
            tall, wide = (axis.lowres * len(axis.origins) for axis in self.axes)
            self.logits = logits.new_empty(tall, wide, logits.shape[-1])
        vertical, horizontal = (slots_on(axis, logits.device) for axis in self.axes)
        self.logits[vertical[row][:, None], horizontal[column]] = logits

    def _axes(self, model: SegModel, logits: Tensor) -> tuple[Axis, Axis]:
        upsampled = model.upsampled_size(*self.window)
        sides = (
            Axis(
                lowres=logits.shape[side],
                upsampled=upsampled[side],
                window=self.window[side],
                origins=self.origins[side],
                padded=self.padded[side],
                view=self.size[side],
                output=self.output[side],
                mirrored=self.mirrored == how,
                align_corners=model.align_corners,
            )
            for side, how in enumerate(("vertical", "horizontal"))
        )
        vertical, horizontal = (_at_once(axis) if self.once else axis for axis in sides)
        return vertical, horizontal

    def bands(self, length: int) -> tuple[tuple[Band, ...], tuple[Band, ...]]:
        """Bands of rows and of columns for square tiles of `length` pixels."""
        assert self.axes is not None
        vertical, horizontal = (bands(axis, length, self.logits.device) for axis in self.axes)
        return vertical, horizontal


def _at_once(axis: Axis) -> Axis:
    """The network's own resolution taken for that of the view: one resize is left."""
    own = axis.lowres
    return replace(axis, upsampled=own, window=own, padded=own, view=own)


@dataclass(frozen=True)
class _Crop:
    view: LowResolution
    row: int
    column: int
    pixels: Tensor


def low_resolution(
    model: SegModel, views: Iterable[View], size: tuple[int, int], protocol: Protocol
) -> list[LowResolution]:
    """`low_resolutions` of one image, one window at a time."""
    (found,) = low_resolutions(model, [views], [size], protocol, Batching())
    return found


@inference()
def low_resolutions(
    model: SegModel,
    views: Iterable[Iterable[View]],
    sizes: Sequence[tuple[int, int]],
    protocol: Protocol,
    batching: Batching,
) -> list[list[LowResolution]]:
    """Run the network over every window of every view of some images.

    Args:
        model: a network in eval mode.
        views: of each image, as `predict_views` takes them.
        sizes: height and width of the result of each image.
        protocol: gives window, stride and everything else that follows the resize.
        batching: how many windows share a forward pass.
    """
    check_compiled(protocol)
    found: list[list[LowResolution]] = []
    waiting: dict[tuple[int, int], list[_Crop]] = {}
    for size, of_image in zip(sizes, views, strict=True):
        found.append([])
        for pixels, mirrored in of_image:
            if protocol.upsample_once:
                check_once(model, pixels, protocol)
            view, crops = _windows(pixels, mirrored, size, protocol)
            found[-1].append(view)
            number = batching.of_shape(view.window, protocol)
            queue = waiting.setdefault(view.window, [])
            for crop in crops:
                queue.append(crop)
                if len(queue) == number:
                    _forward(model, queue, number, protocol)
                    queue.clear()
    for shape, queue in waiting.items():
        if queue:
            _forward(model, queue, batching.of_shape(shape, protocol), protocol)
    return found


def _windows(
    pixels: Tensor, mirrored: str | None, size: tuple[int, int], protocol: Protocol
) -> tuple[LowResolution, list[_Crop]]:
    """One view, and its windows row by row."""
    check_mirrored(mirrored)
    pixels, inner = fitted(pixels, protocol)
    outer = (pixels.shape[-2], pixels.shape[-1])
    (tall, wide), (down, right) = protocol.windows or (outer, outer)
    tops = tuple(window_origins(outer[0], tall, down))
    lefts = tuple(window_origins(outer[1], wide, right))
    window = (min(tall, outer[0]), min(wide, outer[1]))
    places, once = (tops, lefts), protocol.upsample_once
    view = LowResolution(inner, outer, window, places, size, mirrored, once)
    crops = [
        _Crop(view, row, column, pixels[0, :, top : top + tall, left : left + wide])
        for row, top in enumerate(tops)
        for column, left in enumerate(lefts)
    ]
    return view, crops


def _forward(model: SegModel, crops: Sequence[_Crop], number: int, protocol: Protocol) -> None:
    """One pass over `number` windows, the last of them repeated if there are fewer."""
    repeats = [crops[-1]] * (number - len(crops))
    images = torch.stack([crop.pixels for crop in (*crops, *repeats)])
    model.check(images)
    shape = (images.shape[-2], images.shape[-1])
    lowres = lowres_logits_fixed if is_fixed(shape, protocol) else lowres_logits
    logits = lowres(model, images, protocol.precision)
    for crop, one in zip(crops, logits, strict=False):
        crop.view.store(model, crop.row, crop.column, one)

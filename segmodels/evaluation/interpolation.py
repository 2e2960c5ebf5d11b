"""One side of one view: every step from low-resolution logits to the image as one matrix.

Upsampling a window's logits, cropping, placing the windows, dividing by how many overlap,
resizing to the image and mirroring back treat rows and columns separately and are linear.
So the logits of a whole view are `rows @ lowres @ columns.T` with two matrices that depend on
sizes only. An output pixel mixes few low-resolution logits; a tile needs a narrow band.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from segmodels.evaluation.device import to_device
from segmodels.models.base import upsample


@dataclass(frozen=True)
class Axis:
    """What happens along one side of a view; all numbers are pixels unless said otherwise.

    Attributes:
        lowres: logits that each window has along this side.
        upsampled: what these are upsampled to (`SegModel.upsampled_size` of the window).
        window: how much of that is kept.
        origins: where the windows start in the view.
        padded: length of the view with its padding, which the windows cover.
        view: length of the view without it.
        output: length of the image.
        mirrored: whether the view was mirrored along this side.
        align_corners: how logits are resized (`SegModel.align_corners`).
    """

    lowres: int
    upsampled: int
    window: int
    origins: tuple[int, ...]
    padded: int
    view: int
    output: int
    mirrored: bool = False
    align_corners: bool = False


@dataclass(frozen=True)
class Band:
    """Output pixels `start` to `stop` as a mixture of the logits `first` to `last`.

    Attributes:
        weights: (stop - start, last - first), rows sum to 1; None if every pixel is the one
            logit at its own place.
    """

    start: int
    stop: int
    first: int
    last: int
    weights: Tensor | None

    @property
    def pixels(self) -> slice:
        """Where the band lies in the image."""
        return slice(self.start, self.stop)

    @property
    def logits(self) -> slice:
        """Where its logits lie, in the order of `slots`."""
        return slice(self.first, self.last)


def matrix(axis: Axis) -> Tensor:
    """Weights (output, windows * lowres): the steps of the reference path done to an identity.

    Doing them with the same functions gives the same rounding of source positions, which in
    float32 are off by up to 1e-4 of a pixel on long sides. They are done on the processor for
    every device: a GPU would wait many times for what is a millisecond's work here.
    """
    aligned = axis.align_corners
    one = _resized(torch.eye(axis.lowres), axis.upsampled, aligned)[: axis.window]
    placed = one.new_zeros(axis.padded, len(axis.origins), axis.lowres)
    seen = one.new_zeros(axis.padded, 1)
    for number, origin in enumerate(axis.origins):
        placed[origin : origin + axis.window, number] = one
        seen[origin : origin + axis.window] += 1
    merged = (placed.flatten(1) / seen)[: axis.view]
    resized = _resized(merged, axis.output, aligned)
    return resized.flip(0) if axis.mirrored else resized


@lru_cache(maxsize=128)
def slots(axis: Axis) -> Tensor:
    """Where logit k of window i is kept, (windows, lowres): sorted by their place in the image.

    Then the logits that neighbouring pixels mix are neighbours, also where windows overlap,
    and mirroring a view back is done by where its logits are put.
    """
    spacing = axis.upsampled / axis.lowres
    place = torch.tensor(axis.origins)[:, None] + spacing * (torch.arange(axis.lowres) + 0.5)
    order = place.flatten().argsort(stable=True, descending=axis.mirrored)
    return torch.empty_like(order).scatter_(0, order, torch.arange(len(order))).view_as(place)


@lru_cache(maxsize=128)
def slots_on(axis: Axis, device: torch.device) -> Tensor:
    """`slots`, where the logits are."""
    return to_device(slots(axis), device)


@lru_cache(maxsize=128)
def bands(axis: Axis, length: int, device: torch.device) -> tuple[Band, ...]:
    """The matrix of an axis cut into tiles of `length` output pixels, columns sorted by `slots`.

    Cached, because most images of a data set have few sizes.
    """
    return cut(matrix(axis)[:, slots(axis).flatten().argsort()], length, device)


def cut(weights: Tensor, length: int, device: torch.device) -> tuple[Band, ...]:
    """Weights (output, logits) in bands of `length` outputs, each with the logits it mixes."""
    used = weights != 0
    return tuple(
        _band(weights, used, start, min(start + length, len(weights)), device)
        for start in range(0, len(weights), length)
    )


def _band(weights: Tensor, used: Tensor, start: int, stop: int, device: torch.device) -> Band:
    needed = used[start:stop].any(0).nonzero()
    first, last = int(needed[0]), int(needed[-1]) + 1
    part = weights[start:stop, first:last].clone()  # a view would keep the whole matrix alive
    trivial = part.shape[0] == part.shape[1] and torch.equal(part, torch.eye(len(part)))
    return Band(start, stop, first, last, None if trivial else to_device(part, device))


def _resized(weights: Tensor, length: int, align_corners: bool) -> Tensor:
    """Weights (n, k) resized to (length, k) as F.interpolate resizes one side of a map."""
    return upsample(weights.t()[None, :, :, None], (length, 1), align_corners)[0, :, :, 0].t()

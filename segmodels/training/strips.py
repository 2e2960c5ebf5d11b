"""Cross-entropy of low-resolution logits at the size of the image, strip by strip.

Upsampled logits of 150 classes are the largest thing of a training step: with their softmax and
their gradient they are kept three times by the usual way. Here a strip of image rows is
upsampled, its loss and the gradient of its logits are taken, and the gradient is brought back to
the low resolution at once, so that no more than one strip is there at a time. Upsampling is
linear: a strip is two small matrix products (as in `segmodels.evaluation.fast`), its gradient
two with their transposes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from segmodels.core.arrays import VOID
from segmodels.evaluation.interpolation import Band, cut
from segmodels.evaluation.precision import full_precision
from segmodels.models.base import upsample

#: Numbers in a strip: what a processor's cache holds, or plenty for a GPU.
_STRIP = {"cpu": 1 << 20, "cuda": 1 << 26}


#: Size to which logits are resized, and whether with aligned corners.
Resized = tuple[tuple[int, int], bool]


def pixel_losses(
    logits: Tensor,
    labels: Tensor,
    weight: Tensor,
    upsampled: tuple[int, int],
    align_corners: bool = False,
) -> Tensor:
    """Sum over labelled pixels of -weight[label] log softmax(upsampled logits)[label].

    Differentiable in the logits, once: the gradient is computed along with the loss.

    Args:
        logits: float (B, C, h, w).
        labels: int64 (B, H, W), below C or `VOID`.
        weight: float (C,) of the classes.
        upsampled: size to which logits are resized bilinearly before the last rows and columns are
            cut to H x W (`SegModel.upsampled_size`).
        align_corners: how (`SegModel.align_corners`).
    """
    total: Tensor = _PixelLosses.apply(logits, labels, weight, (upsampled, align_corners))
    return total


class _PixelLosses(torch.autograd.Function):
    @staticmethod
    @full_precision()
    def forward(
        ctx: Any, logits: Tensor, labels: Tensor, weight: Tensor, resized: Resized
    ) -> Tensor:
        maps = logits.permute(0, 2, 3, 1)  # (B, h, w, C)
        gradients = torch.zeros(maps.shape, dtype=maps.dtype, device=maps.device)
        total = logits.new_zeros(())
        for scores, target, gradient in zip(maps, labels, gradients, strict=True):
            total += _image(scores, target, weight, resized, gradient)
        ctx.save_for_backward(gradients)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (gradients,) = ctx.saved_tensors
        return (gradients * grad).permute(0, 3, 1, 2), None, None, None


def _image(
    logits: Tensor,
    labels: Tensor,
    weight: Tensor,
    resized: Resized,
    gradient: Tensor,
) -> Tensor:
    """Summed loss of one image, logits (h, w, C); adds to the gradient of the same shape."""
    (height, width), classes = labels.shape, logits.shape[-1]
    upsampled, aligned = resized
    numbers = _STRIP.get(logits.device.type, _STRIP["cpu"])
    like = (logits.dtype, logits.device, aligned)
    (columns,) = _bands(logits.shape[1], upsampled[1], width, width, *like)
    length = max(1, numbers // (width * classes))
    total = logits.new_zeros(())
    for rows in _bands(logits.shape[0], upsampled[0], height, length, *like):
        block = (rows.logits, columns.logits)
        strip = _up(logits[block], rows, columns)
        total += _losses(strip, labels[rows.pixels].flatten(), weight)
        gradient[block] += _down(strip, rows, columns)
    return total


def _up(block: Tensor, rows: Band, columns: Band) -> Tensor:
    """Low-resolution logits (h, w, C) as those of the pixels of a strip, (pixels, C)."""
    classes = block.shape[-1]
    if columns.weights is None:
        block = block.clone(memory_format=torch.contiguous_format)
    else:
        block = torch.matmul(columns.weights, block)
    if rows.weights is not None:
        block = rows.weights @ block.flatten(1)
    return block.view(-1, classes)


def _down(strip: Tensor, rows: Band, columns: Band) -> Tensor:
    """The transpose of `_up`: (pixels, C) to (h, w, C)."""
    block = strip.view(rows.stop - rows.start, -1)
    if rows.weights is not None:
        block = rows.weights.t() @ block
    block = block.view(len(block), columns.stop - columns.start, -1)
    return block if columns.weights is None else torch.matmul(columns.weights.t(), block)


def _losses(scores: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Summed loss of scores (pixels, C), which become its gradient in place."""
    known = labels != VOID
    label = torch.where(known, labels, 0)
    share = torch.where(known, weight[label], 0)[:, None]
    label = label[:, None]
    at_label, top = scores.gather(1, label), scores.amax(1, keepdim=True)
    powers = scores.sub_(top).exp_()
    sums = powers.sum(1, keepdim=True)
    loss = ((sums.log() + top - at_label) * share).sum()
    powers.mul_(share / sums)
    powers.scatter_(1, label, powers.gather(1, label) - share)
    return loss


@lru_cache(maxsize=64)
def _bands(
    lowres: int,
    upsampled: int,
    kept: int,
    length: int,
    kind: torch.dtype,
    device: torch.device,
    aligned: bool,
) -> tuple[Band, ...]:
    """One side's upsampling as matrices for every `length` of the `kept` pixels."""
    one = torch.eye(lowres, dtype=kind)
    weights = upsample(one[None, :, :, None], (upsampled, 1), aligned)[0, :, :kept, 0].t()
    return cut(weights, length, device)

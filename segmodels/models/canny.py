"""Canny's edges of what a network sees, as Gated-SCNN takes them: an operation of OpenCV.

It is registered with PyTorch, so that a compiler or ``torch.export`` can carry it as a whole;
other runtimes do not know it.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

#: Of the gradient, in grey levels: below it no edge, above it an edge by itself.
LOW, HIGH = 10, 100


def canny_edges(images: Tensor) -> Tensor:
    """Edges (B, 1, H, W) of images (B, 3, H, W): 255 on one, 0 elsewhere, without a gradient.

    The authors cast the input of the network to bytes as it is, after normalisation: a value loses
    its fraction, and one below 0 comes out near 255 (-1.5 is 255, -2.1 is 254). So an edge is not
    where the image has one, but where it leaves the range of a deviation around the mean. A cast
    of a negative number to bytes is left to the processor in C; this is what those of Intel's and
    AMD's do, on which the published numbers were computed.
    """
    wrapped = (images.detach().to(torch.int32) & 255).to(torch.uint8)
    edges: Tensor = canny(wrapped)
    return edges.to(images.dtype)


@torch.library.custom_op("segmodels::canny", mutates_args=())
def canny(pixels: Tensor) -> Tensor:
    """Edges uint8 (B, 1, H, W) of uint8 images (B, 3, H, W); computed on the processor."""
    stacked = pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    found = np.stack([cv2.Canny(one, LOW, HIGH) for one in stacked])
    return torch.from_numpy(found)[:, None].to(pixels.device)


@canny.register_fake
def _shape(pixels: Tensor) -> Tensor:
    return pixels.new_empty((len(pixels), 1, *pixels.shape[-2:]))

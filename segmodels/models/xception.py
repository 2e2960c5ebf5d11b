"""Aligned Xception, built by timm, as DeepLabV3+ uses it (arXiv 1802.02611, figure 4).

Strides beyond the wanted one become dilations. The fine map is what the block that leaves 1/4
computes before its stride, which no layer's output of timm's gives as it is.
"""

from __future__ import annotations

from typing import Any

import timm
import torch.nn.functional as F
from torch import Tensor, nn

XCEPTIONS = ("xception41", "xception65", "xception71")

#: Channels of the fine and of the last map.
WIDTHS = (256, 2048)


class Xception(nn.Module):
    """One of ``XCEPTIONS`` with random weights.

    Args:
        name: timm's.
        stride: sides of the image over those of the last map; 8, 16 or 32.
    """

    def __init__(self, name: str, stride: int) -> None:
        super().__init__()
        network: Any = timm.create_model(name, num_classes=0, output_stride=stride)
        self.stem, self.blocks = network.stem, network.blocks
        # The first two strides are those of the stem and of the first block.
        strided = [n for n, block in enumerate(self.blocks) if _stride(block) == 2]
        self.fine_block = strided[1]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to maps of ``WIDTHS`` at 1/4 and at 1/stride."""
        x, fine = self.stem(images), images
        for number, block in enumerate(self.blocks):
            if number == self.fine_block:
                fine, x = _before_stride(block, x)
            else:
                x = block(x)
        return [fine, x]


def _stride(block: Any) -> int:
    return int(block.stack.conv3.conv_dw.stride[0])


def _before_stride(block: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """What the first two convolutions of a block give, and the block."""
    stack = block.stack
    fine = stack.conv2(stack.act2(stack.conv1(stack.act1(x))))
    return fine, stack.conv3(F.relu(fine)) + block.shortcut(x)

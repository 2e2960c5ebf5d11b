"""Auto-DeepLab (Liu et al., CVPR 2019, arXiv 1901.02985): a searched cell on a searched path.

Twelve cells of the same kind walk between 1/4 and 1/32 of the image (figure 3), then come the
pyramid and the decoder of DeepLabV3+. As the authors' code builds it
(github.com/tensorflow/models, research/deeplab: ``nas_hnasnet``), every resize with aligned
corners, that of the logits too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, upsample
from segmodels.models.convolution import ConvBN
from segmodels.models.drop_path import DropPath
from segmodels.models.encoder_decoder import ConvolutionalNetwork

#: Scale of each cell: 0 is 1/4 of the image, 3 is 1/32.
PATH = (0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1)

#: A cell's five pairs of operations, and which state each takes: 0 the last cell's output, 1 that
#: of the one before, 2 and more what the pairs gave.
OPERATIONS = (
    (("atrous", 5, 1), ("separable", 3, 0)),
    (("separable", 3, 1), ("atrous", 3, 0)),
    (("separable", 3, 3), ("separable", 3, 1)),
    (("separable", 5, 4), ("separable", 5, 2)),
    (("separable", 5, 3), ("atrous", 5, 5)),
)

#: The cell whose output the decoder sees beside that of the last one.
FINE = 2

#: Channels of the stem's two outputs.
STEM = (64, 128)

#: Dilations of the pyramid, at 1/8.
DILATIONS = (12, 24, 36)

#: TensorFlow's; PyTorch's is 1e-5.
CELL_EPS = 1e-3


@dataclass(frozen=True)
class AutoDeepLabConfig(ModelConfig):
    """Arguments of Auto-DeepLab.

    Attributes:
        filters: F of the paper; a state at 1/4 has so many channels, at 1/8 twice as many.
        channels: width of the pyramid and of the decoder.
        fine_channels: to which the map at 1/4 is reduced.
        dropout: of values behind the pyramid.
        drop_path: rate of the last cell's operations; the first has a twelfth of it.
    """

    RATES: ClassVar[Mapping[str, str]] = {"drop_path": "drop_path", "decoder_dropout": "dropout"}

    filters: int = 20
    channels: int = 256
    fine_channels: int = 48
    dropout: float = 0.1
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("filters", "channels", "fine_channels"):
            if getattr(self, name) < 1:
                raise SegmodelsError(f"{name} must be at least 1, got {getattr(self, name)}.")


class Norm(nn.BatchNorm2d):
    """BatchNorm of the cells."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=CELL_EPS)


class Projection(nn.Sequential):
    """ReLU, 1x1 convolution, BatchNorm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), Norm(outputs))


class Separable(nn.Module):
    """Twice: ReLU, a convolution per channel, a 1x1 convolution, BatchNorm."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for step in (stride, 1):
            deep = nn.Conv2d(
                channels, channels, kernel, step, kernel // 2, groups=channels, bias=False
            )
            layers += [nn.ReLU(), deep, nn.Conv2d(channels, channels, 1, bias=False)]
            layers.append(Norm(channels))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, channels, h, w) to (B, channels, ⌈h / stride⌉, ⌈w / stride⌉)."""
        y: Tensor = self.layers(x)
        return y


class Atrous(nn.Module):
    """ReLU, a convolution of dilation 2, BatchNorm; where sides are halved, of dilation 1."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        rate = 2 if stride == 1 else 1
        padding = rate * (kernel // 2)
        self.conv = nn.Conv2d(
            channels, channels, kernel, padding=padding, dilation=rate, bias=False
        )
        self.bn = Norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, channels, h, w) to (B, channels, (h + 1) // stride, (w + 1) // stride)."""
        x = F.relu(x)
        if self.stride == 2:
            x = upsample(x, (_half(x.shape[-2]), _half(x.shape[-1])), align_corners=True)
        y: Tensor = self.bn(self.conv(x))
        return y


KINDS: Mapping[str, type[Separable | Atrous]] = {"separable": Separable, "atrous": Atrous}


class Cell(nn.Module):
    """Five sums of two operations each, side by side (figure 3, on the right).

    Args:
        inputs: channels of the last cell's output and of the one before.
        channels: of every state.
        stride: 2 if sides are halved.
        drop_path: rate at which an operation is left out in training.
    """

    def __init__(
        self, inputs: tuple[int, int], channels: int, stride: int, drop_path: float
    ) -> None:
        super().__init__()
        last, before = inputs
        self.last = Projection(last, channels)
        self.before = nn.Identity() if before == channels else Projection(before, channels)
        self.left, self.right = (
            nn.ModuleList(
                KINDS[kind](channels, kernel, stride if state < 2 else 1)
                for kind, kernel, state in side
            )
            for side in zip(*OPERATIONS, strict=True)
        )
        self.drop_path = DropPath(drop_path)

    def forward(self, last: Tensor, before: Tensor) -> Tensor:
        """Two maps, (B, inputs, h, w) the first, to one of five times ``channels``."""
        size = (last.shape[-2], last.shape[-1])
        states = [self.last(last), self.before(upsample(before, size, align_corners=True))]
        pairs = zip(self.left, self.right, OPERATIONS, strict=True)
        for left, right, ((_, _, first), (_, _, second)) in pairs:
            summed = self.drop_path(left(states[first])) + self.drop_path(right(states[second]))
            states.append(summed)
        return torch.cat(states[2:], dim=1)


class Cells(nn.Module):
    """The stem, and twelve cells along the path."""

    def __init__(self, filters: int, drop_path: float) -> None:
        super().__init__()
        first, second = STEM
        self.stem = nn.ModuleList([_stem(3, first, 2), _stem(first, first, 1)])
        self.stem.append(_stem(first, second, 2))
        widths, cells = [first, second], []
        for number, scale in enumerate(PATH):
            channels = filters * 2**scale
            stride = 2 if number and scale > PATH[number - 1] else 1
            rate = drop_path * (number + 1) / len(PATH)
            cells.append(Cell((widths[-1], widths[-2]), channels, stride, rate))
            widths.append(len(OPERATIONS) * channels)
        self.cells = nn.ModuleList(cells)
        #: Channels of the map at 1/4 and of the last one, at 1/8.
        self.widths = (widths[len(STEM) + FINE], widths[-1])

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to the third cell's map at 1/4 and the last one's at about 1/8."""
        before = self.stem[1](F.relu(self.stem[0](images)))
        last = self.stem[2](F.relu(before))
        outputs: list[Tensor] = []
        for number, cell in enumerate(self.cells):
            if number and PATH[number] < PATH[number - 1]:
                size = (2 * last.shape[-2] - 1, 2 * last.shape[-1] - 1)
                last = upsample(last, size, align_corners=True)
            outputs.append(cell(last, before))
            before, last = last, outputs[-1]
        return [outputs[FINE], F.relu(last)]


class AutoDeepLabHead(nn.Module):
    """The pyramid and the decoder."""

    def __init__(self, widths: tuple[int, int], config: AutoDeepLabConfig) -> None:
        super().__init__()
        fine, inputs = widths
        channels = config.channels
        self.image_pool = ConvBN(inputs, channels)
        dilated = (ConvBN(inputs, channels, 3, rate) for rate in DILATIONS)
        self.branches = nn.ModuleList([ConvBN(inputs, channels), *dilated])
        self.merge = ConvBN((2 + len(DILATIONS)) * channels, channels)
        self.dropout = nn.Dropout(config.dropout)
        self.fine = ConvBN(fine, config.fine_channels)
        self.decoder = nn.Sequential(
            ConvBN(channels + config.fine_channels, channels, 3), ConvBN(channels, channels, 3)
        )
        self.classifier = nn.Conv2d(channels, config.num_classes, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps at 1/4 and 1/8 to logits (B, num_classes, h, w) at 1/4."""
        fine, x = maps
        size = (x.shape[-2], x.shape[-1])
        pooled = self.image_pool(x.mean((2, 3), keepdim=True)).expand(-1, -1, *size)
        merged = self.merge(torch.cat([pooled, *(branch(x) for branch in self.branches)], dim=1))
        finer = (fine.shape[-2], fine.shape[-1])
        context = upsample(self.dropout(merged), finer, align_corners=True)
        logits: Tensor = self.classifier(self.decoder(torch.cat([context, self.fine(fine)], dim=1)))
        return logits


class AutoDeepLab(ConvolutionalNetwork):
    """Takes images of any size, gives logits at 1/4 (rounded up)."""

    Config = AutoDeepLabConfig

    def __init__(self, config: AutoDeepLabConfig) -> None:
        cells = Cells(config.filters, config.drop_path)
        super().__init__(config, cells, AutoDeepLabHead(cells.widths, config))
        self.align_corners = True


def _half(side: int) -> int:
    """Grid points left of a side when every second one is taken, corners kept."""
    return (side + 1) // 2


def _stem(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, Norm(outputs))

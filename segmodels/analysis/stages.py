"""The stages of a network: the maps that its encoder makes on the way, and its logits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from segmodels.analysis.watching import Seen
from segmodels.models.base import SegModel, to_map
from segmodels.models.cgnet import CGNet
from segmodels.models.enet import ENet
from segmodels.models.espnet import ESPNet
from segmodels.models.swin import Swin
from segmodels.models.unet import UNet
from segmodels.models.vit import ViT


@dataclass(frozen=True)
class Stage:
    """What one stage says of an image.

    Attributes:
        name: in words.
        features: (1, channels, rows, columns), as they were computed.
        stride: pixels of the input from one unit to the next.
        in_cell: whether a unit lies in the middle of its stride, as a patch does, or at its first
            pixel, as after strided convolutions of odd kernels.
    """

    name: str
    features: Tensor
    stride: int
    in_cell: bool

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.features.shape[-2], self.features.shape[-1]

    @property
    def middle(self) -> tuple[int, int]:
        """Row and column of the unit in the middle."""
        return self.grid[0] // 2, self.grid[1] // 2

    @property
    def centre(self) -> tuple[float, float]:
        """Where that unit lies in the input: pixels from above and from the left."""
        inside = self.stride / 2 if self.in_cell else 0.5
        return self.middle[0] * self.stride + inside, self.middle[1] * self.stride + inside


def watched_modules(model: SegModel) -> list[nn.Module]:
    """The modules whose outputs are stages."""
    encoder = _encoder(model)
    if isinstance(model, UNet):
        return list(model.down)
    if isinstance(model, ENet):
        return [model.get_submodule(name) for name in ("initial", "b14", "b38")]
    if isinstance(model, CGNet):
        return [model.b1, model.bn_prelu_2, model.bn_prelu_3]
    if isinstance(encoder, ViT):
        return list(encoder.blocks)
    return [] if encoder is None else [encoder]


def stages(
    model: SegModel, size: tuple[int, int], seen: Mapping[nn.Module, Seen], logits: Tensor
) -> list[Stage]:
    """The stages in the order of the network, and its logits last; of a network whose encoder is
    not known here the logits alone.

    Args:
        model: the network.
        size: height and width of its input.
        seen: what its `watched_modules` gave.
        logits: its own, (1, classes, rows, columns).
    """
    given = [seen[module].gave for module in watched_modules(model) if module in seen]
    grid, word = patch_grid(model, size), "stage"
    if len(given) == 1 and isinstance(given[0], list | tuple):
        given = list(given[0])
    elif grid is not None:
        given, word = [_tokens_as_map(one, grid) for one in given], "block"
    given = [one for one in given if isinstance(one, Tensor) and one.ndim == 4]
    names = _ESPNET if isinstance(model, ESPNet) else _numbered(word, len(given))
    in_cell = grid is not None or isinstance(_encoder(model), Swin) or isinstance(model, UNet)
    named = [*zip(names, given, strict=True), ("logits", logits)]
    return [Stage(name, one, _stride(size, one), in_cell) for name, one in named]


def _stride(size: tuple[int, int], features: Tensor) -> int:
    """Of a map that covers the input, whose last unit may reach over its edge."""
    exact = [side / cells for side, cells in zip(size, features.shape[-2:], strict=True)]
    whole = math.ceil(max(exact) - 1e-9)
    power = 2 ** round(math.log2(max(exact)))
    return int(power if abs(power - max(exact)) < 0.25 * power else whole)


def patch_grid(model: SegModel, size: tuple[int, int]) -> tuple[int, int] | None:
    """Rows and columns of a Vision Transformer's patches; None for other networks."""
    encoder = _encoder(model)
    if not isinstance(encoder, ViT):
        return None
    patch = int(encoder.patch_embed.proj.stride[0])
    return -(-size[0] // patch), -(-size[1] // patch)


#: ESPNet's own names of what its encoder gives.
_ESPNET = ("stem, 1/2", "b1, 1/2", "b2, 1/4", "scores, 1/8")


def _numbered(word: str, number: int) -> list[str]:
    return [f"{word} {place}" for place in range(1, number + 1)]


def _encoder(model: SegModel) -> nn.Module | None:
    found = getattr(model, "backbone", None) or getattr(model, "encoder", None)
    return found if isinstance(found, nn.Module) else None


def _tokens_as_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Tokens (1, extra + N, width), of which the last N are patches, as a map."""
    patches = tokens[:, tokens.shape[1] - grid[0] * grid[1] :]
    return to_map(patches, grid)

"""SETR (Zheng et al., CVPR 2021, arXiv 2012.15840): a ViT and three ways to upsample its maps.

This is SETR as mmsegmentation publishes it; attribute names follow its checkpoints. Facts that
change numbers and that the paper does not tell: the projection of patches has no bias (weights
trained with version 0.x have one, ``patch_bias``), no norm ends the encoder (each head or neck
has its own, eps 1e-6 like all others), the class token takes part in Naive and PUP and is
dropped before the first block in MLA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import one_of, to_map, to_tokens
from segmodels.models.convolution import ConvBN
from segmodels.models.encoder_decoder import EncoderDecoder
from segmodels.models.fcn import FCNHead, Head
from segmodels.models.grad_checkpointing import run
from segmodels.models.vit import ViT, ViTConfig

NORM_EPS = 1e-6


@dataclass(frozen=True)
class SETRConfig(ViTConfig):
    """Arguments of SETR.

    Attributes:
        decoder: ``"naive"``, ``"pup"`` (progressive upsampling) or ``"mla"`` (multi-level
            feature aggregation).
        outputs: numbers of the blocks, counted from 1, after which a map leaves the encoder.
            The last one goes to the head of Naive and PUP, the others to auxiliary heads.
        channels: width of the heads, and of the maps that MLA aggregates.
        mla_channels: width of MLA's head, per map.
        auxiliary: whether there are heads for the training only.
        auxiliary_convs: convolutions of such a head in Naive and PUP; Naive on Cityscapes has 1.
        patch_bias: whether the projection of patches has a bias.
    """

    width: int = 1024
    layers: int = 24
    heads: int = 16
    imagenet_classes: int = 0
    drop_path: float = 0.0
    norm_eps: float = NORM_EPS
    decoder: str = "naive"
    outputs: tuple[int, ...] = (10, 15, 20, 24)
    channels: int = 256
    mla_channels: int = 128
    auxiliary: bool = True
    auxiliary_convs: int = 2
    patch_bias: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("decoder", self.decoder, ("naive", "pup", "mla"))
        outputs = tuple(self.outputs)
        object.__setattr__(self, "outputs", outputs)
        ascending = list(outputs) == sorted(set(outputs))
        if not outputs or not ascending or outputs[0] < 1 or outputs[-1] != self.layers:
            raise SegmodelsError(
                f"outputs must be ascending numbers of blocks that end with the last one, "
                f"{self.layers}, got {outputs}."
            )
        for name in ("channels", "mla_channels", "auxiliary_convs"):
            if getattr(self, name) < 1:
                raise SegmodelsError(f"{name} must be at least 1, got {getattr(self, name)}.")


class Encoder(ViT):
    """A ViT whose patch tokens leave after several blocks, as they are."""

    def __init__(self, config: SETRConfig) -> None:
        super().__init__(config, patch_bias=config.patch_bias, final_norm=False)
        self.patch_size, self.outputs = config.patch_size, config.outputs
        self.attends_extra = config.decoder != "mla"

    def forward(self, images: Tensor) -> list[Tensor]:  # type: ignore[override]
        """Images (B, 3, H, W) to maps (B, width, ⌈H / patch⌉, ⌈W / patch⌉), one per output.

        Images are padded with 0 (the mean colour) at the right and the bottom.
        """
        height, width = images.shape[-2:]
        padding = (0, -width % self.patch_size, 0, -height % self.patch_size)
        x, grid = self.embed(F.pad(images, padding))
        skip = self.extra
        if not self.attends_extra:
            x, skip = x[:, skip:], 0
        maps = []
        for number, block in enumerate(self.blocks, start=1):
            x = run(block, x, checkpointing=self.grad_checkpointing)
            if number in self.outputs:
                maps.append(to_map(x[:, skip:], grid))
        return maps


class Upsample(nn.Upsample):
    """Bilinear, with half-pixel centres."""

    def __init__(self, scale: int) -> None:
        super().__init__(scale_factor=scale, mode="bilinear", align_corners=False)


class UpHead(Head):
    """Norm, then convolutions, each followed by upsampling (figure 1b): Naive and PUP.

    Args:
        config: sizes.
        level: index of the map it sees.
        kernel: side of the convolutions' kernels.
        scales: factor by which the map grows after each convolution.
    """

    def __init__(self, config: SETRConfig, level: int, kernel: int, scales: Sequence[int]) -> None:
        super().__init__(config.channels, config.num_classes, dropout=0.0)
        self.level = level
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        inputs = (config.width, *[config.channels] * len(scales))
        self.up_convs = nn.ModuleList(
            nn.Sequential(ConvBN(channels, config.channels, kernel), Upsample(scale))
            for channels, scale in zip(inputs, scales, strict=False)
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, width, h, w) to logits (B, num_classes, scale * h, scale * w)."""
        x = normalised(self.norm, maps[self.level])
        for step in self.up_convs:
            x = step(x)
        return self.classify(x)


class Aggregation(nn.Module):
    """Every map reduced, added to the sum of the deeper ones, convolved (figure 1c)."""

    def __init__(self, width: int, channels: int, levels: int) -> None:
        super().__init__()
        self.channel_proj = nn.ModuleList(ConvBN(width, channels) for _ in range(levels))
        self.feat_extract = nn.ModuleList(ConvBN(channels, channels, 3) for _ in range(levels))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps (B, width, h, w) to as many of (B, channels, h, w), from deep to shallow.

        The last of ``channel_proj`` meets the first of ``feat_extract``.
        """
        reduced = [proj(x) for proj, x in zip(self.channel_proj, maps, strict=True)]
        total, sums = reduced[-1], [reduced[-1]]
        for x in reversed(reduced[:-1]):
            total = total + x
            sums.append(total)
        return [extract(x) for extract, x in zip(self.feat_extract, sums, strict=True)]


class Neck(nn.Module):
    """A norm for every map of the encoder, then their aggregation."""

    def __init__(self, width: int, channels: int, levels: int) -> None:
        super().__init__()
        self.norm = nn.ModuleList(nn.LayerNorm(width, eps=NORM_EPS) for _ in range(levels))
        self.mla = Aggregation(width, channels, levels)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps (B, width, h, w) to as many of (B, channels, h, w), from deep to shallow."""
        rows = zip(self.norm, maps, strict=True)
        y: list[Tensor] = self.mla([normalised(norm, x) for norm, x in rows])
        return y


class MLAHead(Head):
    """Two convolutions and upsampling by 4 for each map of the neck, then all together."""

    def __init__(self, config: SETRConfig) -> None:
        inner, levels = config.mla_channels, len(config.outputs)
        super().__init__(inner * levels, config.num_classes, dropout=0.0)
        self.up_convs = nn.ModuleList(
            nn.Sequential(ConvBN(config.channels, inner, 3), ConvBN(inner, inner, 3), Upsample(4))
            for _ in range(levels)
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, channels, h, w) to logits (B, num_classes, 4 * h, 4 * w)."""
        rows = zip(self.up_convs, maps, strict=True)
        return self.classify(torch.cat([convs(x) for convs, x in rows], dim=1))


class SETR(EncoderDecoder):
    """SETR; takes images of any size, gives logits at 1/4 (PUP: 1/1) of the padded image.

    They are resized straight to the size of the image, so the padding is squeezed and not
    cropped, as in mmsegmentation.
    """

    Config = SETRConfig

    def __init__(self, config: SETRConfig) -> None:
        head, auxiliary = heads(config)
        super().__init__(config, Encoder(config), head, auxiliary if config.auxiliary else [])
        self.neck: Neck | None = None
        if config.decoder == "mla":
            self.neck = Neck(config.width, config.channels, len(config.outputs))

    def features(self, images: Tensor) -> list[Tensor]:
        """Maps of the encoder (B, width, h, w), or of MLA's neck (B, channels, h, w)."""
        maps = super().features(images)
        return maps if self.neck is None else self.neck(maps)


def heads(config: SETRConfig) -> tuple[nn.Module, list[nn.Module]]:
    """The head, and one auxiliary head per map: for MLA on all, else on all but the last."""
    levels = range(len(config.outputs))
    if config.decoder == "mla":
        sizes = (config.channels, config.channels, config.num_classes)
        return MLAHead(config), [
            FCNHead(*sizes, dropout=0.0, convs=0, concat=False, level=level) for level in levels
        ]
    kernel, scales = (1, (4,)) if config.decoder == "naive" else (3, (2, 2, 2, 2))
    *others, last = levels
    return UpHead(config, last, kernel, scales), [
        UpHead(config, level, kernel, (4,) * config.auxiliary_convs) for level in others
    ]


def normalised(norm: nn.Module, features: Tensor) -> Tensor:
    """A map (B, C, h, w) with its channels normalised at every position."""
    return to_map(norm(to_tokens(features)), (features.shape[-2], features.shape[-1]))

"""ImageNet networks that say at every position which class they see there.

The published network gives one answer for the whole image (``classify``). Its head can as
well be put on every position of the last map, which turns it into a coarse segmentation
network for the ImageNet classes (``forward``), without new weights.

The numbers differ from Segmenter's encoder: AugReg (arXiv 2106.10270) and DeiT
(arXiv 2012.12877) trained with LayerNorm eps 1e-6, Segmenter runs the same weights with 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel, to_map
from segmodels.models.mit import MiT, MiTConfig
from segmodels.models.segformer import pointwise
from segmodels.models.vit import ViT, ViTConfig, init_linear


class MiTClassifier(SegModel):
    """SegFormer's encoder as it was trained on ImageNet (arXiv 2105.15203, section 4.1)."""

    Config = MiTConfig

    def __init__(self, config: MiTConfig) -> None:
        super().__init__(config)
        self.smallest_side = config.smallest_side
        self.backbone = MiT(config)
        self.head = nn.Linear(config.widths[-1], config.num_classes)
        self.head.apply(init_linear)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, ⌈H / 32⌉, ⌈W / 32⌉) of images (B, 3, H, W)."""
        return pointwise(self.backbone(images)[-1], self.head.weight, self.head.bias)

    def classify(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes) of whole images, as published.

        The published network averages the last map and then applies its head; a linear
        layer and a mean may be exchanged.
        """
        self.check(images)
        return self.forward_lowres(images).mean((2, 3))


@dataclass(frozen=True)
class ViTClassifierConfig(ViTConfig):
    """Arguments of a ViT classifier; ``num_classes`` are the outputs of its head.

    ``imagenet_classes``, a second head that Segmenter carries along, has no place here.
    """

    image_size: int | tuple[int, int] = 224
    imagenet_classes: int = 0
    norm_eps: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.imagenet_classes:
            raise SegmodelsError(
                "A classifier has one head: set num_classes, not imagenet_classes."
            )


class ViTClassifier(SegModel):
    """The Vision Transformer of AugReg and DeiT; DeiT's distilled one has a second head."""

    Config = ViTClassifierConfig

    def __init__(self, config: ViTClassifierConfig) -> None:
        super().__init__(config)
        self.stride = config.patch_size
        self.encoder = ViT(config)
        self.head = nn.Linear(config.width, config.num_classes)
        self.head_dist: nn.Linear | None = None
        if config.distilled:
            self.head_dist = nn.Linear(config.width, config.num_classes)
        for head in (self.head, self.head_dist):
            if head is not None:
                init_linear(head)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H' / patch, W' / patch); sides are padded with 0 first.

        The head was trained on the class token; on patch tokens it shows where the class
        is seen. With two heads it is their mean.
        """
        padded = self.pad(images)
        rows, columns = (side // self.stride for side in padded.shape[-2:])
        patches = self.encoder(padded)
        return to_map(self._mean(patches, patches), (rows, columns))

    def classify(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes) of whole images, from the class token.

        DeiT's distilled networks answer with the mean of both heads, each on its own token
        (arXiv 2012.12877, section 4).
        """
        self.check(images)
        tokens = self.encoder.tokens(self.pad(images))
        return self._mean(tokens[:, 0], tokens[:, 1])

    def _mean(self, tokens: Tensor, distilled: Tensor) -> Tensor:
        logits: Tensor = self.head(tokens)
        if self.head_dist is not None:
            logits = (logits + self.head_dist(distilled)) / 2
        return logits

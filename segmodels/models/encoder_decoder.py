"""The frame of the baselines: a backbone, a head, and auxiliary heads for training only.

Attribute names follow mmsegmentation's checkpoints: ``backbone``, ``decode_head``,
``auxiliary_head``. The auxiliary heads belong to the network: they are trained, saved, and
counted in the parameters that papers print for these baselines; inference never runs them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, SegModel

#: Weight of an auxiliary head's loss (PSPNet, arXiv 1612.01105, section 3.3).
AUXILIARY_WEIGHT = 0.4


class EncoderDecoder(SegModel):
    """Feature maps of a backbone go through one head; auxiliary heads see the same maps.

    Attributes:
        auxiliary_detached: whether the loss of auxiliary heads moves them alone, and not the maps.
    """

    auxiliary_detached = False

    def __init__(
        self,
        config: ModelConfig,
        backbone: nn.Module,
        head: nn.Module,
        auxiliary: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__(config)
        self.backbone = backbone
        self.decode_head = head
        self.auxiliary_head = nn.ModuleList(auxiliary)

    def features(self, images: Tensor) -> list[Tensor]:
        """Maps of the backbone (B, channels, h, w), from fine to coarse."""
        maps: list[Tensor] = self.backbone(images)
        return maps

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, h, w) at the resolution of the head."""
        logits: Tensor = self.decode_head(self.features(images))
        return logits

    def forward_supervised(self, images: Tensor) -> list[tuple[Tensor, float]]:
        """Logits of the head with weight 1, then of each auxiliary head with weight 0.4."""
        maps = self.features(images)
        seen = [one.detach() for one in maps] if self.auxiliary_detached else maps
        auxiliary = [(head(seen), AUXILIARY_WEIGHT) for head in self.auxiliary_head]
        return [(self.decode_head(maps), 1.0), *auxiliary]


class ConvolutionalNetwork(EncoderDecoder):
    """One whose backbone has BatchNorm in every block."""

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Refuse: BatchNorm would count a batch twice if its block were computed again.

        Raises:
            SegmodelsError: always.
        """
        raise SegmodelsError(
            f"{type(self).__name__} has no blocks to checkpoint: the statistics of their "
            "BatchNorm would count every batch twice."
        )

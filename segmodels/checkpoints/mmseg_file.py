"""One file of mmsegmentation, as the readers of its networks see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from segmodels.checkpoints.mmseg_config import Described
from segmodels.checkpoints.strict import shape

Tensors = dict[str, Tensor]
Config = dict[str, Any]


@dataclass(frozen=True)
class File:
    """One file: where it is, what it holds, and what it says about itself."""

    path: Path
    tensors: Tensors
    described: Described

    def shape(self, key: str, dimensions: int) -> tuple[int, ...]:
        """Shape of a tensor under mmsegmentation's name."""
        return shape(self.path, self.tensors, key, dimensions)

    @property
    def auxiliary(self) -> bool:
        """Whether there are heads for the training only."""
        return any(key.startswith("auxiliary_head.") for key in self.tensors)

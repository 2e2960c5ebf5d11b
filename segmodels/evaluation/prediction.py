"""What a network gives for one image: labels, and whether they mean anything."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from segmodels.core.arrays import Pixels
from segmodels.errors import SegmodelsError

_NOT_FINITE = (
    "the network's scores are not finite (NaN or infinity), so that no label follows from them. "
    "Look for such values in its weights, and at the statistics it was trained with."
)


class NotFiniteError(SegmodelsError):
    """A network gives scores that are NaN or infinite."""


@dataclass(frozen=True)
class Prediction:
    """Labels of one image, where the model is; nobody has waited for them yet.

    Attributes:
        labels: uint8 (H, W); of a whole image uint16 (1, 1).
        finite: bool (), whether every score behind them was. A GPU is not waited for to know it.
    """

    labels: Tensor
    finite: Tensor

    def checked(self) -> Pixels:
        """The labels as an array.

        Raises:
            SegmodelsError: a score was not finite.
        """
        check_finite(bool(self.finite))
        labels: Pixels = self.labels.cpu().numpy()
        return labels


def check_finite(finite: bool) -> None:
    """Refuse labels that rest on scores that are not finite (NotFiniteError)."""
    if not finite:
        raise NotFiniteError(_NOT_FINITE)


def are_finite(scores: Tensor) -> Tensor:
    """bool (), whether all scores are; where they are, without waiting for it."""
    least, greatest = scores.aminmax()  # NaN if any is; a tenth of the time of asking each
    return torch.isfinite(least) & torch.isfinite(greatest)

"""The effective receptive field of every stage: which pixels the unit in the middle depends on.

After Luo et al. (NeurIPS 2016, arXiv 1701.04128) and SegFormer's figure (arXiv 2105.15203), whose
code is not published: the gradient of the central unit with respect to the input, averaged over
images. Luo et al. start it from all channels at once. Here that would show rounding: where a stage
ends in LayerNorm, the sum over its channels hardly depends on anything. So the strength of a pixel
is the length of the whole Jacobian, over channels and colours, estimated from sums of channels with
drawn signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segmodels.analysis.stages import Stage, stages, watched_modules
from segmodels.analysis.watching import watching
from segmodels.errors import SegmodelsError
from segmodels.evaluation.precision import evaluating, full_precision, lowres_logits
from segmodels.models.base import SegModel

#: Sums of channels with drawn signs, of each image and stage.
DRAWS = 8

#: Shares of the whole whose squares are reported.
SHARES = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class ReceptiveField:
    """What the unit in the middle of a stage depends on.

    Attributes:
        stage: its name.
        grid: rows and columns of the stage.
        centre: where the unit lies in the input: row and column, pixels.
        strength: float64 (h, w), of every pixel of the input; sums up to 1.
    """

    stage: str
    grid: tuple[int, int]
    centre: tuple[float, float]
    strength: npt.NDArray[np.float64]

    def side(self, share: float) -> float:
        """Side in pixels of the smallest square around the unit that holds a share of the whole.

        It may reach over the edge of the input.
        """
        order = np.argsort(self._distances.ravel(), kind="stable")
        held = np.cumsum(self.strength.ravel()[order])
        last = int(np.searchsorted(held, share * held[-1]))
        return float(2 * self._distances.ravel()[order][min(last, len(held) - 1)] + 1)

    def profile(self) -> npt.NDArray[np.float64]:
        """Share of the whole within squares of sides 1, 3, 5, … around the unit."""
        rings = np.floor(self._distances + 0.5).astype(np.int64)
        return np.cumsum(np.bincount(rings.ravel(), self.strength.ravel()))

    @property
    def _distances(self) -> npt.NDArray[np.float64]:
        """Of every pixel's centre from the unit's, along the longer of both directions."""
        rows, columns = np.indices(self.strength.shape)
        down, right = np.abs(rows + 0.5 - self.centre[0]), np.abs(columns + 0.5 - self.centre[1])
        found: npt.NDArray[np.float64] = np.maximum(down, right)
        return found


def receptive_fields(
    model: SegModel, inputs: Sequence[Tensor], draws: int = DRAWS
) -> list[ReceptiveField]:
    """The receptive fields of all stages and of the logits, averaged over inputs.

    Args:
        model: a network; asked in eval mode.
        inputs: at least one, float (1, 3, h, w), all of one size, on the network's device.
        draws: sums of channels behind the strengths of each input.

    Raises:
        SegmodelsError: inputs of several sizes, or a stage that depends on none of their pixels.
    """
    sizes = sorted({(one.shape[-2], one.shape[-1]) for one in inputs})
    if len(sizes) != 1:
        found = ", ".join(f"{height}x{width}" for height, width in sizes)
        raise SegmodelsError(f"a mean over images needs inputs of one size, found {found}.")
    each = [_of_input(model, one, draws, number) for number, one in enumerate(inputs)]
    return [_mean(of_stage) for of_stage in zip(*each, strict=True)]


def _of_input(model: SegModel, pixels: Tensor, draws: int, number: int) -> list[ReceptiveField]:
    leaf, size = pixels.detach().clone().requires_grad_(), (pixels.shape[-2], pixels.shape[-1])
    signs = torch.Generator().manual_seed(number)
    with full_precision(), evaluating(model), torch.enable_grad():
        with watching(watched_modules(model)) as seen:
            logits = lowres_logits(model, leaf, "fp32")
        found = stages(model, size, seen, logits)
        return [_of_stage(stage, leaf, draws, signs) for stage in found]


def _of_stage(stage: Stage, leaf: Tensor, draws: int, signs: torch.Generator) -> ReceptiveField:
    (row, column), (height, width) = stage.middle, leaf.shape[-2:]
    unit = stage.features[0, :, row, column]
    squares = torch.zeros(height, width, dtype=torch.float64)
    for _ in range(draws):
        drawn = 2 * torch.randint(0, 2, unit.shape, generator=signs) - 1
        (gradient,) = torch.autograd.grad(
            unit, leaf, drawn.to(unit.device, unit.dtype), retain_graph=True
        )
        squares += gradient[0].double().square().sum(dim=0).cpu()
    strength = (squares / draws).sqrt().numpy()
    if not strength.sum() > 0:
        raise SegmodelsError(f"{stage.name} depends on no pixel of this image.")
    return ReceptiveField(stage.name, stage.grid, stage.centre, strength / strength.sum())


def _mean(fields: Sequence[ReceptiveField]) -> ReceptiveField:
    strength = np.mean([one.strength for one in fields], axis=0)
    first = fields[0]
    return ReceptiveField(first.stage, first.grid, first.centre, strength)

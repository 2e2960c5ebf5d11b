"""The learning rate of every step: warm-up, then a polynomial decay.

Three conventions are in use, and they differ where it shows: in the first and the last steps. With
W steps of warm-up, T steps in all and k counted from 0:

- `plain` warms up to the peak in W steps and decays over the T - W that follow, so that the last
  step is still above the end. Without warm-up it is the schedule of Segmenter's code.
- `mmcv` (mmcv 1.x; SegFormer) decays over all T steps, and the warm-up is a factor on that.
- `mmengine` (mmsegmentation 1.x) is at the peak in the last step of the warm-up and the one after
  it, and exactly at the end in step T - 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from segmodels.errors import SegmodelsError
from segmodels.training.recipe import Recipe


@dataclass(frozen=True)
class Schedule:
    """The learning rates of one training.

    Attributes:
        recipe: of the training.
        steps: optimiser steps in all.
    """

    recipe: Recipe
    steps: int

    def __post_init__(self) -> None:
        if self.recipe.warmup >= self.steps:
            raise SegmodelsError(
                f"recipe {self.recipe.name!r}: field 'warmup' ({self.recipe.warmup}) must be "
                f"shorter than the training, which has {self.steps} steps on these images."
            )

    def lr(self, step: int, factor: float = 1) -> float:
        """The learning rate that the update of a step (0-based) uses.

        Args:
            step: of the training.
            factor: of a group of parameters on the recipe's `lr`; `min_lr` has none.
        """
        return _CONVENTIONS[self.recipe.schedule](self, step, self.recipe.lr * factor)

    def _plain(self, step: int, peak: float) -> float:
        warmup = self.recipe.warmup
        if step < warmup:
            return self._warm(peak, step + 1, warmup)
        return self._decayed(peak, self.steps - step, self.steps - warmup)

    def _mmcv(self, step: int, peak: float) -> float:
        decayed, recipe = self._decayed(peak, self.steps - step, self.steps), self.recipe
        if step >= recipe.warmup:
            return decayed
        if recipe.warmup_kind == "linear":
            # Rounded as mmcv rounds it: in the first step the difference is 3e-11 of the rate.
            return decayed * (1 - (1 - step / recipe.warmup) * (1 - recipe.warmup_ratio))
        return self._warm(decayed, step, recipe.warmup)

    def _mmengine(self, step: int, peak: float) -> float:
        warmup = self.recipe.warmup
        if step < warmup:
            return self._warm(peak, step, max(warmup - 1, 1))
        last = self.steps - 1
        return self._decayed(peak, last - step, last - warmup)

    def _decayed(self, peak: float, left: int, whole: int) -> float:
        """The polynomial with so many of its steps left; a single step is at the peak."""
        share = left / whole if whole > 0 else 1.0
        end = self.recipe.min_lr
        return (peak - end) * float(share**self.recipe.power) + end

    def _warm(self, peak: float, done: int, whole: int) -> float:
        """The learning rate after so many of the steps of the warm-up."""
        kind, ratio = self.recipe.warmup_kind, self.recipe.warmup_ratio
        if kind == "linear":
            return peak * ratio + (1 - ratio) * peak * done / whole
        if kind == "exponential":
            return peak * float(ratio ** (1 - done / whole))
        return peak * ratio if done < whole else peak


_CONVENTIONS: dict[str, Callable[[Schedule, int, float], float]] = {
    "plain": Schedule._plain,
    "mmcv": Schedule._mmcv,
    "mmengine": Schedule._mmengine,
}

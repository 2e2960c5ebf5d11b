"""What every attack is: changes of an image, within a bound, that a network does not survive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import Pixels
from segmodels.robustness.attacks.losses import Loss
from segmodels.robustness.attacks.victim import Victim

#: Where an attack begins: at the image itself, or anywhere within its bound.
Start = Literal["image", "random"]

#: A field of an attack beside its bound.
Field = Literal["step", "steps", "losses", "start", "seed"]

#: Whole grey levels that are added to an image, (H, W, 3).
Levels = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Settings:
    """How strong an attack is. All lengths are whole grey levels of 255.

    Attributes:
        epsilon: no value of the image changes by more.
        step: by which every value moves at once.
        steps: how often; of noise, how many draws.
        start: where it begins.
    """

    epsilon: int
    step: int = 1
    steps: int = 1
    start: Start = "image"


@dataclass(frozen=True)
class Ball:
    """The images within a bound of one: uint8, every value at most `epsilon` from its own."""

    image: Pixels
    epsilon: int

    def at(self, change: npt.NDArray[np.int16]) -> Pixels:
        """The image with a change, brought back to the bound and to 0..255."""
        near = np.clip(change, -self.epsilon, self.epsilon)
        found: Pixels = np.clip(self.image.astype(np.int16) + near, 0, 255).astype(np.uint8)
        return found

    def moved(self, pixels: Pixels, change: npt.NDArray[np.int16]) -> Pixels:
        """Pixels of the ball with a further change, brought back to it."""
        return self.at(pixels.astype(np.int16) - self.image + change)

    def drawn(self, random: np.random.Generator) -> Pixels:
        """The image with changes of -epsilon to epsilon, all equally likely."""
        wide = (-self.epsilon, self.epsilon + 1)
        return self.at(random.integers(*wide, self.image.shape, dtype=np.int16))


@dataclass(frozen=True)
class Attempt:
    """An image, and how many pixels that have a class the network still gets right."""

    image: Pixels
    right: int


def stronger(one: Attempt | None, other: Attempt) -> Attempt:
    """The one that leaves fewer pixels right; the first of equals."""
    return other if one is None or other.right < one.right else one


Run = Callable[[Victim, Ball, Settings, Loss, np.random.Generator], Attempt]


@dataclass(frozen=True)
class Attack:
    """An attack by name.

    Attributes:
        run: makes the strongest image it finds. The loss is that of `loss`, or one of `losses`.
        fields: that it has beside `epsilon`.
        loss: its own; None where `losses` is a field.
        version: raised when its images change.
    """

    run: Run
    fields: frozenset[Field]
    loss: str | None = None
    version: int = 1

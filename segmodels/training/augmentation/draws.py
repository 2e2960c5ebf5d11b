"""Everything random about one augmented image, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from segmodels.training.augmentation.photometric import Distortion

#: Crops that are looked at before one is taken unseen (mmsegmentation).
TRIES = 10


@dataclass(frozen=True)
class Draws:
    """One image's share of chance; it knows nothing of the image.

    Attributes:
        ratio: of the random resize.
        mirrored: left and right exchanged.
        distortion: of the colours.
        corners: of the crops to try, in shares (down, right) of the possible ones, [0, 1).
    """

    ratio: float = 1.0
    mirrored: bool = False
    distortion: Distortion = field(default_factory=Distortion)
    corners: tuple[tuple[float, float], ...] = ((0.0, 0.0),)

    @classmethod
    def of(
        cls,
        random: np.random.Generator,
        scale: tuple[float, float],
        flip: float,
        photometric: float,
    ) -> Draws:
        """Draw everything, always in the same order and number."""
        ratio = float(random.random() * (scale[1] - scale[0]) + scale[0])
        mirrored = bool(random.random() < flip)
        corners = random.random((TRIES + 1, 2)).tolist()
        return cls(
            ratio,
            mirrored,
            Distortion.draw(random, photometric),
            tuple((down, right) for down, right in corners),
        )

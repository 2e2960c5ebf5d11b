"""Steps up the gradient's sign, in whole grey levels."""

from __future__ import annotations

import numpy as np

from segmodels.robustness.attacks.base import Attempt, Ball, Settings, stronger
from segmodels.robustness.attacks.losses import Loss
from segmodels.robustness.attacks.victim import Victim


def ascend(
    victim: Victim, ball: Ball, settings: Settings, loss: Loss, random: np.random.Generator
) -> Attempt:
    """The strongest image after any of the steps; where it starts is none of them.

    Every value moves by `step` in the direction in which the loss grows, or not at all where the
    gradient is 0. Images stay whole: steps are, and so is the bound.
    """
    best: Attempt | None = None
    image = ball.drawn(random) if settings.start == "random" else ball.image
    for number in range(settings.steps):
        look = victim.look(image, loss, number / settings.steps)
        if number:
            best = stronger(best, Attempt(image, look.right))
        direction = np.sign(look.gradient).astype(np.int16)
        image = ball.moved(image, settings.step * direction)
    return stronger(best, Attempt(image, victim.right(image)))

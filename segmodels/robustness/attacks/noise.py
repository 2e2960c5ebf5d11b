"""Noise of the same bound, which asks the network for no gradient: what an attack must beat."""

from __future__ import annotations

import numpy as np

from segmodels.robustness.attacks.base import Attack, Attempt, Ball, Settings, stronger
from segmodels.robustness.attacks.losses import Loss
from segmodels.robustness.attacks.victim import Victim


def _run(
    victim: Victim, ball: Ball, settings: Settings, loss: Loss, random: np.random.Generator
) -> Attempt:
    """The strongest of some draws, in which every value moves by the whole bound, up or down."""
    del loss
    best: Attempt | None = None
    for _ in range(settings.steps):
        up = random.integers(0, 2, ball.image.shape, dtype=np.int16)
        image = ball.at((2 * up - 1) * np.int16(ball.epsilon))
        best = stronger(best, Attempt(image, victim.right(image)))
    assert best is not None
    return best


NOISE = Attack(_run, frozenset({"steps", "seed"}), loss="cross_entropy")

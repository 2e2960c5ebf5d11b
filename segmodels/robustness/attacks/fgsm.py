"""FGSM: one step as long as the bound (Goodfellow et al., ICLR 2015, arXiv 1412.6572)."""

from __future__ import annotations

import dataclasses

import numpy as np

from segmodels.robustness.attacks.ascent import ascend
from segmodels.robustness.attacks.base import Attack, Attempt, Ball, Settings
from segmodels.robustness.attacks.losses import Loss
from segmodels.robustness.attacks.victim import Victim


def _run(
    victim: Victim, ball: Ball, settings: Settings, loss: Loss, random: np.random.Generator
) -> Attempt:
    once = dataclasses.replace(settings, step=settings.epsilon, steps=1, start="image")
    return ascend(victim, ball, once, loss, random)


FGSM = Attack(_run, frozenset({"losses"}))

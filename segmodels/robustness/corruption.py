"""Corrupted images: the same corruption and severity on every one."""

from __future__ import annotations

import dataclasses
from typing import Any

from segmodels.core.arrays import Pixels
from segmodels.evaluation.subject import Subject
from segmodels.robustness.corruptions import corrupt


def apply(subject: Subject, condition: dict[str, Any]) -> Subject:
    """Corrupt every image before the network sees it; noise differs from image to image."""

    def disturb(name: str, image: Pixels) -> Pixels:
        return corrupt(
            image, condition["corruption"], condition["severity"], condition["seed"], name
        )

    return dataclasses.replace(subject, condition=condition, disturb=disturb)

"""Corrupted images: the same corruption and severity on every one."""

from __future__ import annotations

import dataclasses
from typing import Any

from segmodels.core.arrays import Pixels
from segmodels.evaluation.subject import Subject
from segmodels.robustness.corruptions import DEFAULT, corrupt


def apply(subject: Subject, condition: dict[str, Any]) -> Subject:
    """Corrupt every image before the network sees it; noise differs from image to image."""

    def disturb(name: str, image: Pixels) -> Pixels:
        what = condition["corruption"], condition["severity"], condition["seed"]
        return corrupt(image, *what, name, variant=condition.get("variant", DEFAULT))

    return dataclasses.replace(subject, condition=condition, disturb=disturb)

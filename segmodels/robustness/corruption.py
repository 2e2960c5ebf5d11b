"""Corrupted images: the same corruption and severity on every one."""

from __future__ import annotations

import dataclasses
from typing import Any

from segmodels.core.arrays import Pixels
from segmodels.errors import SegmodelsError
from segmodels.evaluation.subject import Subject
from segmodels.robustness.corruptions import CORRUPTIONS, DEFAULT, corrupt


def version_in_condition(name: str) -> dict[str, int]:
    """What a condition says of a corruption's version: nothing of the first."""
    version = CORRUPTIONS[name].version
    return {"version": version} if version > 1 else {}


def apply(subject: Subject, condition: dict[str, Any]) -> Subject:
    """Corrupt every image before the network sees it; noise differs from image to image.

    Raises:
        SegmodelsError: the condition is of another version of the corruption than that of now.
    """
    now = CORRUPTIONS[condition["corruption"]].version
    if condition.get("version", 1) != now:
        raise SegmodelsError(
            f"condition {condition}: field 'version': expected {now}, found "
            f"{condition.get('version', 1)}; the pixels of this corruption changed since."
        )

    def disturb(name: str, image: Pixels) -> Pixels:
        what = condition["corruption"], condition["severity"], condition["seed"]
        return corrupt(image, *what, name, variant=condition.get("variant", DEFAULT))

    return dataclasses.replace(subject, condition=condition, disturb=disturb)

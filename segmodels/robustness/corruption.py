"""Corrupted images: the same corruption and severity on every one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from segmodels.core.arrays import Pixels
from segmodels.errors import SegmodelsError
from segmodels.evaluation.subject import Subject
from segmodels.robustness.corruptions import CORRUPTIONS, DEFAULT, corrupt
from segmodels.robustness.corruptions.frost import digest_of


def version_in_condition(name: str, severity: int) -> dict[str, int]:
    """What a condition says of a corruption's version: nothing of the first."""
    version = CORRUPTIONS[name].version_of(severity)
    return {"version": version} if version > 1 else {}


def apply(subject: Subject, condition: dict[str, Any], photographs: Path | None = None) -> Subject:
    """Corrupt every image before the network sees it; noise differs from image to image.

    Args:
        subject: what is evaluated.
        condition: corruption, severity and seed; `textures` is the digest of
        photographs: the folder of those that frost is cut from.

    Raises:
        SegmodelsError: the condition is of another version of the corruption than that of now, or
            of other photographs.
    """
    now = CORRUPTIONS[condition["corruption"]].version_of(condition["severity"])
    if condition.get("version", 1) != now:
        raise SegmodelsError(
            f"condition {condition}: field 'version': expected {now}, found "
            f"{condition.get('version', 1)}; the pixels of this corruption changed since."
        )

    _check_photographs(condition, photographs)

    def disturb(name: str, image: Pixels) -> Pixels:
        _check_photographs(condition, photographs)  # they may be replaced between two images
        what = condition["corruption"], condition["severity"], condition["seed"]
        variant = condition.get("variant", DEFAULT)
        textures = photographs if "textures" in condition else None
        return corrupt(image, *what, name, variant=variant, textures=textures)

    return dataclasses.replace(subject, condition=condition, disturb=disturb)


def _check_photographs(condition: dict[str, Any], photographs: Path | None) -> None:
    if (wanted := condition.get("textures")) is None:
        return
    found = digest_of(photographs) if photographs else "no folder of them"
    if found != wanted:
        raise SegmodelsError(
            f"condition {condition}: field 'textures': expected photographs with the digest "
            f"{wanted}, found {found}. Name their folder in 'textures' of the suite."
        )

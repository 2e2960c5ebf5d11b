"""What numbers under attacks would be doubted for: signs that gradients lead nowhere.

A network whose gradients say nothing (masking, obfuscation) looks robust and is not. None of these
signs is a proof, and their absence is none either.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from segmodels.metrics.robustness import IMAGES, Curve, Robustness

#: mIoU in points by which one attack must be weaker than it should be to be named.
MARGIN = 0.1

#: A baseline without gradients, and an attack of a single step.
_BLIND, _ONCE = "noise", "fgsm"


def attack_doubts(found: Robustness) -> list[str]:
    """A sentence for each sign, in percent of mIoU; none where nothing was attacked."""
    curves = [curve for curve in found.curves if curve.kind == "attack"]
    if not curves:
        return []
    doubts = [*_weaker_than_noise(curves), *_weaker_than_once(curves), *_weaker_with_more(curves)]
    return [*doubts, *_without_noise(curves)]


def _without_noise(curves: list[Curve]) -> Iterator[str]:
    blind = {_images(curve) for curve in curves if _attack(curve) == _BLIND}
    for images in sorted({_images(curve) for curve in curves} - blind):
        of = f" on {IMAGES}{images}" if images else ""
        yield f"No noise of the same bounds was counted{of}, which every attack must beat."


def _weaker_than_noise(curves: list[Curve]) -> Iterator[str]:
    for noise, curve, level in _beside(curves, _BLIND):
        at, other = _at(curve)[level], _at(noise)[level]
        if at > other - MARGIN:
            yield (
                f"{curve.name}: leaves {at:.2f} at {level:g} grey levels, where noise leaves "
                f"{other:.2f}. Its gradients may lead nowhere."
            )


def _weaker_than_once(curves: list[Curve]) -> Iterator[str]:
    for once, curve, level in _beside(curves, _ONCE):
        at, other = _at(curve)[level], _at(once)[level]
        if _attack(curve) != _BLIND and at > other + MARGIN:
            yield (
                f"{curve.name}: leaves {at:.2f} at {level:g} grey levels, where a single step "
                f"({once.name}) leaves {other:.2f}. Steps may be too few, or gradients masked."
            )


def _weaker_with_more(curves: list[Curve]) -> Iterator[str]:
    for curve in curves:
        for few, more in pairwise(curve.points):
            if more.miou > few.miou + MARGIN:
                yield (
                    f"{curve.name}: leaves {more.miou:.2f} at {more.level:g} grey levels and "
                    f"{few.miou:.2f} at {few.level:g}. A larger bound cannot be weaker: take more "
                    f"steps."
                )


def _beside(curves: list[Curve], name: str) -> Iterator[tuple[Curve, Curve, float]]:
    """Every curve of the one attack, every other one of the same images, and each level of both."""
    for one in curves:
        if _attack(one) == name:
            for other in curves:
                if _attack(other) != name and _images(other) == _images(one):
                    yield from ((one, other, level) for level in _at(one) if level in _at(other))


def _attack(curve: Curve) -> str:
    return curve.name.partition(",")[0]


def _images(curve: Curve) -> str:
    """Which images it is of; empty for all of them."""
    return curve.name.partition(IMAGES)[2]


def _at(curve: Curve) -> dict[float, float]:
    return {point.level: point.miou for point in curve.points}

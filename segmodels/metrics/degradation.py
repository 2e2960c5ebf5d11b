"""What corruptions cost a network, beside what they cost another one.

Kamann and Rother (arXiv 1908.05005) carry the corruption errors of ImageNet-C over to
segmentation. With D = 100 - mIoU in percent, summed over the severities of one corruption:

    CD  = sum D of the network / sum D of the reference
    rCD = sum (D - clean D) of the network / sum (D - clean D) of the reference

Both in percent; less is better, and the reference has 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from segmodels.metrics.robustness import CurvePoint, Robustness


@dataclass(frozen=True)
class Degradation:
    """One corruption of one network, or the mean over corruptions.

    Attributes:
        corruption: its name; `mean` for the mean over all.
        miou: mean over the severities, percent.
        kept: mean share of the clean mIoU, 0 to 1; None where that is zero.
        cd: corruption degradation, percent; None where the reference makes no error.
        rcd: relative corruption degradation, percent; None where the reference loses nothing. Both
            are None without a reference.
    """

    corruption: str
    miou: float
    kept: float | None
    cd: float | None
    rcd: float | None


def degradations(network: Robustness, reference: Robustness | None) -> list[Degradation]:
    """Every corruption that both were measured under, at the severities that both have.

    Args:
        network: whose curves are compared.
        reference: with whose; None leaves all that is of the network alone.

    Returns:
        in the order of names; the mean over them last, if there are any.
    """
    theirs = _points(reference or network)
    found = [
        _of(name, network, reference, *_common(points, theirs[name]))
        for name, points in sorted(_points(network).items())
        if name in theirs and set(points) & set(theirs[name])
    ]
    return [*found, _mean(found)] if found else []


def _points(robustness: Robustness) -> dict[str, dict[float, CurvePoint]]:
    """Points of corruptions by name and severity."""
    curves = [curve for curve in robustness.curves if curve.kind == "corruption"]
    return {curve.name: {point.level: point for point in curve.points} for curve in curves}


def _common(
    one: dict[float, CurvePoint], other: dict[float, CurvePoint]
) -> tuple[list[CurvePoint], list[CurvePoint]]:
    levels = sorted(set(one) & set(other))
    return [one[level] for level in levels], [other[level] for level in levels]


def _of(
    name: str,
    network: Robustness,
    reference: Robustness | None,
    points: Sequence[CurvePoint],
    theirs: Sequence[CurvePoint],
) -> Degradation:
    errors, their_errors = (sum(100 - p.miou for p in side) for side in (points, theirs))
    lost = sum(network.clean - p.miou for p in points)
    their_loss = sum(reference.clean - p.miou for p in theirs) if reference else 0.0
    shares = [point.ratio for point in points if point.ratio is not None]
    return Degradation(
        corruption=name,
        miou=fmean(point.miou for point in points),
        kept=fmean(shares) if shares else None,
        cd=100 * errors / their_errors if reference and their_errors > 0 else None,
        rcd=100 * lost / their_loss if their_loss > 0 else None,
    )


def _mean(found: Sequence[Degradation]) -> Degradation:
    """Every corruption counts the same, whatever the number of its severities."""

    def over(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return fmean(known) if len(known) == len(values) else None

    return Degradation(
        corruption="mean",
        miou=fmean(one.miou for one in found),
        kept=over([one.kept for one in found]),
        cd=over([one.cd for one in found]),
        rcd=over([one.rcd for one in found]),
    )

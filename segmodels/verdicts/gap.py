"""A measured number beside the printed one: how far they may lie apart, and what that says."""

from __future__ import annotations

from segmodels.claims import Claim
from segmodels.verdicts.verdict import Status


def rounding_of(claim: Claim) -> float:
    """What rounding and reading off may have moved a printed number by, in its unit."""
    return 0.5 * 10.0**-claim.decimals + claim.uncertainty


def status_of_gap(gap: float, tolerance: float, unit: str) -> tuple[Status, str]:
    """The verdict on a gap, and its reason."""
    if abs(gap) <= tolerance + 1e-9:  # 52.9 - 52.8 is a little more than 0.1 in binary
        return "verified", f"Within {tolerance:.3g} {unit} of the printed number."
    status: Status = "better" if gap > 0 else "below"
    side = "above" if gap > 0 else "below"
    return (
        status,
        f"{abs(gap):.2f} {unit} {side} the printed number; {tolerance:.3g} are tolerated.",
    )

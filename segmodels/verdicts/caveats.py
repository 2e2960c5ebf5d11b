"""What a verdict must say about its evidence beside the comparison of two numbers."""

from __future__ import annotations

import dataclasses

from segmodels.metrics.precision_effect import effect_sentence, effect_under
from segmodels.protocols.protocol import Protocol
from segmodels.verdicts.evidence_index import Found
from segmodels.verdicts.verdict import Verdict

_OTHER_IMAGES = (
    "Evidence {} was counted on other images than params/datasets.yaml lists, so it says nothing."
)
_CONTRADICTS = (
    "Published evidence {} is of the very same evaluation and has other counts; here stands what "
    "this machine counted."
)
_UNPINNED = (
    "Nothing pins these weights: no whole sha256 of them is registered or was noted when they "
    "came, so what was counted may not be what is given out."
)


def with_caveats(verdict: Verdict, found: Found, protocol: Protocol) -> Verdict:
    """A verdict that says what less than full precision did to the number, if it was counted so,
    and whether published evidence has other counts; and is `capped`.
    """
    evidence = found.evidence
    if effect := effect_sentence(evidence, effect_under(evidence, protocol)):
        verdict = dataclasses.replace(verdict, reason=f"{effect} {verdict.reason}")
    if found.contradicts:
        sentence = _CONTRADICTS.format(evidence.key)
        verdict = dataclasses.replace(verdict, reason=f"{sentence} {verdict.reason}")
    return capped(verdict, found)


def capped(verdict: Verdict, found: Found | None) -> Verdict:
    """A verdict that is at most `partial` where evidence is tied to the weights by their name."""
    return capped_if(verdict, found is not None and found.unpinned)


def capped_if(verdict: Verdict, unpinned: bool) -> Verdict:
    """A verdict that is at most `partial` if nothing pins the weights."""
    if not unpinned:
        return verdict
    status = verdict.status if verdict.status in ("stale", "unverified") else "partial"
    return dataclasses.replace(verdict, status=status, reason=f"{_UNPINNED} {verdict.reason}")


def of_other_images(verdict: Verdict, found: Found | None) -> Verdict:
    """A verdict that names evidence of other images than the registered ones, if there is some."""
    if found is None:
        return verdict
    return dataclasses.replace(verdict, reason=_OTHER_IMAGES.format(found.evidence.key))

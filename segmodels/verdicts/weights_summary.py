"""What a row says of the weights behind its number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segmodels.assets.entries import WeightsEntry
from segmodels.verdicts.evidence_index import Found
from segmodels.verdicts.matching import has_released_weights


@dataclass(frozen=True)
class WeightsSummary:
    """Which weights a number is of, and how far that is known.

    Attributes:
        sha256: of the file, hex; None where it is not known.
        origin: `{"released": name}` of an entry, or `{"trained": run, "training": …}`; empty where
            nothing is known of it.
        pinned: what fixes the bytes of released weights: `authors`, `first sight` or `no`; empty
            for weights that were trained here.
    """

    sha256: str | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    pinned: str = ""


def summarise_weights(
    entry: WeightsEntry | None, name: str | None, found: Found | None
) -> WeightsSummary:
    """The weights of evidence; without any, those that a claim names.

    Args:
        entry: of the released weights; None where there are none.
        name: of that entry, where a claim names it.
        found: the evidence that the number rests on; None where there is none.
    """
    named = {"released": name} if name else {}
    pinned = _pinned(entry, found)
    if found is None:
        known = entry.identities if entry else ()
        return WeightsSummary(known[0] if known else None, named, pinned)
    # What others say of where weights come from is their word.
    origin = named if found.by else found.evidence.weights_origin
    return WeightsSummary(found.evidence.identity.weights, origin, pinned)


def _pinned(entry: WeightsEntry | None, found: Found | None) -> str:
    """What fixes the bytes of released weights; "" where there are none."""
    if entry is None or not (entry.files or found):
        return ""
    theirs = found is None or found.unpinned or has_released_weights(found.evidence, entry)
    return entry.pinned if theirs else ""

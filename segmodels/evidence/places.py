"""Which images of a split evidence is about, by their places among those that can be read."""

from __future__ import annotations

import dataclasses

from segmodels.evidence.identity import Identity
from segmodels.evidence.record import Evidence


def whole_of(identity: Identity) -> str | None:
    """The key of undisturbed evidence of all images; None if it is disturbed on no part of them."""
    if identity.condition is None or (identity.images is None and identity.every == 1):
        return None
    return dataclasses.replace(identity, condition=None, images=None).key


def places_asked(evidence: Evidence) -> range:
    """The places that the identity, and the shard, ask for."""
    asked = evidence.identity.places(evidence.expected_images - len(evidence.skipped))
    shard = evidence.shard
    return asked if shard is None else asked[shard.index :: shard.number]


def images_asked(evidence: Evidence) -> int:
    """How many images the identity, and the shard, ask for."""
    return len(places_asked(evidence))


def has_images_of(whole: Evidence, part: Evidence) -> bool:
    """Whether evidence holds counts of its own for each image that another asks for."""
    if (whole.expected_images, whole.skipped) != (part.expected_images, part.skipped):
        return False  # places are among the images that can be read
    wanted, here = places_asked(part), places_asked(whole)[: len(whole.images)]
    return wanted == here or (whole.blocks is None and all(place in here for place in wanted))


def on_images_of(whole: Evidence, part: Evidence) -> Evidence:
    """Evidence of the images alone that another asks for (see `has_images_of`)."""
    wanted, here = places_asked(part), places_asked(whole)
    if wanted == here[: len(whole.images)]:
        return whole
    chosen = tuple(whole.images[here.index(place)] for place in wanted)
    return dataclasses.replace(whole, images=chosen)

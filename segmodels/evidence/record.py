"""One piece of evidence: an identity, and counts per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segmodels.core.arrays import Counts
from segmodels.evidence.blocks import Blocks
from segmodels.evidence.counted import Counted
from segmodels.evidence.identity import Identity
from segmodels.evidence.image_counts import ImageCounts
from segmodels.evidence.images import Images, Sparse
from segmodels.evidence.shard import Shard


@dataclass(frozen=True)
class Evidence:
    """Counts per image under one identity.

    Attributes:
        identity: what was evaluated, hashed into `key`.
        classes: names of the C scored classes.
        outputs: number of network outputs K (columns of the matrices).
        expected_images: images in the split, whether evaluated or not.
        weights_origin: where the weights come from: `{"released": name}` for an entry of
            `params/weights.yaml`, `{"trained": run, "training": …}` for our own, where `training`
            is everything that made them (`segmodels.training.provenance`); `{"own": run,
            "training": …}` for a network of the user's own that came with its weights.
        software: versions of the packages between pixels and counts.
        images: one entry per evaluated image, in dataset order.
        shard: which part of the images these are; None for all of them.
        effect: what a cheaper arithmetic did to the scores (`segmodels.metrics.precision_effect`);
        None in fp32.
        skipped: images of the split that could not be read and were left out at the user's
            wish, by name with the reason; the fingerprint is that of the others.
        counted: who counted it, and how it came here.
        blocks: which consecutive images have one sum of counts, at the first of them; None where
            every image has its own.
    """

    identity: Identity
    classes: tuple[str, ...]
    outputs: int
    expected_images: int
    weights_origin: dict[str, Any]
    software: dict[str, str]
    images: Sequence[ImageCounts]
    shard: Shard | None = None
    effect: dict[str, Any] | None = None
    skipped: dict[str, str] = field(default_factory=dict)
    counted: Counted = field(default_factory=Counted)
    blocks: Blocks | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", Images(self.images))

    @property
    def sparse(self) -> Sparse:
        """The counts as arrays of one length: image, cell (row-major), count."""
        assert isinstance(self.images, Images)
        return self.images.sparse

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the images, in their order."""
        assert isinstance(self.images, Images)
        return self.images.names

    @property
    def key(self) -> str:
        """Digest of the identity."""
        return self.identity.key

    @property
    def complete(self) -> bool:
        """Whether every image of the split was evaluated."""
        return len(self.images) == self.expected_images

    @property
    def exhausted(self) -> bool:
        """Whether every image of the split was evaluated that could be read."""
        return len(self.images) + len(self.skipped) == self.expected_images

    def matrices(self) -> Counts:
        """int64 (images, C + 1, K)."""
        shape = (len(self.classes) + 1, self.outputs)
        dense = np.zeros((len(self.images), shape[0] * shape[1]), dtype=np.int64)
        image, cell, count = self.sparse
        dense[image, cell] = count
        return dense.reshape(-1, *shape)

    def total(self) -> Counts:
        """int64 (C + 1, K), summed over images without making each of them dense."""
        flat = np.zeros((len(self.classes) + 1) * self.outputs, dtype=np.int64)
        _, cell, count = self.sparse
        np.add.at(flat, cell, count.astype(np.int64))
        return flat.reshape(-1, self.outputs)

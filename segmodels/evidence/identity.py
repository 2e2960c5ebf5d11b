"""Identity of an evaluation: everything that decides the counts, and the key it hashes to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from segmodels.core.files import digest

KEY_LENGTH = 16

#: What a key looks like.
KEY = re.compile(f"[0-9a-f]{{{KEY_LENGTH}}}")


@dataclass(frozen=True)
class Identity:
    """Everything that decides the counts; its digest is the evidence key.

    Attributes:
        weights: hex SHA-256 of the weights file.
        model: the arguments that build the network, `name` included.
        preprocessing: channel order and normalisation applied to pixels.
        dataset: dataset name.
        split: split name.
        fingerprint: hex SHA-256 of the decoded images and labels of the split.
        inference: the inference half of the protocol, but for the precision.
        condition: what was disturbed (a corruption, parameter noise), None for clean; with `every`
            where of so many images of the split one is counted, from the first one on.
        images: how many images from the start of the split, None for all.
        precision: arithmetic of the network (`fp32` defines the number).
        evaluator: `segmodels.versions.EVALUATOR` that counted.
    """

    weights: str
    model: dict[str, Any]
    preprocessing: dict[str, Any]
    dataset: str
    split: str
    fingerprint: str
    inference: dict[str, Any]
    condition: dict[str, Any] | None
    images: int | None
    precision: str
    evaluator: int

    @property
    def every(self) -> int:
        """1 where all images are counted one after the other, 10 for every tenth of them."""
        return int((self.condition or {}).get("every", 1))

    def places(self, images: int) -> range:
        """The places that are counted of so many images that can be read."""
        return range(0, images if self.images is None else min(self.images, images), self.every)

    @property
    def key(self) -> str:
        """The evidence key: 16 hex digits, computed here and nowhere else."""
        return digest(vars(self))[:KEY_LENGTH]

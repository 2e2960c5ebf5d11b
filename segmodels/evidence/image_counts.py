"""What was counted in one image."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from segmodels.core.arrays import Counts
from segmodels.core.files import canonical_json


@dataclass(frozen=True)
class ImageCounts:
    """The non-zero cells of one image's `(classes + 1, outputs)` matrix, row-major, ascending."""

    image: str
    cells: tuple[int, ...]
    counts: tuple[int, ...]

    @classmethod
    def from_matrix(cls, image: str, matrix: Counts) -> ImageCounts:
        """Keep the cells that are not zero."""
        flat = matrix.ravel()
        (cells,) = np.nonzero(flat)
        return cls(image, tuple(map(int, cells)), tuple(int(flat[i]) for i in cells))

    def to_line(self) -> str:
        """One line of `<key>.counts.jsonl`, without the line end."""
        return canonical_json({"image": self.image, "cells": self.cells, "counts": self.counts})

    @classmethod
    def from_line(cls, line: str) -> ImageCounts:
        """Parse one line (ValueError, KeyError or TypeError when it is not one)."""
        entry = json.loads(line)
        return cls(entry["image"], tuple(entry["cells"]), tuple(entry["counts"]))

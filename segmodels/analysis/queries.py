"""Which tokens attention is asked about, and where they lie among those of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from segmodels.analysis.attention_layers import Parts
from segmodels.models.base import SegModel


@dataclass(frozen=True)
class Query:
    """A token that looks.

    Attributes:
        kind: the encoder's class token, a patch, or a class of the decoder.
        name: in words, and in names of files.
        at: of a patch, its place from 0 to 1, from above and from the left.
        number: of a class.
    """

    kind: Literal["class token", "patch", "class"]
    name: str
    at: tuple[float, float] = (0.0, 0.0)
    number: int = 0

    @classmethod
    def class_token(cls) -> Query:
        """The encoder's."""
        return cls("class token", "class token")

    @classmethod
    def patch(cls, at: tuple[float, float]) -> Query:
        """The patch at a place."""
        return cls("patch", f"patch at {at[0]:.2f} {at[1]:.2f}", at)


@dataclass(frozen=True)
class Tokens:
    """How the tokens of a layer are ordered.

    Attributes:
        before: keys before the patches.
        grid: rows and columns of the patches among the keys.
        queries: rows and columns of the patches among the queries; None if none are.
        query_before: queries before them.
        classes: place of the first class among the queries; None if none are.
    """

    before: int
    grid: tuple[int, int]
    queries: tuple[int, int] | None
    query_before: int
    classes: int | None

    def place(self, query: Query) -> int | None:
        """Place of a token among the queries; None where it is none of them."""
        if query.kind == "class":
            return None if self.classes is None else self.classes + query.number
        if query.kind == "class token":
            return 0 if self.query_before else None
        if self.queries is None:
            return None
        rows, columns = self.queries
        row, column = (
            min(int(share * side), side - 1)
            for share, side in zip(query.at, (rows, columns), strict=True)
        )
        return self.query_before + row * columns + column


def tokens_of(part: str, parts: Parts, grid: tuple[int, int] | None) -> Tokens:
    """The order of a layer's tokens.

    Args:
        part: `encoder` or `decoder`.
        parts: of the layer.
        grid: rows and columns of the patches of a Vision Transformer.
    """
    if parts.key_grid is not None:
        return Tokens(0, parts.key_grid, parts.query_grid, 0, None)
    assert grid is not None
    patches, queries = grid[0] * grid[1], parts.query.shape[1]
    if part == "encoder":
        extra = parts.key.shape[1] - patches
        return Tokens(extra, grid, grid, extra, None)
    if parts.crosses:  # classes look at patches
        return Tokens(0, grid, None, 0, 0)
    return Tokens(0, grid, grid, 0, patches if queries > patches else None)


def classes_on(model: SegModel, logits: Tensor, number: int) -> list[Query]:
    """The classes that cover most of a prediction, first the largest."""
    labels = logits[0].argmax(dim=0)
    covered = torch.bincount(labels.flatten(), minlength=model.num_classes)
    names = model.class_names or tuple(f"class {place}" for place in range(model.num_classes))
    order = covered.argsort(descending=True, stable=True)[:number].tolist()
    return [Query("class", names[one], number=one) for one in order if int(covered[one])]

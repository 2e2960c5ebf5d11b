"""Which parameters have a learning rate or a weight decay of their own, as a recipe says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from segmodels.core.entry import AboveZero, Entry, NotNegative, Words

if TYPE_CHECKING:
    from torch import Tensor

#: `vector`: at most one dimension (biases, norms, scalars). `bias`: named so.
Kind = Literal["vector", "bias"]


class ParameterRule(Entry):
    """Parameters that a recipe treats otherwise; the first rule that fits a parameter counts.

    Attributes:
        contains: part of the parameter's name in our network, as mmcv matches its `custom_keys`.
        kind: `vector` (one dimension at most) or `bias`; with `contains`, both must fit.
        lr: factor on the recipe's learning rate.
        weight_decay: of these parameters; None is the recipe's.
    """

    contains: Words | None = None
    kind: Kind | None = None
    lr: AboveZero = 1
    weight_decay: NotNegative | None = None

    def problems(self) -> Iterator[str]:
        """A rule that is about no parameters."""
        if self.contains is None and self.kind is None:
            yield "give 'contains' or 'kind', or both"

    def fits(self, name: str, parameter: Tensor) -> bool:
        """Whether it is about a parameter of this name."""
        if self.contains is not None and self.contains not in name:
            return False
        if self.kind == "vector":
            return parameter.ndim <= 1
        return self.kind is None or name.rpartition(".")[2] == "bias"

    def to_dict(self) -> dict[str, Any]:
        """What it says, JSON-able."""
        return self.model_dump(exclude_defaults=True)

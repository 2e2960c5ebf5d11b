"""A statement is a published sentence that compares two models: "A beats B"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from segmodels.claims.claim import Name
from segmodels.core.entry import Entry, Overrides, Several, Size, Words

Relation = Literal["higher", "lower"]


def _several(given: Any) -> Any:
    """A side of one run may be written as its name."""
    return (given,) if isinstance(given, str) else given


#: Runs of one side.
Runs = Annotated[
    tuple[Words, ...],
    BeforeValidator(_several, json_schema_input_type=Words | tuple[Words, ...]),
    Field(strict=False, min_length=1),
]


class CostPart(Entry):
    """Two networks compared by a cost that is counted, not measured.

    Attributes:
        about: title, for readers.
        subject, other: model names; the statement is about the subject.
        relation: how the subject's cost stands to the other's.
        convention: name in `params/efficiency.yaml`.
        image_size: height and width, pixels.
        subject_overrides, other_overrides: arguments that differ from their names'.
    """

    kind: Literal["cost"]
    about: Words
    subject: Words
    other: Words
    relation: Relation
    convention: Words
    image_size: Size
    subject_overrides: Overrides = Field(default_factory=dict)
    other_overrides: Overrides = Field(default_factory=dict)


class EvidencePart(Entry):
    """Two sides compared on the same images, each by one run or by several that differ in seed.

    Attributes:
        about: title, for readers.
        subject, other: names in `params/runs`; several are seeds of one training.
        relation: how the subject's number stands to the other's.
        quantity: `mIoU`, or `kept`: the share of it that is retained under `condition` or `under`.
        condition: for `kept`: the disturbance, `corruption`, `parameter_noise` or `resolution`.
        under: for `kept`: other protocols instead, such as other test resolutions.
        protocol: name in `params/protocols.yaml`, of the undisturbed measurement.
        budget: training budget of both, for readers.
        as_published: whether that is the paper's own budget and data. If not, the part can neither
            verify nor refute the statement.
    """

    kind: Literal["evidence"]
    about: Words
    subject: Runs
    other: Runs
    relation: Relation
    quantity: Literal["mIoU", "kept"]
    condition: Literal["", "corruption", "parameter_noise", "resolution"] = ""
    under: Several[Words] = ()
    protocol: Words
    budget: Words
    as_published: bool

    @property
    def runs(self) -> tuple[str, ...]:
        """All runs of both sides."""
        return *self.subject, *self.other

    def problems(self) -> Iterator[str]:
        """Fields that do not fit each other."""
        if len(set(self.runs)) < len(self.runs):
            yield "'subject' and 'other' name each run once"
        if (self.quantity == "kept") != (bool(self.condition) != bool(self.under)):
            yield "quantity 'kept' needs either 'condition' or 'under'"


Part = Annotated[CostPart | EvidencePart, Field(discriminator="kind")]


class Statement(Entry):
    """A published comparison, taken apart into what can be counted or measured.

    Attributes:
        id: unique, stable name.
        paper, title, arxiv, url: the paper that makes the statement.
        text: the statement, paraphrased.
        source: where it is printed.
        seen: how we saw it there.
        parts: what must hold.
        missing: parts that cannot be checked, each one sentence with the reason.
        notes: remarks for readers.
    """

    id: Name
    paper: SkipJsonSchema[Name]
    title: SkipJsonSchema[Words]
    arxiv: SkipJsonSchema[str] = ""
    url: SkipJsonSchema[str] = ""
    text: Words
    source: Words
    seen: str = ""
    parts: Annotated[Several[Part], Field(min_length=1)]
    missing: Several[Words] = ()
    notes: str = ""

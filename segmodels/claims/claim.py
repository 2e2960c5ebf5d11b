"""A claim is a published number with everything needed to check it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator
from pydantic.json_schema import SkipJsonSchema

from segmodels.core.entry import Entry, Overrides, Several, Size, Words

Metric = Literal["mIoU", "mAcc", "aAcc", "mIoU-c", "mIoU-n", "top1", "params_M", "GFLOPs", "fps"]

#: What the number of a metric counts.
UNITS: dict[str, str] = {
    "mIoU": "%",
    "mAcc": "%",
    "aAcc": "%",
    "mIoU-c": "%",
    "mIoU-n": "%",
    "top1": "%",
    "params_M": "M",
    "GFLOPs": "GFLOPs",
    "fps": "images/s",
}

#: Metrics that lie between 0 and 100.
PERCENT = ("mIoU", "mAcc", "aAcc", "mIoU-c", "mIoU-n", "top1")

#: Metrics that one evaluation of clean images answers: mean IoU, accuracy averaged over classes,
#: accuracy over all labelled pixels, and over all images where each has one label.
SCORES = ("mIoU", "mAcc", "aAcc", "top1")

#: Metrics that are counted from the network alone.
COUNTED = ("params_M", "GFLOPs")

#: Name of a claim, paper or dataset; also a file name, hence no capitals (some file systems ignore
#: case) and no dot at the end.
Name = Annotated[
    str,
    Field(
        pattern="^[a-z0-9]([a-z0-9_.-]*[a-z0-9_-])?$",
        max_length=120,
        title="a name of a-z, 0-9, '_', '.' and '-'",
    ),
]
Arxiv = Annotated[str, Field(pattern=r"^(\d{4}\.\d{4,5})?$", title="a number as 2103.14030")]
Address = Annotated[str, Field(pattern=r"^(https://\S+)?$", title="an address with https://")]


class Dispute(Entry):
    """An objection of an author or a reader to a row, in their words; none is made up.

    Attributes:
        date: when, YYYY-MM-DD.
        by: who objects.
        url: where they do.
        text: the objection, in a sentence.
        answer: what was found and done about it; empty while it is open.
    """

    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", title="a day as 2026-12-31")]
    by: Words
    url: Annotated[str, Field(pattern=r"^https://\S+$", title="an address with https://")]
    text: Words
    answer: Annotated[str, StringConstraints(strip_whitespace=True)] = ""

    @field_validator("date")
    @classmethod
    def _a_day(cls, value: str) -> str:
        datetime.date.fromisoformat(value)
        return value


class Claim(Entry):
    """One published number.

    Attributes:
        id: unique, stable name: letters, digits, `_`, `.`, `-`.
        paper: key of the paper whose model it is (the file it stands in).
        title, arxiv, url: the paper's.
        claimant: who prints the number: the `authors`; others who `quoted` it; a
            `re-implementation` trained again; a `re-run` of released weights or code.
        by: their name, when it is not the authors.
        model: name for `create_model`, or a name of our own for a network that is not
            implemented here.
        overrides: arguments of the network that differ from its name's.
        assumed: further ones that no source states and that a training for this claim takes;
            released weights have their own.
        dataset, split: what it was measured on; `any` when the number does not depend on it.
        metric: what the number is; its unit stands in `UNITS`.
        corruption: which disturbance a `mIoU-c` averages over.
        noise: standard deviation of the noise on parameters under which a `mIoU-n` was measured.
        value: the number as printed.
        decimals: digits after the point as printed; rounding is part of the tolerance.
        uncertainty: of a number read off a figure, in its unit; part of the tolerance.
        protocol: name in `params/protocols.yaml` or, for costs, `params/efficiency.yaml`; empty
            when the source does not state it.
        image_size: height and width that a cost is stated for, pixels.
        stated: how the source describes the measurement, as far as it does.
        weights: name in `params/weights.yaml` of the weights behind the number, if any.
        released: whether its weights were given out at all, as far as we know; an address or a
            sentence about them stands in `checkpoint`.
        checkpoint: where they lie, or what is known of them.
        undescribed: why the network cannot be built from what is published, if it cannot.
        source: where the number is printed.
        seen: how we saw it there.
        conflicts: ids of claims that print another number for the same thing.
        disputed: objections to its row, each with date, link and answer.
        featured: stands at the top of the leaderboard.
        notes: remarks for readers.
    """

    id: Name
    paper: SkipJsonSchema[Name]
    title: SkipJsonSchema[Words]
    arxiv: SkipJsonSchema[Arxiv] = ""
    url: SkipJsonSchema[Address] = ""
    claimant: Literal["authors", "quoted", "re-implementation", "re-run"] = "authors"
    by: Annotated[str, StringConstraints(strip_whitespace=True)] = ""
    model: Words
    overrides: Overrides = Field(default_factory=dict)
    assumed: Overrides = Field(default_factory=dict)
    dataset: Name
    split: Words
    metric: Metric
    corruption: str = ""
    noise: float | None = Field(default=None, gt=0)
    value: float = Field(ge=0)
    decimals: int = Field(ge=0, le=6)
    uncertainty: float = Field(default=0.0, ge=0)
    protocol: str = ""
    image_size: Size | None = None
    stated: str = ""
    weights: str | None = None
    released: Literal["yes", "no", "unknown"] = "unknown"
    checkpoint: str = ""
    undescribed: str = ""
    source: Words
    seen: str = ""
    conflicts: Several[Name] = ()
    disputed: Several[Dispute] = ()
    featured: bool = False
    notes: str = ""

    def problems(self) -> Iterator[str]:
        """Fields that do not fit each other."""
        if self.metric in PERCENT and self.value > 100:
            yield f"field 'value' is a percentage, not {self.value}"
        if self.metric in PERCENT and 0 < self.value < 1 and self.decimals > 1:
            share = self.value
            yield f"field 'value' is a percentage; expected {100 * share:g}, found {share}"
        if round(self.value, self.decimals) != self.value:
            yield f"field 'decimals' is {self.decimals}, but 'value' is {self.value}"
        if (self.metric == "mIoU-c") != bool(self.corruption):
            yield "field 'corruption' goes with metric mIoU-c, and only with it"
        if (self.metric == "mIoU-n") != (self.noise is not None):
            yield "field 'noise' goes with metric mIoU-n, and only with it"
        if self.claimant != "authors" and not self.by:
            yield f"field 'by' names who made the {self.claimant}"
        if self.dataset == "any" and self.metric in PERCENT:
            yield f"field 'dataset' is 'any', but {self.metric} is one of images"
        if self.metric in COUNTED and self.protocol and not self.image_size:
            yield "field 'image_size' is missing: a cost is counted for one size"
        if self.assumed and self.metric not in SCORES:
            yield f"field 'assumed' is for what a training answers, not for {self.metric}"
        if twice := sorted(self.assumed.keys() & self.overrides.keys()):
            yield f"field 'assumed' repeats {twice[0]!r} of 'overrides', which is stated"

    @property
    def printed(self) -> str:
        """The number with the digits it was printed with."""
        return f"{self.value:.{self.decimals}f}"

    @property
    def unit(self) -> str:
        """Unit of the value: `%`, `M` (millions), `GFLOPs` or `images/s`."""
        return UNITS[self.metric]

    @property
    def noise_words(self) -> str:
        """The noise as text; empty without any."""
        return "" if self.noise is None else f"parameter noise {self.noise:g}"

    @property
    def who(self) -> str:
        """Claimant with name, as text."""
        return f"{self.claimant} ({self.by})" if self.by else self.claimant

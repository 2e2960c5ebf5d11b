"""What a row is about: a claim, a statement, or a measurement that no paper prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from segmodels.claims import Claim, Statement
from segmodels.claims.claim import Dispute

#: `relative` is a statement that compares networks.
RowKind = Literal["claim", "relative", "measurement"]


def arguments_text(overrides: Mapping[str, Any]) -> str:
    """Arguments of a network, as text."""
    return ", ".join(f"{name} {value}" for name, value in sorted(overrides.items()))


@dataclass(frozen=True)
class Measurement:
    """A number of our own: of a run on a split.

    Attributes:
        run: name in `params/runs`.
        model: name of the network.
        dataset, split: what it was measured on.
        overrides: arguments of the network that differ from its name's.
        metric: what the number is.
    """

    run: str
    model: str
    dataset: str
    split: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    metric: str = "mIoU"


@dataclass(frozen=True)
class RowSubject:
    """A claim, a statement or a measurement under the words that all three have.

    A text that its kind does not have is "": a statement has no dataset, a measurement no paper.

    Attributes:
        entry: which of them it is.
    """

    entry: Claim | Statement | Measurement

    @property
    def claim(self) -> Claim | None:
        """The claim; None for a statement or a measurement."""
        return self.entry if isinstance(self.entry, Claim) else None

    @property
    def measurement(self) -> Measurement | None:
        """The measurement; None for a claim or a statement."""
        return self.entry if isinstance(self.entry, Measurement) else None

    @property
    def printed(self) -> Claim | Statement | None:
        """What a paper prints; None for a measurement."""
        return None if isinstance(self.entry, Measurement) else self.entry

    @property
    def kind(self) -> RowKind:
        """Which of the three it is."""
        if isinstance(self.entry, Statement):
            return "relative"
        return "claim" if isinstance(self.entry, Claim) else "measurement"

    @property
    def id(self) -> str | None:
        """Id of the claim or statement; None for a measurement."""
        return self.printed.id if self.printed else None

    @property
    def model(self) -> str:
        """Name of the network; of a statement its text."""
        return self.entry.text if isinstance(self.entry, Statement) else self.entry.model

    @property
    def arguments(self) -> str:
        """What its network has that the name does not say, as text."""
        return "" if isinstance(self.entry, Statement) else arguments_text(self.entry.overrides)

    @property
    def dataset(self) -> str:
        """Name in `params/datasets.yaml`."""
        return "" if isinstance(self.entry, Statement) else self.entry.dataset

    @property
    def split(self) -> str:
        """Split of the dataset."""
        return "" if isinstance(self.entry, Statement) else self.entry.split

    @property
    def metric(self) -> str:
        """What the number is, or `statement`."""
        if isinstance(self.entry, Statement):
            return "statement"
        return self.entry.metric

    @property
    def unit(self) -> str:
        """Unit of every number of the row."""
        if isinstance(self.entry, Statement):
            return ""
        return self.claim.unit if self.claim else "%"

    @property
    def corruption(self) -> str:
        """The disturbance that a `mIoU-c` averages over, or the noise of a `mIoU-n`."""
        if self.claim is None:
            return ""
        return self.claim.corruption or self.claim.noise_words

    @property
    def claimed(self) -> float | None:
        """The printed number, in `unit`; None where none is printed."""
        return self.claim.value if self.claim else None

    @property
    def decimals(self) -> int:
        """Digits after the point of the printed number; 2 without one."""
        return self.claim.decimals if self.claim else 2

    @property
    def paper(self) -> str:
        """Key of the paper."""
        return self.printed.paper if self.printed else ""

    @property
    def title(self) -> str:
        """Title of the paper."""
        return self.printed.title if self.printed else ""

    @property
    def arxiv(self) -> str:
        """arXiv number of the paper."""
        return self.printed.arxiv if self.printed else ""

    @property
    def url(self) -> str:
        """Web address of the paper."""
        return self.printed.url if self.printed else ""

    @property
    def source(self) -> str:
        """Where it is printed."""
        return self.printed.source if self.printed else ""

    @property
    def seen(self) -> str:
        """How we saw it there."""
        return self.printed.seen if self.printed else ""

    @property
    def notes(self) -> str:
        """What a reader must know."""
        return self.printed.notes if self.printed else ""

    @property
    def claimant(self) -> str:
        """Who prints it."""
        if isinstance(self.entry, Statement):
            return "authors"
        return self.claim.who if self.claim else ""

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Ids of claims that print another number for the same thing."""
        return self.claim.conflicts if self.claim else ()

    @property
    def disputed(self) -> tuple[Dispute, ...]:
        """Objections to the row."""
        return self.claim.disputed if self.claim else ()


def short_title(title: str, paper: str) -> str:
    """What people call a paper: the words before the colon when they are few, else its key."""
    name = title.partition(":")[0]
    return name if 0 < len(name) <= 20 else paper

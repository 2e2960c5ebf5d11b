"""What one part of a statement came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: `holds_here` and `fails_here` are of these trainings on these images, and of nothing beyond.
PartOutcome = Literal["holds", "holds_here", "fails_here", "fails", "open"]


@dataclass(frozen=True)
class PartResult:
    """What one part came to.

    Attributes:
        about: what is compared; "" for something nobody here can measure.
        outcome: whether it holds; `open` when nothing was measured or the two are too close.
            What is counted, or measured with several trainings a side, holds or fails as such.
        text: the numbers, or why there are none.
        counts: whether it can decide the statement: it was counted, or measured at the paper's
            own budget.
        in_words: the outcome in the words of the reason, where `text` does not tell it.
        measured: whether something was measured or counted at all.
    """

    about: str
    outcome: PartOutcome
    text: str
    counts: bool
    in_words: str = ""
    measured: bool = False

    @property
    def sentence(self) -> str:
        """The part as one sentence."""
        whole = f"{self.in_words}, {self.text}" if self.in_words else self.text
        return f"{self.about}: {whole}" if self.about else whole

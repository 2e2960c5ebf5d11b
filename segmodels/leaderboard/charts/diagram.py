"""A diagram as its template draws it; all places are pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """A pair of numbers as it is drawn; places are pixels.

    Attributes:
        page, index: page of its row, and place of that in the table.
        tone: classes that colour it.
        title: what comes up when it is pointed at.
        across: from the left.
        low, middle, high: from above: the interval, and the number.
        shape: path of the mark.
    """

    page: str
    index: int
    tone: str
    title: str
    across: str
    low: str
    middle: str
    high: str
    shape: str


@dataclass(frozen=True)
class Diagram:
    """A diagram; places are pixels.

    Attributes:
        label: the diagram in words.
        caption: what stands below it.
        up: name of the upright axis.
        below: ticks of the axis across: place and text.
        beside: ticks of the upright axis: place, place of the text, and text.
        line: path of the line on which both numbers are the same.
        marks: one per pair; none of a crowd.
        crowds: verdict and path of the dots of a crowd.
    """

    label: str
    caption: str
    up: str
    below: list[tuple[str, str]]
    beside: list[tuple[str, str, str]]
    line: str
    marks: list[Mark]
    crowds: list[tuple[str, str]]

"""Palettes of label files: colours that say which number a pixel was meant to have.

A label PNG with a palette is read as its indices, colours ignored, as everybody reads it. Programs
that make PNGs smaller know nothing of that: they leave out colours that no pixel has, sort the
others, and turn grey files into palettes. The picture stays the same and every number changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.datasets.classes import Colour

_ALL = 256


def voc_palette(number: int) -> tuple[Colour, ...]:
    """The colours of the PASCAL VOC devkit: the bits of the class spread over red, green, blue.

    For datasets that publish no colours of their own. No two of the first 256 are alike.
    """
    return tuple(_spread(index) for index in range(number))


def _spread(index: int) -> Colour:
    red = green = blue = 0
    for place in range(7, -1, -1):
        red |= (index & 1) << place
        green |= (index >> 1 & 1) << place
        blue |= (index >> 2 & 1) << place
        index >>= 3
    return red, green, blue


#: Colours by the number they stand for.
_KNOWN: dict[str, tuple[Colour, ...]] = {
    "grey levels": tuple((level, level, level) for level in range(_ALL)),
    "the colours of the VOC devkit": voc_palette(_ALL),
}


def reordered(indices: Pixels, palette: Sequence[int]) -> str | None:
    """How a palette shows that an image optimiser renumbered a label file; None if it does not.

    Args:
        indices: uint8 (H, W), as stored.
        palette: red, green, blue of index 0, 1, …, as far as the file has them.

    Returns:
        a sentence with an example, if the colours in use are those of a known table at the
        wrong places. One colour alone tells nothing in a whole palette, where most are never
        used, but does in one that was cut down to what is used.
    """
    colours = list(zip(*[iter(palette)] * 3, strict=False))
    used = [int(index) for index in np.flatnonzero(np.bincount(indices.ravel(), minlength=_ALL))]
    if not used or used[-1] >= len(colours) or (len(used) == 1 and len(colours) > len(used)):
        return None
    used_colours = {index: colours[index] for index in used}
    if len(set(used_colours.values())) < len(used_colours):
        return None  # equal colours mean nothing
    moved = list(_moved(used_colours))
    if not moved or None in moved:
        return None
    return moved[0]


def _moved(used_colours: dict[int, Colour]) -> Iterator[str | None]:
    """For each table that has all colours: None if they are at their places, else an example."""
    for title, table in _KNOWN.items():
        meant = {colour: number for number, colour in enumerate(table)}
        if all(colour in meant for colour in used_colours.values()):
            wrong = ((i, meant[colour]) for i, colour in used_colours.items() if meant[colour] != i)
            yield next((_example(title, *pair) for pair in wrong), None)


def _example(title: str, index: int, number: int) -> str:
    return f"Its palette has {title} at other places: index {index} has the colour of {number}."

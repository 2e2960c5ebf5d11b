"""Sheets of pictures: heat maps with a line of text below each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from segmodels.core.arrays import Pixels
from segmodels.core.files import atomic_path, naming

_GAP, _LINE = 8, 14
_PAPER, _INK = (255, 255, 255), (30, 30, 30)
_MARK = (230, 60, 40)
#: Where a tick begins and ends, pixels from its place.
_TICK = (7, 15)

#: Colours from nothing to the most: dark to light, so that they read without colours too.
_HEAT = np.array(
    [(12, 10, 46), (62, 28, 112), (128, 40, 124), (200, 62, 98), (246, 128, 62), (252, 232, 150)]
)


@dataclass(frozen=True)
class Panel:
    """A picture uint8 (h, w, 3), and lines below it."""

    picture: Pixels
    text: str


def heat(values: npt.NDArray[np.floating], low: float = 0.0, high: float | None = None) -> Pixels:
    """Numbers as colours, uint8 (h, w, 3); `high`, by default the largest, is the lightest."""
    top = float(values.max()) if high is None else high
    shares = np.clip((values - low) / max(top - low, 1e-30), 0, 1) * (len(_HEAT) - 1)
    below = np.minimum(shares.astype(int), len(_HEAT) - 2)
    rest = (shares - below)[..., None]
    mixed = _HEAT[below] * (1 - rest) + _HEAT[below + 1] * rest
    colours: Pixels = np.round(mixed).astype(np.uint8)
    return colours


def enlarged(picture: Pixels, height: int, width: int) -> Pixels:
    """A picture at another size; every one of its pixels stays a rectangle."""
    size, nearest = (width, height), Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(picture).resize(size, nearest))


def reduced(picture: Pixels, height: int, width: int) -> Pixels:
    """A photograph at another size."""
    size, smooth = (width, height), Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(picture).resize(size, smooth))


def marked(picture: Pixels, at: tuple[float, float]) -> Pixels:
    """A picture with four ticks around a place, from 0 to 1 from above and from the left."""
    image = Image.fromarray(picture)
    y, x = at[0] * picture.shape[0], at[1] * picture.shape[1]
    draw = ImageDraw.Draw(image)
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        ends = [(x + right * far, y + down * far) for far in _TICK]
        draw.line(ends, fill=_PAPER, width=3)
        draw.line(ends, fill=_MARK, width=1)
    return np.asarray(image)


def write_sheet(path: Path, title: str, rows: Sequence[Sequence[Panel]]) -> None:
    """Write a PNG of rows of panels below a title.

    Raises:
        SegmodelsError: the disk is full or read-only; what was there before stays.
    """
    font = ImageFont.load_default()
    lines = max(panel.text.count("\n") + 1 for row in rows for panel in row)
    below = _LINE * lines + _GAP
    widths = [sum(panel.picture.shape[1] + _GAP for panel in row) + _GAP for row in rows]
    heights = [max(panel.picture.shape[0] for panel in row) + below for row in rows]
    title_width = int(font.getlength(title)) + 2 * _GAP
    size = max(*widths, title_width), sum(heights) + _LINE + 3 * _GAP
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _GAP), title, fill=_INK, font=font)
    top = _LINE + 2 * _GAP
    for row, height in zip(rows, heights, strict=True):
        left = _GAP
        for panel in row:
            sheet.paste(Image.fromarray(panel.picture), (left, top))
            foot = top + height - below + 2
            draw.multiline_text((left, foot), panel.text, fill=_INK, font=font, spacing=2)
            left += panel.picture.shape[1] + _GAP
        top += height
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), atomic_path(path) as temporary:
        sheet.save(temporary, "PNG")

"""A part of an image."""

from __future__ import annotations

from dataclasses import dataclass

#: Height and width in pixels.
PixelSize = tuple[int, int]


@dataclass(frozen=True)
class Box:
    """A part of an image in whole pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def rows(self) -> slice:
        """Rows of the image."""
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        """Columns of the image."""
        return slice(self.left, self.left + self.width)

    @property
    def size(self) -> PixelSize:
        """Height and width."""
        return self.height, self.width

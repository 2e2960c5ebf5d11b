"""A sheet of examples: one image under every corruption, at every severity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segmodels.core.arrays import Pixels
from segmodels.core.files import atomic_path, naming
from segmodels.errors import SegmodelsError
from segmodels.robustness.corruptions import CORRUPTIONS, corrupt

_GAP, _MARGIN, _LINE = 3, 132, 20
_GROUND, _INK = (252, 251, 248), (29, 28, 26)
_QUALITY = 62


def draw_examples(
    image: Pixels,
    path: Path,
    severities: Sequence[int] = (1, 2, 3, 4, 5),
    *,
    width: int = 108,
) -> None:
    """Write a sheet: a line for each corruption, the clean image and each severity across.

    The image is corrupted as it is and then reduced, since severities are absolute pixels.

    Args:
        image: uint8 (H, W, 3).
        path: of the sheet, a format that Pillow knows by its ending.
        severities: 1 to 5.
        width: of each panel, pixels.

    Raises:
        SegmodelsError: the ending of the name is no picture's, or the disk is full.
    """
    kind = _format(path)
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    lines = list(_lines(image, severities))
    size = (
        _MARGIN + (1 + len(severities)) * (width + _GAP),
        _LINE + len(lines) * (height + _GAP),
    )
    sheet = Image.new("RGB", size, _GROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place, head in enumerate(["clean", *map(str, severities)]):
        middle = _MARGIN + place * (width + _GAP) + width // 2
        pen.text((middle, _LINE // 2), head, _INK, font, anchor="mm")
    for number, (name, panels) in enumerate(lines):
        top = _LINE + number * (height + _GAP)
        pen.text((4, top + height // 2), name.replace("_", " "), _INK, font, anchor="lm")
        for place, panel in enumerate(panels):
            small = Image.fromarray(panel).resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(small, (_MARGIN + place * (width + _GAP), top))
    with naming(path), atomic_path(path) as temporary:
        sheet.save(temporary, kind, quality=_QUALITY)


def _lines(image: Pixels, severities: Sequence[int]) -> Iterator[tuple[str, list[Pixels]]]:
    for name in CORRUPTIONS:
        yield name, [image, *(corrupt(image, name, level, 0, "examples") for level in severities)]


def _format(path: Path) -> str:
    known = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}
    if path.suffix.lower() not in known:
        raise SegmodelsError(f"{path}: a name that ends in {', '.join(known)} is expected.")
    return known[path.suffix.lower()]


def drawn_scene() -> Pixels:
    """An image that every machine draws alike: a scene of `shapes`, twice as large."""
    from segmodels.datasets.shapes import draw_scene

    return np.kron(draw_scene(0, "test", 7).image, np.ones((2, 2, 1), np.uint8))

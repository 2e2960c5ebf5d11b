"""`segmodels corruptions`."""

from __future__ import annotations

import argparse
from pathlib import Path

from segmodels.cli.common import Add, relative

#: Severities, as `segmodels.metrics.severities` has them; that file is read by a command alone.
_ALL = (1, 2, 3, 4, 5)


def add(commands: Add) -> None:
    """Add it."""
    sheet = commands("corruptions", _corruptions, "draw an image under every corruption")
    sheet.add_argument("sheet", type=Path, metavar="FILE", help="such as sheet.png or sheet.webp")
    one = "corrupted as it is, then reduced (default: a drawn scene)"
    sheet.add_argument("--image", type=Path, metavar="IMAGE", help=one)
    sheet.add_argument(
        "--severities",
        type=int,
        nargs="+",
        default=_ALL,
        choices=_ALL,
        metavar="1-5",
        help="default: all five",
    )
    sheet.add_argument("--width", type=_width, default=108, help="of each panel (default 108)")


def _width(text: str) -> int:
    width = int(text) if text.isdecimal() else 0
    if not 8 <= width <= 2048:
        raise argparse.ArgumentTypeError(f"expected 8 to 2048 pixels, found {text!r}")
    return width


def _corruptions(chosen: argparse.Namespace) -> int:
    from segmodels.datasets.reading.pictures import read_rgb
    from segmodels.errors import SegmodelsError
    from segmodels.robustness.examples import draw_examples, drawn_scene

    if chosen.image is not None and not chosen.image.is_file():
        raise SegmodelsError(f"{chosen.image}: no such file; --image names a picture of yours.")
    image = drawn_scene() if chosen.image is None else read_rgb(chosen.image)
    draw_examples(image, chosen.sheet, chosen.severities, width=chosen.width)
    print(relative(chosen.sheet))
    return 0

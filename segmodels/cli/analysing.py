"""`segmodels analyse`."""

from __future__ import annotations

import argparse
from pathlib import Path

from segmodels.cli.common import Add, device_option, relative

#: What each kind draws; a test holds them to those of `segmodels.steps.analysis`.
_KINDS = {
    "receptive-field": "the pixels that the unit in the middle of each stage depends on",
    "attention": "where class tokens, patches and classes look, by layer and head",
    "embeddings": "coherence and rank of class embeddings, variance in their subspace, by layer",
}

_IMAGES = "files; without, a few images of the run's own, spread over its split"
_ONE_IMAGE = "one file; without, the first image of the run's own"


def add(commands: Add) -> None:
    """Add it, with an action for each kind of picture."""
    text = "draw what a network looks at and knows, with the numbers behind it"
    actions = commands("analyse", _analyse, text).add_subparsers(
        metavar="KIND", dest="kind", required=True
    )
    for kind, about in _KINDS.items():
        action = actions.add_parser(kind, help=about, description=about)
        action.set_defaults(command=_analyse)
        what = "a run, weights of params/weights.yaml, or the path of a checkpoint"
        action.add_argument("what", metavar="RUN|MODEL", help=what)
        images = _ONE_IMAGE if kind == "attention" else _IMAGES
        action.add_argument(
            "--image", type=Path, nargs="+", default=[], metavar="FILE", help=images
        )
        if kind != "attention":
            few = "of the run's own images (default 4)"
            action.add_argument("--number", type=_above_zero, metavar="N", help=few)
        how = "how images become inputs (default: the first of the run, else whole-ss)"
        action.add_argument("--protocol", default="", metavar="NAME", help=how)
        folder = "of the files (default reports/local/analysis/NAME)"
        action.add_argument("--out", type=Path, metavar="FOLDER", help=folder)
        if kind == "attention":
            places = "patches that are asked, from 0 to 1 from above and from the left"
            action.add_argument(
                "--at", type=_place, nargs="+", metavar="Y,X", help=f"{places} (default 0.5,0.5)"
            )
        device_option(action)


def _above_zero(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text!r}")
    return number


def _place(text: str) -> tuple[float, float]:
    try:
        down, right = (float(part) for part in text.split(","))
    except ValueError:
        down = right = -1.0
    if not (0 <= down < 1 and 0 <= right < 1):
        raise argparse.ArgumentTypeError(
            f"expected two shares below 1, as 0.5,0.25, found {text!r}"
        )
    return down, right


def _analyse(chosen: argparse.Namespace) -> int:
    from segmodels.steps.analysis import Asked, analyse
    from segmodels.steps.options import Options

    places = getattr(chosen, "at", None)
    asked = Asked(
        what=chosen.what,
        images=chosen.image,
        protocol=chosen.protocol,
        number=getattr(chosen, "number", None),
        folder=chosen.out,
        options=Options(device=chosen.device),
        **({"patches": places} if places else {}),
    )
    for path in analyse(chosen.kind, asked):
        print(relative(path))
    return 0

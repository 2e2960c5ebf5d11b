"""Style sheets and scripts of the pages."""

from __future__ import annotations

from importlib.resources import files


def asset(name: str) -> str:
    """The text of a file in `assets/`."""
    return (files("segmodels.leaderboard") / "assets" / name).read_text(encoding="utf-8")


def styles(*names: str) -> str:
    """Files of `assets/` as one style sheet, and a class for every whole percent.

    `k57` sets `--k` to 57, `t57` the place of a tick: a `style` attribute could not stand in a page
    whose policy allows nothing inline.
    """
    percents = "".join(f".k{n}{{--k:{n}}}.t{n}{{--tick:{n}%}}" for n in range(101))
    return "".join(map(asset, names)) + percents + "\n"

"""Style sheets and scripts of the pages."""

from __future__ import annotations

from importlib.resources import files


def asset(name: str) -> str:
    """The text of a file in `assets/`."""
    return (files("segmodels.leaderboard") / "assets" / name).read_text(encoding="utf-8")

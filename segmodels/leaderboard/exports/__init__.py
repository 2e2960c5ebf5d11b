"""The leaderboard in other people's formats."""

from __future__ import annotations

from fnmatch import fnmatchcase

from segmodels.errors import SegmodelsError
from segmodels.leaderboard.exports.json import render_csv, render_json
from segmodels.leaderboard.exports.latex import render_latex
from segmodels.leaderboard.exports.model_index import render_model_index
from segmodels.leaderboard.links import page_names
from segmodels.verdicts.row import Row

#: Names of the formats.
FORMATS = ("csv", "json", "latex", "model-index")


def export(rows: list[Row], kind: str, match: str | None = None, source_url: str = "") -> str:
    """Rows in one of `FORMATS`.

    Args:
        rows: the whole leaderboard.
        kind: the format.
        match: pattern of claim ids or, for measurements, `<run>-<protocol>`; None for all, in
            LaTeX all that hold a number.
        source_url: see `render_model_index`.

    Raises:
        SegmodelsError: nothing matches, or nothing that matches fits the format.
    """
    chosen = _chosen(rows, match)
    if kind == "latex":
        return render_latex([r for r in chosen if match or r.verdict.verified is not None])
    if kind == "model-index":
        return render_model_index(chosen, source_url)
    return render_csv(chosen) if kind == "csv" else render_json(chosen)


def _chosen(rows: list[Row], match: str | None) -> list[Row]:
    if match is None:
        return rows
    names = page_names(rows)
    found = [row for row, name in zip(rows, names, strict=True) if fnmatchcase(name, match)]
    if not found:
        raise SegmodelsError(f"no row of the leaderboard matches {match!r}; known: segmodels list.")
    return found

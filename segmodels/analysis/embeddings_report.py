"""Class embeddings as a sheet of cosines, and a table of coherence, rank and variance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from segmodels.analysis.embeddings import Embeddings
from segmodels.analysis.report import Line, Report
from segmodels.analysis.sheet import Panel, enlarged, heat, write_sheet

_SIDE = 200


def write_embeddings(found: Sequence[Sequence[Embeddings]], report: Report) -> list[Path]:
    """Write `NAME.png` (cosines of classes at each place of the decoder), `.csv` and `.json`.

    Args:
        found: of each image the embeddings at each place; numbers are means over images.
        report: where files go.
    """
    places = list(zip(*found, strict=True))
    path = report.file(".png")
    title = "absolute cosines of class embeddings, from 0 (dark) to 1; mean over images"
    write_sheet(path, title, [[_panel(place) for place in places]])
    return [path, *report.write([_line(place) for place in places])]


def _panel(place: Sequence[Embeddings]) -> Panel:
    line = _line(place)
    cosines = np.mean([one.cosines for one in place], axis=0)
    drawn = enlarged(heat(cosines, high=1.0), _SIDE, _SIDE)
    text = (
        f"{line['place']}\ncoherence {line['coherence']:.3f}, mean {line['mean_cosine']:.3f}\n"
        f"rank {line['rank']:g}, effective {line['effective_rank']:.2f}\n"
        f"variance inside {line['variance_inside']:.1%}\n(by chance {line['by_chance']:.1%})"
    )
    return Panel(drawn, text)


def _line(place: Sequence[Embeddings]) -> Line:
    inside = [one.variance_inside for one in place]
    return {
        "place": place[0].place,
        "classes": place[0].classes.shape[0],
        "width": place[0].classes.shape[1],
        "coherence": round(fmean(one.coherence for one in place), 6),
        "mean_cosine": round(fmean(one.mean_cosine for one in place), 6),
        "rank": round(fmean(one.rank for one in place), 2),
        "effective_rank": round(fmean(one.effective_rank for one in place), 4),
        "variance_inside": round(fmean(inside), 6),
        "variance_inside_least": round(min(inside), 6),
        "variance_inside_most": round(max(inside), 6),
        "by_chance": round(fmean(one.by_chance for one in place), 6),
    }

"""Receptive fields as a sheet of heat maps and a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segmodels.analysis.receptive_field import SHARES, ReceptiveField
from segmodels.analysis.report import Line, Report
from segmodels.analysis.sheet import Panel, heat, marked, reduced, write_sheet
from segmodels.core.arrays import Pixels

_WIDTH, _COLUMNS = 300, 4
#: Powers of ten that the colours go through.
_DECADES = 3


def write_receptive_fields(
    fields: Sequence[ReceptiveField], picture: Pixels, report: Report
) -> list[Path]:
    """Write `NAME.png`, `.csv` (a line per stage) and `.json` (with profiles).

    Args:
        fields: of a network's stages.
        picture: one of the inputs they are of, uint8 (h, w, 3).
        report: where files go.
    """
    height = round(_WIDTH * picture.shape[0] / picture.shape[1])
    panels = [Panel(reduced(picture, height, _WIDTH), "input\nof several, the first")]
    panels += [_panel(field, height) for field in fields]
    path = report.file(".png")
    title = "effective receptive fields: strength, by logarithm, from a thousandth of its largest"
    rows = [panels[place : place + _COLUMNS] for place in range(0, len(panels), _COLUMNS)]
    write_sheet(path, title, rows)
    profiles = {one.stage: [round(float(v), 6) for v in one.profile()] for one in fields}
    return [path, *report.write([_line(one) for one in fields], profiles=profiles)]


def _panel(field: ReceptiveField, height: int) -> Panel:
    share = np.maximum(field.strength / field.strength.max(), 10.0**-_DECADES)
    drawn = reduced(heat(np.log10(share), low=-_DECADES, high=0.0), height, _WIDTH)
    at = (field.centre[0] / field.strength.shape[0], field.centre[1] / field.strength.shape[1])
    sides = ", ".join(f"{share:.0%} {field.side(share):.0f}" for share in SHARES)
    return Panel(marked(drawn, at), f"{field.stage}, {field.grid[0]}x{field.grid[1]}\n{sides} px")


def _line(field: ReceptiveField) -> Line:
    sides = {f"side_{share:g}": round(field.side(share), 1) for share in SHARES}
    return {
        **{"stage": field.stage, "rows": field.grid[0], "columns": field.grid[1]},
        **{"input_height": field.strength.shape[0], "input_width": field.strength.shape[1]},
        **{"centre_y": round(field.centre[0], 2), "centre_x": round(field.centre[1], 2)},
        **sides,
    }

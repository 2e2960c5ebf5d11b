"""The curve of a training: loss and validation mIoU over steps."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

#: One row of the training curve: step, lr, loss, val_miou.
CurveRow = dict[str, float]


#: Called with every new point of the curve, and the number of steps in all.
CurveProgress = Callable[[CurveRow, int], None]


def curve_as_csv(curve: list[CurveRow]) -> str:
    """The curve as CSV: step, lr, loss, val_miou."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["step", "lr", "loss", "val_miou"], lineterminator="\n")
    writer.writeheader()
    for point in curve:
        writer.writerow({k: f"{v:.6g}" for k, v in point.items()})
    return text.getvalue()

"""The curve of a training: loss and validation mIoU over steps."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from segmodels.core.environment import peak_memory_bytes

#: One row of the training curve: `step`, `lr`, `loss`, `gradient_norm`, `val_miou`. Loss and norm
#: are means since the row before. A group with a factor on the learning rate has `lr_x<factor>`;
#: of several heads each has `loss_head<number>`, times its weight.
CurveRow = dict[str, float]


#: Called with every new point of the curve, and the number of steps in all. A point also has what
#: is no part of the curve, because it differs every time: `images_per_second`, `seconds_left` and
#: `memory_bytes`, the largest so far.
CurveProgress = Callable[[CurveRow, int], None]


def curve_as_csv(curve: list[CurveRow]) -> str:
    """The curve as CSV, one column for each name of its rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(curve[0]), lineterminator="\n")
    writer.writeheader()
    for point in curve:
        writer.writerow({k: f"{v:.6g}" for k, v in point.items()})
    return text.getvalue()


@dataclass(frozen=True)
class Pace:
    """How fast a training goes, looks at validation images included.

    Attributes:
        device: where it goes on.
        first: its step when this process began.
        steps: in all.
        batch: images a step.
        began: seconds of the clock then.
    """

    device: str
    first: int
    steps: int
    batch: int
    began: float = field(default_factory=time.monotonic)

    def at(self, step: int) -> CurveRow:
        """What a point of the curve says about it besides."""
        each = (time.monotonic() - self.began) / max(step - self.first, 1)
        return {
            "images_per_second": self.batch / each if each > 0 else 0.0,
            "seconds_left": (self.steps - step) * each,
            "memory_bytes": peak_memory_bytes(self.device),
        }

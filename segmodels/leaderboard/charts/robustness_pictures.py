"""The pictures of robustness that compare networks on the same images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segmodels.leaderboard.charts import lines, tradeoff
from segmodels.leaderboard.charts.heat import heat_map
from segmodels.leaderboard.charts.networks import on_same_images
from segmodels.leaderboard.charts.printed_noise import printed_noise
from segmodels.leaderboard.templating import render_part
from segmodels.verdicts.row import Row

CORRUPTION = "corruption"
KINDS = (CORRUPTION, *(kind.name for kind in lines.KINDS))


def robustness_pictures(rows: Sequence[Row], kinds: Iterable[str] = KINDS) -> str:
    """Heat maps, curves over the strength, and what is kept over the clean mIoU; "" without any.

    Args:
        rows: those without disturbed copies are passed over.
        kinds: of disturbances.
    """
    images = on_same_images(rows)
    corrupted = images if CORRUPTION in kinds else []
    heats = [found for one in corrupted if (found := heat_map(one))]
    curves: list[lines.LineChart] = []
    for kind in (one for one in lines.KINDS if one.name in kinds):
        curves += [chart for one in images for chart in lines.line_charts(one, kind)]
        curves += printed_noise(rows) if kind == lines.NOISE else []
    kept = [chart for one in corrupted if (chart := tradeoff.tradeoff(one))]
    if not (heats or curves):
        return ""
    return render_part(
        "pictures.html",
        heats=heats,
        curves=curves,
        kept=kept,
        width=lines.WIDTH,
        height=lines.HEIGHT,
        left=lines.LEFT,
        right=lines.RIGHT,
        top=lines.TOP,
        bottom=lines.BOTTOM,
    )

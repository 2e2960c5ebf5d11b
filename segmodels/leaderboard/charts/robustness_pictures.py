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
KINDS = (CORRUPTION, lines.KIND)


def robustness_pictures(rows: Sequence[Row], kinds: Iterable[str] = KINDS) -> str:
    """Heat maps, curves of noise, and what is kept over the clean mIoU; "" without any.

    Args:
        rows: those without disturbed copies are passed over.
        kinds: of disturbances, `corruption` and `parameter_noise`.
    """
    images = on_same_images(rows)
    corrupted = images if CORRUPTION in kinds else []
    disturbed = images if lines.KIND in kinds else []
    heats = [found for one in corrupted if (found := heat_map(one))]
    noises = [chart for one in disturbed for chart in lines.noise_charts(one)]
    noises += printed_noise(rows) if lines.KIND in kinds else []
    kept = [chart for one in corrupted if (chart := tradeoff.tradeoff(one))]
    if not (heats or noises):
        return ""
    return render_part(
        "pictures.html",
        heats=heats,
        noises=noises,
        kept=kept,
        width=lines.WIDTH,
        height=lines.HEIGHT,
        left=lines.LEFT,
        right=lines.RIGHT,
        top=lines.TOP,
        bottom=lines.BOTTOM,
    )

"""The pictures of robustness that compare networks on the same images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segmodels.leaderboard.charts import lines, tradeoff
from segmodels.leaderboard.charts.heat import HeatMap, heat_maps
from segmodels.leaderboard.charts.networks import SameImages, images_of, on_same_images
from segmodels.leaderboard.charts.printed_corruptions import printed_corruptions
from segmodels.leaderboard.charts.printed_noise import printed_noise
from segmodels.leaderboard.charts.severities import own_severity_charts, severity_charts
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
    heats = [found for one in corrupted for found in heat_maps(one)]
    heats += printed_corruptions(rows) if CORRUPTION in kinds else []
    curves = [chart for one in corrupted for chart in severity_charts(one)]
    for kind in (one for one in lines.KINDS if one.name in kinds):
        curves += [chart for one in images for chart in lines.line_charts(one, kind)]
        curves += printed_noise(rows) if kind == lines.NOISE else []
    kept = [chart for one in corrupted if (chart := tradeoff.tradeoff(one))]
    return drawn(heats, curves, kept)


def own_pictures(row: Row, images: SameImages | None = None) -> str:
    """Curves of one training, then the network marked among all others; "" where it has none.

    Args:
        row: of the training.
        images: the networks that are drawn beside it (default: it alone).
    """
    found = row.robustness
    if found is None:
        return ""
    images = images or on_same_images([row])[0]
    here = {(curve.kind, curve.name) for curve in found.curves}
    curves = [
        chart
        for kind in lines.KINDS
        for chart in lines.line_charts(images, kind, {name for of, name in here if of == kind.name})
    ]
    corrupted = any(kind == CORRUPTION for kind, _ in here)
    heats = heat_maps(images, row.evidence_key)[:1] if corrupted else []
    kept = [tradeoff.tradeoff(images)] if corrupted else []
    own = images.place_of(row.evidence_key) if len(images.networks) > 1 else None
    alone = own_severity_charts(found, images_of(row))
    return drawn([], alone, []) + drawn(heats, curves, kept, own)


def drawn(
    heats: Sequence[HeatMap],
    curves: Sequence[lines.LineChart],
    kept: Sequence[tradeoff.Tradeoff | None],
    own: int | None = None,
) -> str:
    """Pictures that are there, as HTML; "" without any.

    Args:
        heats, curves, kept: the pictures.
        own: place of the network that is marked among the others.
    """
    if not (heats or curves):
        return ""
    return render_part(
        "pictures.html",
        heats=heats,
        curves=curves,
        kept=[one for one in kept if one],
        own=-1 if own is None else own,
        width=lines.WIDTH,
        height=lines.HEIGHT,
        left=lines.LEFT,
        right=lines.RIGHT,
        top=lines.TOP,
        bottom=lines.BOTTOM,
    )

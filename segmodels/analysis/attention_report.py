"""Attention maps as sheets, one for each query, and a table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segmodels.analysis.attention import Attention, AttentionMap
from segmodels.analysis.queries import Query
from segmodels.analysis.report import Line, Report
from segmodels.analysis.sheet import Panel, enlarged, heat, marked, reduced, write_sheet
from segmodels.core.arrays import Pixels
from segmodels.core.files import atomic_path, naming

_WIDTH = 150


def write_attention(found: Attention, picture: Pixels, report: Report) -> list[Path]:
    """Write a PNG per query (rows are layers, columns heads), `NAME.csv`, `.json`, and all maps as
    `.npz`.

    Args:
        found: maps of one pass.
        picture: its input, uint8 (h, w, 3).
        report: where files go.
    """
    paths = [_write_sheet(query, found, picture, report) for query in found.queries]
    lines = [line for one in found.maps for line in _lines(one)]
    deviation = max(one.deviation for one in found.maps)
    arrays = report.file(".npz")
    with naming(arrays), atomic_path(arrays) as temporary, temporary.open("wb") as sink:
        np.savez_compressed(sink, **{_key(one): one.weights for one in found.maps})  # type: ignore[arg-type]
    return [*paths, *report.write(lines, largest_deviation=deviation), arrays]


def _write_sheet(query: Query, found: Attention, picture: Pixels, report: Report) -> Path:
    height = max(1, round(_WIDTH * picture.shape[0] / picture.shape[1]))
    image = reduced(picture, height, _WIDTH)
    image = marked(image, query.at) if query.kind == "patch" else image
    rows = [[Panel(image, query.name)]]
    for one in found.maps:
        if one.query == query:
            rows.append([_panel(one, head, height) for head in range(len(one.weights))])
    path = report.file(f"-{_slug(query.name)}.png")
    title = f"attention of {query.name}: each map from its least to its largest weight, 1 = even"
    write_sheet(path, title, rows)
    return path


def _panel(one: AttentionMap, head: int, height: int) -> Panel:
    weights = one.weights[head]
    drawn = enlarged(heat(weights, low=float(weights.min())), height, _WIDTH)
    least, largest = (float(bound) * weights.size for bound in (weights.min(), weights.max()))
    text = f"{one.part} {one.layer}, head {head + 1}\n{least:.2f} to {largest:.2f}"
    elsewhere = one.elsewhere[head]
    return Panel(drawn, text + (f", {elsewhere:.0%} elsewhere" if elsewhere > 0.005 else ""))


def _lines(one: AttentionMap) -> list[Line]:
    return [
        {
            **{"part": one.part, "layer": one.layer, "head": head + 1, "query": one.query.name},
            "elsewhere": round(float(one.elsewhere[head]), 6),
            "largest": round(float(weights.max()), 6),
            "patches_seen": round(_perplexity(weights), 2),
            "distance": round(_distance(one, weights), 4) if one.query.kind == "patch" else "",
        }
        for head, weights in enumerate(one.weights)
    ]


def _perplexity(weights: npt.NDArray[np.float32]) -> float:
    """Exponential of the entropy: the number of patches, if all that are seen weighed the same."""
    shares = weights.astype(np.float64).ravel()
    shares = shares[shares > 0] / max(shares.sum(), 1e-30)
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _distance(one: AttentionMap, weights: npt.NDArray[np.float32]) -> float:
    """Mean distance of what a patch looks at, in shares of the map's diagonal."""
    rows, columns = weights.shape
    down, right = np.indices(weights.shape) + 0.5
    own = int(one.query.at[0] * rows) + 0.5, int(one.query.at[1] * columns) + 0.5
    far = np.hypot(down - own[0], right - own[1]) / np.hypot(rows, columns)
    return float((far * weights).sum() / max(float(weights.sum()), 1e-30))


def _key(one: AttentionMap) -> str:
    return f"{one.part}-{one.layer}-{_slug(one.query.name)}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")

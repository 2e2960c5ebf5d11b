"""A picture of who imports whom: packages in layers, arrows downwards, as an SVG file.

The layout is that of Sugiyama, Tagawa and Toda (1981): a package lies below all that import it, an
arrow over several layers passes a point in each, and points are put below the middle of what they
hang from until fewer arrows cross.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

#: Pixels.
_WIDTH, _HEIGHT, _GAP, _DOWN, _THIN, _MARGIN = 104, 26, 18, 74, 14, 16
_SWEEPS = 24

_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13" role="img">
<title>{title}</title>
<rect width="100%" height="100%" rx="6" fill="#fff"/>
<g fill="none" stroke="#8a94a6" stroke-width="1.2">
"""

#: A point: a package, or the place where an arrow from one to another passes a layer.
Point = str | tuple[str, str, int]


def draw(arrows: Mapping[str, Sequence[str]], title: str) -> str:
    """The picture as text.

    Args:
        arrows: what each package imports; every package is a key.
        title: for those who hear it read.
    """
    layer = _layers(arrows)
    ways = [_way(one, other, layer) for one, others in arrows.items() for other in others]
    rows = _ordered(_rows(arrows, layer, ways), ways)
    places = _places(rows)
    width = 2 * _MARGIN + round(max(x for x, _ in places.values()) + _WIDTH / 2)
    height = 2 * _MARGIN + _DOWN * (len(rows) - 1) + _HEIGHT
    lines = [_HEAD.format(width=width, height=height, title=escape(title))]
    lines += [f'<path d="{_curve([places[point] for point in way])}"/>\n' for way in ways]
    lines.append('</g>\n<g text-anchor="middle" fill="#1c2330">\n')
    lines += [_box(name, *places[name]) for name in arrows]
    return "".join([*lines, "</g>\n</svg>\n"])


def _layers(arrows: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How far down each lies: one below the lowest of those that import it."""
    layer = dict.fromkeys(arrows, 0)
    for _ in arrows:
        for one, others in arrows.items():
            for other in others:
                layer[other] = max(layer[other], layer[one] + 1)
    return layer


def _way(one: str, other: str, layer: Mapping[str, int]) -> list[Point]:
    """The points that an arrow passes."""
    between = range(layer[one] + 1, layer[other])
    return [one, *((one, other, number) for number in between), other]


def _rows(
    arrows: Mapping[str, Sequence[str]], layer: Mapping[str, int], ways: Sequence[Sequence[Point]]
) -> list[list[Point]]:
    """The points of each layer, in any order."""
    rows: list[list[Point]] = [[] for _ in range(max(layer.values()) + 1)]
    for name in arrows:
        rows[layer[name]].append(name)
    for way in ways:
        for point in way[1:-1]:
            rows[int(point[2])].append(point)
    return rows


def _ordered(rows: list[list[Point]], ways: Sequence[Sequence[Point]]) -> list[list[Point]]:
    """Rows in which each point stands below or above the middle of its neighbours."""
    up: dict[Point, list[Point]] = {point: [] for row in rows for point in row}
    down: dict[Point, list[Point]] = {point: [] for row in rows for point in row}
    for way in ways:
        for high, low in pairwise(way):
            up[low].append(high)
            down[high].append(low)
    best, fewest = rows, _crossings(rows, down)
    for sweep in range(_SWEEPS):
        near = up if sweep % 2 == 0 else down
        rows = [list(row) for row in rows]
        for number in range(len(rows)) if near is up else reversed(range(len(rows))):
            beside = number - 1 if near is up else number + 1
            if 0 <= beside < len(rows):
                _sort(rows[number], rows[beside], near)
        if (crossings := _crossings(rows, down)) < fewest:
            best, fewest = rows, crossings
    return best


def _sort(row: list[Point], beside: list[Point], near: Mapping[Point, Sequence[Point]]) -> None:
    place = {point: number for number, point in enumerate(beside)}
    here = {point: number for number, point in enumerate(row)}

    def middle(point: Point) -> float:
        others = [place[one] for one in near[point]]
        return sum(others) / len(others) if others else here[point] * len(beside) / len(row)

    row.sort(key=middle)


def _crossings(rows: list[list[Point]], down: Mapping[Point, Sequence[Point]]) -> int:
    found = 0
    for high, low in pairwise(rows):
        place = {point: number for number, point in enumerate(low)}
        ends = [(n, place[one]) for n, point in enumerate(high) for one in down[point]]
        found += sum(a < c and b > d for a, b in ends for c, d in ends)
    return found


def _places(rows: list[list[Point]]) -> dict[Point, tuple[float, float]]:
    """The middle of each point, every row in the middle of the picture."""
    widths = [[_WIDTH if isinstance(point, str) else _THIN for point in row] for row in rows]
    widest = max(sum(row) + _GAP * (len(row) - 1) for row in widths)
    places: dict[Point, tuple[float, float]] = {}
    for number, (row, sizes) in enumerate(zip(rows, widths, strict=True)):
        x = _MARGIN + (widest - sum(sizes) - _GAP * (len(row) - 1)) / 2
        for point, size in zip(row, sizes, strict=True):
            places[point] = x + size / 2, _MARGIN + _DOWN * number + _HEIGHT / 2
            x += size + _GAP
    return places


def _curve(points: Sequence[tuple[float, float]]) -> str:
    """A line from the bottom of the first box to the top of the last."""
    (x, y), half = points[0], _HEIGHT / 2
    text, y = f"M{x:g} {y + half:g}", y + half
    for number, (to, below) in enumerate(points[1:], 2):
        end = below - half if number == len(points) else below
        middle = (y + end) / 2
        text += f"C{x:g} {middle:g} {to:g} {middle:g} {to:g} {end:g}"
        x, y = to, end
    return text


def _box(name: str, x: float, y: float) -> str:
    return (
        f'<rect x="{x - _WIDTH / 2:g}" y="{y - _HEIGHT / 2:g}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" rx="4" fill="#eef2fb" stroke="#5b74b8"/>'
        f'<text x="{x:g}" y="{y + 4.5:g}">{escape(name)}</text>\n'
    )

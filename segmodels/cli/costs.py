"""`segmodels bench` and `segmodels efficiency`."""

from __future__ import annotations

import argparse
from pathlib import Path

from segmodels.cli.common import Add, device_option, relative
from segmodels.errors import SegmodelsError


def add(commands: Add) -> None:
    """Add both."""
    bench = commands(
        "bench", _bench, "count parameters and operations of models, or take their time"
    )
    bench.add_argument("pattern", help="model names, e.g. 'segformer*'")
    sides = "side of the square input, or HxW (pixels)"
    bench.add_argument("--size", default="512", metavar="SIZE", help=sides)
    timing = "take the time instead, as this entry of params/efficiency.yaml says"
    bench.add_argument("--latency", metavar="NAME", help=timing)
    device_option(bench)
    efficiency = commands("efficiency", _efficiency, "count what claims say about networks")
    asked = "JSON list of other counts: model, overrides, convention, height, width"
    efficiency.add_argument("--wanted", type=Path, metavar="FILE", help=asked)


def _bench(chosen: argparse.Namespace) -> int:
    from segmodels.efficiency import cost
    from segmodels.errors import UnknownNameError
    from segmodels.models import list_models

    names = list_models(chosen.pattern)
    if not names:
        raise UnknownNameError("model", chosen.pattern, list_models())
    size = _sides(chosen.size)
    if chosen.latency:
        return _bench_latency(names, chosen.latency, chosen.device, size)
    for name in names:
        found = cost(name, image_size=size)
        print(f"{name}: {found.parameters / 1e6:.2f} M parameters, {found.macs / 1e9:.2f} GMAC")
    return 0


def _sides(text: str) -> tuple[int, int]:
    """Height and width of `--size`."""
    sides = text.split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise SegmodelsError(f"there is no size {text!r}: give a side (512) or HxW (1024x2048).")
    return int(sides[0]), int(sides[-1])


def _bench_latency(names: list[str], protocol: str, device: str, size: tuple[int, int]) -> int:
    from segmodels.efficiency.latency import load_latency_protocol, write_latency
    from segmodels.efficiency.stopwatch import measure_latency

    entry = load_latency_protocol(protocol)
    for name in names:
        record = measure_latency(name, entry, device, size)
        milliseconds = f"{record.median * 1e3:.1f} ms"
        print(
            f"{name}: {record.images_per_second:.2f} images/s ({milliseconds}) on {record.device}"
        )
        print(f"  {relative(write_latency(record))}")
    return 0


def _efficiency(chosen: argparse.Namespace) -> int:
    from segmodels.efficiency.counter import count
    from segmodels.efficiency.record import read_wanted, write_measured
    from segmodels.steps.costs import count_wanted

    asked = chosen.wanted and read_wanted(chosen.wanted)
    print(relative(write_measured(count(asked)) if asked else count_wanted()))
    return 0

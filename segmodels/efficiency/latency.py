"""Images per second: how they are measured, and what was measured where. No torch.

A number of images per second belongs to the device it was measured on. Records are kept per
device, and ``find_latency`` asks for the device by name: there is no way to get a number of
another one by accident. A claim that names no device finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from segmodels.core.files import digest, read_json, write_json
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml, take_fields
from segmodels.efficiency.convention import efficiency_file, is_latency
from segmodels.errors import SegmodelsError, pick

Precision = Literal["fp32", "bf16"]
_LABELS = ("name", "title", "source")


@dataclass(frozen=True)
class LatencyProtocol:
    """One way to measure images per second.

    Attributes:
        name: key in ``params/efficiency.yaml``.
        version: raised when the meaning of the entry changes.
        title: one line for people.
        source: where it was read, and what is not documented.
        batch: images per pass.
        warm_up: passes that are not timed.
        iterations: passes that are timed, one by one.
        precision: arithmetic of the network.
        labels: whether the arg-max at the size of the image is timed too.
        device: that the printed numbers were measured on; empty where nobody says.
    """

    name: str
    version: int
    title: str
    source: str
    batch: int
    warm_up: int
    iterations: int
    precision: Precision
    labels: bool
    device: str = ""

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise SegmodelsError(f"latency protocol {self.name!r}: {problem}")

    @property
    def digest(self) -> str:
        """Hex SHA-256 of everything but the descriptions."""
        return digest({k: v for k, v in vars(self).items() if k not in _LABELS})


def _problems(protocol: LatencyProtocol) -> Iterator[str]:
    for field, least in (("batch", 1), ("warm_up", 0), ("iterations", 1)):
        if getattr(protocol, field) < least:
            yield f"`{field}` must be at least {least}."
    if protocol.precision not in get_args(Precision):
        yield f"`precision` must be one of {', '.join(get_args(Precision))}."


_REQUIRED: dict[str, type] = {
    **dict.fromkeys(("title", "source", "quantity", "precision"), str),
    **dict.fromkeys(("version", "batch", "warm_up", "iterations"), int),
    "labels": bool,
}


def load_latency_protocols(path: Path | None = None) -> dict[str, LatencyProtocol]:
    """The latency protocols of ``params/efficiency.yaml`` by name.

    Raises:
        SegmodelsError: an entry has a missing, unknown or impossible field.
    """
    path = path or efficiency_file()
    entries = read_yaml(path).items()
    return {name: _parse(path, name, entry) for name, entry in entries if is_latency(entry)}


def load_latency_protocol(name: str, path: Path | None = None) -> LatencyProtocol:
    """One latency protocol by name.

    Raises:
        UnknownNameError: no such protocol; the message suggests the nearest.
    """
    return pick("latency protocol", name, load_latency_protocols(path))


def _parse(path: Path, name: str, entry: object) -> LatencyProtocol:
    fields = take_fields(f"{path}, {name!r}", entry, _REQUIRED, {"device": str})
    del fields["quantity"]
    try:
        return LatencyProtocol(name=name, **fields)
    except SegmodelsError as error:
        raise SegmodelsError(f"{path}, {error}") from None


@dataclass(frozen=True)
class LatencyRecord:
    """Seconds of one network on one device.

    Attributes:
        model: name for ``create_model``.
        overrides: its arguments beside the image size.
        height, width: of the image in pixels.
        protocol, digest: latency protocol and its digest.
        batch, warm_up, iterations, precision: what it asks for.
        device: full name of the processor or GPU.
        threads: of PyTorch on a processor.
        torch: version, with its build.
        lower, median, upper: quartiles of the seconds of one pass.
        images_per_second: ``batch`` over ``median``.
    """

    model: str
    overrides: dict[str, Any]
    height: int
    width: int
    protocol: str
    digest: str
    batch: int
    warm_up: int
    iterations: int
    precision: str
    device: str
    threads: int
    torch: str
    lower: float
    median: float
    upper: float
    images_per_second: float

    @property
    def key(self) -> tuple[object, ...]:
        """What a later measurement replaces."""
        arguments = digest(self.overrides)
        return (self.model, arguments, self.height, self.width, self.protocol, self.device)


_RECORD: dict[str, type] = {
    **dict.fromkeys(("model", "protocol", "digest", "precision", "device", "torch"), str),
    **dict.fromkeys(("height", "width", "batch", "warm_up", "iterations", "threads"), int),
    **dict.fromkeys(("lower", "median", "upper", "images_per_second"), float),
    "overrides": dict,
}


def latency_file(device: str, model: str) -> Path:
    """Where the records of a network on a device stand."""
    slug = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    return project_root() / "reports" / "bench" / "latency" / slug / f"{model}.json"


def read_latency(path: Path) -> list[LatencyRecord]:
    """The records of one file.

    Raises:
        SegmodelsError: the file is missing or broken, or holds records of several devices.
    """
    entries = take_fields(str(path), read_json(path), {"records": list}, {})["records"]
    records = [
        LatencyRecord(**take_fields(f"{path}, record {number}", entry, _RECORD, {}))
        for number, entry in enumerate(entries, start=1)
    ]
    devices = sorted({record.device for record in records})
    if len(devices) > 1:
        raise SegmodelsError(f"{path}: holds records of {' and '.join(devices)}; one per file.")
    return records


def write_latency(record: LatencyRecord) -> Path:
    """Keep a record in the file of its device and network, instead of an older one."""
    path = latency_file(record.device, record.model)
    older = read_latency(path) if path.exists() else []
    kept = [one for one in older if one.key != record.key] + [record]
    write_json(path, {"records": [asdict(one) for one in sorted(kept, key=lambda r: str(r.key))]})
    return path


def find_latency(
    model: str,
    overrides: Mapping[str, Any],
    size: tuple[int, int],
    protocol: LatencyProtocol,
    device: str,
) -> LatencyRecord | None:
    """The record of a network on exactly this device, or None.

    Args:
        model, overrides: name of the network, and its arguments beside the image size.
        size: height and width in pixels.
        protocol: a record made under an older version of it does not count.
        device: full name; an empty one (a claim that names none) finds nothing.
    """
    path = latency_file(device, model)
    if not device or not path.exists():
        return None
    for one in read_latency(path):
        asked = (dict(overrides), size, device, protocol.name, protocol.digest)
        if asked == (
            one.overrides,
            (one.height, one.width),
            one.device,
            one.protocol,
            one.digest,
        ):
            return one
    return None

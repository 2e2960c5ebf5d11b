"""Images per second: how they are measured, and what was measured where. No torch.

A number of images per second belongs to the device it was measured on. Records are kept per
device, and ``find_latency`` asks for the device by name: there is no way to get a number of
another one by accident. A claim that names no device finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import NonNegativeInt, PositiveInt
from pydantic.json_schema import SkipJsonSchema

from segmodels.core.entry import Entry, NotNegative, Overrides, Several, read_entry
from segmodels.core.files import digest, read_json, write_json
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.efficiency.convention import efficiency_file, is_latency
from segmodels.errors import SegmodelsError, pick

LatencyPrecision = Literal["fp32", "bf16"]
#: What its description does not change.
_LABELS = ("name", "title", "source", "quantity")


class LatencyProtocol(Entry):
    """One way to measure images per second.

    Attributes:
        name: key in ``params/efficiency.yaml``.
        version: raised when the meaning of the entry changes.
        title: one line for people.
        source: where it was read, and what is not documented.
        quantity: `latency`; entries with another are conventions of counting.
        batch: images per pass.
        warm_up: passes that are not timed.
        iterations: passes that are timed, one by one.
        precision: arithmetic of the network.
        labels: whether the arg-max at the size of the image is timed too.
        device: that the printed numbers were measured on; empty where nobody says.
    """

    name: SkipJsonSchema[str]
    version: int
    title: str
    source: str
    quantity: Literal["latency"]
    batch: PositiveInt
    warm_up: NonNegativeInt
    iterations: PositiveInt
    precision: LatencyPrecision
    labels: bool
    device: str = ""

    @property
    def digest(self) -> str:
        """Hex SHA-256 of everything but the descriptions."""
        return digest({k: v for k, v in vars(self).items() if k not in _LABELS})


def load_latency_protocols(path: Path | None = None) -> dict[str, LatencyProtocol]:
    """The latency protocols of ``params/efficiency.yaml`` by name.

    Raises:
        SegmodelsError: an entry has a missing, unknown or impossible field.
    """
    path = path or efficiency_file()
    return {
        name: read_entry(LatencyProtocol, f"{path}, latency protocol {name!r}", entry, name=name)
        for name, entry in read_yaml(path).items()
        if is_latency(entry)
    }


def load_latency_protocol(name: str, path: Path | None = None) -> LatencyProtocol:
    """One latency protocol by name.

    Raises:
        UnknownNameError: no such protocol; the message suggests the nearest.
    """
    return pick("latency protocol", name, load_latency_protocols(path))


class LatencyRecord(Entry):
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
    overrides: Overrides
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
    lower: NotNegative
    median: NotNegative
    upper: NotNegative
    images_per_second: NotNegative

    @property
    def key(self) -> tuple[object, ...]:
        """What a later measurement replaces."""
        arguments = digest(self.overrides)
        return (self.model, arguments, self.height, self.width, self.protocol, self.device)


def latency_file(device: str, model: str) -> Path:
    """Where the records of a network on a device stand."""
    slug = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    return project_root() / "reports" / "bench" / "latency" / slug / f"{model}.json"


class _Records(Entry):
    records: Several[LatencyRecord]


def read_latency(path: Path) -> tuple[LatencyRecord, ...]:
    """The records of one file.

    Raises:
        SegmodelsError: the file is missing or broken, or holds records of several devices.
    """
    records = read_entry(_Records, str(path), read_json(path)).records
    devices = sorted({record.device for record in records})
    if len(devices) > 1:
        raise SegmodelsError(f"{path}: holds records of {' and '.join(devices)}; one per file.")
    return records


def write_latency(record: LatencyRecord) -> Path:
    """Keep a record in the file of its device and network, instead of an older one."""
    path = latency_file(record.device, record.model)
    older = read_latency(path) if path.exists() else ()
    records = [one for one in older if one.key != record.key] + [record]
    write_json(path, {"records": [vars(one) for one in sorted(records, key=lambda r: str(r.key))]})
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

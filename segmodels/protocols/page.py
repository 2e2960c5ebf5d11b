"""docs/protocols.md: what every field does to a number, and which paper measures how.

Descriptions of fields come from the docstring of `Protocol`, their values from
`params/protocols.yaml`, their effects from `fields.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from segmodels.core.docstrings import attributes_of
from segmodels.protocols.fields import EFFECTS
from segmodels.protocols.protocol import Protocol

_DATASETS = ("ADE20K", "Cityscapes", "Pascal Context", "COCO-Stuff", "CamVid", "ImageNet", "Shapes")
_NAMED = (
    *("resize_library", "normalize", "statistics_order", "average", "argmax_at", "precision"),
    "whole_image",
    "void",
)
_SCORING = ("void", "ignore_classes", "images_drawn")

_HEAD = """# Protocols

<!-- Written by `segmodels protocols` from params/protocols.yaml. Do not edit. -->

A protocol is how a number is measured. Two mIoUs under different protocols cannot be compared, and
most tables do not say which one they used. Here stands what each field does to a number, and then
who measures how.

What all of them share is no field: windows start at every multiple of the stride and the last one
is shifted inward to end with the image; logits of overlapping windows are averaged; logits are
resized to the image, mirrored back, soft-maxed and only then averaged over views; labels are
compared at the size of the ground truth, which is never resized; IoU is taken of the counts of the
whole split and averaged over the classes that occur. Label files are read by the datasets (ADE20K's
label 0 becomes void, all others move down by one)."""

_SIDE_BY_SIDE = """## Side by side

Names in one row measure the same, and evidence made under one answers the others. Sizes are short
side, "≤" the cap of the long side; "own size" is the image as it is."""


def render(protocols: Mapping[str, Protocol]) -> str:
    """The page as Markdown."""
    parts = [_HEAD, "## Fields that decide labels", *_fields(_inference_fields())]
    parts += ["## Fields that decide how counts become a number", *_fields(_SCORING)]
    parts.append(_SIDE_BY_SIDE)
    for dataset, members in _by_dataset(protocols.values()).items():
        parts += [f"### {dataset}", "\n".join(_table(members))]
    parts += ["## Where they were read", "\n".join(_sources(protocols.values()))]
    return "\n\n".join(parts) + "\n"


def _inference_fields() -> list[str]:
    return [name for name in EFFECTS if name not in _SCORING]


def _fields(names: Iterable[str]) -> Iterator[str]:
    known = attributes_of(Protocol)
    for name in names:
        yield f"**`{name}`**: {known[name]}\n\n> {EFFECTS[name]}"


def _by_dataset(protocols: Iterable[Protocol]) -> dict[str, list[Protocol]]:
    groups: dict[str, list[Protocol]] = {name: [] for name in (*_DATASETS, "Any dataset")}
    for protocol in protocols:
        home = next((name for name in _DATASETS if protocol.title.startswith(name)), "Any dataset")
        groups[home].append(protocol)
    return {name: members for name, members in groups.items() if members}


def _table(protocols: Iterable[Protocol]) -> Iterator[str]:
    rows: dict[str, list[Protocol]] = {}
    for protocol in protocols:
        rows.setdefault(protocol.digest, []).append(protocol)
    yield "| protocol | image | window, stride | smaller than the window | views | else |"
    yield "|---|---|---|---|---|---|"
    for same in rows.values():
        names = "<br>".join(f"`{protocol.name}`" for protocol in same)
        yield f"| {names} | {' | '.join(_cells(same[0]))} |"


def _cells(protocol: Protocol) -> tuple[str, ...]:
    slides = protocol.windows is not None
    small = ("enlarged" if protocol.enlarge else "window clipped") if slides else ""
    window = f"{_sides(protocol.window)}, {_sides(protocol.stride)}" if slides else "whole"
    return _image(protocol), window, small, _views(protocol), ", ".join(_else(protocol))


def _image(protocol: Protocol) -> str:
    text = "own size"
    if protocol.resize_fixed is not None:
        text = f"squashed to {_sides(protocol.resize_fixed)}"
    elif protocol.resize_short is not None:
        text = str(protocol.resize_short)
        text += f" ≤ {protocol.resize_long}" if protocol.resize_long else ""
    if protocol.resize_multiple is not None:
        text += f", resized to multiples of {protocol.resize_multiple}"
    if protocol.pad_multiple is not None:
        text += f", padded to multiples of {protocol.pad_multiple}"
    return text


def _views(protocol: Protocol) -> str:
    scales = ", ".join(f"{scale:g}" for scale in protocol.scales)
    return f"{scales}; flip" if protocol.flip else scales


def _else(protocol: Protocol) -> Iterator[str]:
    """Fields without a column of their own, where they are not as everywhere."""
    for name in _NAMED:
        value = getattr(protocol, name)
        if value != Protocol.model_fields[name].default:
            yield f"{name} {value}"
    if protocol.labels_resized:
        how = protocol.labels_resized_by
        yield "labels_resized" if how == "linear" else f"labels_resized by {how}"
    if protocol.upsample_once:
        yield "upsample_once"
    if protocol.images_drawn:
        yield f"images_drawn {protocol.images_drawn}"
    if protocol.ignore_classes:
        yield f"without {', '.join(protocol.ignore_classes)}"


def _sides(sides: object) -> str:
    """256 or (256, 512) as people write it, height first."""
    return "x".join(map(str, sides)) if isinstance(sides, tuple) else str(sides)


def _sources(protocols: Iterable[Protocol]) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    for protocol in protocols:
        places.setdefault(protocol.source, []).append(f"`{protocol.name}`")
    for source, names in places.items():
        yield f"- {', '.join(names)}: {source}."

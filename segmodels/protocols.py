"""A protocol is how a number is measured; a mIoU without its protocol is not a claim.

It has two halves. The *inference* half decides which label every pixel gets (resize,
window, stride, scales, flip, merge) and so belongs to the identity of evidence. The
*scoring* half decides how counted labels become a number (what a void pixel is worth,
which classes are averaged) and can be changed afterwards without running a network.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from segmodels.errors import SegmodelsError, pick
from segmodels.files import digest, read_yaml, take_fields
from segmodels.settings import project_root

Void = Literal["ignore", "error"]

_SCORING = ("void",)
_LABELS = ("name", "title", "source")


@dataclass(frozen=True)
class Protocol:
    """One way to turn a model, an image and its ground truth into a score.

    Attributes:
        name: key in `params/protocols.yaml`.
        version: raised when the meaning of the entry changes.
        title: one line for people.
        source: where the protocol was read (paper section, official code).
        resize_short: target of the short side in pixels; None keeps the image's own size.
        resize_long: cap of the long side in pixels (keep-ratio resize).
        resize_multiple: after that, both sides are resized up to a multiple of this.
        window: side of the square sliding window in pixels; None feeds the whole image.
        stride: step of the window in pixels.
        enlarge: an image whose short side is below `window` is enlarged to it
            (Segmenter, official code) instead of being fed smaller.
        scales: factors of the test-time views.
        flip: whether each view is also seen mirrored.
        void: ground truth outside the class list is left out (`ignore`) or counts as a
            false positive of the class predicted there (`error`, ESPNet's scripts).
    """

    name: str
    version: int
    title: str = ""
    source: str = ""
    resize_short: int | None = None
    resize_long: int | None = None
    resize_multiple: int | None = None
    window: int | None = None
    stride: int | None = None
    enlarge: bool = False
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    void: Void = "ignore"

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise SegmodelsError(f"protocol {self.name!r}: {problem}")

    def replace(self, **changes: Any) -> Protocol:
        """A copy with some fields changed, checked like the original."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-able."""
        return {**dataclasses.asdict(self), "scales": list(self.scales)}

    @property
    def inference(self) -> dict[str, Any]:
        """The fields that decide labels: part of every evidence key."""
        dropped = (*_SCORING, *_LABELS, "version")
        return {k: v for k, v in self.to_dict().items() if k not in dropped}

    @property
    def digest(self) -> str:
        """Hex SHA-256 of everything but the descriptions."""
        return digest({k: v for k, v in self.to_dict().items() if k not in _LABELS})


def _problems(protocol: Protocol) -> list[str]:
    found = []
    if (protocol.window is None) != (protocol.stride is None):
        found.append("give `window` and `stride` together, or neither for whole images.")
    elif protocol.window and protocol.stride and not 0 < protocol.stride <= protocol.window:
        found.append("`stride` must lie between 1 and `window`, or pixels would be skipped.")
    if not protocol.scales or min(protocol.scales) <= 0:
        found.append("`scales` must list positive factors.")
    if protocol.void not in get_args(Void):
        found.append(f"`void` must be one of {', '.join(get_args(Void))}, not {protocol.void!r}.")
    for field in ("resize_short", "resize_long", "resize_multiple", "window", "stride"):
        value = getattr(protocol, field)
        if value is not None and value <= 0:
            found.append(f"`{field}` must be positive, not {value}.")
    if protocol.resize_long is not None and protocol.resize_short is None:
        found.append("`resize_long` caps `resize_short`, which is missing.")
    if protocol.enlarge and protocol.window is None:
        found.append("`enlarge` needs a `window` to enlarge to.")
    return found


_REQUIRED = {"version": int, "title": str}
_OPTIONAL = {
    "source": str,
    "resize_short": int,
    "resize_long": int,
    "resize_multiple": int,
    "window": int,
    "stride": int,
    "enlarge": bool,
    "scales": list,
    "flip": bool,
    "void": str,
}


def load_protocols(path: Path | None = None) -> dict[str, Protocol]:
    """All protocols of `params/protocols.yaml`, by name.

    Raises:
        SegmodelsError: an entry has a missing, unknown or impossible field.
    """
    path = path or project_root() / "params" / "protocols.yaml"
    return {name: _parse(path, name, entry) for name, entry in read_yaml(path).items()}


def _parse(path: Path, name: str, entry: object) -> Protocol:
    fields = take_fields(f"{path}, protocol {name!r}", entry, _REQUIRED, _OPTIONAL)
    if "scales" in fields:
        fields["scales"] = tuple(float(scale) for scale in fields["scales"])
    return Protocol(name=name, **fields)


def load_protocol(name: str, path: Path | None = None) -> Protocol:
    """One protocol by name.

    Raises:
        UnknownNameError: no such protocol; the message suggests the nearest.
    """
    return pick("protocol", name, load_protocols(path))

"""Other test resolutions: the same images larger or smaller, whole or in windows of another size.

Under a condition `{"resolution": factor, "windows": …}` the network sees images as its protocol
would show them, with every resize multiplied by the factor; labels are judged at the size of the
image, as always. So SegFormer's table 1c tells networks with a table of positions from others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from segmodels.evaluation.subject import Subject
from segmodels.protocols.protocol import Protocol

Factor = Annotated[float, Field(gt=0, le=16)]


def _known(windows: Any) -> Any:
    if windows not in ("protocol", "whole") and not (type(windows) is int and 0 < windows <= 2**16):
        raise ValueError("expected 'protocol', 'whole' or a number of pixels, 1 to 65536")
    return windows


#: As the protocol says, the whole image, or windows of so many pixels a side, side by side.
Windows = Annotated[Literal["protocol", "whole"] | int, BeforeValidator(_known)]


def conditions(factors: Iterable[float], windows: Iterable[Windows]) -> Iterator[dict[str, Any]]:
    """`{"resolution": factor}`, with `windows` where they are not the protocol's."""
    shown = list(windows)
    for factor in factors:
        for one in shown:
            yield {"resolution": factor, **({} if one == "protocol" else {"windows": one})}


def seen(protocol: Protocol, condition: dict[str, Any]) -> Protocol:
    """The protocol by which a network sees images under a condition.

    Raises:
        SegmodelsError: the protocol has no windows of another size.
    """
    factor, windows = condition["resolution"], condition.get("windows", "protocol")
    scales = tuple(scale * factor for scale in protocol.scales)
    if windows == "protocol":
        return protocol.replace(scales=scales)
    size = None if windows == "whole" else windows
    return protocol.replace(scales=scales, window=size, stride=size, enlarge=False)


def different(protocol: Protocol, wanted: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of some conditions that differ under a protocol, from it and from each other.

    Windows of an image that is shown whole anyway are nothing to count twice; other disturbances
    are left as they are.
    """
    known, found = [protocol.inference], []
    for condition in wanted:
        if "resolution" in condition:
            inference = seen(protocol, condition).inference
            if inference in known:
                continue
            known.append(inference)
        found.append(condition)
    return found


def apply(subject: Subject, condition: dict[str, Any]) -> Subject:
    """Show the network every image at another size, or in other windows."""
    look = partial(seen, condition=condition)
    return dataclasses.replace(subject, condition=condition, look=look)

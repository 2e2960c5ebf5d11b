"""What a user's own network gives: its logits, or one sentence on what came instead of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from segmodels.core.arguments import described

#: How logits are laid out, in the words of those who write networks.
LAYOUT = "(N, classes, height, width)"

#: Things in a list or mapping that are described one by one.
_SHOWN = 4


def logits_of(given: Any) -> Tensor | None:
    """The logits in what a network returns; None if none are there."""
    for name in ("out", "logits"):
        if isinstance(given, Mapping) and name in given:
            given = given[name]
    found = given if isinstance(given, Tensor) else getattr(given, "logits", None)
    return found if isinstance(found, Tensor) else None


def fault_of(
    given: Any, images: int, classes: int | None = None, called: str = "its output"
) -> str:
    """Why what a network returned of images is no logits; empty if it is.

    Args:
        given: what it returned.
        images: number of images that it was given.
        classes: number of logits of a pixel; None if that is not known yet. The images are then
            taken to be square, by which channels that come last are told.
        called: in the sentence.

    Returns:
        what came, what is expected, and what to change where that can be told.
    """
    logits = logits_of(given)
    if logits is not None and _is_right(logits, images, classes):
        return ""
    wanted = LAYOUT if classes is None else f"({images}, {classes}, height, width)"
    found = f"{called} is {_described(given)}; expected logits {wanted}, in floats"
    if logits is None:
        return f"{found}, bare, as 'out' or as 'logits'.{_picked(given)}"
    return f"{found}.{_mended(logits, images, classes)}"


def _is_right(logits: Tensor, images: int, classes: int | None) -> bool:
    if logits.ndim != 4 or len(logits) != images or not logits.is_floating_point():
        return False
    if classes is None:  # of square images, whose maps are square
        return logits.shape[2] == logits.shape[3]
    return logits.shape[1] == classes


def _mended(logits: Tensor, images: int, classes: int | None) -> str:
    """What to change, where the shape tells."""
    shape = tuple(logits.shape)
    square = classes is not None or len(set(shape[1:])) == 1
    flat = len(shape) == 3 and shape[0] == images and square and shape[1] != classes
    if flat or not logits.is_floating_point():
        return " These look like labels: return the scores, before their argmax."
    channels = classes is None or shape[-1] == classes
    if len(shape) == 4 and channels and shape[1] != shape[3]:
        return " If the classes come last: return output.permute(0, 3, 1, 2)."
    return ""


def _picked(given: Any) -> str:
    """How to return one thing of several."""
    if isinstance(given, tuple | list) and any(isinstance(one, Tensor) for one in given):
        return " Return the one that holds them, as in return output[0]."
    if isinstance(given, Mapping) and given:
        return f" Return the one that holds them, as in return output[{next(iter(given))!r}]."
    return ""


def _described(given: Any) -> str:
    """What a network returned, short: of tensors their types and shapes."""
    if isinstance(given, Mapping):
        named = [f"{name!r} ({_of_one(one)})" for name, one in given.items()]
        return f"a dict of {_listed(named)}" if named else "an empty dict"
    if isinstance(given, tuple | list):
        listed = _listed([_of_one(one) for one in given])
        return f"a {type(given).__name__} of {listed or 'nothing'}"
    if getattr(given, "logits", None) is not None:
        return f"{type(given).__name__} with 'logits' {_of_one(given.logits)}"
    return _of_one(given)


def _of_one(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    array = getattr(value, "dtype", None) is not None
    return f"{type(value).__name__} {described(value)}" if array else f"a {type(value).__name__}"


def _listed(texts: list[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more

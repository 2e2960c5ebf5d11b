"""ENet's files of github.com/ntkhoa95/ENet_PyTorch: a state dict below `state_dict`."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from segmodels.checkpoints.camvid import WITH_VOID
from segmodels.checkpoints.source import Source
from segmodels.checkpoints.states import tensors_of
from segmodels.checkpoints.strict import build, shape
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import ENET_NTKHOA95

MARKS = frozenset({"initial.conv.weight", "b10.activation3.weight", "fullconv.weight"})

#: The slope of a block under its three other names.
_AGAIN = re.compile(r"(b\d+\.activation)[123](\.weight)")


def recognises(source: Source) -> bool:
    """A state dict with the first block, the last convolution and slopes under several names."""
    return source.names >= MARKS


def load(source: Source) -> SegModel:
    """Read the file; classes are known of the published kind, 12 of them.

    Raises:
        SegmodelsError: tensors do not fit, or a block has several slopes.
    """
    path = source.path
    tensors = tensors_of(path, source.state)
    for name in [name for name in tensors if _AGAIN.fullmatch(name)]:
        _drop_copy(path.name, tensors, name)
    num_classes = shape(path, tensors, "fullconv.weight", 4)[1]
    model = build(path, {"name": "enet_ntkhoa95", "num_classes": num_classes}, tensors)
    model.preprocessing = ENET_NTKHOA95
    if num_classes == len(WITH_VOID):
        model.class_names = WITH_VOID
    return model


def _drop_copy(file: str, tensors: dict[str, Tensor], name: str) -> None:
    """Leave out a slope that stands there under another name."""
    first, copy = _AGAIN.sub(r"\1\2", name), tensors.pop(name)
    if first in tensors and not torch.equal(tensors[first], copy):
        raise SegmodelsError(
            f"{file}: {name!r} and {first!r} differ; one slope serves a whole block of this ENet."
        )

"""ENet's files of github.com/davidtvs/PyTorch-ENet: a state dict below `state_dict`."""

from __future__ import annotations

from segmodels.checkpoints.camvid import WITH_VOID
from segmodels.checkpoints.source import Source
from segmodels.checkpoints.states import tensors_of
from segmodels.checkpoints.strict import build, shape
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import ENET_DAVIDTVS

MARKS = frozenset({"initial_block.main_branch.weight", "transposed_conv.weight"})


def recognises(source: Source) -> bool:
    """A state dict with the first block and the last convolution of this port."""
    return source.names >= MARKS


def load(source: Source) -> SegModel:
    """Read the file; classes are known of the CamVid kind, 12 of them."""
    path, tensors = source.path, tensors_of(source.path, source.state)
    num_classes = shape(path, tensors, "transposed_conv.weight", 4)[1]
    model = build(path, {"name": "enet_davidtvs", "num_classes": num_classes}, tensors)
    model.preprocessing = ENET_DAVIDTVS
    if num_classes == len(WITH_VOID):
        model.class_names = WITH_VOID
    return model

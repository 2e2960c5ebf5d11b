"""Networks of mmsegmentation, 0.x and 1.x: a ``.pth`` with ``state_dict`` and ``meta``.

Architecture and sizes come from names and shapes of tensors, the rest from the config in
``meta`` where there is one (``mmseg_config``). Only networks that compute the same here load.

What the tensors do not say and no config contradicts is taken from the published configs:
heads of attention by width, dilations for 1/8 of the image, the blocks after which maps leave
SETR's encoder, bicubic positions and pixels in [-1, 1] for Segmenter, ImageNet's statistics
for the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from segmodels.checkpoints.mmseg_config import Described
from segmodels.checkpoints.mmseg_file import File
from segmodels.checkpoints.mmseg_networks import NETWORKS, KnownNetwork
from segmodels.checkpoints.source import Source
from segmodels.checkpoints.states import tensors_of
from segmodels.checkpoints.strict import build, count, some
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel


def recognises(source: Source) -> bool:
    """A state dict of a backbone and a decode head."""
    starts = {name.partition(".")[0] for name in source.names}
    return starts >= {"backbone", "decode_head"}


def load(source: Source) -> SegModel:
    """Read the file; class names and preprocessing come from its meta data if they are there."""
    path = source.path
    meta = source.content.get("meta")
    described = Described(path, meta if isinstance(meta, Mapping) else {})
    tensors = auxiliary_as_list(tensors_of(path, source.state))
    network = network_of(path, tensors)
    config, ours = network.read(File(path, tensors, described))
    described.check("align_corners" in config)
    model = build(path, config, ours)
    described.check_model(model.config)
    model.preprocessing = described.preprocessing or model.preprocessing
    model.class_names = described.class_names(model.num_classes)
    return model


def auxiliary_as_list(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A single auxiliary head as the first of a list."""
    old, new = "auxiliary_head.", "auxiliary_head.0."
    if count(tensors, old):
        return tensors
    return {
        new + key.removeprefix(old) if key.startswith(old) else key: value
        for key, value in tensors.items()
    }


def network_of(path: Path, tensors: Mapping[str, Tensor]) -> KnownNetwork:
    """The network that tensors under mmsegmentation's names belong to.

    Raises:
        SegmodelsError: none that is known here.
    """
    for network in NETWORKS:
        if all(any(key.startswith(mark) for key in tensors) for mark in network.marks):
            return network
    names = sorted({".".join(key.split(".")[:2]) for key in tensors})
    raise SegmodelsError(
        f"{path} is a network of mmsegmentation that is not known here; it has {some(names)}."
    )

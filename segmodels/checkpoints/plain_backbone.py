"""ImageNet weights of Swin, ResNet-V1c and MobileNetV2: a bare backbone, with its head or without.

They come from Swin's authors, from mmsegmentation and from mmpretrain. Their last norm, their
head and MobileNetV2's last convolution have no place in a segmentation network; Swin's norms of
every output are in no file and stay as they were drawn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from segmodels.checkpoints.backbone_report import BackboneReport
from segmodels.checkpoints.mmseg_backbones import mobilenet, resnet, swin
from segmodels.checkpoints.source import Source
from segmodels.checkpoints.states import tensors_of
from segmodels.checkpoints.strict import compare
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel
from segmodels.models.swin import Swin

PREFIX = "backbone."
COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class _Kind:
    """One kind of backbone.

    Attributes:
        title: for messages.
        mark: pattern of a name that all its files have, and others do not.
        renamed: from mmsegmentation's names, or its authors', to ours.
        unused: pattern of names in a file that no segmentation network has.
        fresh: pattern of our names that are in no file.
    """

    title: str
    mark: str
    renamed: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    unused: str
    fresh: str = r"(?!)"  # nothing


_HEAD = r"head\..*|fc\..*"
SWIN = _Kind(
    "Swin",
    r"backbone\.(layers|stages)\.0\.blocks\.0\.attn\..*relative_position_bias_table",
    swin.renamed,
    rf"{PREFIX}norm\..*|.*\.attn_mask|.*relative_position_index|{PREFIX}({_HEAD})|{_HEAD}",
    rf"{PREFIX}norm\d\..*",
)
RESNET = _Kind(
    "ResNet-V1c", r"backbone\.stem\.0\.weight", resnet.renamed, rf"{PREFIX}({_HEAD})|{_HEAD}"
)
MOBILENET = _Kind(
    "MobileNetV2",
    r"backbone\.layer1\.0\.conv\.0\.conv\.weight",
    mobilenet.renamed,
    rf"{PREFIX}(conv2\..*|{_HEAD})|{_HEAD}",
)


def kind_of(model: SegModel) -> _Kind | None:
    """The kind of a model's backbone; None for another one."""
    if isinstance(getattr(model, "backbone", None), Swin):
        return SWIN
    name = str(model.config.get("backbone", ""))
    kinds = {"resnet": RESNET, "mobilenetv2": MOBILENET}
    return next((kind for start, kind in kinds.items() if name.startswith(start)), None)


def fill(model: SegModel, kind: _Kind, source: Source) -> BackboneReport:
    """Fill a backbone from a file.

    Raises:
        SegmodelsError: the file holds another network, or tensors do not fit. The model is
            unchanged then.
    """
    theirs = {_named(key): value for key, value in tensors_of(source.path, source.state).items()}
    if not any(re.fullmatch(kind.mark, key) for key in theirs):
        raise SegmodelsError(f"{source.path} holds no ImageNet weights of a {kind.title}.")
    unused = [key for key in theirs if re.fullmatch(kind.unused, key)]
    given = kind.renamed({key: value for key, value in theirs.items() if key not in unused})
    wanted = {
        key: value
        for key, value in model.state_dict().items()
        if key.startswith(PREFIX) and not re.fullmatch(kind.fresh, key)
    }
    used = {**_counters(wanted), **given}
    compare(source.path, f"the backbone of {model.config.get('name')}", wanted, used)
    with torch.no_grad():
        for key, tensor in wanted.items():
            tensor.copy_(used[key])
    return BackboneReport(
        loaded=tuple(wanted),
        resized=(),
        fresh=tuple(name for name in model.state_dict() if name not in wanted),
        unused=tuple(key.removeprefix(PREFIX) for key in unused),
    )


def _named(key: str) -> str:
    """The name as in a segmentation network; mmpretrain's files have it already."""
    return key if key.startswith((PREFIX, "head.")) else PREFIX + key


def _counters(wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Zero for counters of batches, which old files lack."""
    return {key: torch.zeros_like(value) for key, value in wanted.items() if key.endswith(COUNTER)}

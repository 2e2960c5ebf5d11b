"""AugReg's own files (arXiv 2106.10270): ``.npz`` archives with the names and axes of JAX.

Linear layers are stored (in, out), convolutions (height, width, in, out), and attention with
its heads as an axis of their own, which is how these files tell the number of heads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from segmodels.checkpoints.imagenet import ImageNet, classifier
from segmodels.checkpoints.source import Source
from segmodels.checkpoints.states import check_weights
from segmodels.checkpoints.strict import shape
from segmodels.errors import SegmodelsError, shown
from segmodels.models.base import SegModel

#: Alone, or below the optimiser's snapshot; the optimiser's own arrays are not read.
PREFIXES = ("", "opt/target/")

PATCHES = "embedding/kernel"

#: Their names as patterns, ours as replacements.
RENAMED = (
    (r"cls", "cls_token"),
    (r"Transformer/posembed_input/pos_embedding", "pos_embed"),
    (r"embedding", "patch_embed.proj"),
    (r"head", "head"),
    (r"Transformer/encoder_norm", "norm"),
    (r"Transformer/encoderblock_(\d+)/LayerNorm_0", r"blocks.\1.norm1"),
    (r"Transformer/encoderblock_(\d+)/LayerNorm_2", r"blocks.\1.norm2"),
    (r"Transformer/encoderblock_(\d+)/MlpBlock_3/Dense_0", r"blocks.\1.mlp.fc1"),
    (r"Transformer/encoderblock_(\d+)/MlpBlock_3/Dense_1", r"blocks.\1.mlp.fc2"),
    (
        r"Transformer/encoderblock_(\d+)/MultiHeadDotProductAttention_1/(query|key|value)",
        r"blocks.\1.attn.\2",
    ),
    (r"Transformer/encoderblock_(\d+)/MultiHeadDotProductAttention_1/out", r"blocks.\1.attn.proj"),
)
KINDS = {"kernel": ".weight", "scale": ".weight", "bias": ".bias", "": ""}


def recognises(source: Source) -> bool:
    """An archive of arrays with the patch embedding of a ViT."""
    return any(prefix + PATCHES in source.keys for prefix in PREFIXES)


def load(source: Source) -> SegModel:
    """The classifier, of ImageNet-1k or of the 21843 classes of ImageNet-21k."""
    return classifier(read(source))


def read(source: Source) -> ImageNet:
    """The tensors under our names.

    Raises:
        SegmodelsError: a kernel has another number of axes than in AugReg's files.
    """
    prefix = next(prefix for prefix in PREFIXES if prefix + PATCHES in source.keys)
    arrays = {
        key.removeprefix(prefix): value
        for key, value in source.content.items()
        if key.startswith(prefix)
    }
    for key, value in arrays.items():
        check_weights(source.path, key, value)
    query = "Transformer/encoderblock_0/MultiHeadDotProductAttention_1/query/kernel"
    heads = shape(source.path, arrays, query, 3)[1]
    ours = {_rename(key): _axes(source, key, value) for key, value in arrays.items()}
    return ImageNet(source.path, _joined(source, ours), heads=heads)


def _rename(key: str) -> str:
    name, _, kind = key.rpartition("/")
    for whole, ending in ((name, kind), (key, "")):
        for pattern, replacement in RENAMED:
            match = re.fullmatch(pattern, whole)
            if match and ending in KINDS:
                return match.expand(replacement) + KINDS[ending]
    return key


def _axes(source: Source, key: str, value: Tensor) -> Tensor:
    """PyTorch's order of axes for one array."""
    if not key.endswith("kernel"):
        is_head_bias = key.endswith(("query/bias", "key/bias", "value/bias"))
        return value.flatten() if is_head_bias else value
    if key == PATCHES and value.ndim == 4:
        return value.permute(3, 2, 0, 1)
    if value.ndim == 3:
        merged = value.flatten(0, 1) if key.endswith("/out/kernel") else value.flatten(1)
        return merged.T
    if value.ndim == 2:
        return value.T
    raise SegmodelsError(f"{source.path}: {shown(key)} has the shape {tuple(value.shape)}.")


def _joined(source: Source, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Query, key and value as one projection, in this order."""
    joined = dict(tensors)
    for key in tensors:
        if ".attn.query." in key:
            parts = [key.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
            for part in parts:
                shape(source.path, tensors, part, tensors[key].ndim)
            fused = key.replace(".query.", ".qkv.")
            joined[fused] = torch.cat([joined.pop(part) for part in parts])
    return joined

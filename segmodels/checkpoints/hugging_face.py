"""SegFormer and bare MiTs as the Hugging Face hub holds them: ``config.json`` and weights.

Their port is not the original network: it uses eps 1e-5 in every LayerNorm, the original
1e-6 in the blocks. Both are offered, because the published weights were trained with the
original and most people run the port.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segmodels.checkpoints.hugging_face_config import Described
from segmodels.checkpoints.hugging_face_processor import preprocessing_of
from segmodels.checkpoints.imagenet import ImageNet, classifier
from segmodels.checkpoints.nvlabs_segformer import name_of
from segmodels.checkpoints.shards import CONFIG, is_named, weights_of
from segmodels.checkpoints.source import Source, read_json
from segmodels.checkpoints.strict import build, shape
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel

logger = logging.getLogger(__name__)

EPS = {"hugging_face": 1e-5, "original": 1e-6}

#: Their names as patterns, ours as replacements; {n} counts stages from 1 instead of 0.
RENAMED = (
    (r"segformer\.encoder\.patch_embeddings\.(\d)\.layer_norm", "backbone.patch_embed{n}.norm"),
    (r"segformer\.encoder\.patch_embeddings\.(\d)\.proj", "backbone.patch_embed{n}.proj"),
    (r"segformer\.encoder\.layer_norm\.(\d)", "backbone.norm{n}"),
    (r"segformer\.encoder\.block\.(\d)", "backbone.block{n}"),
    (r"decode_head\.linear_c\.(\d)", "decode_head.linear_c{n}"),
    (r"decode_head\.linear_fuse\.weight", "decode_head.linear_fuse.conv.weight"),
    (r"decode_head\.batch_norm", "decode_head.linear_fuse.bn"),
    (r"decode_head\.classifier", "decode_head.linear_pred"),
)
IN_BLOCK = {
    "layer_norm_1": "norm1",
    "layer_norm_2": "norm2",
    "attention.self.query": "attn.q",
    "attention.self.key": "attn.k",
    "attention.self.value": "attn.v",
    "attention.self.sr": "attn.sr",
    "attention.self.layer_norm": "attn.norm",
    "attention.output.dense": "attn.proj",
    "mlp.dense1": "mlp.fc1",
    "mlp.dense2": "mlp.fc2",
}


def recognises(source: Source) -> bool:
    """A folder whose config.json says SegFormer, or one of the files in it."""
    return is_named(source) and read_json(source.folder / CONFIG).get("model_type") == "segformer"


def load(source: Source) -> SegModel:
    """Read the folder; class names and pixels come from its descriptions."""
    path, tensors = weights_of(source)
    tensors = renamed(tensors)
    if "classifier.weight" in tensors:
        return classifier(_encoder(source, path, tensors))
    described = _described(source, path)
    config = _config(described, path, tensors)
    config["norm_eps"] = EPS[source.layer_norm_eps]
    model = build(path, config, tensors)
    model.preprocessing = preprocessing_of(source.folder)
    model.class_names = described.classes(model.num_classes)
    return model


def read(source: Source) -> ImageNet:
    """The bare MiT in a folder such as ``nvidia/mit-b0``.

    Raises:
        SegmodelsError: it is a segmentation network.
    """
    path, tensors = weights_of(source)
    tensors = renamed(tensors)
    if any(key.startswith("decode_head.") for key in tensors):
        raise SegmodelsError(f"{path} is a segmentation network, no encoder from ImageNet.")
    return _encoder(source, path, tensors)


def _encoder(source: Source, path: Path, tensors: Mapping[str, Tensor]) -> ImageNet:
    described = _described(source, path)
    bare = {
        re.sub("^classifier", "head", key.removeprefix("backbone.")): value
        for key, value in tensors.items()
    }
    head, hidden = bare.get("head.weight"), bare.get("block1.0.mlp.fc1.weight")
    if hidden is not None:
        described.check_expansion(hidden.shape[0] // hidden.shape[1])
    return ImageNet(
        path,
        bare,
        preprocessing=preprocessing_of(source.folder),
        class_names=None if head is None else described.classes(len(head)),
        overrides={**described.sizes(), "norm_eps": EPS[source.layer_norm_eps]},
    )


def _described(source: Source, path: Path) -> Described:
    """The folder's config.json, with a word on its eps."""
    where = source.folder / CONFIG
    described = Described(where, read_json(where))
    described.check_eps(source.layer_norm_eps)
    if source.layer_norm_eps == "hugging_face":
        logger.warning(
            "%s: LayerNorm eps 1e-5 in the blocks as in Hugging Face's port; the original "
            "SegFormer has 1e-6 there (layer_norm_eps='original').",
            path,
        )
    return described


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the official names, with keys and values of attention joined."""
    ours = {_rename(key): value for key, value in tensors.items()}
    for key in [key for key in ours if ".attn.k." in key]:
        other = key.replace(".attn.k.", ".attn.v.")
        if other in ours:
            joined = torch.cat([ours.pop(key), ours.pop(other)])
            ours[key.replace(".attn.k.", ".attn.kv.")] = joined
    return ours


def _rename(key: str) -> str:
    for pattern, replacement in RENAMED:
        match = re.match(pattern, key)
        if match:
            stage = str(int(match[1]) + 1) if match.groups() else ""
            return replacement.replace("{n}", stage) + _in_block(key[match.end() :])
    return key


def _in_block(rest: str) -> str:
    for theirs, ours in IN_BLOCK.items():
        if f".{theirs}." in rest:
            return rest.replace(f".{theirs}.", f".{ours}.")
    return rest


def _config(described: Described, path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    width, sizes = described.decoder_width(), described.sizes()
    hidden, inputs = shape(path, tensors, "backbone.block1.0.mlp.fc1.weight", 2)
    described.check_expansion(hidden // inputs)
    return {
        "name": name_of("segformer", sizes["widths"], sizes["depths"]),
        "num_classes": shape(path, tensors, "decode_head.linear_pred.weight", 4)[0],
        "expansion": hidden // inputs,
        "decoder_width": width,
        **sizes,
    }

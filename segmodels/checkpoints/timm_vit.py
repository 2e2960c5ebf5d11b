"""ViT and DeiT under timm's names: a state dict, or a folder with timm's ``config.json``.

Only the plain networks of AugReg and DeiT are known: class token, learned positions, one
LayerNorm before the head. Relatives in timm with more parts (layer scale, register tokens,
pooling by attention) differ in their tensors and are refused.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segmodels.checkpoints.imagenet import VIT_MARKS, ImageNet, classifier
from segmodels.checkpoints.shards import CONFIG, is_named, weights_of
from segmodels.checkpoints.source import Source, read_json
from segmodels.checkpoints.states import tensors_of
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import Preprocessing

logger = logging.getLogger(__name__)

ARCHITECTURE = re.compile(
    r"(vit_(tiny|small|base|large)|deit_(tiny|small|base)(_distilled)?)_patch\d+_\d+"
)


def recognises(source: Source) -> bool:
    """A folder whose config.json is timm's, or a state dict of a bare ViT."""
    return _is_folder(source) or source.names >= VIT_MARKS


def load(source: Source) -> SegModel:
    """The classifier; a file without its head is refused."""
    model = classifier(read(source))
    if not _is_folder(source) and not model.config["distilled"]:
        logger.warning(
            "%s: pixels are scaled to [-1, 1] as AugReg's weights expect it; DeiT without "
            "distillation looks the same and wants ImageNet's mean and standard deviation.",
            source.path,
        )
    return model


def read(source: Source) -> ImageNet:
    """The tensors, and what config.json says about pixels and classes.

    A bare file says neither. It is taken for AugReg's, or for DeiT's if it is distilled.

    Raises:
        SegmodelsError: the architecture is another one, or a file is broken.
    """
    if _is_folder(source):
        return _folder(source)
    return ImageNet(source.path, tensors_of(source.path, source.state))


def _is_folder(source: Source) -> bool:
    return is_named(source) and "architecture" in read_json(source.folder / CONFIG)


def _folder(source: Source) -> ImageNet:
    where = source.folder / CONFIG
    described = read_json(where)
    architecture, pooling = str(described["architecture"]), described.get("global_pool", "token")
    if not ARCHITECTURE.fullmatch(architecture) or pooling != "token":
        raise SegmodelsError(
            f"{where} describes timm's {architecture!r} with pooling {pooling!r}; known here are "
            f"the ViTs of AugReg and DeiT (vit_base_patch16_224, deit_tiny_patch16_224, …) "
            f"with pooling 'token'."
        )
    path, tensors = weights_of(source)
    return ImageNet(
        path,
        tensors,
        preprocessing=_preprocessing(where, described.get("pretrained_cfg")),
        class_names=_classes(described),
    )


def _preprocessing(where: Path, values: Any) -> Preprocessing | None:
    """timm's mean and standard deviation, which are of values from 0 to 1.

    Its interpolation belongs to the resize of images to the ImageNet crop, not to the weights.
    """
    if not isinstance(values, Mapping) or "mean" not in values or "std" not in values:
        return None
    try:
        mean, std = ([round(255 * v, 6) for v in values[name]] for name in ("mean", "std"))
    except TypeError as error:
        raise SegmodelsError(
            f"{where}: pretrained_cfg.mean and .std must hold numbers, got "
            f"{values['mean']!r} and {values['std']!r}."
        ) from error
    return Preprocessing.from_dict({"channels": "RGB", "mean": mean, "std": std})


def _classes(described: Mapping[str, Any]) -> tuple[str, ...] | None:
    """One name for each output: the description of each label, or the label itself."""
    labels, texts = described.get("label_names"), described.get("label_descriptions")
    if not isinstance(labels, list):
        return None
    texts = texts if isinstance(texts, Mapping) else {}
    return tuple(str(texts.get(label, label)) for label in labels)

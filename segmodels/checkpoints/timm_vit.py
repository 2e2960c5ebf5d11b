"""ViT and DeiT under timm's names: a state dict, or a folder with timm's ``config.json``.

Only the plain networks of AugReg and DeiT are known: class token, learned positions, one
LayerNorm before the head. Relatives in timm with more parts (layer scale, register tokens,
pooling by attention) differ in their tensors and are refused.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from segmodels.checkpoints.imagenet import (
    VIT_MARKS,
    ImageNet,
    classifier,
    grid_of,
    heads_of,
)
from segmodels.checkpoints.shards import CONFIG, is_named, weights_of
from segmodels.checkpoints.source import Source, read_json
from segmodels.checkpoints.states import tensors_of
from segmodels.checkpoints.strict import count, shape
from segmodels.errors import SegmodelsError, nearest, shown
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import Preprocessing
from segmodels.models.registry import VITS

logger = logging.getLogger(__name__)

ARCHITECTURE = re.compile(
    r"(?:vit_(?P<vit>tiny|small|base|large)|deit_(?P<deit>tiny|small|base)(?:_distilled)?)"
    r"_patch(?P<patch>\d+)_\d+"
)

#: Arguments with which timm builds a network that must be those of the networks here.
FIXED: dict[str, tuple[Any, ...]] = {
    "qkv_bias": (True,),
    "mlp_ratio": (4,),
    "class_token": (True,),
    "global_pool": ("token",),
    "act_layer": ("gelu", None),
    "in_chans": (3,),
    "pos_embed": ("learn",),
}

#: Arguments of the training alone.
TRAINED = ("drop_rate", "drop_path_rate", "attn_drop_rate", "proj_drop_rate", "pos_drop_rate")

#: Fields of config.json, and of its `pretrained_cfg`; before timm 0.6 both were one mapping.
FIELDS = frozenset(
    """
    architecture num_classes num_features global_pool model_args pretrained_cfg labels label_names
    label_descriptions
    """.split()  # noqa: SIM905
)
PRETRAINED: dict[str, tuple[Any, ...]] = {
    "first_conv": ("patch_embed.proj",),
    "classifier": ("head", ["head", "head_dist"], None),
    "label_offset": (0, None),
}
#: Of `pretrained_cfg`: where the weights came from, and how ImageNet's images are cropped.
LEFT = frozenset(
    """
    url file state_dict hf_hub_id hf_hub_filename source architecture tag custom_load input_size
    test_input_size min_input_size fixed_input_size interpolation crop_pct test_crop_pct crop_mode
    mean std num_classes label_names label_descriptions pool_size test_pool_size license
    description origin_url paper_name paper_ids notes
    """.split()  # noqa: SIM905
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
    _check(where, described, ImageNet(path, tensors))
    pretrained = _pretrained(where, described)
    return ImageNet(
        path,
        tensors,
        preprocessing=_preprocessing(where, pretrained),
        class_names=_classes({**pretrained, **described}),
    )


def _pretrained(where: Path, described: Mapping[str, Any]) -> Mapping[str, Any]:
    """What config.json says of the weights: a mapping of its own, or all of it in old files.

    Raises:
        SegmodelsError: a field is not known, or of another network; it is named.
    """
    nested = "pretrained_cfg" in described
    values = described["pretrained_cfg"] if nested else described
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise SegmodelsError(f"{where}: the field 'pretrained_cfg' must be a mapping.")
    known = {*LEFT, *PRETRAINED}
    _check_known(where, "", described, FIELDS if nested else {*FIELDS, *known})
    if nested:
        _check_known(where, "pretrained_cfg.", values, known)
    for name, allowed in PRETRAINED.items():
        if name in values and values[name] not in allowed:
            _refuse(where, name, values[name], " or ".join(map(repr, allowed)))
    size = values.get("input_size")
    if size is not None and (not isinstance(size, list) or len(size) != 3 or size[0] != 3):
        _refuse(where, "input_size", size, "3 channels, height and width")
    return values


def _check_known(where: Path, part: str, values: Mapping[str, Any], known: Set[str]) -> None:
    for name in sorted(values.keys() - known):
        raise SegmodelsError(
            f"{where}: the field {part}{shown(name)[1:-1]} is not known here, and might change "
            f"what the network computes.{nearest(name, sorted(known))} Remove it if it does not."
        )


def _refuse(where: Path, name: str, found: Any, expected: str) -> None:
    raise SegmodelsError(
        f"{where}: the field {name!r} of its weights is {shown(found)}; the network of that kind "
        f"here has {expected}."
    )


def _check(where: Path, described: Mapping[str, Any], weights: ImageNet) -> None:
    """Compare what config.json says about the network with its tensors."""
    tensors = weights.tensors
    width, _, patch, _ = shape(weights.path, tensors, "patch_embed.proj.weight", 4)
    side = patch * grid_of(weights)[0]
    arguments = described.get("model_args") or {}
    if not isinstance(arguments, Mapping):
        raise SegmodelsError(f"{where}: the field 'model_args' must be a mapping.")
    head = tensors.get("head.weight")
    known = {
        **FIXED,
        "img_size": (side, [side, side]),
        "patch_size": (patch, [patch, patch]),
        "embed_dim": (width,),
        "depth": (count(tensors, "blocks."),),
        "num_classes": (0,) if head is None else (len(head),),
        "num_heads": (heads_of(where, width),),
    }
    for name, value in arguments.items():
        if name not in TRAINED and (name not in known or value not in known[name]):
            expected = " or ".join(map(repr, known[name])) if name in known else "none"
            raise SegmodelsError(
                f"{where}: model_args.{shown(name)[1:-1]} is {shown(value)}; the network of these "
                f"tensors here has {expected}."
            )
    _check_stated(where, described, width, patch, 0 if head is None else len(head))


def _check_stated(
    where: Path, described: Mapping[str, Any], width: int, patch: int, classes: int
) -> None:
    """Compare the architecture's name and the numbers beside it."""
    named = ARCHITECTURE.fullmatch(str(described["architecture"]))
    size = named and f"vit_{named['vit'] or named['deit']}"
    stated = {
        "architecture": (size and VITS[size][0]["width"], width),
        "patch in 'architecture'": (named and int(named["patch"]), patch),
        "num_features": (described.get("num_features", width), width),
        "num_classes": (described.get("num_classes") or classes, classes or None),
    }
    for name, (said, found) in stated.items():
        if said != found and found is not None:
            raise SegmodelsError(
                f"{where}: the field {name} says {shown(said)}, the tensors beside it "
                f"{shown(found)}."
            )


def _preprocessing(where: Path, values: Mapping[str, Any]) -> Preprocessing | None:
    """timm's mean and standard deviation, which are of values from 0 to 1.

    Its interpolation belongs to the resize of images to the ImageNet crop, not to the weights.
    """
    if not {"mean", "std"} & values.keys():
        return None
    if not {"mean", "std"} <= values.keys():
        raise SegmodelsError(
            f"{where}: the field 'pretrained_cfg' must give both 'mean' and 'std', or neither."
        )
    try:
        mean, std = ([round(255 * v, 6) for v in values[name]] for name in ("mean", "std"))
    except TypeError as error:
        raise SegmodelsError(
            f"{where}: pretrained_cfg.mean and .std must hold numbers, got "
            f"{shown(values['mean'])} and {shown(values['std'])}."
        ) from error
    try:
        return Preprocessing.from_dict({"channels": "RGB", "mean": mean, "std": std})
    except SegmodelsError as error:
        raise SegmodelsError(f"{where}: in pretrained_cfg, {error}") from error


def _classes(described: Mapping[str, Any]) -> tuple[str, ...] | None:
    """One name for each output: the description of each label, or the label itself."""
    labels = described.get("label_names", described.get("labels"))
    texts = described.get("label_descriptions")
    if not isinstance(labels, list):
        return None
    texts = texts if isinstance(texts, Mapping) else {}
    return tuple(str(texts.get(label, label)) for label in labels)

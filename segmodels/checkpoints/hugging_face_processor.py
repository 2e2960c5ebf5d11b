"""Which pixels a network of Hugging Face was trained on: ``preprocessor_config.json``.

Used: whether and how pixels are rescaled and normalised. Left to protocols: size and resampling
(``size``, ``resample``, ``do_resize``, …), which decide how an image is shown to any network.
``do_reduce_labels`` is about labels, which datasets define here. Anything else that would change
pixels, and any kind of processor that is not known, is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segmodels.checkpoints.source import read_json
from segmodels.errors import SegmodelsError, nearest, shown
from segmodels.models.preprocessing import IMAGENET, Preprocessing

PROCESSOR, PROCESSORS = "preprocessor_config.json", "processor_config.json"
MISNAMED = r"(pre)?processor_config([ ._-]?\(?\d+\)?)?\.(json|jsonc|json\.txt)"
KINDS = ("image_processor_type", "feature_extractor_type")
SEGFORMER = (
    "SegformerImageProcessor",
    "SegformerImageProcessorFast",
    "SegformerImageProcessorPil",
    "SegformerFeatureExtractor",
)

#: Statistics of ImageNet as shares, which SegFormer's processor has where a file says none.
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
USED = ("do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std")

#: What protocols and datasets decide, or what says nothing about pixels.
LEFT = (
    *("do_resize", "size", "resample", "default_to_square", "size_divisor", "crop_size"),
    *("do_reduce_labels", "reduce_labels", "do_convert_rgb", "data_format", "input_data_format"),
    *("return_tensors", "device", "disable_grouping", "image_seq_length", "pad_size"),
    *("processor_class", "transformers_version", "_valid_processor_keys", "backend"),
)

#: Steps that no protocol here has; they may be said to be off.
STEPS = ("do_center_crop", "do_pad", "do_flip_channel_order")


def preprocessing_of(folder: Path) -> Preprocessing:
    """What a folder says about pixels; ImageNet's statistics if it says nothing.

    Raises:
        SegmodelsError: a field is not known, or says what cannot be done here; it is named.
    """
    found = {}
    _check_spelling(folder)
    if (path := folder / PROCESSOR).is_file():
        found[path] = _preprocessing(path, read_json(path))
    if (path := folder / PROCESSORS).is_file():
        inner = read_json(path).get("image_processor")
        if isinstance(inner, Mapping):
            found[path] = _preprocessing(path, inner)
    if len(set(found.values())) > 1:
        raise SegmodelsError(
            f"{folder}: {PROCESSOR} and {PROCESSORS} describe different pixels "
            f"({' and '.join(_said(way) for way in found.values())}). Keep the right one."
        )
    return next(iter(found.values()), IMAGENET)


def _check_spelling(folder: Path) -> None:
    """Refuse a processor under another spelling, or the copy of a browser: it would be missed."""
    for path in sorted(folder.iterdir()):
        known = re.fullmatch(MISNAMED, path.name, re.I)
        if known and path.name not in (PROCESSOR, PROCESSORS):
            name = PROCESSOR if known[1] else PROCESSORS
            raise SegmodelsError(f"{path} is not read under this name; rename it to {name}.")


def _said(way: Preprocessing) -> str:
    return f"mean {way.mean}, std {way.std}"


def _preprocessing(path: Path, values: Mapping[str, Any]) -> Preprocessing:
    _check_names(path, values)
    is_segformer = any(kind in values for kind in KINDS)
    factor = _factor(path, values)
    if not _switch(path, values, "do_normalize"):
        return _scaled(path, [0.0] * 3, [1.0] * 3, factor)
    for name in ("image_mean", "image_std"):
        if values.get(name) is None and not is_segformer:
            raise SegmodelsError(
                f"{path} lacks the field {name!r}, and names no kind of processor that would "
                f"have one ({KINDS[0]})."
            )
    mean = _three(path, values, "image_mean", MEAN)
    return _scaled(path, mean, _three(path, values, "image_std", STD), factor)


def _check_names(path: Path, values: Mapping[str, Any]) -> None:
    for kind in KINDS:
        if kind in values and values[kind] not in SEGFORMER:
            raise SegmodelsError(
                f"{path}: the field {kind!r} is {values[kind]!r}; known here are "
                f"{', '.join(SEGFORMER)}."
            )
    for name in STEPS:
        if values.get(name):
            raise SegmodelsError(
                f"{path}: the field {name!r} is {shown(values[name])}, a step that is not done "
                f"here."
            )
    known = (*KINDS, *USED, *LEFT, *STEPS)
    for name in sorted(values.keys() - set(known)):
        raise SegmodelsError(
            f"{path}: the field {shown(name)} is not known here, and might change pixels."
            f"{nearest(name, known)} Remove it if it does not."
        )


def _switch(path: Path, values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name, True)
    if not isinstance(value, bool):
        raise SegmodelsError(
            f"{path}: the field {name!r} must be true or false, got {shown(value)}."
        )
    return value


def _factor(path: Path, values: Mapping[str, Any]) -> float:
    """By what pixels from 0 to 255 are multiplied before anything else."""
    if not _switch(path, values, "do_rescale"):
        return 1.0
    value = values.get("rescale_factor", 1 / 255)
    if not _is_number(value) or value <= 0:
        raise SegmodelsError(
            f"{path}: the field 'rescale_factor' must be a positive number, got {shown(value)}."
        )
    return float(value)


def _three(path: Path, values: Mapping[str, Any], name: str, usual: list[float]) -> list[float]:
    """A number for each channel; one number stands for all three."""
    value = values.get(name)
    value = usual if value is None else [value] * 3 if _is_number(value) else value
    if not isinstance(value, list) or len(value) != 3 or not all(map(_is_number, value)):
        raise SegmodelsError(f"{path}: the field {name!r} must hold 3 numbers, got {shown(value)}.")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and type(value) is not bool and math.isfinite(value)


def _scaled(path: Path, mean: list[float], std: list[float], factor: float) -> Preprocessing:
    """(pixel x factor - mean) / std, as statistics of pixels from 0 to 255."""
    if min(std) <= 0:
        raise SegmodelsError(
            f"{path}: the field 'image_std' must hold positive numbers, got {std}."
        )
    mean, std = ([round(value / factor, 6) for value in values] for values in (mean, std))
    return Preprocessing.from_dict({"channels": "RGB", "mean": mean, "std": std})

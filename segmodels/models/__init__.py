"""Segmentation networks by name: ``create_model`` and ``list_models``."""

from __future__ import annotations

import fnmatch
import importlib
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from segmodels.core.arguments import MOST_CLASSES, whole, words, wrong
from segmodels.core.fields import check_fields
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.models.registry import MODELS

if TYPE_CHECKING:
    from segmodels.models.base import SegModel

#: Arguments that say how often a part is repeated, and more than any network repeats one.
REPEATED = ("layers", "depths", "decoder_layers", "cross_layers", "p", "q", "auxiliary_convs")
MOST_BLOCKS = 1000

#: More channels than a layer has, or pixels than a side.
LARGEST_SIDE = 2**20

__all__ = ["create_model", "list_models"]


def list_models(pattern: str = "*") -> list[str]:
    """Sorted names that match a shell pattern, e.g. ``"segformer*"``. Does not import torch."""
    every = words("pattern", pattern) == "*"  # what a board asks two thousand times
    return sorted(MODELS if every else fnmatch.filter(MODELS, pattern))


def create_model(
    name: str,
    num_classes: int = 150,
    image_size: int | tuple[int, int] | None = None,
    **overrides: Any,
) -> SegModel:
    """Build a network with fresh random weights, in training mode.

    Args:
        name: one of ``list_models()``.
        num_classes: number of logit channels.
        image_size: side, or (height, width), the position table is made for. Images of
            other sizes still fit. Networks without a position table ignore it.
        overrides: fields of the model's config, e.g. ``drop_path=0.0``.

    Raises:
        UnknownNameError: no such model.
        SegmodelsError: the model does not know an override, or the values do not fit.
    """
    if words("name", name) not in MODELS:
        raise UnknownNameError("model", name, MODELS)
    num_classes = whole("num_classes", num_classes, 1, MOST_CLASSES)
    entry = MODELS[name]
    model_class = class_of(name)
    known = [field.name for field in fields(model_class.Config)]
    _check(name, overrides, known)
    arguments = {**entry.defaults, **overrides, "num_classes": num_classes}
    if image_size is not None and "image_size" in known:
        arguments["image_size"] = image_size
    model = _built(name, model_class, arguments)
    model.config = {"name": name, **model.config}
    model.preprocessing = entry.preprocessing
    return model


def _built(name: str, model_class: type[SegModel], arguments: Mapping[str, Any]) -> SegModel:
    check_fields(model_class.Config, arguments)
    _check_sizes(arguments)
    try:
        return model_class(model_class.Config(**arguments))
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as e:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        problem = " ".join(str(e).split())[:200]
        raise SegmodelsError(f"Model {name!r} cannot be built with {given}: {problem}.") from e


def _check_sizes(arguments: Mapping[str, Any]) -> None:
    """Refuse sizes with which no network ends being built."""
    for name, value in arguments.items():
        most = MOST_BLOCKS if name in REPEATED else LARGEST_SIDE
        for number in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(number, int) and number > most:
                raise wrong(name, f"at most {most}", value)


def class_of(name: str) -> type[SegModel]:
    """The class that ``create_model`` builds for a registered name."""
    module, _, attribute = MODELS[name].builder.partition(":")
    model_class: type[SegModel] = getattr(importlib.import_module(module), attribute)
    return model_class


def _check(name: str, overrides: Mapping[str, Any], known: Collection[str]) -> None:
    for key in overrides:
        if key not in known:
            names = ", ".join(sorted(known))
            raise SegmodelsError(f"Model {name!r} has no argument {key!r}. Known: {names}.")

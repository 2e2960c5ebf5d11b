"""Under which protocol of `params/protocols.yaml` mmsegmentation measures with a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segmodels.exchange.mmseg.networks import NotHereError
from segmodels.protocols.protocol import Protocol

Values = Mapping[str, Any]

#: Scales of a number printed as "ms+flip": `img_ratios` of the base datasets, factors of the resize
#: target in mmsegmentation 0.x, which measured the tables.
SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)

#: Steps of the test pipeline that change no pixel.
_NEUTRAL = ("LoadImageFromFile", "LoadAnnotations", "PackSegInputs")


def protocol_of(
    config: Values, family: str, dataset: str, several: bool, known: Mapping[str, Protocol]
) -> str:
    """Name of the protocol behind a printed number.

    Args:
        config: of the training; its `test_pipeline` and `model.test_cfg` decide.
        family: folder of the config; of equal protocols, the one named after it is taken.
        dataset: name here.
        several: whether it was measured at several scales and mirrored.
        known: protocols by name.

    Raises:
        NotHereError: none of mmsegmentation's here does the same.
    """
    wanted = _wanted(config, several).inference
    found = [
        name
        for name, protocol in known.items()
        if name.startswith("mmseg-")
        and protocol.inference == wanted
        and not protocol.ignore_classes
        and dataset in protocol.datasets
    ]
    if not found:
        raise NotHereError(f"protocol of {dataset} with {_shown(wanted)}")
    return min(found, key=lambda name: (f"-{family}-" not in name, "-whole-" not in name, name))


def _wanted(config: Values, several: bool) -> Protocol:
    fields: dict[str, Any] = {"name": "wanted", "version": 1, "title": "wanted"}
    for step in config.get("test_pipeline") or ():
        fields |= _resize(step)
    test = config["model"].get("test_cfg")
    test = test if isinstance(test, Mapping) else {}
    if test.get("mode", "whole") == "slide":
        fields |= {"window": list(test["crop_size"]), "stride": list(test["stride"])}
    if several:
        fields |= {"scales": SCALES, "flip": True}
    return Protocol(**fields)


def _resize(step: Values) -> dict[str, Any]:
    kind = step.get("type")
    if kind == "Resize" and step.get("keep_ratio") is True:
        return {"resize_short": min(step["scale"]), "resize_long": max(step["scale"])}
    if kind == "ResizeToMultiple":
        return {"resize_multiple": step.get("size_divisor", 32)}
    if kind not in _NEUTRAL:
        raise NotHereError(f"step {kind} of the test pipeline")
    return {}


def _shown(inference: Values) -> str:
    """The fields that are set."""
    return ", ".join(f"{k} {v}" for k, v in inference.items() if v not in (None, False))

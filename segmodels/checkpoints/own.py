"""A user's own network, with weights that were trained here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from segmodels.checkpoints.native import fill
from segmodels.checkpoints.source import told
from segmodels.core.arguments import path_to
from segmodels.models.base import SegModel
from segmodels.models.own import wrap_network
from segmodels.models.preprocessing import Preprocessing


def own_model(
    network: nn.Module | str,
    *,
    num_classes: int | None = None,
    preprocessing: Preprocessing | Mapping[str, Any] | None = None,
    image_size: tuple[int, int] | None = None,
    weights: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> SegModel:
    """A network of your own as one of this library, which predicts, evaluates and saves it.

    It takes normalised images (B, 3, H, W) and returns logits (B, C, h, w) of any resolution: a
    tensor, `out` of a mapping (torchvision), or `logits` of an object (transformers). They are
    resized bilinearly to the image. If it wants sides that are a multiple of a number, it says
    `net.size_multiple = 32`.

    Args:
        network: a module, or the function that builds one: `mynet.py:build` from the current
            folder, or `package.nets:build`. Its Python is run.
        num_classes: number of logit channels, handed to a function that takes it; without it, what
            the network says (`net.num_classes`), or gives for a grey image.
        preprocessing: how pixels become input: `mean`, `std`, `range` (1 or 255, the largest value
            of a pixel) and `channels` (RGB or BGR); without it, what the network says
            (`net.preprocessing`).
        image_size: handed to a function that takes it, as training gives it its crop.
        weights: a folder that a training here wrote; without it the network keeps what it has.
        overrides: arguments of the function, as those of a run.

    Returns:
        the network; in eval mode, if `weights` were given.

    Raises:
        SegmodelsError: there is no such function, it fails, the weights are of another network, or
            nothing says how pixels become input.
    """
    model = wrap_network(
        network,
        num_classes=num_classes,
        preprocessing=preprocessing,
        image_size=image_size,
        overrides=overrides,
    )
    if weights is None:
        return model
    with told():
        return fill(model, path_to("weights", weights))

"""The network that a run names: one of this library, or the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segmodels.core.settings import project_root
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.models.own import wrap_network
from segmodels.models.own_source import is_own


def build_model(
    model: str, num_classes: int, image_size: tuple[int, int] | None, overrides: Mapping[str, Any]
) -> SegModel:
    """Build what a run names, with fresh weights or those that the user's function gives.

    Args:
        model: name for `create_model`, or a function of the user's own, which is run.
        num_classes: of the dataset.
        image_size: height and width of training crops.
        overrides: arguments of the network.

    Raises:
        SegmodelsError: as `create_model` and `wrap_network`.
    """
    if not is_own(model):
        return create_model(model, num_classes, image_size, **overrides)
    return wrap_network(
        model,
        num_classes=num_classes,
        image_size=image_size,
        folder=project_root(),
        overrides=overrides,
    )

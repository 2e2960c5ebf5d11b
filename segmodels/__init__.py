"""Published semantic-segmentation results, checked.

Claim -> Protocol -> Evidence -> Verdict -> Leaderboard.

Names are imported when they are first used, so that `import segmodels` and the commands that
need no network stay instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from segmodels.versions import SOFTWARE

if TYPE_CHECKING:
    from segmodels.checkpoints import load_backbone, load_checkpoint, save_checkpoint
    from segmodels.corruptions import corrupt
    from segmodels.counting import confusion_matrix
    from segmodels.errors import SegmodelsError
    from segmodels.inference import predict, predict_views
    from segmodels.metrics import mean_iou
    from segmodels.models import create_model, list_models
    from segmodels.protocols import Protocol, load_protocol

__version__ = SOFTWARE

_HOMES = {
    "Protocol": "segmodels.protocols",
    "SegmodelsError": "segmodels.errors",
    "confusion_matrix": "segmodels.counting",
    "corrupt": "segmodels.corruptions",
    "create_model": "segmodels.models",
    "list_models": "segmodels.models",
    "load_backbone": "segmodels.checkpoints",
    "load_checkpoint": "segmodels.checkpoints",
    "load_protocol": "segmodels.protocols",
    "mean_iou": "segmodels.metrics",
    "predict": "segmodels.inference",
    "predict_views": "segmodels.inference",
    "save_checkpoint": "segmodels.checkpoints",
}

__all__ = [
    "Protocol",
    "SegmodelsError",
    "__version__",
    "confusion_matrix",
    "corrupt",
    "create_model",
    "list_models",
    "load_backbone",
    "load_checkpoint",
    "load_protocol",
    "mean_iou",
    "predict",
    "predict_views",
    "save_checkpoint",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'segmodels' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""Published semantic-segmentation results, checked.

Claim -> Protocol -> Evidence -> Verdict -> Leaderboard.

Names are imported when they are first used, so that `import segmodels` and the commands that
need no network stay instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segmodels.lazy import lazily
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
    "Protocol": "protocols",
    "SegmodelsError": "errors",
    "confusion_matrix": "counting",
    "corrupt": "corruptions",
    "create_model": "models",
    "list_models": "models",
    "load_backbone": "checkpoints",
    "load_checkpoint": "checkpoints",
    "load_protocol": "protocols",
    "mean_iou": "metrics",
    "predict": "inference",
    "predict_views": "inference",
    "save_checkpoint": "checkpoints",
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


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)

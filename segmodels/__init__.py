"""Published semantic-segmentation results, checked.

Claim -> Protocol -> Evidence -> Verdict -> Leaderboard.

Names are imported when they are first used, so that `import segmodels` and the commands that
need no network stay instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segmodels.core.lazy import lazily
from segmodels.versions import SOFTWARE

if TYPE_CHECKING:
    from segmodels.checkpoints import load_backbone, load_checkpoint, save_checkpoint
    from segmodels.errors import SegmodelsError
    from segmodels.evaluation.counting import confusion_matrix
    from segmodels.evaluation.reference import predict, predict_views
    from segmodels.metrics.iou import mean_iou
    from segmodels.models import create_model, list_models
    from segmodels.protocols.protocol import Protocol
    from segmodels.protocols.reading import load_protocol
    from segmodels.robustness.corruptions import corrupt

__version__ = SOFTWARE

_HOMES = {
    "Protocol": "protocols",
    "SegmodelsError": "errors",
    "confusion_matrix": "evaluation.counting",
    "corrupt": "robustness.corruptions",
    "create_model": "models",
    "list_models": "models",
    "load_backbone": "checkpoints",
    "load_checkpoint": "checkpoints",
    "load_protocol": "protocols",
    "mean_iou": "metrics.iou",
    "predict": "evaluation.reference",
    "predict_views": "evaluation.reference",
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

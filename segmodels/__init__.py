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
    from segmodels.checkpoints.own import own_model
    from segmodels.errors import SegmodelsError
    from segmodels.evaluation.counting import confusion_matrix
    from segmodels.evaluation.reference import predict, predict_views
    from segmodels.evidence import read_evidence, write_evidence
    from segmodels.metrics.iou import mean_iou
    from segmodels.models import create_model, list_models
    from segmodels.protocols.protocol import Protocol
    from segmodels.protocols.reading import load_protocol
    from segmodels.robustness.attacks import attack
    from segmodels.robustness.corruptions import corrupt
    from segmodels.robustness.on_device import corrupt_tensor
    from segmodels.steps.from_python import evaluate, load_dataset, score

__version__ = SOFTWARE

_HOMES = {
    "Protocol": "protocols",
    "SegmodelsError": "errors",
    "attack": "robustness.attacks",
    "confusion_matrix": "evaluation.counting",
    "corrupt": "robustness.corruptions",
    "corrupt_tensor": "robustness.on_device",
    "create_model": "models",
    "evaluate": "steps.from_python",
    "list_models": "models",
    "load_backbone": "checkpoints",
    "load_checkpoint": "checkpoints",
    "load_dataset": "steps.from_python",
    "load_protocol": "protocols",
    "mean_iou": "metrics.iou",
    "own_model": "checkpoints.own",
    "predict": "evaluation.reference",
    "predict_views": "evaluation.reference",
    "read_evidence": "evidence",
    "save_checkpoint": "checkpoints",
    "score": "steps.from_python",
    "write_evidence": "evidence",
}

__all__ = [
    "Protocol",
    "SegmodelsError",
    "__version__",
    "attack",
    "confusion_matrix",
    "corrupt",
    "corrupt_tensor",
    "create_model",
    "evaluate",
    "list_models",
    "load_backbone",
    "load_checkpoint",
    "load_dataset",
    "load_protocol",
    "mean_iou",
    "own_model",
    "predict",
    "predict_views",
    "read_evidence",
    "save_checkpoint",
    "score",
    "write_evidence",
]


__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)

"""The released CGNet file: a state dict below `model`, recognised and sized from its tensors."""

from __future__ import annotations

from segmodels.checkpoints.camvid import CLASSES
from segmodels.checkpoints.source import Source
from segmodels.checkpoints.states import tensors_of
from segmodels.checkpoints.strict import build, count, shape
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import CGNET_CAMVID

MARKS = frozenset({"level2_0.F_loc.conv.weight", "bn_prelu_3.bn.weight"})


def recognises(source: Source) -> bool:
    """A state dict with CGNet's blocks and the norm before its classifier."""
    return source.names >= MARKS


def load(source: Source) -> SegModel:
    """Read the file; preprocessing and classes are known of the published kind, 11 classes.

    Its mean is not in the file but in the authors' code. Others come without.
    """
    path, tensors = source.path, tensors_of(source.path, source.state)
    num_classes = shape(path, tensors, "classifier.0.conv.weight", 4)[0]
    m, n = (count(tensors, f"level{stage}.") + 1 for stage in (2, 3))
    config = {"name": "cgnet_m3n21", "num_classes": num_classes, "m": m, "n": n}
    model = build(path, config, tensors)
    if num_classes == len(CLASSES):
        model.preprocessing, model.class_names = CGNET_CAMVID, CLASSES
    return model

"""The released ESPNet files: bare state dicts, recognised and sized from their tensors."""

from __future__ import annotations

from typing import Any

from segmodels.checkpoints.camvid import WITH_VOID
from segmodels.checkpoints.source import Source
from segmodels.checkpoints.states import tensors_of
from segmodels.checkpoints.strict import build, count, shape
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel
from segmodels.models.espnet import SKIPS
from segmodels.models.preprocessing import ESPNET_CAMVID, ESPNET_CITYSCAPES
from segmodels.models.registry import MODELS

MARKS = frozenset({"encoder.level1.conv.weight", "level3_C.conv.weight"})

#: In the order of their training ids; the last one is everything else.
CITYSCAPES_CLASSES = (
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
    "unlabelled",
)

PUBLISHED = {
    ("b1", len(WITH_VOID)): (ESPNET_CAMVID, WITH_VOID),
    ("stem", len(CITYSCAPES_CLASSES)): (ESPNET_CITYSCAPES, CITYSCAPES_CLASSES),
}


def recognises(source: Source) -> bool:
    """A state dict that has both ESPNet's encoder and its decoder."""
    return source.names >= MARKS


def load(source: Source) -> SegModel:
    """Read the file; preprocessing and classes of the two published kinds are known.

    Their statistics are not in the files but in the authors' code. Other files (retrained,
    with other classes) come without.
    """
    path, tensors = source.path, tensors_of(source.path, source.state)
    num_classes = shape(path, tensors, "classifier.weight", 4)[1]
    inputs = shape(path, tensors, "conv.conv.weight", 4)[1]
    skips = {channels + num_classes: name for name, channels in SKIPS.items()}
    if inputs not in skips:
        raise SegmodelsError(
            f"{path}: 'conv.conv.weight' reads {inputs} channels, and the two published decoders "
            f"of {num_classes} classes read {' or '.join(map(str, sorted(skips)))}."
        )
    model = build(path, _config(tensors, num_classes, skips[inputs]), tensors)
    model.preprocessing, model.class_names = PUBLISHED.get(
        (model.config["skip"], num_classes), (None, None)
    )
    return model


def _config(tensors: dict[str, Any], num_classes: int, skip: str) -> dict[str, Any]:
    p, q = count(tensors, "encoder.level2."), count(tensors, "encoder.level3.")
    name = f"espnet_p{p}_q{q}"
    name = name if name in MODELS else "espnet_p2_q8"
    return {"name": name, "num_classes": num_classes, "p": p, "q": q, "skip": skip}

"""EdgeNets' released files, ESPNetv2 and DiCENet: bare state dicts, told and sized by tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from segmodels.checkpoints.source import Source
from segmodels.checkpoints.states import tensors_of
from segmodels.checkpoints.strict import build, shape
from segmodels.datasets.voc2012 import VOC2012
from segmodels.errors import SegmodelsError
from segmodels.models import dicenet, espnetv2
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import IMAGENET

ESPNETV2 = frozenset({"base_net.level1.conv.weight", "bu_dec_l1.stages.0.weight"})
DICENET = frozenset({"base_net.level1.cbr.0.weight", "eff_pool_16x16.stages.0.weight"})

#: Parts of the decoder by the names that the two networks have for them, from coarse to fine;
#: DiCENet's are those of maps of an image of 256 pixels.
_SIDES = ("16x16", "32x32", "64x64", "128x128")
_PARTS: dict[str, str] = {
    **{f"bu_dec_l{number + 1}": f"decoder.pools.{number}" for number in range(4)},
    **{f"merge_enc_dec_l{number + 2}": f"decoder.merges.{number}" for number in range(3)},
    **{f"bu_br_l{number + 2}": f"decoder.norms.{number}.br" for number in range(3)},
    **{f"eff_pool_{side}": f"decoder.pools.{number}" for number, side in enumerate(_SIDES)},
    **{f"proj_enc_{side}": f"decoder.merges.{number}" for number, side in enumerate(_SIDES[1:])},
    **{f"bu_br_{side}": f"decoder.norms.{number}.br" for number, side in enumerate(_SIDES[1:])},
}
#: What the files number: convolution, norm, activation; or the latter two.
_THREE = re.compile(r"\.cbr\.([012])\.")
_TWO = re.compile(r"\.br\.([01])\.")
_WORDS = ("conv", "bn", "act")

#: A slope per channel at 1/16, which tells the width, and how many channels each scale has there.
_WIDEST = {
    "espnetv2": (
        "base_net.level4.0.module_act.weight",
        {widths[-1]: scale for scale, widths in espnetv2.WIDTHS.items()},
    ),
    "dicenet": (
        "base_net.level4.0.right_layer.2.act.weight",
        {eighth: scale for scale, (_, eighth) in dicenet.WIDTHS.items()},
    ),
}


def recognises(source: Source) -> bool:
    """A state dict that has the encoder and the decoder of one of them."""
    return source.names >= ESPNETV2 or source.names >= DICENET


def load(source: Source) -> SegModel:
    """Read the file; classes are known of those with 21, which are VOC's.

    The statistics are ImageNet's, as in the authors' code, for all of them.
    """
    path = source.path
    family = "espnetv2" if source.names >= ESPNETV2 else "dicenet"
    tensors = {_worded(name): one for name, one in tensors_of(path, source.state).items()}
    model = build(path, _config(path, family, tensors), tensors)
    model.preprocessing = IMAGENET
    if model.num_classes == len(VOC2012.class_names):
        model.class_names = VOC2012.class_names
    return model


def _config(path: Path, family: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    scale = _scale(path, *_WIDEST[family], tensors)
    found = {
        "name": f"{family}_s{scale.replace('.', '_')}",
        "num_classes": shape(path, tensors, "decoder.pools.3.merge_layer.3.weight", 4)[0],
        "scale": scale,
        "decoder_width": shape(path, tensors, "decoder.pools.0.merge_layer.3.weight", 4)[0] // 4,
    }
    if family == "dicenet":
        name = "base_net.level4.0.right_layer.1.conv_height.weight"
        found["encoder_side"] = 16 * shape(path, tensors, name, 4)[0]
    return found


def _scale(path: Path, name: str, scales: Mapping[int, str], tensors: dict[str, Tensor]) -> str:
    width = shape(path, tensors, name, 1)[0]
    if width not in scales:
        known = ", ".join(map(str, scales))
        raise SegmodelsError(
            f"{path}: {name!r} has {width} values; of the published sizes it has {known}."
        )
    return scales[width]


def _worded(name: str) -> str:
    """Our name of a tensor: the decoder's parts by kind and place, words for numbers."""
    part, _, rest = name.partition(".")
    name = f"{_PARTS.get(part, part)}.{rest}"
    name = _THREE.sub(lambda found: f".{_WORDS[int(found[1])]}.", name)
    return _TWO.sub(lambda found: f".{_WORDS[1 + int(found[1])]}.", name)

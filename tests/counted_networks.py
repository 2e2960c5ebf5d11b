"""A small network of every family under every kind of protocol, counted on drawn images.

What the evaluator makes of them is stored in `reference/counts.json.xz`
(`reference/make_counts.py`) and must stay the same while `EVALUATOR` does. Nothing of it depends on
the processor's kind:

- weights are drawn by name, and rounded to 1/256, so that they are the same bits everywhere;
- images are drawn by arithmetic alone;
- a pixel at which two outputs are nearly equal is left out. Such pixels are found when the counts
  are stored, by disturbing the network's logits thirty times as much as float32 rounds, again and
  again, and stored with them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from reference_weights import is_counter, tensor
from torch import Tensor

from segmodels.core.arrays import VOID
from segmodels.datasets.reading.base import Sample
from segmodels.datasets.shapes import draw_scene
from segmodels.evaluation.image_counter import ImageCounter
from segmodels.evaluation.stream import prepared
from segmodels.evaluation.subject import Subject
from segmodels.evaluation.truth import compared
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import IMAGENET
from segmodels.protocols.protocol import Protocol

CLASSES = 8

_VIT: dict[str, Any] = {
    "image_size": 64,
    "patch_size": 16,
    "width": 48,
    "layers": 2,
    "heads": 3,
    "imagenet_classes": 0,
}

#: By name: a registered model, and what makes it small.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "unet": ("unet", {"width": 8, "levels": 3}),
    "espnet": ("espnet_p2_q3", {}),
    "fcn": ("fcn_mobilenetv2", {"channels": 32}),
    "pspnet": ("pspnet_mobilenetv2", {"channels": 32}),
    "pspnet-aligned": ("pspnet_mobilenetv2", {"channels": 32, "align_corners": True}),
    "deeplabv3": ("deeplabv3_mobilenetv2", {"channels": 32}),
    "deeplabv3plus": ("deeplabv3plus_mobilenetv2", {"channels": 32, "fine_channels": 8}),
    "encnet": ("encnet_resnet50", {"backbone": "mobilenetv2_100", "channels": 32, "codes": 8}),
    "ccnet": ("ccnet_resnet50", {"backbone": "mobilenetv2_100", "channels": 32}),
    "icnet": ("icnet_resnet50", {"psp_channels": 32, "channels": 32}),
    "ocrnet": (
        "ocrnet_hrnetw18s",
        {"backbone": "hrnet_w18_small", "channels": 32, "ocr_channels": 16},
    ),
    "fcn-hrnet": ("fcn_hrnet_w18s", {"backbone": "hrnet_w18_small"}),
    "fcn8s": ("fcn8s", {"base": 8, "width": 32}),
    "dilatednet": ("dilatednet", {"base": 12, "width": 48}),
    "icnet-released": ("icnet", {"width": 4}),
    "resnet38": ("resnet38", {"width": 4, "channels": 16}),
    "gscnn": ("gscnn", {"width": 8, "channels": 16}),
    "autodeeplab": ("autodeeplab_f20_aspp", {"filters": 7, "channels": 64}),
    "deeplabv3plus-xception": (
        "deeplabv3plus_xception41",
        {"channels": 32, "fine_channels": 8},
    ),
    "mmseg-unet": ("mmseg_unet_s5_d16_fcn", {"width": 4, "channels": 8}),
    "segformer": ("segformer_nano", {}),
    "mmseg-segformer": (
        "mmseg_segformer_b0",
        {"widths": (16, 32, 48, 64), "depths": (1, 1, 1, 1), "heads": (1, 2, 3, 4), "channels": 32},
    ),
    "segformer-positions": (
        "segformer_nano",
        {"mix_ffn": False, "position": "learned", "image_size": 64},
    ),
    "segformer-resnet": ("segformer_resnet50", {"decoder_width": 32}),
    "segmenter-mask": ("segmenter_vit_nano_patch8_mask", {"layers": 2}),
    "segmenter-linear": ("segmenter_vit_tiny_patch16_linear", _VIT),
    "depict": ("depict_sa_vit_nano_patch8", {"layers": 2}),
    "setr-naive": ("setr_naive", {**_VIT, "outputs": (1, 2), "channels": 32}),
    "setr-pup": ("setr_pup", {**_VIT, "outputs": (1, 2), "channels": 32}),
    "setr-mla": (
        "setr_mla",
        {**_VIT, "layers": 4, "outputs": (1, 2, 3, 4), "channels": 32, "mla_channels": 16},
    ),
    "upernet": (
        "upernet_swin_tiny",
        {"width": 24, "depths": (2, 2, 2, 2), "heads": (1, 2, 3, 6), "channels": 32},
    ),
    "cgnet": ("cgnet_m3n21", {"m": 2, "n": 2}),
    "enet": ("enet_ntkhoa95", {}),
    "bisenet": ("bisenet_resnet18", {"auxiliary": False}),
    "cbt": ("cbt_vit_tiny_patch16", {**_VIT, "representatives": 3}),
    "dabnet": ("dabnet", {}),
    "ddrnet": ("ddrnet23_slim", {"width": 8, "pyramid_width": 16, "head_width": 16}),
    "enet-davidtvs": ("enet_davidtvs", {}),
    "enet-elab": ("enet", {}),
    "fcdensenet": ("fcdensenet103", {"growth": 4, "down": (2, 2, 2), "middle": 2}),
    "segnet": ("segnet", {"slimmer": 8}),
    "espnetv2": ("espnetv2_s0_5", {"decoder_width": 4}),
    "dicenet": ("dicenet_s0_5", {"encoder_side": 64, "decoder_width": 4}),
}

#: Factors of weights. As drawn, a region of OCRNet would be one pixel, and which one would depend
#: on the last digits.
SOFTENED = {"decode_head.0.conv_seg.weight": 1 / 16}

#: One of every kind: what decides how images come to a network and labels come back.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "whole": {},
    "short": {"resize_short": 72, "resize_long": 100},
    "multiple": {"resize_short": 80, "resize_multiple": 32},
    "fixed": {"resize_fixed": (64, 96), "resize_library": "opencv-float"},
    "pillow": {"resize_short": 70, "resize_library": "pillow", "normalize": "rescaled"},
    "torch": {"resize_short": 70, "resize_library": "torch", "normalize": "fused"},
    "padded": {"pad_multiple": 40},
    "window": {"window": 64, "stride": 40},
    "window-rectangle": {"window": (48, 64), "stride": (32, 48)},
    "window-enlarged": {"resize_short": 48, "window": 64, "stride": 48, "enlarge": True},
    "views": {"scales": (0.75, 1.25), "flip": True},
    "views-logits": {"scales": (0.75, 1.25), "flip": True, "average": "logits"},
    "views-window": {"scales": (0.75, 1.0), "flip": True, "window": 64, "stride": 40},
    "once": {"resize_fixed": (64, 96), "upsample_once": True},
    "at-input": {"resize_fixed": (64, 96), "argmax_at": "input"},
    "statistics": {"statistics_order": "reversed"},
    "labels": {"resize_fixed": (64, 96), "labels_resized": True},
    "labels-nearest": {
        "resize_fixed": (64, 96),
        "resize_library": "pillow",
        "labels_resized": True,
        "labels_resized_by": "nearest",
    },
}

#: Numbers of the drawn images, taken in turn; they differ in size and shape.
SCENES = (2, 5)


def protocol(kind: str) -> Protocol:
    """The protocol of a kind."""
    return Protocol(name=kind, version=1, title=kind, **PROTOCOLS[kind])


def network(name: str, offsets: Sequence[float] = (0.0,) * CLASSES) -> SegModel:
    """The network of a family, with weights that are drawn by name and rounded to 1/256.

    Args:
        name: of `NETWORKS`.
        offsets: added to the logits of each output, so that all of them win somewhere.
    """
    registered, small = NETWORKS[name]
    model = create_model(registered, CLASSES, **small).eval()
    model.preprocessing = IMAGENET
    drawn = {key: _drawn(key, value) for key, value in model.state_dict().items()}
    for key in SOFTENED.keys() & drawn.keys():
        drawn[key] = drawn[key] * SOFTENED[key]
    model.load_state_dict(drawn)
    shift, whole = torch.tensor(offsets)[:, None, None], model.forward_lowres
    model.forward_lowres = lambda images: whole(images) + shift  # type: ignore[method-assign]
    return model


def _drawn(name: str, value: Tensor) -> Tensor:
    if is_counter(name) or not value.is_floating_point():
        return value
    rounded = np.asarray(np.round(tensor(name, value.shape) * 256) / 256)
    return torch.from_numpy(rounded.astype(np.float32))


@cache
def scene(kind: str) -> Sample:
    """The drawn image on which a kind of protocol is counted, at the size that is compared."""
    drawn = draw_scene(0, "test", SCENES[list(PROTOCOLS).index(kind) % len(SCENES)])
    return compared(drawn, protocol(kind), CLASSES)


def counts(model: SegModel, kind: str, unsure: Sequence[int] = ()) -> list[int]:
    """Counts (classes, outputs) of an image, row by row.

    Args:
        model: a network.
        kind: of protocol, which decides the image too.
        unsure: places of the pixels that are left out, row by row.
    """
    sample = scene(kind)
    truth = sample.label.copy()
    truth.reshape(-1)[list(unsure)] = VOID
    subject = Subject(model, "0" * 64, {}, fingerprint="")
    image = prepared(dataclasses.replace(sample, label=truth), None)
    (pending,) = ImageCounter(subject, protocol(kind), CLASSES).begin([image])
    line = pending.result()
    matrix = np.zeros((CLASSES + 1) * CLASSES, dtype=np.int64)
    matrix[list(line.counts.cells)] = line.counts.counts
    return [int(count) for count in matrix[: CLASSES * CLASSES]]


def cases() -> Iterator[tuple[str, str]]:
    """Network and kind of protocol of everything that is stored."""
    return ((name, kind) for name in NETWORKS for kind in PROTOCOLS)

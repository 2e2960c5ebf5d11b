"""Every model name, what builds it and with which arguments. No torch here.

To add an architecture: write one file with a ``ModelConfig`` (its fields are the arguments
a user may override) and a ``SegModel`` that takes it, and add its names to ``MODELS``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from segmodels.preprocessing import HALF, IMAGENET, IMAGENET_ROUNDED, Preprocessing


@dataclass(frozen=True)
class Entry:
    """One model: its class, imported on first use, and its default arguments."""

    builder: str  # "package.module:Class"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None


ESPNET = "segmodels.models.espnet:ESPNet"
UNET = "segmodels.models.unet:UNet"
SEGMENTER = "segmodels.models.segmenter:Segmenter"
DEPICT = "segmodels.models.depict:Depict"
SEGFORMER = "segmodels.models.segformer:SegFormer"

#: Encoder sizes of Segmenter (paper, table 1) and the patch sizes it was published with.
VITS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "vit_tiny": ({"width": 192, "layers": 12, "heads": 3}, (16,)),
    "vit_small": ({"width": 384, "layers": 12, "heads": 6}, (16, 32)),
    "vit_base": ({"width": 768, "layers": 12, "heads": 12}, (8, 16, 32)),
    "vit_large": ({"width": 1024, "layers": 24, "heads": 16}, (16, 32)),
    "deit_tiny_distilled": ({"width": 192, "layers": 12, "heads": 3, "distilled": True}, (16,)),
    "deit_small_distilled": ({"width": 384, "layers": 12, "heads": 6, "distilled": True}, (16,)),
    "deit_base_distilled": ({"width": 768, "layers": 12, "heads": 12, "distilled": True}, (16,)),
}

#: Ours, not published: trains on a CPU in about a minute on images of 64 to 128 pixels.
NANO: dict[str, Any] = {
    "image_size": 64,
    "patch_size": 8,
    "width": 96,
    "layers": 4,
    "heads": 3,
    "imagenet_classes": 0,
    "drop_path": 0.0,
    "decoder_dropout": 0.0,
}

#: SegFormer's sizes as the released code has them: widths, depths, width of the decoder.
MITS: dict[str, tuple[tuple[int, ...], tuple[int, ...], int]] = {
    "b0": ((32, 64, 160, 256), (2, 2, 2, 2), 256),
    "b1": ((64, 128, 320, 512), (2, 2, 2, 2), 256),
    "b2": ((64, 128, 320, 512), (3, 4, 6, 3), 768),
    "b3": ((64, 128, 320, 512), (3, 4, 18, 3), 768),
    "b4": ((64, 128, 320, 512), (3, 8, 27, 3), 768),
    "b5": ((64, 128, 320, 512), (3, 6, 40, 3), 768),
}


def _segmenters() -> Iterator[tuple[str, Entry]]:
    for encoder, (size, patches) in VITS.items():
        preprocessing = IMAGENET_ROUNDED if "distilled" in size else HALF
        for patch in patches:
            for decoder in ("linear", "mask"):
                arguments = {**size, "patch_size": patch, "decoder": decoder}
                name = f"segmenter_{encoder}_patch{patch}_{decoder}"
                yield name, Entry(SEGMENTER, arguments, preprocessing)


def _depicts() -> Iterator[tuple[str, Entry]]:
    # 3 layers of 3 heads for every size, as in the official config. The published ViT-L
    # figures need twice as much; its checkpoint says how much, and the loader listens.
    for attention in ("sa", "ca"):
        for encoder in ("vit_tiny", "vit_small", "vit_base", "vit_large"):
            arguments = {**VITS[encoder][0], "patch_size": 16, "attention": attention}
            yield f"depict_{attention}_{encoder}_patch16", Entry(DEPICT, arguments, HALF)


def _segformers() -> Iterator[tuple[str, Entry]]:
    for size, (widths, depths, decoder_width) in MITS.items():
        arguments = {"widths": widths, "depths": depths, "decoder_width": decoder_width}
        yield f"segformer_{size}", Entry(SEGFORMER, arguments, IMAGENET)


MODELS: dict[str, Entry] = {
    **dict(_segmenters()),
    "segmenter_vit_nano_patch8_mask": Entry(SEGMENTER, {**NANO, "decoder_heads": 3}, HALF),
    **dict(_depicts()),
    "depict_sa_vit_nano_patch8": Entry(
        DEPICT, {**NANO, "decoder_layers": 2, "decoder_heads": 2, "decoder_dim_head": 48}, HALF
    ),
    **dict(_segformers()),
    "segformer_nano": Entry(
        SEGFORMER,
        {
            "widths": (16, 32, 48, 64),
            "depths": (1, 1, 1, 1),
            "heads": (1, 2, 3, 4),
            "reductions": (4, 2, 1, 1),
            "decoder_width": 64,
            "drop_path": 0.0,
            "decoder_dropout": 0.0,
        },
        IMAGENET,
    ),
    "unet": Entry(UNET, preprocessing=IMAGENET),
    "espnet_p2_q3": Entry(ESPNET, {"p": 2, "q": 3}),
    "espnet_p2_q5": Entry(ESPNET, {"p": 2, "q": 5}),
    "espnet_p2_q8": Entry(ESPNET, {"p": 2, "q": 8}),
}

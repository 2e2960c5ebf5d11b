"""Every model name, what builds it and with which arguments. No torch here.

To add an architecture: write one file with a ``ModelConfig`` (its fields are the arguments
a user may override) and a ``SegModel`` that takes it, and add its names to ``MODELS``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from segmodels.models.preprocessing import HALF, IMAGENET, IMAGENET_ROUNDED, Preprocessing


@dataclass(frozen=True)
class ModelEntry:
    """One model: its class, imported on first use, and its default arguments."""

    builder: str  # "package.module:Class"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None


BISENET = "segmodels.models.bisenet:BiSeNet"
CBT = "segmodels.models.cbt:CBT"
DABNET = "segmodels.models.dabnet:DABNet"
DDRNET = "segmodels.models.ddrnet:DDRNet"
ENET_DAVIDTVS = "segmodels.models.enet_davidtvs:ENetDavidtvs"
ENET_ELAB = "segmodels.models.enet_elab:ENetElab"
FCDENSENET = "segmodels.models.fcdensenet:FCDenseNet"
SEGNET = "segmodels.models.segnet:SegNet"
CGNET = "segmodels.models.cgnet:CGNet"
ENET = "segmodels.models.enet:ENet"
DICENET = "segmodels.models.dicenet:DiCENet"
ESPNETV2 = "segmodels.models.espnetv2:ESPNetv2"
ESPNET = "segmodels.models.espnet:ESPNet"
UNET = "segmodels.models.unet:UNet"
SEGMENTER = "segmodels.models.segmenter:Segmenter"
DEPICT = "segmodels.models.depict:Depict"
SEGFORMER = "segmodels.models.segformer:SegFormer"
MMSEG_SEGFORMER = "segmodels.models.mmseg_segformer:MMSegSegFormer"
SEGFORMER_RESNET = "segmodels.models.segformer_resnet:SegFormerResNet"
SETR = "segmodels.models.setr:SETR"
UPERNET = "segmodels.models.upernet:UPerNet"
MIT_CLASSIFIER = "segmodels.models.classifier:MiTClassifier"
VIT_CLASSIFIER = "segmodels.models.classifier:ViTClassifier"
FCN = "segmodels.models.fcn:FCN"
PSPNET = "segmodels.models.pspnet:PSPNet"
FCN_HRNET = "segmodels.models.fcn_hrnet:FCNHRNet"
FCN8S = "segmodels.models.fcn8s:FCN8s"
DILATEDNET = "segmodels.models.dilatednet:DilatedNet"
AUTODEEPLAB = "segmodels.models.autodeeplab:AutoDeepLab"
GSCNN = "segmodels.models.gscnn:GSCNN"
RESNET38 = "segmodels.models.resnet38:ResNet38"
XCEPTION = "segmodels.models.deeplabv3plus_xception:DeepLabV3PlusXception"
ENCNET = "segmodels.models.encnet:EncNet"
CCNET = "segmodels.models.ccnet:CCNet"
OCRNET = "segmodels.models.ocrnet:OCRNet"
RELEASED_ICNET = "segmodels.models.icnet_released:ReleasedICNet"
ICNET = "segmodels.models.icnet:ICNet"
MMSEG_UNET = "segmodels.models.mmseg_unet:MMSegUNet"
DEEPLABV3 = "segmodels.models.deeplabv3:DeepLabV3"
DEEPLABV3PLUS = "segmodels.models.deeplabv3plus:DeepLabV3Plus"

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

#: What the releases of FCN-8s, ICNet and DilatedNet subtract; they divide by nothing.
VGG_MEAN = Preprocessing("BGR", (104.00699, 116.66877, 122.67892), (1, 1, 1))
ICNET_MEAN = Preprocessing("BGR", (103.939, 116.779, 123.68), (1, 1, 1))
CITYSCAPES_MEAN = Preprocessing("BGR", (72.39, 82.91, 73.16), (1, 1, 1))

#: timm's names of the dilated backbones of the convolutional baselines.
DILATED = {"resnet50": "resnet50c", "resnet101": "resnet101c", "mobilenetv2": "mobilenetv2_100"}

#: timm's names of the HRNets that OCRNet and FCN are published on.
HRNETS = {
    "hrnetw18s": "hrnet_w18_small_v2",
    "hrnetw18": "hrnet_w18",
    "hrnetw48": "hrnet_w48",
}

#: timm's names of the encoders that SegFormer's table 1d puts under its decoder.
STRIDED = {
    "resnet50": "resnet50c",
    "resnet101": "resnet101c",
    "resnext101": "resnext101_64x4d",
}

#: Swin's sizes: width, depths, heads, window. Swin-L is quoted after ImageNet-22K at 384 pixels,
#: with windows of 12; give ``window=12`` for such a Swin-B and ``window=7`` for the other Swin-L.
SWINS: dict[str, tuple[int, tuple[int, ...], tuple[int, ...], int]] = {
    "tiny": (96, (2, 2, 6, 2), (3, 6, 12, 24), 7),
    "small": (96, (2, 2, 18, 2), (3, 6, 12, 24), 7),
    "base": (128, (2, 2, 18, 2), (4, 8, 16, 32), 7),
    "large": (192, (2, 2, 18, 2), (6, 12, 24, 48), 12),
}


def _segmenters() -> Iterator[tuple[str, ModelEntry]]:
    for encoder, (size, patches) in VITS.items():
        preprocessing = IMAGENET_ROUNDED if "distilled" in size else HALF
        for patch in patches:
            for decoder in ("linear", "mask"):
                arguments = {**size, "patch_size": patch, "decoder": decoder}
                name = f"segmenter_{encoder}_patch{patch}_{decoder}"
                yield name, ModelEntry(SEGMENTER, arguments, preprocessing)


def _depicts() -> Iterator[tuple[str, ModelEntry]]:
    # 3 layers of 3 heads for every size, as in the official config. The published ViT-L
    # figures need twice as much; its checkpoint says how much, and the loader listens.
    for attention in ("sa", "ca"):
        for encoder in ("vit_tiny", "vit_small", "vit_base", "vit_large"):
            arguments = {**VITS[encoder][0], "patch_size": 16, "attention": attention}
            yield f"depict_{attention}_{encoder}_patch16", ModelEntry(DEPICT, arguments, HALF)


def _contracted() -> Iterator[tuple[str, ModelEntry]]:
    for encoder in ("vit_tiny", "vit_small", "vit_base", "vit_large"):
        arguments = {**VITS[encoder][0], "patch_size": 16}
        yield f"cbt_{encoder}_patch16", ModelEntry(CBT, arguments, HALF)


def _segformers() -> Iterator[tuple[str, ModelEntry]]:
    for size, (widths, depths, decoder_width) in MITS.items():
        arguments = {"widths": widths, "depths": depths, "decoder_width": decoder_width}
        yield f"segformer_{size}", ModelEntry(SEGFORMER, arguments, IMAGENET)
        mit = {"widths": widths, "depths": depths}
        yield f"mmseg_segformer_{size}", ModelEntry(MMSEG_SEGFORMER, mit, IMAGENET)
    for encoder, timm_name in STRIDED.items():
        entry = ModelEntry(SEGFORMER_RESNET, {"backbone": timm_name}, IMAGENET)
        yield f"segformer_{encoder}", entry


def _convolutional() -> Iterator[tuple[str, ModelEntry]]:
    builders = {
        "fcn": FCN,
        "pspnet": PSPNET,
        "deeplabv3": DEEPLABV3,
        "deeplabv3plus": DEEPLABV3PLUS,
    }
    for architecture, builder in builders.items():
        for backbone, timm_name in DILATED.items():
            yield (
                f"{architecture}_{backbone}",
                ModelEntry(builder, {"backbone": timm_name}, IMAGENET),
            )
    for architecture, builder in {"encnet": ENCNET, "ccnet": CCNET, "icnet": ICNET}.items():
        for backbone in ("resnet50", "resnet101"):
            arguments = {"backbone": DILATED[backbone]}
            yield f"{architecture}_{backbone}", ModelEntry(builder, arguments, IMAGENET)
    for depth in (41, 65, 71):
        arguments = {"backbone": f"xception{depth}"}
        yield f"deeplabv3plus_xception{depth}", ModelEntry(XCEPTION, arguments, HALF)
    for filters in (20, 32, 48):
        name = f"autodeeplab_f{filters}_aspp"
        yield name, ModelEntry(AUTODEEPLAB, {"filters": filters}, HALF)
    for size, timm_name in HRNETS.items():
        yield f"ocrnet_{size}", ModelEntry(OCRNET, {"backbone": timm_name}, IMAGENET)
        width = size.removeprefix("hrnet")
        yield f"fcn_hrnet_{width}", ModelEntry(FCN_HRNET, {"backbone": timm_name}, IMAGENET)


def _classifiers() -> Iterator[tuple[str, ModelEntry]]:
    for encoder, (size, patches) in VITS.items():
        preprocessing = IMAGENET if "distilled" in size else HALF
        for patch in patches:
            arguments = {**size, "patch_size": patch}
            yield f"{encoder}_patch{patch}", ModelEntry(VIT_CLASSIFIER, arguments, preprocessing)
    for name, (widths, depths, _) in MITS.items():
        arguments = {"widths": widths, "depths": depths}
        yield f"mit_{name}", ModelEntry(MIT_CLASSIFIER, arguments, IMAGENET)


def _setrs() -> Iterator[tuple[str, ModelEntry]]:
    # ImageNet statistics although the encoder's weights come from AugReg: as mmseg trains it.
    for decoder in ("naive", "pup"):
        yield f"setr_{decoder}", ModelEntry(SETR, {"decoder": decoder}, IMAGENET)
    yield "setr_mla", ModelEntry(SETR, {"decoder": "mla", "outputs": (6, 12, 18, 24)}, IMAGENET)


def _edgenets() -> Iterator[tuple[str, ModelEntry]]:
    published = {
        "espnetv2": (ESPNETV2, ("0.5", "1.0", "1.5", "2.0")),
        "dicenet": (DICENET, ("0.2", "0.5", "0.75", "1.0", "1.25", "1.5", "1.75")),
    }
    for family, (builder, scales) in published.items():
        for scale in scales:
            name = f"{family}_s{scale.replace('.', '_')}"
            yield name, ModelEntry(builder, {"scale": scale}, IMAGENET)


def _upernets() -> Iterator[tuple[str, ModelEntry]]:
    for size, (width, depths, heads, window) in SWINS.items():
        arguments = {"width": width, "depths": depths, "heads": heads, "window": window}
        yield f"upernet_swin_{size}", ModelEntry(UPERNET, arguments, IMAGENET)


MODELS: dict[str, ModelEntry] = {
    **dict(_segmenters()),
    "segmenter_vit_nano_patch8_mask": ModelEntry(SEGMENTER, {**NANO, "decoder_heads": 3}, HALF),
    **dict(_depicts()),
    "depict_sa_vit_nano_patch8": ModelEntry(
        DEPICT, {**NANO, "decoder_layers": 2, "decoder_heads": 2, "decoder_dim_head": 48}, HALF
    ),
    **dict(_segformers()),
    **dict(_classifiers()),
    "segformer_nano": ModelEntry(
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
    **dict(_convolutional()),
    **dict(_setrs()),
    **dict(_upernets()),
    "fcn8s": ModelEntry(FCN8S, preprocessing=VGG_MEAN),
    "dilatednet": ModelEntry(DILATEDNET, preprocessing=CITYSCAPES_MEAN),
    "icnet": ModelEntry(RELEASED_ICNET, preprocessing=ICNET_MEAN),
    "gscnn": ModelEntry(GSCNN, preprocessing=IMAGENET),
    "resnet38": ModelEntry(RESNET38, preprocessing=IMAGENET),
    "unet": ModelEntry(UNET, preprocessing=IMAGENET),
    **dict(_contracted()),
    "bisenet_resnet18": ModelEntry(BISENET, preprocessing=IMAGENET),
    "dabnet": ModelEntry(DABNET),
    "ddrnet23_slim": ModelEntry(DDRNET, preprocessing=IMAGENET),
    "enet": ModelEntry(ENET_ELAB),
    "enet_davidtvs": ModelEntry(ENET_DAVIDTVS),
    "fcdensenet103": ModelEntry(FCDENSENET),
    "segnet": ModelEntry(SEGNET),
    "mmseg_unet_s5_d16_fcn": ModelEntry(MMSEG_UNET, preprocessing=IMAGENET),
    "cgnet_m3n21": ModelEntry(CGNET, {"m": 3, "n": 21}),
    "enet_ntkhoa95": ModelEntry(ENET),
    "espnet_p2_q3": ModelEntry(ESPNET, {"p": 2, "q": 3}),
    "espnet_p2_q5": ModelEntry(ESPNET, {"p": 2, "q": 5}),
    "espnet_p2_q8": ModelEntry(ESPNET, {"p": 2, "q": 8}),
    **dict(_edgenets()),
}

"""Each network of mmsegmentation that is known here: what gives its files away, and its reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from segmodels.checkpoints.mmseg_convolutional import (
    ccnet_of,
    convolutional,
    encnet_of,
    fcn_hrnet_of,
    icnet_of,
    ocrnet_of,
    unet_of,
)
from segmodels.checkpoints.mmseg_file import Config, File, Tensors
from segmodels.checkpoints.mmseg_transformers import (
    mmseg_segformer_of,
    segformer_of,
    segmenter_of,
    setr_of,
    upernet_of,
)


@dataclass(frozen=True)
class KnownNetwork:
    """Tensors that give a network away, and how to turn its file into ours."""

    marks: tuple[str, ...]
    read: Callable[[File], tuple[Config, Tensors]]


VIT, SWIN = "backbone.pos_embed", "backbone.patch_embed.proj"

#: The first network all of whose marks are beginnings of some names.
NETWORKS = (
    KnownNetwork(("decode_head.cls_emb", VIT), segmenter_of),
    KnownNetwork(("decode_head.up_convs.", VIT), setr_of),
    KnownNetwork(("decode_head.fusion_conv.",), mmseg_segformer_of),
    KnownNetwork(("decode_head.linear_fuse.", "backbone.layers.0.0.projection."), segformer_of),
    KnownNetwork(("decode_head.fpn_convs.", SWIN), upernet_of),
    KnownNetwork(
        ("decode_head.c1_bottleneck.", "decode_head.aspp_modules."), convolutional("deeplabv3plus")
    ),
    KnownNetwork(("decode_head.enc_module.", "backbone.layer1."), encnet_of),
    KnownNetwork(("decode_head.cca.", "backbone.layer1."), ccnet_of),
    KnownNetwork(("decode_head.1.object_context_block.", "backbone.transition1."), ocrnet_of),
    KnownNetwork(("decode_head.convs.", "backbone.transition1."), fcn_hrnet_of),
    KnownNetwork(("backbone.conv_sub4.", "neck.cff_24."), icnet_of),
    KnownNetwork(("decode_head.convs.", "backbone.encoder.0.0.convs."), unet_of),
    KnownNetwork(("decode_head.psp_modules.", "backbone.layer1."), convolutional("pspnet")),
    KnownNetwork(("decode_head.conv_cat.", "backbone.layer1."), convolutional("fcn")),
    KnownNetwork(("decode_head.aspp_modules.", "backbone.layer1."), convolutional("deeplabv3")),
    KnownNetwork(("decode_head.conv_seg.", VIT), segmenter_of),
)

"""What the configs of mmsegmentation may say of the networks that are known here, field by field.

The tables name values that all are those of the networks here; a field that is in none of them
and not in ``LEFT`` is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Allowed = Mapping[str, tuple[Any, ...]]

#: Of the training alone, or said by the tensors, whose shapes must fit in any case.
LEFT = frozenset(
    """
    pretrained init_cfg drop_rate attn_drop_rate drop_path_rate norm_eval frozen_stages with_cp
    use_checkpoint zero_init_residual convert_weights pretrain_style pretrain_img_size img_size
    dropout_ratio loss_decode ignore_index sampler init_std embed_dim embed_dims in_channels
    channels base_channels stem_channels num_convs concat_input kernel_size mla_channels
    mlahead_channels c1_in_channels c1_channels num_stages deep_stem widen_factor
    decoder_params feature_strides out_channels num_codes loss_se_decode ocr_channels extra
    backbone_cfg layer_channels light_branch_middle_channels psp_out_channels
    """.split()  # noqa: SIM905
)

#: Parts of a network, and what belongs to its training or to the protocol.
PARTS = ("type", "backbone", "neck", "decode_head", "auxiliary_head", "data_preprocessor")
OUTSIDE = ("num_stages", "pretrained", "init_cfg", "train_cfg", "test_cfg")

BATCH_NORMS = ("BN", "SyncBN", "BN2d", "MMSyncBN", "naiveSyncBN", "SyncBatchNorm", "BatchNorm2d")

_VIT: Allowed = {
    "type": ("VisionTransformer",),
    "mlp_ratio": (4,),
    "qkv_bias": (True,),
    "qk_scale": (None,),
    "num_fcs": (2,),
    "patch_norm": (False,),
    "output_cls_token": (False,),
    "out_origin": (False,),
    "pre_norm": (False,),
    "out_shape": ("NCHW",),
    "patch_bias": (True, False),  # the tensor is there or it is not
    "act_cfg": ("GELU",),
    "norm_cfg": ("LN",),
}
_SWIN: Allowed = {
    "type": ("SwinTransformer",),
    "patch_size": (4, [4, 4]),
    "strides": ([4, 2, 2, 2],),
    "mlp_ratio": (4,),
    "out_indices": ([0, 1, 2, 3],),
    "qkv_bias": (True,),
    "qk_scale": (None,),
    "patch_norm": (True,),
    "use_abs_pos_embed": (False,),
    "ape": (False,),
    "act_cfg": ("GELU",),
    "norm_cfg": ("LN",),
}
_MIT: Allowed = {
    "type": ("MixVisionTransformer", *(f"mit_b{number}" for number in range(6))),
    "style": ("pytorch",),
    "patch_size": (4,),
    "patch_sizes": ([7, 3, 3, 3],),
    "strides": ([4, 2, 2, 2],),
    "out_indices": ([0, 1, 2, 3],),
    "mlp_ratio": (4,),
    "mlp_ratios": ([4, 4, 4, 4],),
    "qkv_bias": (True,),
    "act_cfg": ("GELU",),
    "norm_cfg": ("LN",),
}
_CONVOLUTIONAL: Allowed = {
    "style": ("pytorch",),
    "contract_dilation": (True,),
    "multi_grid": (None,),
    "avg_down": (False,),
    "conv_cfg": (None,),
    "dcn": (None,),
    "stage_with_dcn": ([False] * 4,),
    "plugins": (None,),
    "norm_cfg": BATCH_NORMS,
}
_RESNET: Allowed = {
    **_CONVOLUTIONAL,
    "type": ("ResNetV1c",),
    "out_indices": ([0, 1, 2, 3],),
    "dilations": ([1, 1, 2, 4],),
    "strides": ([1, 2, 1, 1],),
    "act_cfg": ("ReLU",),
}
_MOBILENET: Allowed = {
    **_CONVOLUTIONAL,
    "type": ("MobileNetV2",),
    "widen_factor": (1,),
    "out_indices": ([1, 2, 4, 6],),
    "dilations": ([1, 1, 1, 2, 2, 4, 4],),
    "strides": ([1, 2, 2, 1, 1, 1, 1],),
    "act_cfg": ("ReLU6",),
}

_HRNET: Allowed = {
    "type": ("HRNet",),
    "multiscale_output": (True,),
    "conv_cfg": (None,),
    "norm_cfg": BATCH_NORMS,
}
_UNET: Allowed = {
    "type": ("UNet",),
    "strides": ([1] * 5,),
    "enc_num_convs": ([2] * 5,),
    "dec_num_convs": ([2] * 4,),
    "downsamples": ([True] * 4,),
    "enc_dilations": ([1] * 5,),
    "dec_dilations": ([1] * 4,),
    "upsample_cfg": ({"type": "InterpConv"},),
    "dcn": (None,),
    "plugins": (None,),
    "conv_cfg": (None,),
    "norm_cfg": BATCH_NORMS,
    "act_cfg": ("ReLU",),
}
_ICNET: Allowed = {
    "type": ("ICNet",),
    "pool_scales": ([1, 2, 3, 6],),
    "align_corners": (False,),
    "conv_cfg": (None,),
    "norm_cfg": BATCH_NORMS,
    "act_cfg": ("ReLU",),
}

#: What is said of every head.
_HEAD: Allowed = {
    "align_corners": (False,),
    "threshold": (None,),
    "conv_cfg": (None,),
    "norm_cfg": (None, *BATCH_NORMS),
    "act_cfg": ("ReLU",),
}
_LAST: Allowed = {**_HEAD, "in_index": (-1, 3), "input_transform": (None,)}
_ALL: Allowed = {**_HEAD, "in_index": ([0, 1, 2, 3],), "input_transform": ("multiple_select",)}
_JOINED: Allowed = {**_ALL, "input_transform": ("resize_concat",)}

#: Fields of backbones and heads by our names of networks without their size.
BACKBONES: dict[str, tuple[Allowed, ...]] = {
    "segmenter": ({**_VIT, "final_norm": (True,), "with_cls_token": (True,)},),
    "setr": ({**_VIT, "final_norm": (False,)},),
    "segformer": (_MIT,),
    "mmseg_segformer": (_MIT,),
    "upernet": (_SWIN,),
    "deeplabv3": (_RESNET, _MOBILENET),
    "fcn_hrnet": (_HRNET,),  # before FCN, whose name it begins with
    "fcn": (_RESNET, _MOBILENET),
    "pspnet": (_RESNET, _MOBILENET),
    "deeplabv3plus": (_RESNET, _MOBILENET),
    "encnet": (_RESNET,),
    "ccnet": (_RESNET,),
    "ocrnet": (_HRNET,),
    "icnet": (_ICNET, _RESNET),
    "mmseg_unet": (_UNET,),
}
HEADS: dict[str, tuple[Allowed, ...]] = {
    "segmenter": (
        {
            **_HEAD,
            "type": ("SegmenterMaskTransformerHead",),
            "in_index": (-1, 0),
            "num_fcs": (2,),
            "mlp_ratio": (4,),
            "qkv_bias": (True,),
            "act_cfg": ("GELU", "ReLU"),  # of the base class, which uses none; the blocks have GELU
            "norm_cfg": (None, "LN"),
        },
        {**_LAST, "type": ("FCNHead",), "in_index": (-1, 0), "act_cfg": ("ReLU",)},
    ),
    "setr": (
        {**_LAST, "type": ("SETRUPHead",), "up_mode": ("bilinear",), "norm_layer": ("LN",)},
        {**_ALL, "type": ("SETRMLAHead",), "up_scale": (4,)},
    ),
    "segformer": ({**_ALL, "type": ("SegFormerHead",), "interpolate_mode": ("bilinear",)},),
    "mmseg_segformer": ({**_ALL, "type": ("SegformerHead",), "interpolate_mode": ("bilinear",)},),
    "upernet": ({**_ALL, "type": ("UPerHead",), "pool_scales": ([1, 2, 3, 6],)},),
    "deeplabv3": ({**_LAST, "type": ("ASPPHead",), "dilations": ([1, 12, 24, 36],)},),
    "fcn_hrnet": ({**_JOINED, "type": ("FCNHead",), "dilation": (1,)},),
    "fcn": ({**_LAST, "type": ("FCNHead",), "dilation": (1,)},),
    "pspnet": ({**_LAST, "type": ("PSPHead",), "pool_scales": ([1, 2, 3, 6],)},),
    "deeplabv3plus": (
        {**_LAST, "type": ("DepthwiseSeparableASPPHead",), "dilations": ([1, 12, 24, 36],)},
    ),
    "encnet": (
        {
            **_HEAD,
            "type": ("EncHead",),
            "in_index": ([1, 2, 3],),
            "input_transform": ("multiple_select",),
            "use_se_loss": (True,),
            "add_lateral": (False,),
        },
    ),
    "ccnet": ({**_LAST, "type": ("CCHead",)},),
    "ocrnet": (
        {**_JOINED, "type": ("FCNHead",), "dilation": (1,)},
        {**_JOINED, "type": ("OCRHead",), "scale": (1,)},
    ),
    "icnet": ({**_LAST, "type": ("FCNHead",), "in_index": (2, -1), "dilation": (1,)},),
    "mmseg_unet": ({**_LAST, "type": ("FCNHead",), "in_index": (4, -1), "dilation": (1,)},),
}

#: Of the families that have one; SETR's MLA alone, not its other decoders.
NECKS: dict[str, Allowed] = {
    "setr_mla": {
        "type": ("MLANeck",),
        "norm_layer": ("LN",),
        "eps of norm_layer": (1e-6,),
        "norm_cfg": BATCH_NORMS,
        "act_cfg": ("ReLU",),
    },
    "icnet": {
        "type": ("ICNeck",),
        "align_corners": (False,),
        "conv_cfg": (None,),
        "norm_cfg": BATCH_NORMS,
        "act_cfg": ("ReLU",),
    },
}
PIXELS: Allowed = {"rgb_to_bgr": (False,), "type": ("SegDataPreProcessor",)}

#: Fields of the pixels that are read elsewhere, or that protocols decide.
PIXELS_LEFT = frozenset(
    (
        *("mean", "std", "bgr_to_rgb", "to_rgb", "pad_val", "seg_pad_val", "size", "size_divisor"),
        *("batch_augments", "test_cfg", "non_blocking"),
    )
)

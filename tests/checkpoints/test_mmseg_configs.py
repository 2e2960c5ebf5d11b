"""Every field that a training config of mmsegmentation gives a network is used or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_mmseg import read, state_of, write

from segmodels.checkpoints import load_checkpoint
from segmodels.checkpoints.mmseg_model import stated_model
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import IMAGENET

NORMS = """\
norm_cfg = dict(type='SyncBN', requires_grad=True)
backbone_norm_cfg = dict(type='LN', eps=1e-6, requires_grad=True)
"""
LOSS = "loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)"
HEAD = f"num_classes=7, norm_cfg=norm_cfg, align_corners=False, {LOSS}"
VIT = (
    "type='VisionTransformer', img_size=(64, 64), patch_size=16, in_channels=3, embed_dims=192, "
    "num_layers={layers}, num_heads={heads}, drop_path_rate=0.1, norm_cfg=backbone_norm_cfg"
)
SETR = f"{VIT}, out_indices=(0, 2), interpolate_mode='bilinear', drop_rate=0.0"
RESNET = (
    "type='ResNetV1c', depth=50, num_stages=4, out_indices=(0, 1, 2, 3), dilations=(1, 1, 2, 4), "
    "strides=(1, 2, 1, 1), norm_cfg=norm_cfg, norm_eval=False, style='pytorch', "
    "contract_dilation=True"
)
MOBILENET = (
    "type='MobileNetV2', widen_factor=1., strides=(1, 2, 2, 1, 1, 1, 1), "
    "dilations=(1, 1, 1, 2, 2, 4, 4), out_indices=(1, 2, 4, 6), norm_cfg=norm_cfg"
)
SWIN = (
    "type='SwinTransformer', pretrain_img_size=224, embed_dims=96, patch_size=4, "
    "window_size={window}, mlp_ratio=4, depths={depths}, num_heads={heads}, strides=(4, 2, 2, 2), "
    "out_indices=(0, 1, 2, 3), qkv_bias=True, qk_scale=None, patch_norm=True, drop_rate=0., "
    "attn_drop_rate=0., drop_path_rate=0.3, use_abs_pos_embed=False, "
    "act_cfg=dict(type='GELU'), norm_cfg=dict(type='LN', requires_grad=True)"
)
MIT = (
    "type='MixVisionTransformer', in_channels=3, embed_dims=8, num_stages=4, "
    "num_layers=[1, 1, 2, 1], num_heads=[1, 2, 5, 8], patch_sizes=[7, 3, 3, 3], "
    "sr_ratios=[8, 4, 2, 1], out_indices=(0, 1, 2, 3), mlp_ratio=4, qkv_bias=True, "
    "drop_rate=0.0, attn_drop_rate=0.0, drop_path_rate=0.1"
)
HRNET = (
    "type='HRNet', norm_cfg=norm_cfg, norm_eval=False, extra=dict(stage1=dict(num_modules=1, "
    "num_branches=1, block='BOTTLENECK', num_blocks=(2, ), num_channels=(64, )))"
)
REGIONS = f"in_channels=[18, 36, 72, 144], in_index=(0, 1, 2, 3), dropout_ratio=-1, {HEAD}"
JOINED = f"input_transform='resize_concat', {REGIONS}"
UNET = (
    "type='UNet', in_channels=3, base_channels=4, num_stages=5, strides=(1, 1, 1, 1, 1), "
    "enc_num_convs=(2, 2, 2, 2, 2), dec_num_convs=(2, 2, 2, 2), "
    "downsamples=(True, True, True, True), enc_dilations=(1, 1, 1, 1, 1), "
    "dec_dilations=(1, 1, 1, 1), with_cp=False, conv_cfg=None, norm_cfg=norm_cfg, "
    "act_cfg=dict(type='ReLU'), upsample_cfg=dict(type='InterpConv'), norm_eval=False"
)
ICNET = (
    f"type='ICNet', backbone_cfg=dict({RESNET}), in_channels=3, layer_channels=(512, 2048), "
    "light_branch_middle_channels=32, psp_out_channels=512, out_channels=(64, 256, 256), "
    "norm_cfg=norm_cfg, align_corners=False"
)
AUXILIARY = (
    "auxiliary_head=dict(type='FCNHead', in_channels=9, in_index=2, channels=256, num_convs=1, "
    f"concat_input=False, dropout_ratio=0.1, {HEAD})"
)

#: Backbone and the rest of each network, as the published configs write them.
PUBLISHED: dict[str, tuple[str, str]] = {
    "segmenter_mask": (
        f"{VIT}, final_norm=True, with_cls_token=True, interpolate_mode='bicubic'",
        "decode_head=dict(type='SegmenterMaskTransformerHead', in_channels=192, channels=192, "
        "num_classes=7, num_layers={decoder_layers}, num_heads={heads}, embed_dims=192, "
        f"dropout_ratio=0.0, {LOSS})",
    ),
    "segmenter_linear": (
        f"{VIT}, final_norm=True, with_cls_token=True, interpolate_mode='bicubic'",
        "decode_head=dict(type='FCNHead', in_channels=384, channels=384, num_convs=0, "
        f"dropout_ratio=0.0, concat_input=False, num_classes=7, {LOSS})",
    ),
    "setr_naive": (
        f"{SETR}, with_cls_token=True",
        "decode_head=dict(type='SETRUPHead', in_channels=192, channels=256, in_index=3, "
        f"dropout_ratio=0, num_convs=1, up_scale=4, kernel_size=1, {HEAD}), {AUXILIARY}",
    ),
    "setr_pup": (
        f"{SETR}, with_cls_token=True",
        "decode_head=dict(type='SETRUPHead', in_channels=192, channels=256, in_index=3, "
        f"dropout_ratio=0, num_convs=4, up_scale=2, kernel_size=3, {HEAD}), {AUXILIARY}",
    ),
    "setr_mla": (
        f"{SETR}, with_cls_token=False",
        "neck=dict(type='MLANeck', in_channels=[192, 192], out_channels=256, "
        "norm_cfg=norm_cfg, act_cfg=dict(type='ReLU')), "
        "decode_head=dict(type='SETRMLAHead', in_channels=(256, 256), channels=512, "
        f"in_index=(0, 1, 2, 3), dropout_ratio=0, mla_channels=128, {HEAD})",
    ),
    "segformer": (
        MIT,
        "decode_head=dict(type='SegformerHead', in_channels=[8, 16, 40, 64], "
        f"in_index=[0, 1, 2, 3], channels=256, dropout_ratio=0.1, {HEAD})",
    ),
    "upernet_swin": (
        SWIN,
        "decode_head=dict(type='UPerHead', in_channels=[96, 192, 384, 768], "
        "in_index=[0, 1, 2, 3], pool_scales=(1, 2, 3, 6), channels=512, dropout_ratio=0.1, "
        f"{HEAD}), {AUXILIARY}",
    ),
    "fcn_resnet50": (
        RESNET,
        "decode_head=dict(type='FCNHead', in_channels=2048, in_index=3, channels=512, "
        f"num_convs=2, concat_input=True, dropout_ratio=0.1, {HEAD}), {AUXILIARY}",
    ),
    "encnet_resnet50": (
        RESNET,
        "decode_head=dict(type='EncHead', in_channels=[512, 1024, 2048], in_index=(1, 2, 3), "
        "channels=512, num_codes=32, use_se_loss=True, add_lateral=False, dropout_ratio=0.1, "
        f"loss_se_decode=dict(use_sigmoid=True, loss_weight=0.2), {HEAD}), {AUXILIARY}",
    ),
    "ccnet_resnet50": (
        RESNET,
        "decode_head=dict(type='CCHead', in_channels=2048, in_index=3, channels=512, "
        f"recurrence=2, dropout_ratio=0.1, {HEAD}), {AUXILIARY}",
    ),
    "ocrnet_hrnetw18s": (
        HRNET,
        f"num_stages=2, decode_head=[dict(type='FCNHead', channels=270, kernel_size=1, "
        f"num_convs=1, concat_input=False, {JOINED}), "
        f"dict(type='OCRHead', channels=512, ocr_channels=256, {JOINED})]",
    ),
    "icnet_resnet50": (
        ICNET,
        "neck=dict(type='ICNeck', in_channels=(64, 256, 256), out_channels=128, "
        "norm_cfg=norm_cfg, align_corners=False), decode_head=dict(type='FCNHead', "
        "in_channels=128, channels=128, num_convs=1, in_index=2, dropout_ratio=0, "
        f"concat_input=False, {HEAD}), {AUXILIARY}",
    ),
    "unet": (
        UNET,
        "decode_head=dict(type='FCNHead', in_channels=64, in_index=4, channels=64, num_convs=1, "
        f"concat_input=False, dropout_ratio=0.1, {HEAD}), {AUXILIARY}",
    ),
    "pspnet_mobilenetv2": (
        MOBILENET,
        "decode_head=dict(type='PSPHead', in_channels=320, in_index=3, channels=512, "
        f"pool_scales=(1, 2, 3, 6), dropout_ratio=0.1, {HEAD}), {AUXILIARY}",
    ),
    "deeplabv3plus_mobilenetv2": (
        MOBILENET,
        "decode_head=dict(type='DepthwiseSeparableASPPHead', in_channels=320, in_index=3, "
        "channels=512, dilations=(1, 12, 24, 36), c1_in_channels=24, c1_channels=48, "
        f"dropout_ratio=0.1, {HEAD}), {AUXILIARY}",
    ),
}
PIXELS = (
    "data_preprocessor=dict(type='SegDataPreProcessor', mean=[123.675, 116.28, 103.53], "
    "std=[58.395, 57.12, 57.375], bgr_to_rgb=True, pad_val=0, seg_pad_val=255, size=(64, 64))"
)


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, torch.Tensor]]:
    return {}


@pytest.fixture
def load(tmp_path: Path, states: dict[str, Any]) -> Any:
    def load(name: str, old: str = "", new: str = "") -> SegModel:
        """The network of a published config in which one text is exchanged."""
        state = states.setdefault(name, state_of(read(name)))
        return load_checkpoint(write(tmp_path / "a.pth", state, cfg=text(name, old, new)))

    return load


def text(name: str, old: str = "", new: str = "") -> str:
    sizes = {
        "layers": 3 if name.startswith("setr") else len(blocks(name)),
        "heads": {"segmenter_linear": 6, "upernet_swin": "[1, 2, 4, 8]"}.get(name, 3),
        "depths": "[1, 1, 2, 1]",
        "window": 3,
        "decoder_layers": 2,
    }
    backbone, rest = PUBLISHED[name]
    kind = "CascadeEncoderDecoder" if name.startswith("ocrnet") else "EncoderDecoder"
    parts = f"backbone=dict({backbone.format(**sizes)}), {rest.format(**sizes)}"
    whole = f"{NORMS}model = dict(type='{kind}', {PIXELS}, pretrained=None, {parts}, "
    whole += "train_cfg=dict(), test_cfg=dict(mode='whole'))\n"
    assert old in whole
    return whole.replace(old, new, 1) if old else whole


def blocks(name: str) -> set[str]:
    starts = (key.split(".") for key in read(name)["tensors"])
    return {parts[2] for parts in starts if parts[:2] == ["backbone", "layers"]}


#: What else stands in a whole config of 0.x, and of 1.x.
OLD = """
dataset_type = 'ADE20KDataset'
data_root = 'data/ade/ADEChallengeData2016'
img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
crop_size = (512, 512)
train_pipeline = [
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='Resize', img_scale=(2048, 512), ratio_range=(0.5, 2.0)),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5), dict(type='PhotoMetricDistortion'),
    dict(type='Normalize', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
         to_rgb=True),
    dict(type='Pad', size=crop_size, pad_val=0, seg_pad_val=255),
    dict(type='DefaultFormatBundle'), dict(type='Collect', keys=['img', 'gt_semantic_seg'])]
data = dict(samples_per_gpu=2, workers_per_gpu=4, train=dict(type=dataset_type,
    data_root=data_root, img_dir='images/training', ann_dir='annotations/training',
    pipeline=train_pipeline))
log_config = dict(interval=50, hooks=[dict(type='TextLoggerHook', by_epoch=False)])
dist_params = dict(backend='nccl')
load_from = None
resume_from = None
workflow = [('train', 1)]
cudnn_benchmark = True
optimizer = dict(type='AdamW', lr=6e-05, betas=(0.9, 0.999), weight_decay=0.01,
    paramwise_cfg=dict(custom_keys=dict(norm=dict(decay_mult=0.0))))
lr_config = dict(policy='poly', warmup='linear', warmup_iters=1500, warmup_ratio=1e-06, power=1.0,
    min_lr=0.0, by_epoch=False)
runner = dict(type='IterBasedRunner', max_iters=160000)
evaluation = dict(interval=16000, metric='mIoU')
"""
NEW = """
default_scope = 'mmseg'
env_cfg = dict(cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork'))
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer')
tta_model = dict(type='SegTTAModel')
img_ratios = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
tta_pipeline = [dict(type='LoadImageFromFile', backend_args=None), dict(type='TestTimeAug',
    transforms=[[dict(type='Resize', scale_factor=r, keep_ratio=True) for r in img_ratios],
                [dict(type='RandomFlip', prob=0., direction='horizontal')],
                [dict(type='LoadAnnotations')], [dict(type='PackSegInputs')]])]
train_dataloader = dict(batch_size=2, num_workers=4, persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True), dataset=dict(type='ADE20KDataset',
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training')))
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=6e-05))
param_scheduler = [dict(type='LinearLR', start_factor=1e-06, by_epoch=False, begin=0, end=1500)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=160000, val_interval=16000)
default_hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=16000))
"""


@pytest.mark.parametrize("name", ["upernet_swin", "deeplabv3plus_mobilenetv2", "setr_mla"])
@pytest.mark.parametrize("rest", [OLD, NEW], ids=["0.x", "1.x"])
def test_a_whole_config_says_the_pixels(tmp_path: Path, states: Any, name: str, rest: str) -> None:
    model = text(name, f"{PIXELS}, ", "") if rest == OLD else text(name)
    state = states.setdefault(name, state_of(read(name)))
    path = write(tmp_path / "a.pth", state, cfg=model + rest)
    assert load_checkpoint(path).preprocessing == IMAGENET
    other = "dict(type='Normalize', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])"
    path = write(tmp_path / "b.pth", state, cfg=f"{model}{rest}test_pipeline = [{other}]\n")
    with pytest.raises(SegmodelsError, match="says mean 2 times in different ways"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_config_of_each_network_is_understood(load: Any, name: str) -> None:
    assert not load(name).training


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("segmenter_mask", "final_norm=True", "final_norm=False", "backbone.final_norm"),
        ("segmenter_mask", "with_cls_token=True", "with_cls_token=False", "with_cls_token"),
        ("segmenter_mask", "patch_size=16", "patch_size=32", "backbone.patch_size"),
        ("segmenter_mask", "in_channels=3,", "in_channels=3, patch_norm=True,", "patch_norm"),
        ("segmenter_mask", "in_channels=3,", "in_channels=3, qkv_bias=False,", "qkv_bias"),
        ("segmenter_mask", "in_channels=3,", "act_cfg=dict(type='ReLU'),", "backbone.act_cfg"),
        ("segmenter_mask", "in_channels=3,", "out_indices=(0,),", "backbone.out_indices"),
        ("segmenter_mask", "in_channels=3,", "output_cls_token=True,", "output_cls_token"),
        ("segmenter_mask", "in_channels=3,", "layer_scale=0.1,", "layer_scale, which is not known"),
        (
            "segmenter_mask",
            "embed_dims=192, dropout_ratio",
            "in_index=2, dropout_ratio",
            "in_index",
        ),
        ("segmenter_mask", "interpolate_mode='bicubic'", "interpolate_mode='area'", "resize"),
        ("segmenter_linear", "type='FCNHead'", "type='FPNHead'", "decode_head.type='FPNHead'"),
        ("segmenter_linear", "num_classes=7", "num_classes=150", "decode_head.num_classes"),
        ("setr_naive", "with_cls_token=True", "with_cls_token=False", "with_cls_token"),
        ("setr_naive", "up_scale=4", "up_scale=2", "decode_head.up_scale"),
        ("setr_pup", "up_scale=2", "up_scale=4", "decode_head.up_scale"),
        ("setr_pup", "in_index=3", "in_index=0", "decode_head.in_index"),
        ("setr_mla", "with_cls_token=False", "with_cls_token=True", "with_cls_token"),
        ("setr_mla", "type='MLANeck'", "type='FPN'", "neck.type"),
        ("setr_mla", "act_cfg=dict(type='ReLU')", "act_cfg=None", "neck.act_cfg"),
        ("segformer", "[1, 2, 5, 8]", "[1, 2, 4, 8]", "backbone.num_heads"),
        ("segformer", "'SegformerHead'", "'SegFormerHead'", "decode_head.type"),
        ("segformer", "in_channels=3,", "norm_cfg=dict(type='LN', eps=1e-5),", "norm_cfg.eps"),
        ("upernet_swin", "patch_norm=True", "patch_norm=False", "backbone.patch_norm"),
        ("upernet_swin", "qk_scale=None", "qk_scale=0.5", "backbone.qk_scale"),
        ("upernet_swin", "use_abs_pos_embed=False", "use_abs_pos_embed=True", "use_abs_pos_embed"),
        ("upernet_swin", "type='GELU'", "type='SiLU'", "act"),
        ("upernet_swin", "type='LN', requires_grad", "type='LN', eps=1e-3, requires_grad", "eps"),
        ("upernet_swin", "[0, 1, 2, 3], pool", "[1, 2, 3], pool", "decode_head.in_index"),
        ("upernet_swin", "'SyncBN',", "'GN', num_groups=32,", "norm_cfg"),
        ("fcn_resnet50", "depth=50", "depth=101", "backbone.depth"),
        ("fcn_resnet50", "ResNetV1c", "ResNetV1d", "backbone.type='ResNetV1d'"),
        ("fcn_resnet50", "in_index=3", "in_index=2", "decode_head.in_index"),
        ("fcn_resnet50", "num_convs=2", "num_convs=2, dilation=6", "decode_head.dilation"),
        ("fcn_resnet50", "'SyncBN', requires", "'SyncBN', eps=1e-3, requires", "norm_cfg.eps"),
        ("fcn_resnet50", "norm_eval=False", "plugins=[dict(cfg=1)]", "backbone.plugins"),
        ("fcn_resnet50", "style='pytorch'", "style=STYLE", "backbone.style=STYLE"),
        ("fcn_resnet50", "backbone=dict", "backbonne=dict(), backbone=dict", "'backbone'"),
        ("fcn_resnet50", "EncoderDecoder", "CascadeEncoderDecoder", "model.type"),
        ("pspnet_mobilenetv2", "widen_factor=1.", "widen_factor=0.5", "backbone.widen_factor"),
        ("pspnet_mobilenetv2", "bgr_to_rgb=True", "rgb_to_bgr=True", "data_preprocessor.rgb_to"),
        ("encnet_resnet50", "add_lateral=False", "add_lateral=True", "decode_head.add_lateral"),
        ("encnet_resnet50", "in_index=(1, 2, 3)", "in_index=(0, 1, 2)", "decode_head.in_index"),
        ("ocrnet_hrnetw18s", "CascadeEncoderDecoder", "EncoderDecoder", "model.type"),
        ("ocrnet_hrnetw18s", "ocr_channels=256", "scale=2", r"decode_head\[1\].scale"),
        ("ocrnet_hrnetw18s", "type='HRNet'", "type='HRNet', multiscale_output=False", "multiscale"),
        ("icnet_resnet50", "depth=50", "depth=101", "backbone_cfg.depth"),
        ("icnet_resnet50", "type='ICNeck'", "type='FPN'", "neck.type"),
        ("unet", "'InterpConv'", "'DeconvModule'", "backbone.upsample_cfg"),
        ("unet", "strides=(1, 1, 1, 1, 1)", "strides=(1, 1, 1, 1, 2)", "strides"),
        ("deeplabv3plus_mobilenetv2", "out_indices=(1, 2, 4, 6)", "out_indices=(0, 1)", "out_ind"),
    ],
)
def test_a_field_that_differs_is_refused_by_its_name(
    load: Any, name: str, old: str, new: str, message: str
) -> None:
    with pytest.raises(SegmodelsError, match=rf"a\.pth.*{message}"):
        load(name, old, new)


def test_eps_and_resize_of_positions_are_those_of_the_config(load: Any) -> None:
    """mmcv's LayerNorm without eps has 1e-5."""
    config = load("segmenter_mask", "'LN', eps=1e-6", "'LN'").config
    assert (config["norm_eps"], config["position_resize"]) == (1e-5, "bicubic")
    config = load("segmenter_mask", "mode='bicubic'", "mode='bilinear'").config
    assert (config["norm_eps"], config["position_resize"]) == (1e-6, "bilinear")
    assert load("setr_pup", "eps=1e-6", "eps=1e-4").config["norm_eps"] == 1e-4
    with pytest.raises(SegmodelsError, match=r"norm_cfg\.eps='small'"):
        load("segmenter_mask", "eps=1e-6", "eps='small'")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "", ""),
        ("'mit_b0'", "'MixVisionTransformer', num_heads=[1, 2, 5, 8], mlp_ratio=4", ""),
        ("'mit_b0'", "'MixVisionTransformer', num_heads=[1, 2, 4, 8]", "backbone.num_heads"),
        ("'mit_b0'", "'MixVisionTransformer', sr_ratios=[8, 4, 2, 2]", "backbone.sr_ratios"),
        ("'mit_b0'", "'MSCAN'", "backbone.type='MSCAN'"),
        ("align_corners=False", "align_corners=True", "aligned corners"),
        ("'SegFormerHead'", "'SegformerHead'", "decode_head.type"),
    ],
)
def test_nvlabs_files_say_the_same_fields(tmp_path: Path, old: str, new: str, message: str) -> None:
    config = (
        f"{NORMS}model = dict(type='EncoderDecoder', backbone=dict(type='mit_b0', "
        "style='pytorch'), decode_head=dict(type='SegFormerHead', in_channels=[32, 64, 160, 256], "
        "in_index=[0, 1, 2, 3], feature_strides=[4, 8, 16, 32], channels=128, dropout_ratio=0.1, "
        "num_classes=4, norm_cfg=norm_cfg, align_corners=False, "
        f"decoder_params=dict(embed_dim=32), {LOSS}))"
    )
    state = create_model("segformer_b0", 4, depths=(1,) * 4, decoder_width=32).state_dict()
    path = write(tmp_path / "a.pth", state, config=config.replace(old, new, 1))
    if not message:
        load_checkpoint(path)
        return
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 3\nmodel = dict(a=x, b=(1, -2.5), c=[None, True], d={'e': 'f'})", "as written"),
        ("model = dict(a=open('/etc/passwd'))", {"a": "open('/etc/passwd')"}),
        ("mean=[1, 2, 3]", None),
    ],
)
def test_a_config_is_read_and_never_run(source: str, expected: Any) -> None:
    if expected == "as written":
        expected = {"a": 3, "b": [1, -2.5], "c": [None, True], "d": {"e": "f"}}
    found = stated_model(source)
    assert (found if expected is None or "b" in expected else {"a": repr(found["a"])}) == expected  # type: ignore[index]


@pytest.mark.parametrize(
    "source",
    [
        "model = dict(**other)",
        "model = dict(a=1",
        "model = \0",
        "model = " + "[" * 500 + "]" * 500,
        "model = 3",
    ],
)
def test_a_model_that_cannot_be_read_is_no_silent_default(load: Any, source: str) -> None:
    with pytest.raises(SegmodelsError, match=r"a\.pth: the 'model' of its config cannot be read"):
        load("segmenter_mask", text("segmenter_mask"), source)

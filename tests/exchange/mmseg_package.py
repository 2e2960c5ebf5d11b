"""A package of mmsegmentation in small: two families, as the real one lays them out."""

from __future__ import annotations

import zipfile
from pathlib import Path

PLACE = "mmseg/.mim/configs"
HUB = "https://download.openmmlab.com/mmsegmentation/v0.5/fcn"

ADE20K = """\
dataset_type = 'ADE20KDataset'
data_root = 'data/ade/ADEChallengeData2016'
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 512), keep_ratio=True),
    dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='PackSegInputs')]
"""
FCN = """\
norm_cfg = dict(type='SyncBN', requires_grad=True)
data_preprocessor = dict(type='SegDataPreProcessor', mean=[1.0, 2.0, 3.0], std=[1.0, 1.0, 1.0],
                         bgr_to_rgb=True, pad_val=0, seg_pad_val=255)
model = dict(
    type='EncoderDecoder', data_preprocessor=data_preprocessor, pretrained=None,
    backbone=dict(type='ResNetV1c', depth=50, num_stages=4, out_indices=(0, 1, 2, 3),
                  dilations=(1, 1, 2, 4), strides=(1, 2, 1, 1), norm_cfg=norm_cfg,
                  norm_eval=False, style='pytorch', contract_dilation=True),
    decode_head=dict(type='FCNHead', in_channels=2048, in_index=3, channels=512, num_convs=2,
                     concat_input=True, dropout_ratio=0.1, num_classes=19, norm_cfg=norm_cfg,
                     align_corners=False, loss_decode=dict(type='CrossEntropyLoss')),
    auxiliary_head=dict(type='FCNHead', in_channels=1024, num_classes=19, align_corners=False),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
"""
BASES = ["../_base_/fcn_r50.py", "../_base_/ade20k.py"]
R50 = f"_base_ = {BASES}\nmodel = dict(decode_head=dict(num_classes=150))\n"
R101 = """\
_base_ = './fcn_r50-d8_4xb4-80k_ade20k-512x512.py'
model = dict(backbone=dict(depth=101), decode_head=dict(align_corners=True))
"""
STRICT = R50 + "model = dict(decode_head=dict(num_classes=150, threshold=0.5))\n"
OTHER = R50 + "model = dict(decode_head=dict(_delete_=True, type='NoHead', num_classes=150))\n"


def entry(name: str, config: str, metrics: str, weights: str) -> str:
    return f"""\
- Name: {name}
  In Collection: FCN
  Results:
    Task: Semantic Segmentation
    Dataset: ADE20K
    Metrics: {metrics}
  Config: configs/{config}.py
  Weights: {weights}
"""


METAFILE = """\
Collections:
- Name: FCN
  Paper:
    Title: Fully Convolutional Networks for Semantic Segmentation
    URL: https://arxiv.org/abs/1411.4038
Models:
""" + "".join(
    (
        entry(
            "fcn_r50-d8_4xb4-80k_ade20k-512x512",
            "fcn/fcn_r50-d8_4xb4-80k_ade20k-512x512",
            "{mIoU: 35.94, mIoU(ms+flip): 37.9}",
            f"{HUB}/fcn_r50-d8_512x512_80k_ade20k_20200614_144016-f8ac5082.pth",
        ),
        entry(
            "fcn_r101-d8_4xb4-80k_ade20k-512x512",
            "fcn/fcn_r101-d8_4xb4-80k_ade20k-512x512",
            "{mIoU: 39.61}",
            f"{HUB}/fcn_r101-d8_512x512_80k_ade20k_20200615_014143-bc1809f7.pth",
        ),
        entry("strict", "fcn/strict", "{mIoU: 40.0}", f"{HUB}/strict-00000001.pth"),
        entry("other", "other/other", "{mIoU: 40.0}", f"{HUB}/other-00000002.pth"),
        entry("missing", "fcn/missing", "{mIoU: 40.0}", f"{HUB}/missing-00000003.pth"),
        entry("unnamed", "fcn/strict", "{mIoU: 40.0}", f"{HUB}/no-digits.pth"),
        entry("depth", "fcn/strict", "{RMSE: 0.3}", f"{HUB}/depth-00000004.pth"),
    )
)

FILES = {
    "mmseg/version.py": "__version__ = '1.2.2'\n",
    f"{PLACE}/_base_/fcn_r50.py": FCN,
    f"{PLACE}/_base_/ade20k.py": ADE20K,
    f"{PLACE}/fcn/fcn_r50-d8_4xb4-80k_ade20k-512x512.py": R50,
    f"{PLACE}/fcn/fcn_r101-d8_4xb4-80k_ade20k-512x512.py": R101,
    f"{PLACE}/fcn/strict.py": STRICT,
    f"{PLACE}/other/other.py": OTHER,
    f"{PLACE}/fcn/metafile.yaml": METAFILE,
}


def folder(path: Path, **changed: str) -> Path:
    """The package as a folder; texts of files may be given by the ends of their names."""
    for name, text in FILES.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(changed.get(file.stem, text))
    return path


def wheel(path: Path) -> Path:
    """The package as a wheel."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
    return path

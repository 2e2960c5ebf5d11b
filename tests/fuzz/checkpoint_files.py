"""A right checkpoint of every kind that is read here, as small as it can be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import yaml
from imagenet_networks import jax_arrays
from safetensors.torch import save_file
from torch import Tensor

from segmodels.checkpoints import save_checkpoint
from segmodels.checkpoints.hugging_face import IN_BLOCK
from segmodels.models import create_model
from segmodels.models.base import SegModel

CLASSES = 3
STAGES = range(4)

CONFIG: dict[str, Any] = {
    "architectures": ["SegformerForSemanticSegmentation"],
    "decoder_hidden_size": 4,
    "depths": [1, 1, 1, 1],
    "hidden_act": "gelu",
    "hidden_sizes": [4, 4, 10, 8],
    "id2label": {str(index): f"class {index}" for index in range(CLASSES)},
    "layer_norm_eps": 1e-06,
    "mlp_ratios": [4, 4, 4, 4],
    "model_type": "segformer",
    "num_attention_heads": [1, 2, 5, 8],
    "num_channels": 3,
    "num_encoder_blocks": 4,
    "patch_sizes": [7, 3, 3, 3],
    "reshape_last_stage": True,
    "semantic_loss_ignore_index": 255,
    "sr_ratios": [4, 2, 1, 1],
    "strides": [4, 2, 2, 2],
}
PROCESSOR: dict[str, Any] = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "SegformerImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 64, "width": 64},
}
CFG = """\
model = dict(
    backbone=dict(type='mit_b0'),
    decode_head=dict(
        type='SegFormerHead', in_channels=[4, 4, 10, 8], align_corners=False, num_classes=3))
img_norm_cfg = dict(
    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
"""


def segformer() -> SegModel:
    """With the heads of B0, which NVlabs' files do not say."""
    sizes = {"widths": (4, 4, 10, 8), "heads": (1, 2, 5, 8), "decoder_width": 4}
    return create_model("segformer_nano", CLASSES, **sizes).eval()


def segmenter(name: str = "segmenter_vit_nano_patch8_mask", **more: Any) -> SegModel:
    sizes = {"image_size": 16, "width": 12, "layers": 1, "heads": 3, **more}
    return create_model(name, CLASSES, **sizes).eval()


def of_hugging_face(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A SegFormer of ours under their names."""
    theirs: dict[str, Tensor] = {}
    blocks = {ours: name for name, ours in IN_BLOCK.items()}
    heads = {"linear_fuse.conv.": "linear_fuse.", "linear_fuse.bn.": "batch_norm."}
    heads |= {f"linear_c{n + 1}.": f"linear_c.{n}." for n in STAGES}
    heads |= {"linear_pred.": "classifier."}
    for key, value in state.items():
        part, _, rest = key.partition(".")
        if part == "decode_head":
            for ours, name in heads.items():
                rest = rest.replace(ours, name)
            theirs[f"decode_head.{rest}"] = value
            continue
        stage, _, rest = rest.partition(".")
        kind, number = stage[:-1], int(stage[-1]) - 1
        if ".attn.kv." in key:
            for name, half in zip(("key", "value"), value.chunk(2), strict=True):
                there = rest.replace("attn.kv", f"attention.self.{name}")
                theirs[f"segformer.encoder.block.{number}.{there}"] = half.clone()
            continue
        for ours, name in blocks.items():
            rest = rest.replace(f".{ours}.", f".{name}.")
        names = {"patch_embed": "patch_embeddings", "norm": "layer_norm"}
        rest = rest.replace("norm.", "layer_norm.") if kind == "patch_embed" else rest
        theirs[f"segformer.encoder.{names.get(kind, kind)}.{number}.{rest}"] = value
    return theirs


def _native(folder: Path) -> Path:
    model = segformer()
    model.class_names = ("a", "b", "c")
    save_checkpoint(model, folder, metadata={"seed": 0})
    return folder


def _nvlabs(folder: Path) -> Path:
    meta = {"CLASSES": ("a", "b", "c"), "config": CFG, "epoch": 1, "mmseg_version": "0.11.0"}
    torch.save({"meta": meta, "state_dict": segformer().state_dict()}, folder / "nvlabs.pth")
    return folder / "nvlabs.pth"


def _legacy(folder: Path) -> Path:
    content = {"state_dict": segformer().state_dict(), "optimizer": {"state": {}}, "epoch": 3}
    path = folder / "legacy.pth"
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def _protocol_4(folder: Path) -> Path:
    torch.save({"model": segformer().state_dict()}, folder / "four.pt", pickle_protocol=4)
    return folder / "four.pt"


def _arrays(folder: Path) -> Path:
    arrays = {key: value.numpy() for key, value in segformer().state_dict().items()}
    torch.save({"state_dict": arrays, "meta": {"seed": np.int64(3)}}, folder / "arrays.pth")
    return folder / "arrays.pth"


def _safetensors(folder: Path) -> Path:
    save_file(segformer().state_dict(), folder / "renamed.pth")
    return folder / "renamed.pth"


def _described(folder: Path, processor: bool = True) -> dict[str, Tensor]:
    (folder / "config.json").write_text(json.dumps(CONFIG))
    if processor:
        (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return of_hugging_face(segformer().state_dict())


def _hub(folder: Path) -> Path:
    save_file(_described(folder), folder / "model.safetensors")
    return folder


def _sharded(folder: Path) -> Path:
    state = _described(folder, processor=False)
    files = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    listed = {key: files[index % 2] for index, key in enumerate(state)}
    for file in files:
        save_file({key: state[key] for key in state if listed[key] == file}, folder / file)
    index = {"metadata": {"total_size": 1}, "weight_map": listed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def _segmenter(folder: Path) -> Path:
    return _trained(folder, segmenter(decoder_layers=1, decoder_heads=3))


def _depict(folder: Path) -> Path:
    sizes = {"decoder_layers": 1, "decoder_heads": 2, "decoder_dim_head": 6}
    return _trained(folder, segmenter("depict_sa_vit_nano_patch8", **sizes))


def _trained(folder: Path, model: SegModel) -> Path:
    config = model.config
    decoder = {"name": "mask_transformer", "n_layers": 1, "n_heads": config["decoder_heads"]}
    net = {
        "image_size": (16, 16),
        "patch_size": 8,
        "d_model": 12,
        "n_heads": 3,
        "n_layers": 1,
        "normalization": "vit",
        "distilled": False,
        "n_cls": CLASSES,
        "decoder": {**decoder, "dropout": 0.1, "drop_path_rate": 0.0},
    }
    torch.save({"model": model.state_dict(), "epoch": 1}, folder / "checkpoint.pth")
    (folder / "variant.yml").write_text(yaml.dump({"net_kwargs": net, "dataset_kwargs": {}}))
    return folder


def _mmseg(folder: Path) -> Path:
    """UPerNet on Swin as Swin's authors published it, whose names are ours."""
    sizes = {"width": 6, "depths": (1,) * 4, "heads": (1,) * 4, "window": 2, "channels": 4}
    model = create_model("upernet_swin_tiny", CLASSES, **sizes, auxiliary=False)
    meta = {
        "CLASSES": ("a", "b", "c"),
        "config": CFG.replace("mit_b0", "SwinTransformer").replace("SegFormer", "UPer"),
    }
    torch.save({"meta": meta, "state_dict": model.state_dict()}, folder / "mmseg.pth")
    return folder / "mmseg.pth"


def _vit() -> Any:
    sizes = {"depth": 1, "img_size": 32, "num_classes": CLASSES, "embed_dim": 192}
    return timm.create_model("vit_tiny_patch16_224", **sizes).eval()


def _timm(folder: Path) -> Path:
    described = {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": CLASSES,
        "num_features": 192,
        "global_pool": "token",
        "model_args": {"img_size": 32, "depth": 1},
        "pretrained_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"},
    }
    (folder / "config.json").write_text(json.dumps(described))
    save_file(_vit().state_dict(), folder / "model.safetensors")
    return folder


def _augreg(folder: Path) -> Path:
    np.savez(folder / "Ti_16.npz", **jax_arrays(_vit(), heads=3))  # type: ignore[arg-type]
    return folder / "Ti_16.npz"


def _lightning(folder: Path) -> Path:
    state = {f"model.{key}": value for key, value in segformer().state_dict().items()}
    content = {
        "state_dict": state,
        "hyper_parameters": {"lr": 0.1},
        "callbacks": {},
        "pytorch-lightning_version": "2.5.0",
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}}],
    }
    torch.save(content, folder / "last.ckpt")
    return folder / "last.ckpt"


def _espnet(folder: Path) -> Path:
    model = create_model("espnet_p2_q3", 5, p=1, q=1)
    torch.save({f"module.{k}": v for k, v in model.state_dict().items()}, folder / "espnet.pth")
    return folder / "espnet.pth"


def _cgnet(folder: Path) -> Path:
    model = create_model("cgnet_m3n21", 5, m=2, n=2)
    torch.save({"epoch": 1, "model": model.state_dict()}, folder / "cgnet.pth")
    return folder / "cgnet.pth"


def _enet(folder: Path) -> Path:
    state = create_model("enet_ntkhoa95", 5).state_dict()
    again = {
        name.replace("activation.", f"activation{number}."): value
        for name, value in state.items()
        for number in (1, 2, 3)
        if ".activation." in name and name != "initial.activation.weight"
    }
    torch.save({"state_dict": state | again}, folder / "enet.pth")
    return folder / "enet.pth"


#: Each writes into an empty folder and returns what is to be loaded.
KINDS: dict[str, Callable[[Path], Path]] = {
    "native": _native,
    "nvlabs": _nvlabs,
    "legacy": _legacy,
    "protocol 4": _protocol_4,
    "arrays": _arrays,
    "safetensors": _safetensors,
    "hugging face": _hub,
    "sharded": _sharded,
    "segmenter": _segmenter,
    "depict": _depict,
    "mmseg": _mmseg,
    "timm": _timm,
    "augreg": _augreg,
    "lightning": _lightning,
    "espnet": _espnet,
    "cgnet": _cgnet,
    "enet": _enet,
}


def written(kind: str, folder: Path) -> Path:
    """A right checkpoint of a kind in a new folder; always the same numbers."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    with torch.no_grad():
        return KINDS[kind](folder)

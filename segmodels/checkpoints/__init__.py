"""Weights from disk, whoever wrote them: ``load_checkpoint`` and ``save_checkpoint``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import get_args

import torch

from segmodels.checkpoints.backbone import load_backbone
from segmodels.checkpoints.backbone_report import BackboneReport
from segmodels.checkpoints.diagnosis import diagnosis, kind_of
from segmodels.checkpoints.native import save_checkpoint
from segmodels.checkpoints.shards import CONFIG, is_named
from segmodels.checkpoints.source import LayerNormEps, Source, read_json, told
from segmodels.checkpoints.strict import some
from segmodels.core.arguments import described, path_to, wrong
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel

__all__ = ["BackboneReport", "load_backbone", "load_checkpoint", "save_checkpoint"]


@dataclass(frozen=True)
class Format:
    """One kind of checkpoint: what it looks like, how to tell it and how to read it."""

    looks: str
    recognises: Callable[[Source], bool]
    load: Callable[[Source], SegModel]


#: Files of this folder, each for one kind, in the order they are asked; and what it looks like.
_LOOKS = {
    "native": "model.safetensors + model.json",
    "hugging_face": "SegFormer's or MiT's config.json + model.safetensors or pytorch_model.bin",
    "segmenter": "Segmenter's or DEPICT's checkpoint.pth + variant.yml",
    "nvlabs_segformer": "SegFormer's released .pth (meta + state_dict)",
    "mmseg": "mmsegmentation's .pth",
    "mit": "a MiT's ImageNet weights (.pth)",
    "timm_vit": "timm's ViT or DeiT (a state dict, or config.json + weights)",
    "augreg": "AugReg's ViT (.npz)",
    "cgnet": "a CGNet state dict (.pth)",
    "enet": "an ENet of ntkhoa95/ENet_PyTorch (.pth)",
    "enet_davidtvs": "an ENet of davidtvs/PyTorch-ENet",
    "espnet": "an ESPNet state dict (.pth)",
    "edgenets": "an ESPNetv2 or DiCENet of EdgeNets (.pth)",
}


def _format(name: str, looks: str) -> Format:
    module = import_module(f"{__name__}.{name}")
    return Format(looks, module.recognises, module.load)


FORMATS: dict[str, Format] = {name: _format(name, looks) for name, looks in _LOOKS.items()}


def load_checkpoint(
    path: str | Path,
    *,
    device: str | torch.device = "cpu",
    layer_norm_eps: LayerNormEps = "hugging_face",
) -> SegModel:
    """Build a model from a checkpoint and fill in every tensor; the format is recognised.

    No code in the file is ever run. The model is in eval mode and carries whatever the
    checkpoint says about preprocessing and class names.

    Args:
        path: a file or a folder.
        device: where the model shall live.
        layer_norm_eps: for SegFormer and MiT in Hugging Face's layout only. Their port uses 1e-5
            in every LayerNorm (``"hugging_face"``); the original, from which most of those
            weights were converted, uses 1e-6 in the blocks (``"original"``).

    Raises:
        SegmodelsError: there is no such path, the format is unknown, the file is broken,
            or a tensor is missing, left over, misshapen or holds no numbers.
    """
    source = Source(path_to("path", path), layer_norm_eps)
    if not (isinstance(layer_norm_eps, str) and layer_norm_eps in get_args(LayerNormEps)):
        known = " or ".join(map(repr, get_args(LayerNormEps)))
        raise wrong("layer_norm_eps", known, layer_norm_eps)
    source.check_path("There is no checkpoint at")
    with told():
        for form in FORMATS.values():
            if form.recognises(source):
                return on_device(form.load(source), device)
        raise SegmodelsError(_unknown(source))


def on_device(model: SegModel, device: str | torch.device) -> SegModel:
    """The network on a device.

    Raises:
        SegmodelsError: that is no device, or it is not there.
    """
    try:
        return model.to(torch.device(device))
    except (TypeError, ValueError):
        raise wrong("device", "a device as in 'cpu' or 'cuda:0'", device) from None
    except (RuntimeError, AssertionError) as error:  # torch raises either without a GPU
        place, why = described(str(device)), " ".join(str(error).split())[:300]
        raise SegmodelsError(f"The model cannot be moved to device {place}: {why}.") from error


def _unknown(source: Source) -> str:
    looks = "; ".join(form.looks for form in FORMATS.values())
    if (source.path / "data.pkl").is_file():
        return (
            f"{source.path} is a file of torch.save that was unpacked, as some browsers do with "
            f"what they fetch. Download it with a program that leaves it whole."
        )
    if source.path.is_dir():
        found = f"the folder holds {_listed(source.path)}"
    elif kind_of(source.path) is None:
        return f"{source.path} {diagnosis(source.path)}"
    elif source.names:
        beside = _network(source.folder) if is_named(source) else ""
        found = f"the file holds {_beginnings(source)}{beside}"
    else:
        found = f"{source.path.stat().st_size} bytes that are no state dict"
    return f"{source.path} is no checkpoint known here: {found}. Known layouts: {looks}."


def _listed(folder: Path) -> str:
    """The files of a folder, and which network its config.json describes."""
    names = sorted(item.name for item in folder.iterdir())
    return (", ".join(names[:8]) or "nothing") + _network(folder)


def _network(folder: Path) -> str:
    """Which network the config.json of a folder describes, to stand behind what lies there."""
    described = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    kinds = [described[name] for name in ("model_type", "architecture") if name in described]
    return f", and {CONFIG} describes {kinds[0]!r}" if kinds else ""


def _beginnings(source: Source) -> str:
    """How the names of the tensors begin, without what wrappers put in front."""
    return some(sorted({".".join(name.split(".")[:2]) for name in source.names}))

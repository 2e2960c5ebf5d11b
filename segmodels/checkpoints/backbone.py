"""Start a training as the papers do: an encoder from ImageNet, a fresh decoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from segmodels.checkpoints import augreg, hugging_face, mit, native, plain_backbone, timm_vit
from segmodels.checkpoints.backbone_report import BackboneReport
from segmodels.checkpoints.imagenet import ImageNet, grid_of
from segmodels.checkpoints.source import Source, told
from segmodels.checkpoints.strict import compare
from segmodels.core.arguments import an, path_to
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel, upsample
from segmodels.models.classifier import MiTClassifier, ViTClassifier
from segmodels.models.mit import STAGES, MiT
from segmodels.models.vit import ViT, resize_positions

#: How to tell each format of ImageNet weights, and how to read it.
READERS: tuple[tuple[Callable[[Source], bool], Callable[[Source], ImageNet]], ...] = (
    (hugging_face.recognises, hugging_face.read),
    (mit.recognises, mit.read),
    (timm_vit.recognises, timm_vit.read),
    (augreg.recognises, augreg.read),
)
HEADS = ("head.", "head_dist.")

#: What an encoder may do without: SETR's has no norm and no bias at its patches.
LEFT_OUT = ("norm.weight", "norm.bias", "patch_embed.proj.bias")
POSITIONS = "pos_embed"

#: What a MiT of SegFormer's ablations lacks, and what it has instead.
CONVOLUTION = ".mlp.dwconv."
TABLES = tuple(f"{POSITIONS}{number}." for number in STAGES)


class _Encoder(NamedTuple):
    prefix: str  # of its tensors in the model
    module: MiT | ViT


def load_backbone(model: SegModel, path: str | Path) -> BackboneReport:
    """Fill the encoder of a model from ImageNet weights; nothing else changes.

    The position table of a ViT is resized bilinearly to the model's image size, as in
    Segmenter's code. Tables of a MiT's positions stay as drawn where the file has none, and
    convolutions of the file that a MiT lacks are left. Every other shape must fit. An ImageNet head
    the model carries along (Segmenter's, unused) is filled if the file has one of that shape.

    The network stays what it is: Segmenter's LayerNorm eps is 1e-5 although the weights were
    trained with 1e-6, and the paper's results were obtained that way.

    Args:
        model: any but U-Net and ESPNet, a classifier included.
        path: any file or folder of ImageNet weights that ``load_checkpoint`` knows, or an
            encoder without its head; for networks on Swin, ResNet or MobileNetV2 a file of its
            authors, mmsegmentation or mmpretrain.

    Raises:
        SegmodelsError: the model has no such encoder, the file holds no such weights, or they
            do not fit. The model is unchanged then.
    """
    plain = plain_backbone.kind_of(an(SegModel, "model", model, "create_model"))
    encoder = _encoder_of(model) if plain is None else None
    source = Source(path_to("path", path))
    source.check_path("There are no weights at")
    if encoder is not None:
        return _fill(model, encoder, source)
    assert plain is not None
    with told():
        return plain_backbone.fill(model, plain, source)


def _fill(model: SegModel, encoder: _Encoder, source: Source) -> BackboneReport:
    """Fill a ViT or a MiT."""
    with told():
        weights = _read(source)
    _check(weights, encoder.module)
    wanted = encoder.module.state_dict()
    resized = _resized(weights, encoder.module)
    given = {**weights.tensors, **resized}
    heads = {key for key in {*wanted, *given} if key.startswith(HEADS)}
    skipped = {key for key in heads if not _same_shape(key, wanted, given)}
    skipped |= {key for key in LEFT_OUT if key not in wanted}
    skipped |= {key for key in {*wanted, *given} if _left_to_training(key, wanted, given)}
    used = {key: value for key, value in given.items() if key not in skipped}
    needed = {key: value for key, value in wanted.items() if key not in skipped}
    compare(weights.path, f"the encoder of {model.config.get('name')}", needed, used)
    with torch.no_grad():
        for key, tensor in needed.items():
            tensor.copy_(used[key])
    ours = {encoder.prefix + key: key for key in needed}
    return BackboneReport(
        loaded=tuple(name for name, key in ours.items() if key not in resized),
        resized=tuple(name for name, key in ours.items() if key in resized),
        fresh=tuple(name for name in model.state_dict() if name not in ours),
        unused=tuple(key for key in given if key in skipped),
    )


def _left_to_training(key: str, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> bool:
    """Whether only one side has a tensor by which MiTs differ: convolution, or position table."""
    return (CONVOLUTION in key and key not in wanted) or (
        key.startswith(TABLES) and not (key in wanted and key in given)
    )


def _encoder_of(model: SegModel) -> _Encoder:
    for name in ("encoder", "backbone"):
        module = getattr(model, name, None)
        if isinstance(module, (MiT, ViT)):
            return _Encoder(f"{name}.", module)
    raise SegmodelsError(f"{type(model).__name__} has no encoder that ImageNet weights fill.")


def _read(source: Source) -> ImageNet:
    if native.recognises(source):
        return _own(source)
    for recognises, read in READERS:
        if recognises(source):
            return read(source)
    raise SegmodelsError(
        f"{source.path} holds no ImageNet weights of a ViT or MiT. Known: timm's, AugReg's "
        f".npz, NVlabs' mit_b*.pth, Hugging Face's MiT, and saved classifiers."
    )


def _own(source: Source) -> ImageNet:
    """A classifier that ``save_checkpoint`` wrote."""
    model = native.load(source)
    if not isinstance(model, (MiTClassifier, ViTClassifier)):
        raise SegmodelsError(f"{source.path} is a {type(model).__name__}, no ImageNet classifier.")
    prefix = _encoder_of(model).prefix
    tensors = {key.removeprefix(prefix): value for key, value in model.state_dict().items()}
    return ImageNet(source.path, tensors, heads=model.config.get("heads"))


def _check(weights: ImageNet, module: nn.Module) -> None:
    """Refuse what no list of tensors would explain."""
    found, wanted = ("MiT" if is_mit else "ViT" for is_mit in (weights.is_mit, _is_mit(module)))
    if found != wanted:
        raise SegmodelsError(f"{weights.path} holds a {found}, the model's encoder is a {wanted}.")
    if isinstance(module, MiT):
        _check_heads(weights, module)
    if not isinstance(module, ViT):
        return
    if ("dist_token" in weights.tensors) != (module.extra == 2):
        raise SegmodelsError(
            f"{weights.path} {'has a' if module.extra == 1 else 'lacks the'} distillation token, "
            f"the model's encoder does {'not' if module.extra == 1 else 'have one'}."
        )
    heads = _heads(module)
    if weights.heads not in (None, heads):
        raise SegmodelsError(
            f"{weights.path} has {weights.heads} attention heads, the model's encoder {heads}."
        )


def _check_heads(weights: ImageNet, module: MiT) -> None:
    """Heads of each stage, which no tensor shows, where the file says them."""
    stated = (weights.overrides or {}).get("heads")
    blocks: list[Any] = [getattr(module, f"block{number}")[0] for number in STAGES]
    heads = [block.attn.heads for block in blocks]
    if stated not in (None, heads):
        raise SegmodelsError(
            f"{weights.path} has {stated} attention heads, the model's encoder {heads}."
        )


def _is_mit(module: nn.Module) -> bool:
    return isinstance(module, MiT)


def _heads(module: ViT) -> int:
    block: Any = module.blocks[0]
    heads: int = block.attn.heads
    return heads


def _resized(weights: ImageNet, module: nn.Module) -> dict[str, Tensor]:
    """The position tables for the model's image size, if the file's have another size."""
    if isinstance(module, MiT):
        return _resized_tables(weights, module)
    if not isinstance(module, ViT):
        return {}
    old, new = grid_of(weights), module.grid
    if old[0] * old[1] == new[0] * new[1]:
        return {}
    table = weights.tensors[POSITIONS].float()
    return {POSITIONS: resize_positions(table, old, new, module.extra)}


def _resized_tables(weights: ImageNet, module: MiT) -> dict[str, Tensor]:
    """The tables of a MiT's stages that have another grid."""
    wanted = {key: one for key, one in module.state_dict().items() if key.startswith(TABLES)}
    given = {key: one for key, one in weights.tensors.items() if key in wanted}
    return {
        key: upsample(one.float(), (wanted[key].shape[-2], wanted[key].shape[-1]))
        for key, one in given.items()
        if one.ndim == 4 and one.shape[-2:] != wanted[key].shape[-2:]
    }


def _same_shape(key: str, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> bool:
    return key in wanted and key in given and wanted[key].shape == given[key].shape

"""Disturbed weights: zero-mean normal noise on parameters.

DEPICT shows mIoU over the noise level sigma (README of github.com/QishuaiWen/DEPICT,
"Parameter robustness"). No code for it is published; which tensors are disturbed and whether
sigma is absolute is not documented. So these are fields of a suite; the usual noise is absolute and
falls on all floating-point parameters. With much of it a network without LayerNorm can give scores
beyond float32. It is not refused for them, as it would be without noise: that it has no sensible
labels left is what is measured.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from segmodels.core.files import temporary_folder
from segmodels.core.settings import cache_dir
from segmodels.errors import SegmodelsError
from segmodels.evaluation.subject import Subject
from segmodels.models.base import SegModel

Part = Literal["all", "encoder", "decoder"]
Scale = Literal["absolute", "relative"]
LeftOut = Literal["norms", "tokens"]

#: Names of modules that are an encoder.
_ENCODERS = ("encoder", "backbone")

#: Last parts of names of parameters that are tokens, of classes or of the image.
_TOKENS = ("cls_token", "dist_token", "cls_emb")

#: Name of the one tensor in a file.
_NAME = "parameter"

_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


def apply(subject: Subject, condition: dict[str, Any]) -> Subject:
    """A copy of the model with `N(0, sigma²)` added to parameters, from a seed.

    Each parameter is given the same noise whichever others are disturbed along with it.

    Raises:
        SegmodelsError: the network has no encoder to tell from its decoder.
    """
    model = copy.deepcopy(subject.model)
    _disturb(model, condition)
    return dataclasses.replace(subject, model=model, condition=condition, overflows=True)


@contextmanager
def in_place(subject: Subject, condition: dict[str, Any]) -> Iterator[Subject]:
    """The model itself with the noise of `apply`, which it loses at the end, to the bit.

    Its parameters wait in files of the cache meanwhile, one for each, so that no network is in
    memory twice, and none of a GPU in memory at all. What a killed process left is taken away by
    the next, or by `forget_left`.
    """
    with temporary_folder(_waiting()) as folder:
        for path, one in _files(subject.model, folder):
            save_file({_NAME: one.detach().cpu().contiguous()}, path)
        try:
            _disturb(subject.model, condition)
            yield dataclasses.replace(subject, condition=condition, overflows=True)
        finally:
            _restore(subject.model, folder)


def forget_left() -> None:
    """Delete clean parameters that a killed process left; those of the living stay."""
    with temporary_folder(_waiting()):  # which deletes them
        return


def _waiting() -> Path:
    return cache_dir() / "clean-weights"


def _files(model: SegModel, folder: Path) -> Iterator[tuple[Path, Tensor]]:
    """Each parameter, and the file that it waits in."""
    for number, parameter in enumerate(model.parameters()):
        yield folder / f"{number}.safetensors", parameter


@torch.no_grad()
def _restore(model: SegModel, folder: Path) -> None:
    for path, parameter in _files(model, folder):
        with safe_open(path, framework="pt") as clean:
            parameter.copy_(clean.get_tensor(_NAME))


def encoder_parts(model: SegModel) -> tuple[str, ...]:
    """What the names of an encoder's parameters begin with; empty where that is not known."""
    names = [name for name, _ in model.named_children()]
    if decoder := model.decoder_parts:
        return tuple(f"{name}." for name in names if name not in decoder)
    return tuple(f"{name}." for name in names if name in _ENCODERS)


@torch.no_grad()
def _disturb(model: SegModel, condition: dict[str, Any]) -> None:
    disturbed = set(_disturbed(model, condition))
    random = torch.Generator().manual_seed(int(condition["seed"]))
    for name, parameter in model.named_parameters():
        if parameter.is_floating_point():
            noise = torch.randn(parameter.shape, generator=random)
            if name in disturbed:
                parameter.add_(noise.to(parameter), alpha=_sigma(parameter, condition))


def _sigma(parameter: Tensor, condition: dict[str, Any]) -> float:
    """Standard deviation of the noise on one parameter."""
    sigma = float(condition["parameter_noise"])
    if condition.get("noise_scale", "absolute") == "absolute":
        return sigma
    return sigma * float(parameter.double().square().mean().sqrt())


def _disturbed(model: SegModel, condition: dict[str, Any]) -> Iterator[str]:
    """Names of the parameters that noise falls on."""
    part, without = condition.get("noise_on", "all"), condition.get("noise_without", "")
    encoder = encoder_parts(model)
    if part != "all" and not encoder:
        name = model.config.get("name") or type(model).__name__
        raise SegmodelsError(
            f"{name!r} does not say what its encoder is: a module called 'encoder' or 'backbone', "
            f"or all but its 'decoder_parts'. Name them, or use a suite without 'noise_on'."
        )
    norms = {
        f"{path}.{name}"
        for path, module in model.named_modules()
        if isinstance(module, _NORMS)
        for name, _ in module.named_parameters(recurse=False)
    }
    for name, _ in model.named_parameters():
        in_part = part == "all" or name.startswith(encoder) == (part == "encoder")
        is_norm = "norms" in without and name in norms
        is_token = "tokens" in without and name.rpartition(".")[2] in _TOKENS
        if in_part and not (is_norm or is_token):
            yield name

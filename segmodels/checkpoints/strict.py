"""Build the network a checkpoint describes and fill in every tensor, or say what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segmodels.core.memory import blame_memory
from segmodels.core.settings import DEBUG
from segmodels.core.stand_ins import printable
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.models.undrawn import Undrawn

LISTED = 4


def build(path: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> SegModel:
    """The network ``create_model(**config)`` with the given tensors, on the CPU, in eval mode.

    Nothing is initialised twice: random tensors are allocated, not drawn. That the tensors fit is
    seen on a network without memory, so that sizes made up by a file cost none.

    Raises:
        SegmodelsError: the config builds nothing, or tensors are missing, left over or
            misshapen; the file and the first few tensors are named.
    """
    wanted = _built(path, config, "meta").state_dict()
    given = _fitting(path, config["name"], wanted, tensors)
    model = _built(path, config, "cpu")
    model.load_state_dict(given)
    return model.eval()


def fill_in(path: Path, model: SegModel, tensors: Mapping[str, Tensor]) -> SegModel:
    """The network with the given tensors, in eval mode.

    Raises:
        SegmodelsError: tensors are missing, left over or misshapen.
    """
    model.load_state_dict(_fitting(path, model.config["name"], model.state_dict(), tensors))
    return model.eval()


def _fitting(
    path: Path, name: str, wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The tensors of a file, if they are those that a network wants."""
    # PyTorch before 0.4.1 did not count batches; nothing computes with the counter.
    counters = {
        key: torch.zeros((), dtype=torch.long)
        for key in wanted
        if key.endswith("num_batches_tracked") and key not in tensors
    }
    given = {**tensors, **counters}
    compare(path, name, wanted, given)
    return given


def _built(path: Path, config: Mapping[str, Any], device: str) -> SegModel:
    try:
        with Undrawn(), torch.device(device):
            return create_model(**config)
    except (SegmodelsError, TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        blame_memory(error)
        raise SegmodelsError(f"{path} describes a model that cannot be built: {error}") from error


def compare(
    path: Path, name: str, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]
) -> None:
    """Check that two state dicts have the same keys and shapes, and that the given holds numbers.

    Raises:
        SegmodelsError: they differ, and every kind of difference is counted and exemplified (all
            tensors are in a note behind the traceback); or a tensor holds what no weight can be.
    """
    missing = [key for key in wanted if key not in given]
    unexpected = [key for key in given if key not in wanted]
    misshapen = [
        f"{key} is {tuple(given[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted
        if key in given and given[key].shape != wanted[key].shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "misshapen": misshapen}
    if problems := {kind: found for kind, found in kinds.items() if found}:
        raise _misfit(path, name, problems)
    for key in wanted:
        _check_numbers(path, key, given[key])


def _misfit(path: Path, name: str, problems: Mapping[str, Sequence[str]]) -> SegmodelsError:
    """The error names the first tensors of each kind, and its note, behind a traceback, all."""
    counted = [f"{len(found)} {kind} ({some(found)})" for kind, found in problems.items()]
    cut = any(len(found) > LISTED for found in problems.values())
    more = f" {DEBUG}=1 shows all of them." if cut else ""
    error = SegmodelsError(f"{path} does not fit {name!r}. Tensors: {'; '.join(counted)}.{more}")
    for kind, found in problems.items():
        error.add_note("\n".join(f"{kind}: {printable(one)}" for one in found))
    return error


def _check_numbers(path: Path, name: str, tensor: Tensor) -> None:
    """Refuse weights that are not numbers: every label would follow from them, and mean nothing.

    Raises:
        SegmodelsError: a value is not finite in float32, or a variance of a BatchNorm is negative.
    """
    values = tensor.float()
    wrong = int((~torch.isfinite(values)).sum())
    if wrong:
        raise SegmodelsError(
            f"{path}: tensor {name!r} holds {wrong} of {tensor.numel()} values that are not "
            f"finite (NaN or infinity). A training that diverged leaves such weights; take an "
            f"earlier snapshot."
        )
    if name.endswith("running_var") and int((values < 0).sum()):
        raise SegmodelsError(
            f"{path}: tensor {name!r} holds {int((values < 0).sum())} of {tensor.numel()} values "
            f"below 0, and a variance cannot be; another tensor may stand under its name."
        )


def shape(path: Path, tensors: Mapping[str, Tensor], key: str, dimensions: int) -> tuple[int, ...]:
    """Shape of one tensor from which the architecture is read.

    Raises:
        SegmodelsError: the tensor is missing or has another number of dimensions.
    """
    if key not in tensors:
        raise SegmodelsError(f"{path} lacks the tensor {key!r}; is the file whole?")
    found = tuple(tensors[key].shape)
    if len(found) != dimensions:
        raise SegmodelsError(f"{path}: {key!r} must have {dimensions} dimensions, got {found}.")
    return found


def count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbered modules lie under a prefix: 3 for ``prefix.0.… prefix.2.…``."""
    depth = len(prefix)
    numbers = {key[depth:].split(".", 1)[0] for key in tensors if key.startswith(prefix)}
    return sum(number.isdigit() for number in numbers)


def some(names: Sequence[str]) -> str:
    """The first few names, and dots if there are more."""
    listed = ", ".join(map(printable, names[:LISTED]))
    return f"{listed}, …" if len(names) > LISTED else listed

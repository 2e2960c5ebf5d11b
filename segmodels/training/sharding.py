"""A network whose weights, gradients and moments are shared out over processes (FSDP2).

Each process keeps a part of every parameter. Block by block the whole is put together where the
network is computed and let go behind it, so that memory is needed for few blocks at a time. The
numbers are those of processes that keep all, within rounding.

What leaves the processes (snapshots, weights, what validation looks at) is whole again: a snapshot
does not tell how weights were shared out, and is taken up by any number of processes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from segmodels.models.base import SegModel

Network = TypeVar("Network", bound=nn.Module)


def blocks(model: nn.Module) -> Iterator[nn.Module]:
    """The parts of a network that are put together one at a time, inner ones first.

    They are the entries of its lists of modules; what is in none is put together once a step.
    """
    lists = [one for one in model.modules() if isinstance(one, nn.ModuleList)]
    for entry in reversed([entry for entries in lists for entry in entries]):
        computes = not isinstance(entry, nn.ModuleList | nn.ModuleDict)
        if computes and next(entry.parameters(), None) is not None:
            yield entry


def shard(model: SegModel) -> None:
    """Share out the parameters of a network over all processes, in place."""
    for block in blocks(model):
        fully_shard(block)
    fully_shard(model)
    register_fsdp_forward_method(model, "forward_supervised")
    # It warns of logits that are views, because changing them in place would lose gradients. The
    # loss changes none.
    views = rf"FSDP2-wrapped module \({type(model).__name__}\) returned a view tensor"
    warnings.filterwarnings("ignore", message=views)


def whole(value: Any, keep: bool = True) -> Any:
    """State dicts with every tensor whole; all processes ask together.

    Args:
        value: of a network or an optimiser.
        keep: whether this process wants them, on the processor; else it only does its part.
    """
    if isinstance(value, dict):
        return {name: whole(one, keep) for name, one in value.items()}
    if isinstance(value, list):
        return [whole(one, keep) for one in value]
    if not isinstance(value, DTensor):
        return value
    full = value.full_tensor()
    return full.cpu() if keep else None


def content_shared_out(
    content: dict[str, Any],
    networks: Mapping[str, nn.Module | None],
    optimizer: torch.optim.Optimizer,
) -> dict[str, Any]:
    """The content of a snapshot with its tensors shared out; all processes ask together.

    Args:
        content: whole, as `whole` gives it.
        networks: that are shared out, by the name of their state dict in it.
        optimizer: of the parameters of the first.
    """
    shared = {
        name: _shared_out(content[name], network.state_dict())
        for name, network in networks.items()
        if network is not None
    }
    return {**content, **shared, "optimizer": _moments(content["optimizer"], optimizer)}


def _shared_out(values: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    return {name: _like(value, like[name]) for name, value in values.items()}


def _moments(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The state dict of an optimiser; what is kept of a parameter is shared out as it is."""
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    moments = {
        number: {
            name: _like(one, parameters[number]) if one.ndim else one for name, one in each.items()
        }
        for number, each in state["state"].items()
    }
    return {**state, "state": moments}


def _like(value: Tensor, other: Tensor) -> Tensor:
    if not isinstance(other, DTensor):
        return value
    return distribute_tensor(value.to(other.device), other.device_mesh, other.placements)


def skeleton(model: Network) -> Network:
    """The same network without numbers, to be filled with those of one that is shared out."""
    empty = deepcopy(model)
    for module in empty.modules():
        for name, one in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(one.to("meta"), one.requires_grad))
    return empty


def filled(empty: Network, model: nn.Module, device: str) -> Network:
    """A skeleton with the numbers of a network that is shared out; all processes ask together."""
    numbers = {
        name: one.full_tensor() if isinstance(one, DTensor) else one
        for name, one in model.state_dict().items()
    }
    network = deepcopy(empty)
    network.load_state_dict(numbers, assign=True)
    return network.to(device)

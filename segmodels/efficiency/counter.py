"""What a model costs: parameters and operations, counted on the meta device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from segmodels.efficiency.convention import Convention, load_conventions
from segmodels.efficiency.record import Measured, Wanted
from segmodels.efficiency.tally import AUXILIARY, ENCODERS, Tally
from segmodels.errors import SegmodelsError, pick
from segmodels.models import create_model
from segmodels.models.undrawn import Undrawn
from segmodels.versions import COUNTER


@dataclass(frozen=True)
class Cost:
    """Size of a network.

    Attributes:
        parameters: number of all values that training or a checkpoint sets, unused heads
            included, as the papers count (convention ``params-checkpoint``).
        macs: multiply-accumulates of one forward pass in the paper's form (a multiply and an
            add count as one, as the SegFormer paper counts; DEPICT's figure shows twice as
            much). Convolutions and matrix products count, attention's included; norms,
            activations and resizing do not (convention ``ops-macs``).
        image_size: height and width it was counted for.
    """

    parameters: int
    macs: int
    image_size: tuple[int, int]


def cost(
    name: str,
    num_classes: int = 150,
    image_size: tuple[int, int] = (512, 512),
    **overrides: Any,
) -> Cost:
    """Count a model by name on the meta device: no memory, no arithmetic."""
    model, image = _on_meta(name, num_classes, image_size, overrides)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(image)
    parameters = sum(p.numel() for p in model.parameters())
    return Cost(parameters, counter.get_total_flops() // 2, image_size)


def _on_meta(
    name: str, classes: int, size: tuple[int, int], overrides: Mapping[str, Any]
) -> tuple[nn.Module, torch.Tensor]:
    with Undrawn(), torch.device("meta"):
        model = create_model(name, classes, size, **overrides).eval()
        return model, torch.empty(1, 3, *size)


@dataclass(frozen=True)
class NetworkCosts:
    """What one forward pass of one network shows, before any convention.

    Attributes:
        name: of the model.
        operations: by part, then by kind.
        parameters: by part (``encoder``, ``decoder``), then by use (``used``, ``unused``,
            ``auxiliary``), and what BatchNorm stores beside them (``statistics``).
        has_encoder: whether the network tells its encoder from the rest.
    """

    name: str
    operations: Mapping[str, Mapping[str, int]]
    parameters: Mapping[str, Mapping[str, int]]
    has_encoder: bool


def examine(
    name: str, classes: int, size: tuple[int, int], overrides: Mapping[str, Any]
) -> NetworkCosts:
    """Build a network on the meta device, run it on one image and look."""
    model, image = _on_meta(name, classes, size, overrides)
    tally = Tally()
    with tally.watch(model), torch.no_grad():
        model(image)
    parameters: dict[str, Counter[str]] = {"encoder": Counter(), "decoder": Counter()}
    for key, parameter in model.named_parameters():
        part = _part(key)
        parameters[part][_use(key, id(parameter) in tally.read)] += parameter.numel()
    for key, buffer in model.named_buffers():
        if key.endswith(("running_mean", "running_var")):
            parameters[_part(key)]["statistics"] += buffer.numel()
    has_encoder = any(hasattr(model, encoder) for encoder in ENCODERS)
    return NetworkCosts(name, tally.operations, parameters, has_encoder)


def _part(key: str) -> str:
    return "encoder" if key.startswith(tuple(f"{e}." for e in ENCODERS)) else "decoder"


def _use(key: str, read: bool) -> str:
    if key.startswith(f"{AUXILIARY}."):
        return "auxiliary"
    return "used" if read else "unused"


def count(
    wanted: Iterable[Wanted],
    conventions: Mapping[str, Convention] | None = None,
    watch: Callable[[Wanted], None] = lambda _: None,
) -> list[Measured]:
    """Count everything wanted; a network that several conventions ask for is run once.

    Args:
        wanted: what to count.
        conventions: by name; those of ``params/efficiency.yaml`` if left out.
        watch: called with each count before it is made.

    Raises:
        UnknownNameError: no such model or convention.
        SegmodelsError: overrides do not fit the model or contradict the convention, or the
            convention asks for a part that the network does not tell apart.
    """
    known = load_conventions() if conventions is None else conventions
    networks: dict[tuple[object, ...], NetworkCosts] = {}
    counts = []
    for one in wanted:
        watch(one)
        convention = pick("convention", one.convention, known)
        classes, overrides = _classes(one, convention)
        key = (one.model, classes, repr(sorted(overrides.items())), one.size)
        if key not in networks:
            networks[key] = examine(one.model, classes, one.size, overrides)
        counts.append(_measured(one, convention, networks[key]))
    return counts


def _classes(wanted: Wanted, convention: Convention) -> tuple[int, dict[str, Any]]:
    """Outputs of the network and its other arguments."""
    overrides: dict[str, Any] = dict(wanted.overrides)
    asked = overrides.pop("num_classes", None)
    fixed = convention.classes
    if fixed is not None and asked not in (None, fixed):
        raise SegmodelsError(
            f"{wanted.model}: convention {convention.name!r} counts {fixed} classes, but "
            f"num_classes is {asked}; leave it out."
        )
    return fixed or asked or 150, overrides


def _measured(wanted: Wanted, convention: Convention, network: NetworkCosts) -> Measured:
    if convention.part != "whole" and not network.has_encoder:
        raise SegmodelsError(
            f"{wanted.model} has no encoder of its own; convention {convention.name!r} asks for "
            f"its {convention.part}."
        )
    parts = ("encoder", "decoder") if convention.part == "whole" else (convention.part,)
    terms = dict(_TERMS[convention.quantity](convention, network, parts))
    return Measured(
        wanted=wanted,
        quantity=convention.quantity,
        value=sum(terms.values()),
        terms=terms,
        digest=convention.digest,
        counter=COUNTER,
    )


def _operations(
    convention: Convention, network: NetworkCosts, parts: Iterable[str]
) -> Iterator[tuple[str, int]]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(network.operations[part])
    yield from convention.weigh(total).items()


def _parameters(
    convention: Convention, network: NetworkCosts, parts: Iterable[str]
) -> Iterator[tuple[str, int]]:
    wanted = {
        "used": True,
        "unused": convention.unused,
        "auxiliary": convention.auxiliary,
        "statistics": convention.statistics,
    }
    for part in parts:
        for use, number in network.parameters[part].items():
            if wanted[use]:
                yield f"{part}, {use}", number


_TERMS = {"operations": _operations, "parameters": _parameters}

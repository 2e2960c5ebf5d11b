"""A user's own network, taken as it is: any module whose output is logits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segmodels.core.arguments import MOST_CLASSES, an, whole, wrong
from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, SegModel, plain, round_up
from segmodels.models.own_building import built_by
from segmodels.models.own_identity import identity_of, packages_of
from segmodels.models.own_output import fault_of, logits_of
from segmodels.models.own_source import OwnSource, find_source
from segmodels.models.preprocessing import Preprocessing

#: Names of the config that arguments of a user's function cannot have.
_TAKEN = ("name", "source", "num_classes", "image_size", "structure", "packages")


class OwnModel(SegModel):
    """A network of any architecture; how its logits come about is its own affair.

    It takes normalised float images (B, 3, H, W) and returns logits (B, C, h, w) of any
    resolution: as a tensor, as `out` of a mapping (torchvision) or as `logits` of an object or
    mapping (transformers). They are resized bilinearly to the image.

    Args:
        network: the module.
        config: what identifies it.
        num_classes: number of logit channels.
        preprocessing: how pixels become its input.
        multiple: sides of images are padded to a multiple of this, for networks that want it.
        auxiliary_weight: of the loss of `aux` logits that it gives beside `out` or `logits`; None
            trains it without them.
        extra_outputs: logits behind those of the classes, as one for void.
    """

    def __init__(
        self,
        network: nn.Module,
        config: Mapping[str, Any],
        num_classes: int,
        preprocessing: Preprocessing,
        multiple: int = 1,
        auxiliary_weight: float | None = None,
        extra_outputs: int = 0,
    ) -> None:
        super().__init__(ModelConfig(num_classes))
        self.network = network
        self.config = plain({**config, "num_classes": num_classes})
        self.preprocessing = preprocessing
        self.stride = multiple
        self.auxiliary_weight = auxiliary_weight
        self.extra_outputs = extra_outputs
        self.training = network.training  # its layers may differ, as frozen ones do

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, h, w) at the resolution in which the network gives them.

        Raises:
            SegmodelsError: the network fails, or gives something else.
        """
        return self._logits(self._given(images), len(images))

    def forward_supervised(self, images: Tensor) -> list[tuple[Tensor, float]]:
        """The same, and `aux` logits where the network says what their loss weighs.

        Raises:
            SegmodelsError: the network fails, or gives something else.
        """
        given = self._given(images)
        main = self._logits(given, len(images))
        if self.auxiliary_weight is None:
            return [(main, 1.0)]
        auxiliary = given.get("aux") if isinstance(given, Mapping) else getattr(given, "aux", None)
        called = "'aux' of its output, for which it has an 'auxiliary_weight',"
        return [(main, 1.0), (self._logits(auxiliary, len(images), called), self.auxiliary_weight)]

    def _given(self, images: Tensor) -> Any:
        """What the network returns of images, padded as it wants them."""
        padded = self.pad(images)
        try:
            return self.network(padded)
        except (SegmodelsError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # of foreign code
            raise self._failed(padded, error) from error

    def _logits(self, given: Any, images: int, called: str = "its output") -> Tensor:
        logits, fault = logits_of(given), fault_of(given, images, self.num_classes, called)
        if fault or logits is None:
            raise SegmodelsError(f"network {self.config['name']!r}: {fault}")
        return logits

    def check_kind(self, images: Tensor) -> None:
        """What its input may be is the network's own affair."""

    def _failed(self, images: Tensor, error: Exception) -> SegmodelsError:
        text = " ".join(str(error).split())[:300] or type(error).__name__
        return SegmodelsError(
            f"network {self.config['name']!r} fails on images {tuple(images.shape)}: "
            f"{text.rstrip('.')}. If sides must be a multiple of a number, say so: "
            f"net.size_multiple = 32."
        )


def wrap_network(
    network: nn.Module | str,
    *,
    num_classes: int | None = None,
    preprocessing: Preprocessing | Mapping[str, Any] | None = None,
    image_size: tuple[int, int] | None = None,
    folder: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> SegModel:
    """A network of your own as one of this library.

    Args:
        network: a module, or the function that builds one: `mynet.py:build`, `package.nets:build`.
            Its Python is run.
        num_classes: number of logit channels; handed to a function that takes it. Without it, what
            the network says (`num_classes`) or gives for a grey image.
        preprocessing: how pixels become input; without it, what the network says
            (`net.preprocessing`): `mean`, `std`, `range` (1 or 255) and `channels` (RGB or BGR).
        image_size: handed to a function that takes it.
        folder: that the file is relative to; default the current one.
        overrides: arguments of the function.

    Raises:
        SegmodelsError: there is no such function, it fails, or the network does not say how pixels
            become its input.
    """
    size, given = _size(image_size), _arguments(overrides)
    if num_classes is not None:
        num_classes = whole("num_classes", num_classes, 1, MOST_CLASSES)
    if isinstance(network, str):
        source = find_source(network, folder or Path.cwd())
        return _from_source(source, num_classes, preprocessing, size, given)
    module = an(nn.Module, "network", network)
    if given:
        raise SegmodelsError("argument 'overrides' is for a function that builds a network.")
    return _wrapped(module, identity_of(module), num_classes, preprocessing)


def _arguments(overrides: Any) -> dict[str, Any]:
    if overrides is not None and not isinstance(overrides, Mapping):
        raise wrong("overrides", "arguments by name", overrides)
    return dict(overrides or {})


def _size(image_size: Any) -> tuple[int, int] | None:
    """Height and width, or nothing."""
    if image_size is None:
        return None
    if not isinstance(image_size, tuple | list) or len(image_size) != 2:
        raise wrong("image_size", "height and width", image_size)
    height, width = (whole("image_size", side, 1) for side in image_size)
    return height, width


def _from_source(
    source: OwnSource,
    num_classes: int | None,
    preprocessing: Preprocessing | Mapping[str, Any] | None,
    image_size: tuple[int, int] | None,
    arguments: Mapping[str, Any],
) -> SegModel:
    for name in arguments:
        if name in _TAKEN:
            raise SegmodelsError(f"network {source.name!r}: {name!r} is no argument to set.")
    offered = {"num_classes": num_classes, "image_size": image_size}
    given = {name: value for name, value in offered.items() if value is not None}
    module, taken = built_by(source, given, arguments)
    size = {"image_size": image_size} if "image_size" in taken else {}
    known = {"name": source.name, "source": source.digest, **packages_of(module)}
    config = {**known, **size, **arguments}
    return _wrapped(module, config, taken.get("num_classes"), preprocessing)


def _wrapped(
    module: nn.Module,
    config: Mapping[str, Any],
    num_classes: int | None,
    preprocessing: Preprocessing | Mapping[str, Any] | None,
) -> SegModel:
    name = config["name"]
    stated = getattr(module, "preprocessing", None) if preprocessing is None else preprocessing
    if stated is None:
        raise SegmodelsError(
            f"network {name!r} does not say how pixels become its input. Say it: net.preprocessing "
            f"= dict(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), range=1, "
            f"channels='RGB')."
        )
    try:
        applied = Preprocessing.stated(stated)
    except SegmodelsError as error:
        raise SegmodelsError(f"network {name!r}: {error}") from None
    multiple = whole("size_multiple", getattr(module, "size_multiple", 1), 1, 4096)
    number = num_classes if num_classes is not None else _outputs(module, name, multiple)
    number = whole("num_classes", number, 1, MOST_CLASSES)
    extra = whole("extra_outputs", getattr(module, "extra_outputs", 0), 0, MOST_CLASSES)
    weight = _auxiliary_weight(module, name)
    return OwnModel(module, config, number, applied, multiple, weight, extra)


def _auxiliary_weight(module: nn.Module, name: str) -> float | None:
    said = getattr(module, "auxiliary_weight", None)
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < math.inf:
        raise SegmodelsError(
            f"network {name!r}: 'auxiliary_weight' is {said!r}; expected a number of at least 0."
        )
    return float(said)


def _outputs(module: nn.Module, name: str, multiple: int) -> int:
    """How many channels the logits have: what the network says, or what it gives."""
    said = getattr(module, "num_classes", None)
    if type(said) is int:
        return said
    training = [layer for layer in module.modules() if layer.training]
    side = round_up(64, multiple)
    parameter = next(module.parameters(), torch.zeros(()))
    try:
        with torch.no_grad():  # for a shape, not for numbers
            given = module.eval()(torch.zeros(1, 3, side, side, device=parameter.device))
    except Exception as error:  # of foreign code
        text = " ".join(str(error).split())[:200].rstrip(".")
        raise SegmodelsError(
            f"network {name!r}: how many outputs it has cannot be found out with an image of "
            f"{side}x{side} ({text}). Say it: net.num_classes = 19."
        ) from error
    finally:
        for layer in training:
            layer.training = True
    logits, fault = logits_of(given), fault_of(given, 1)
    if fault or logits is None:
        raise SegmodelsError(f"network {name!r}: {fault}")
    return int(logits.shape[1])

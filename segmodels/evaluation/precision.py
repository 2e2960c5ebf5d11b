"""The network in the arithmetic that a protocol asks for.

`fp32` defines a number. `bf16` runs the network under autocast. `-compiled` hands it to
`torch.compile`, which fuses operations and so adds up in another order; on a GPU it records CUDA
graphs too, so that a pass of small kernels no longer waits for Python. Whatever leaves here is
fp32 again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel
from segmodels.models.folding import refold
from segmodels.protocols.protocol import Precision, Protocol

#: What compiles: a name of `torch.compile`'s backends.
BACKEND = "inductor"

#: Of a program: sizes of networks and inputs, precisions. PyTorch allows 8 by default.
_VARIANTS = 64

Program = Callable[[SegModel, Tensor], Tensor]

#: By class and kind of device. A program of a model would keep the model alive.
_PROGRAMS: dict[tuple[type[SegModel], str], Program] = {}


def lowres_logits(model: SegModel, images: Tensor, precision: Precision) -> Tensor:
    """Logits at the network's own resolution, the network taken as it is written.

    Args:
        model: in eval mode.
        images: float (B, 3, h, w), normalised.
        precision: of which `-compiled` is ignored.

    Returns:
        float32 (B, classes, h / stride, w / stride).
    """
    return _run(model.forward_lowres, images, precision)


def lowres_logits_fixed(model: SegModel, images: Tensor, precision: Precision) -> Tensor:
    """The same of images whose shape is that of every pass, compiled if asked.

    Raises:
        SegmodelsError: this machine or network cannot be compiled for.
    """
    if not is_compiled(precision):
        return lowres_logits(model, images, precision)
    refold(model)  # a compiled network cannot see that parameters have changed
    program = _compiled(type(model), images.device.type)
    try:
        with torch._dynamo.config.patch(recompile_limit=_VARIANTS):
            return _run(partial(program, model), images, precision)
    except torch._dynamo.exc.TorchDynamoException as error:
        raise SegmodelsError(
            f"precision {precision!r}: torch.compile fails on {type(model).__name__} here "
            f"({compiler_trouble(error)}). It needs a C++ compiler on a processor, Triton on a "
            f"GPU; without them use precision {precision.removesuffix('-compiled')!r}."
        ) from error


def compiler_trouble(error: Exception) -> str:
    """What `torch.compile` says of its failure, in one line."""
    return " ".join(str(error).split("\n\n")[0].split())


#: What PyTorch calls the precision of float32 inside operations, since 2.9.
_OPERATIONS = ("cudnn.conv", "cudnn.rnn", "cuda.matmul", "mkldnn.conv", "mkldnn.matmul")


@dataclass(frozen=True)
class _Switches:
    """All of PyTorch's that round float32: two older ones (None where newer ones make them
    unreadable), and one for each of `_OPERATIONS` that this version has.
    """

    convolutions: bool | None
    products: str | None
    operations: list[str]

    @classmethod
    def now(cls) -> _Switches:
        convolutions = _readable(lambda: torch.backends.cudnn.allow_tf32)
        products = _readable(torch.get_float32_matmul_precision)
        return cls(convolutions, products, [one.fp32_precision for one in _operations()])

    def set(self) -> None:
        if self.convolutions is not None:
            torch.backends.cudnn.allow_tf32 = self.convolutions
        if self.products is not None:
            torch.set_float32_matmul_precision(self.products)
        for one, name in zip(_operations(), self.operations, strict=True):  # the last word
            one.fp32_precision = name


def _readable(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except RuntimeError:  # in a program that uses the newer switches
        return None


def _operations() -> list[Any]:
    named = (name.split(".") for name in _OPERATIONS)
    found = (getattr(getattr(torch.backends, library), name, None) for library, name in named)
    return [one for one in found if hasattr(one, "fp32_precision")]


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """A GPU's convolutions round their input to 10 bits (TF32) by default; matrix products
    do when a program asks for it, on some processors even to bf16.

    The state is the whole process's, and is afterwards what it was before.
    """
    before = _Switches.now()
    try:
        names = ["tf32" if allowed else "ieee"] * len(before.operations)
        _Switches(allowed, "high" if allowed else "highest", names).set()
        yield
    finally:
        before.set()


class _FullPrecision:
    """TF32 is off while anybody is inside, whichever thread came first and leaves last."""

    def __init__(self) -> None:
        self.lock, self.inside, self.state = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self.lock:
            if not self.inside:
                self.state.enter_context(tf32(False))
            self.inside += 1

    def __exit__(self, *raised: object) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                self.state.close()


_FULL = _FullPrecision()


@contextmanager
def full_precision() -> Iterator[None]:
    """Float32 is float32 in the block, whatever the process allows otherwise."""
    with _FULL:
        yield


@contextmanager
def inference() -> Iterator[None]:
    """How networks are asked for labels: no gradients, full precision.

    Everything that predicts goes through here; a test holds the package to it.
    """
    with full_precision(), torch.inference_mode():
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The network in eval mode for the block, and afterwards in whatever modes it was.

    In training mode dropout draws and BatchNorm takes the statistics of the image, and keeps them.
    """
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def is_compiled(precision: Precision) -> bool:
    """Whether a precision asks for `torch.compile`."""
    return precision.endswith("-compiled")


def check_compiled(protocol: Protocol) -> None:
    """Refuse to compile for passes whose shape every image decides: one program each.

    Raises:
        SegmodelsError: the protocol fixes neither a window nor the size of its input.
    """
    if is_compiled(protocol.precision) and not (protocol.windows or protocol.resize_fixed):
        raise SegmodelsError(
            f"protocol {protocol.name!r}: precision {protocol.precision!r} needs inputs of one "
            f"shape, a `window` or `resize_fixed`; this one feeds whole images. Use precision "
            f"{protocol.precision.removesuffix('-compiled')!r}."
        )


def _run(forward: Callable[[Tensor], Tensor], images: Tensor, precision: Precision) -> Tensor:
    reduced = precision.startswith("bf16")
    with torch.autocast(images.device.type, torch.bfloat16, enabled=reduced):
        logits = forward(images)
    return logits.float()


def _compiled(kind: type[SegModel], device: str) -> Program:
    if (kind, device) not in _PROGRAMS:
        mode: Literal["reduce-overhead"] | None = "reduce-overhead" if device == "cuda" else None
        _PROGRAMS[kind, device] = torch.compile(
            kind.forward_lowres, fullgraph=True, dynamic=False, backend=BACKEND, mode=mode
        )
    return _PROGRAMS[kind, device]

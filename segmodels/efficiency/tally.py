"""Counting while a network runs: operations by kind and part, and which parameters are read.

Counted are the calls a network makes, not the layers it declares: much here is functional, and
a layer of the official code (SegFormer's 1x1 classifier, a convolution) may be a matrix product
of ours. What it counts as follows from the weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

#: Names under which networks here keep their encoder, and their heads for the training only.
ENCODERS = ("encoder", "backbone")
AUXILIARY = "auxiliary_head"

Operations = Iterable[tuple[str, int]]


class Tally(TorchFunctionMode):
    """Inside, every call of a network is counted.

    Attributes:
        operations: by part (``encoder``, ``decoder``), then by kind; a multiply-add is one.
        read: ids of the parameters that were read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations: dict[str, Counter[str]] = {"encoder": Counter(), "decoder": Counter()}
        self.read: set[int] = set()
        self._part = "decoder"

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do what is asked for and count it."""
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if name != "__get__":  # a look at the shape is no use of the values
            self.read.update(map(id, _parameters((*args, *kwargs.values()))))
        result = func(*args, **kwargs)
        if rule := _RULES.get(name):
            for kind, number in rule(result, *args, **kwargs):
                self.operations[self._part][kind] += number
        return result

    @contextmanager
    def watch(self, model: nn.Module) -> Iterator[Self]:
        """Inside, calls of the model's encoder are counted as such."""
        handles = []
        for name in ENCODERS:
            if isinstance(module := getattr(model, name, None), nn.Module):
                handles += [
                    module.register_forward_pre_hook(lambda *_: self._enter("encoder")),
                    module.register_forward_hook(lambda *_: self._enter("decoder")),
                ]
        try:
            with self:
                yield self
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, part: str) -> None:
        self._part = part


def _parameters(values: Iterable[Any]) -> Iterable[nn.Parameter]:
    for value in values:
        if isinstance(value, nn.Parameter):
            yield value
        elif isinstance(value, list | tuple):
            yield from _parameters(value)


def _origin(weight: Tensor) -> Tensor:
    """The parameter that a reshaped or sliced weight is a view of."""
    return weight if weight._base is None else weight._base


def _linear(out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Operations:
    del x
    products = out.numel() * weight.shape[-1]
    if _origin(weight).ndim == 4:  # a 1x1 convolution in another dress
        yield "convolution", products
        if bias is not None:
            yield "convolution_bias", out.numel()
    else:
        # A bare matrix used as if it were a layer's cannot be told from a layer's.
        yield "linear", products


def _convolution(
    out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None, *_: Any, **__: Any
) -> Operations:
    del x
    yield "convolution", out.numel() * weight[0].numel()
    if bias is not None:
        yield "convolution_bias", out.numel()


def _transposed(
    out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None, *_: Any, **__: Any
) -> Operations:
    yield "convolution", x.numel() * weight[0].numel()
    if bias is not None:
        yield "convolution_bias", out.numel()


def _attention(out: Tensor, query: Tensor, key: Tensor, *_: Any, **__: Any) -> Operations:
    yield "attention", (query.numel() + out.numel()) * key.shape[-2]


def _product(out: Tensor, left: Tensor, right: Tensor) -> Operations:
    learned = any(isinstance(_origin(one), nn.Parameter) for one in (left, right))
    yield "projection" if learned else "product", out.numel() * left.shape[-1]


def _per_output(kind: str) -> Callable[..., Operations]:
    return lambda out, *_, **__: [(kind, out.numel())]


def _per_input(kind: str) -> Callable[..., Operations]:
    return lambda _, x, *__, **___: [(kind, x.numel())]


_PRODUCTS = ("matmul", "__matmul__", "mm", "bmm")
_RECTIFIERS = ("relu", "relu_", "relu6", "hardtanh", "leaky_relu", "prelu")
_POOLINGS = ("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d")

_RULES: dict[str, Callable[..., Operations]] = {
    "linear": _linear,
    "conv2d": _convolution,
    "conv_transpose2d": _transposed,
    "scaled_dot_product_attention": _attention,
    **dict.fromkeys(_PRODUCTS, _product),
    **dict.fromkeys(_RECTIFIERS, _per_output("relu")),
    **dict.fromkeys(_POOLINGS, _per_input("pooling")),
}

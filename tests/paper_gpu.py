"""A GPU made of paper: tensors that say they lie on one and obey its rules, computed here.

It refuses what CUDA refuses (operands on two devices, `numpy()` of what is on a device), notes
where Python would wait for a GPU, and delivers copies that nobody waited for as garbage. It says
nothing about speed, about rounding on a GPU, or about what CUDA's libraries can do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("cuda", 0)
_CPU = torch.device("cpu")

#: Python has to know the values, or how many there are.
_WAITS = {
    *("item", "tolist", "nonzero", "equal", "allclose", "masked_select", "unique", "bincount"),
    "canny",  # an operation of ours that computes on the processor
    *("__bool__", "__int__", "__float__", "__index__", "__contains__", "is_nonzero"),
}
_FREE = {
    *("view", "reshape", "transpose", "permute", "expand", "flatten", "unsqueeze", "squeeze", "t"),
    *("size", "dim", "stride", "numel", "detach", "narrow", "split", "chunk", "unbind", "__len__"),
    *("__iter__", "is_floating_point", "is_complex", "is_inference", "data_ptr", "expand_as"),
    *("view_as", "requires_grad_", "is_pinned", "element_size", "__format__", "__repr__"),
}


class OnPaper(torch.Tensor):
    """A tensor of the processor that claims to lie on the GPU."""

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        assert _PRESENT, "a tensor of the paper GPU outlived it"
        return _PRESENT[-1].run(func, args, kwargs or {})


class PaperGPU(TorchFunctionMode):
    """Stands in for CUDA while it is entered.

    Attributes:
        waits: where Python waited for the device, by operation.
        launches: what was queued, by operation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.launches: Counter[str] = Counter()
        self.on_their_way: list[Callable[[], None]] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Moves between processor and device, and tensors made on the device."""
        kwargs = kwargs or {}
        name = func.__name__
        if name in ("to", "cpu", "cuda") and isinstance(args[0], torch.Tensor):
            return self._move(name, args, kwargs)
        if name == "_has_compatible_shallow_copy_type":
            return False  # asked by `Module.to`, which then makes a new parameter
        if torch.device(kwargs.get("device") or "cpu").type == "cuda":
            self.launches[name] += 1
            return _on_paper(func(*args, **{**kwargs, "device": _CPU}))
        return func(*args, **kwargs)

    def run(self, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """An operation on tensors of which at least one is on the device."""
        name = func.__name__
        if name == "__get__":
            answers = {"device": DEVICE, "is_cuda": True, "is_cpu": False}
            asked = getattr(func.__self__, "__name__", "")
            if asked in answers:
                return answers[asked]
        elif name in ("numpy", "__array__", "pin_memory"):
            raise TypeError(f"{name}() of a tensor on {DEVICE}")
        else:
            self._check(name, args, kwargs)
        with torch._C.DisableTorchFunctionSubclass():
            result = func(*args, **kwargs)
        return result if name in _WAITS and name != "nonzero" else tree_map(_on_paper, result)

    def _check(self, name: str, args: Any, kwargs: dict[str, Any]) -> None:
        tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
        strangers = [one for one in tensors if not isinstance(one, OnPaper) and one.ndim]
        if name in ("copy_", "__getitem__", "__setitem__"):
            masks = name != "copy_" and any(one.dtype == torch.bool for one in tensors[1:])
            if strangers or masks:
                self.waits[name] += 1
        elif strangers:
            raise RuntimeError(f"{name}: expected all tensors on {DEVICE}, found one on the CPU")
        if name in _WAITS:
            self.waits[name] += 1
        elif name not in _FREE:
            self.launches[name] += 1

    def _move(self, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
        tensor, *rest = args
        given = [*rest, *kwargs.values()]
        named = given if name == "to" else [name]
        devices = [torch.device(one) for one in named if isinstance(one, (str, torch.device))]
        kinds = [one for one in given if isinstance(one, torch.dtype)]
        target = devices[0] if devices else tensor.device
        there = isinstance(tensor, OnPaper)
        free = next((one for one in rest if isinstance(one, bool)), kwargs.get("non_blocking"))
        with torch._C.DisableTorchFunctionSubclass():
            moved = tensor.as_subclass(torch.Tensor)
            if kinds:
                moved = moved.to(kinds[0])
            if there == (target.type == "cuda"):
                self.launches[name] += there
                return moved.as_subclass(type(tensor)) if moved is not tensor else tensor
            moved = moved.clone()
        if target.type == "cuda":
            if not (free and getattr(tensor, "pinned", False)):
                self.waits["from the processor"] += 1
            return moved.as_subclass(OnPaper)
        return self._deliver(moved) if free else self._wait(moved)

    def _wait(self, values: torch.Tensor) -> torch.Tensor:
        self.waits["to the processor"] += 1
        return values

    def _deliver(self, values: torch.Tensor) -> torch.Tensor:
        """What is garbage until an event behind the copy was waited for."""
        with torch.inference_mode(values.is_inference()):
            arrived = torch.full_like(values, 99)
        self.on_their_way.append(lambda: arrived.copy_(values))
        return arrived

    def arrive(self, number: int) -> None:
        """The first copies have been made."""
        for finish in self.on_their_way[:number]:
            with torch.inference_mode():
                finish()
        self.on_their_way[:number] = [lambda: None] * min(number, len(self.on_their_way))


_PRESENT: list[PaperGPU] = []


def _on_paper(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and not isinstance(value, OnPaper):
        return value.as_subclass(OnPaper)
    return value


class _Event:
    def record(self, stream: Any = None) -> None:
        self.gpu, self.number = _PRESENT[-1], len(_PRESENT[-1].on_their_way)

    def synchronize(self) -> None:
        self.gpu.arrive(self.number)


def _pinned(tensor: torch.Tensor) -> torch.Tensor:
    copy = tensor.clone()
    copy.pinned = True
    return copy


@contextmanager
def paper_gpu() -> Iterator[PaperGPU]:
    """A paper GPU as `cuda`, for this thread; other threads can prepare tensors for it."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    gpu = PaperGPU()
    _PRESENT.append(gpu)
    try:
        with (
            mock.patch.object(torch.Tensor, "pin_memory", _pinned),
            mock.patch.object(torch.Tensor, "is_pinned", lambda one: getattr(one, "pinned", False)),
            mock.patch.object(torch.cuda, "Event", _Event),
            mock.patch.object(torch.cuda, "current_stream", return_value=None),
            mock.patch.object(torch.cuda, "get_device_name", return_value="paper"),
            mock.patch.object(torch.cuda, "max_memory_allocated", return_value=1),
            gpu,
        ):
            yield gpu
    finally:
        _PRESENT.pop()
        torch.__future__.set_overwrite_module_params_on_conversion(before)

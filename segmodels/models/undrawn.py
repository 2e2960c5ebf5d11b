"""Networks whose first values nobody will read: to be filled from a file, or only counted."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

#: Functions of `nn.init` that do nothing but draw, and what draws inside of others.
_DRAWN = {nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, torch.Tensor.erfinv_}
_DRAWS = {torch.Tensor.normal_, torch.Tensor.uniform_}
_FRESH = {torch.randn, torch.rand}


class Undrawn(TorchFunctionMode):
    """Inside, tensors are allocated but no random numbers are drawn for them.

    On the meta device nothing is written in place at all: PyTorch checks such writes with
    its compiler's operators, which take seconds to import.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Leave out what only fills a tensor."""
        given = kwargs or {}
        # The functions of `nn.init` hand over names.
        target: Any = args[0] if args else given.get("tensor")
        if func in _DRAWN or _writes_nothing(func, target):
            return target
        if func in _DRAWS:  # some draw again until all lie within bounds, which 0 does
            return torch.Tensor.zero_(target)
        return (torch.empty if func in _FRESH else func)(*args, **given)


def _writes_nothing(func: Any, target: Any) -> bool:
    name = getattr(func, "__name__", "")
    in_place = name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
    return in_place and isinstance(target, torch.Tensor) and target.is_meta

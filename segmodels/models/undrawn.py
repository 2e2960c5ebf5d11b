"""Networks whose first values nobody will read: to be filled from a file, or only counted."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_DRAWN = {torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.erfinv_}
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
        if func in _DRAWN or _writes_nothing(func, args):
            return args[0]
        return (torch.empty if func in _FRESH else func)(*args, **(kwargs or {}))


def _writes_nothing(func: Any, args: tuple[Any, ...]) -> bool:
    name = getattr(func, "__name__", "")
    in_place = name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
    return in_place and bool(args) and isinstance(args[0], torch.Tensor) and args[0].is_meta

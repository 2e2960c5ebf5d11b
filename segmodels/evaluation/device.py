"""Arrays on their way to a device and back; whatever is asked of a GPU here does not wait for it.

A GPU works through a queue. Python that waits for a result lets the queue run dry, so arrays go
there through pinned memory, and results are asked for when the next work has been queued.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segmodels.evaluation.pending import Deferred, Pending

#: An array of any type and shape.
Array = npt.NDArray[Any]


def ready_for(values: Array | Tensor, device: torch.device) -> Tensor:
    """An array as a tensor in memory from which the device can copy by itself."""
    here = values if isinstance(values, Tensor) else torch.from_numpy(_owned(values))
    return here if device.type != "cuda" or here.is_pinned() else here.pin_memory()


def to_device(values: Array | Tensor, device: torch.device) -> Tensor:
    """An array or a tensor as a tensor on a device."""
    if isinstance(values, Tensor) and values.device.type != "cpu":
        return values.to(device)
    return ready_for(values, device).to(device, non_blocking=device.type == "cuda")


def _owned(values: Array) -> Array:
    """Contiguous, and PyTorch may write to it."""
    return np.require(values, requirements=["C", "W"])


def arriving(values: Tensor) -> Pending[Tensor]:
    """The same tensor on the processor, once it is asked for."""
    if values.device.type != "cuda":
        return Deferred(values.cpu)
    here = values.to("cpu", non_blocking=True)  # PyTorch takes pinned memory for it
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record(torch.cuda.current_stream(values.device))

    def arrived() -> Tensor:
        copied.synchronize()
        return here

    return Deferred(arrived)

"""Taking the time of a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segmodels.core.environment import machine
from segmodels.efficiency.latency import LatencyProtocol, LatencyRecord
from segmodels.errors import SegmodelsError
from segmodels.models import create_model


def measure_latency(
    model: str,
    protocol: LatencyProtocol,
    device: str = "cpu",
    size: tuple[int, int] = (512, 512),
    overrides: Mapping[str, Any] | None = None,
) -> LatencyRecord:
    """Build a network with random weights and time it; weights do not change the seconds.

    Args:
        model: name for ``create_model``.
        protocol: batch, warm-up, iterations, precision.
        device: ``cpu``, ``cuda``, ``cuda:1``, …
        size: height and width of the images in pixels.
        overrides: arguments of the network, e.g. ``{"num_classes": 19}``.

    Raises:
        UnknownNameError: no such model.
        SegmodelsError: there is no such device.
    """
    overrides = dict(overrides or {})
    dtype = torch.bfloat16 if protocol.precision == "bf16" else torch.float32
    network = create_model(model, image_size=size, **overrides).eval()
    try:
        network.to(device, dtype)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise SegmodelsError(f"Nothing can be timed on device {device!r}: {error}.") from error
    images = torch.zeros(protocol.batch, 3, *size, device=device, dtype=dtype)

    def once() -> Tensor:
        logits: Tensor = network(images)
        return logits.argmax(1) if protocol.labels else logits

    with torch.inference_mode():
        for _ in range(protocol.warm_up):
            once()
        seconds = [_timed(once, device) for _ in range(protocol.iterations)]
    lower, median, upper = (float(q) for q in np.quantile(seconds, (0.25, 0.5, 0.75)))
    return LatencyRecord(
        model=model,
        overrides=overrides,
        height=size[0],
        width=size[1],
        protocol=protocol.name,
        digest=protocol.digest,
        batch=protocol.batch,
        warm_up=protocol.warm_up,
        iterations=protocol.iterations,
        precision=protocol.precision,
        device=machine(device)["device"],
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        lower=lower,
        median=median,
        upper=upper,
        images_per_second=protocol.batch / median,
    )


def _timed(once: Callable[[], Tensor], device: str) -> float:
    """Seconds of one pass, until the device has finished it."""
    _wait(device)
    start = time.perf_counter()
    once()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)

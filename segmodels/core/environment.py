"""The record of a measurement that is not evidence: machine, software, seconds, memory."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from segmodels.versions import EVALUATOR, SOFTWARE

#: The packages between pixels and counts.
_DECIDING = ("torch", "numpy", "pillow", "opencv-python-headless")


def software() -> dict[str, str]:
    """Versions that may decide a count. Build tags such as `+cpu` belong to the machine."""
    found = {name: _version(name).split("+")[0] for name in _DECIDING}
    return {"segmodels": SOFTWARE, "evaluator": str(EVALUATOR), **found}


def arithmetic(device: str) -> dict[str, str]:
    """What decides how numbers are rounded, besides the numbers: device, torch, the packages.

    Unfinished work is taken up only where all of it is the same.
    """
    import torch

    kind = device.partition(":")[0]
    if kind == "cuda":
        cudnn: Any = torch.backends.cudnn
        where = f"{torch.cuda.get_device_name(device)}, cuDNN {cudnn.version()}"
    else:
        where = f"{kind} {torch.backends.cpu.get_cpu_capability()}"
    return {**software(), "device": where, "torch": torch.__version__}


def difference(begun: Mapping[str, str], here: Mapping[str, str]) -> str:
    """In what the arithmetic of unfinished work differs from the one here, in words."""
    names = sorted(begun.keys() | here.keys())
    name = next(name for name in names if begun.get(name) != here.get(name))
    return f"begun with {name} {begun.get(name)!r}, which is {here.get(name)!r} here"


def cores() -> int:
    """Cores this process may use: those it was given, or its share of them under torchrun."""
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (given or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def own_device(device: str) -> str:
    """Every process that torchrun, or an engine, started on a machine has a GPU of its own."""
    local = os.environ.get("LOCAL_RANK")
    return f"cuda:{local}" if device == "cuda" and local is not None else device


def machine(device: str) -> dict[str, Any]:
    """Where it ran: processor or GPU, cores, Python, full package versions."""
    import torch

    return {
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else _processor(),
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in (*_DECIDING, "torchvision", "timm")},
    }


def peak_memory_bytes(device: str) -> int:
    """Largest memory held so far: of the GPU's allocator, else of this process."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

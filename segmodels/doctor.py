"""Is this machine ready? Checks that say what is wrong and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from segmodels.errors import SegmodelsError
from segmodels.settings import cache_dir, mirror_dir, project_root

Level = Literal["ok", "note", "bad"]

_FREE_BYTES = 2 << 30
_FLOW_PACKAGES = ("dvc", "prefect", "mlflow")


@dataclass(frozen=True)
class Finding:
    """One checked thing: `bad` stops work, `note` is worth knowing."""

    level: Level
    subject: str
    text: str


def examine() -> list[Finding]:
    """Run all checks; none of them changes anything."""
    checks = (_project, _torch, _flows, _active, _mirror, _disk)
    return [_guarded(check) for check in checks]


def _guarded(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except SegmodelsError as error:
        return Finding("bad", check.__name__.strip("_"), str(error))


def _project() -> Finding:
    return Finding("ok", "project", str(project_root()))


def _torch() -> Finding:
    try:
        import torchvision  # noqa: F401 - the import is the check
    except Exception as error:
        return Finding(
            "bad",
            "torch",
            f"torch {_version('torch')} and torchvision {_version('torchvision')} do not fit "
            f"together ({type(error).__name__}: {error}). Install both from the same index.",
        )
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU, processor only"
    return Finding("ok", "torch", f"{torch.__version__}, {gpu}")


def _flows() -> Finding:
    missing = [name for name in _FLOW_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        what = ", ".join(missing)
        return Finding("note", "flows", f"{what} not installed: pip install 'segmodels[flows]'.")
    return Finding("ok", "flows", ", ".join(f"{n} {_version(n)}" for n in _FLOW_PACKAGES))


def _active() -> Finding:
    from segmodels.runs import active_suites, check_active

    check_active()
    return Finding("ok", "active", ", ".join(active_suites()))


def _mirror() -> Finding:
    mirror = mirror_dir()
    if mirror is None:
        return Finding("note", "mirror", "none set; files come from their addresses.")
    return Finding("ok", "mirror", str(mirror))


def _disk() -> Finding:
    root = project_root()
    free = shutil.disk_usage(root).free
    if free < _FREE_BYTES:
        return Finding("bad", "disk", f"{free / 1e9:.1f} GB free below {root}; CamVid needs 2 GB.")
    if not os.access(root, os.W_OK):
        return Finding("bad", "disk", f"{root} is not writable.")
    return Finding("ok", "disk", f"{free / 1e9:.0f} GB free; scratch in {cache_dir()}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(missing)"

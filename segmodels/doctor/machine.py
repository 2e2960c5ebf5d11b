"""Checks of this machine: versions, devices, disk, settings, each with its fix."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from segmodels.core.environment import software
from segmodels.core.settings import NO_GIT, cache_dir, mirror_dir, project_root
from segmodels.doctor.finding import Finding, guarded

_FREE_BYTES = 2 << 30
_THREADS = "OMP_NUM_THREADS"
_FLOW_PACKAGES = ("dvc", "prefect", "mlflow")


def examine_machine() -> list[Finding]:
    """Run all checks; none of them changes anything."""
    checks = (_project, _software, _torch, _threads, _flows, _active, _mirror, _disk)
    return [finding for check in checks for finding in guarded(check.__name__.strip("_"), check)]


def _project() -> list[Finding]:
    root = project_root()
    return [Finding("ok", "project", str(root)), *_git(root)]


def _git(root: Path) -> list[Finding]:
    """DVC refuses a copy without `.git`, such as the sources downloaded as zip."""
    if not (root / ".dvc").is_dir() or any((at / ".git").exists() for at in (root, *root.parents)):
        return []
    if any(_says_no_git(root / ".dvc" / name) for name in ("config", "config.local")):
        return [Finding("note", "git", f"{root} is no git repository, and DVC knows.")]
    text = f"{root} is a copy without .git (a zip download?), where `dvc repro` refuses to work"
    return [Finding("bad", "git", f"{text}. Run `{NO_GIT}` there, or clone the repository.")]


def _says_no_git(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return re.search(r"^\s*no_scm\s*=\s*true\s*$", text, re.IGNORECASE | re.MULTILINE) is not None


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


def _software() -> Finding:
    found = {"python": platform.python_version(), **software()}
    missing = [name for name, number in found.items() if number == "not installed"]
    if missing:
        return Finding("bad", "software", f"{', '.join(missing)} missing: pip install segmodels.")
    return Finding("ok", "software", ", ".join(f"{n} {number}" for n, number in found.items()))


def _threads() -> Finding:
    cores, named = os.cpu_count() or 1, os.environ.get(_THREADS)
    if named is None:
        return Finding("ok", "threads", f"{cores} cores, all used")
    if not named.isdecimal() or int(named) < 1:
        return Finding("bad", "threads", f"{_THREADS}={named} is no number of threads. Unset it.")
    if int(named) > cores:
        why = "they wait for each other. Unset it or lower it."
        return Finding("note", "threads", f"{_THREADS}={named} on {cores} cores: {why}")
    return Finding("ok", "threads", f"{named} of {cores} cores ({_THREADS})")


def _flows() -> Finding:
    missing = [name for name in _FLOW_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        what = ", ".join(missing)
        return Finding("note", "flows", f"{what} not installed: pip install 'segmodels[flows]'.")
    return Finding("ok", "flows", ", ".join(f"{n} {_version(n)}" for n in _FLOW_PACKAGES))


def _active() -> Finding:
    from segmodels.runs.suite import check_active, load_active

    check_active()
    return Finding("ok", "active", ", ".join(load_active().suites))


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

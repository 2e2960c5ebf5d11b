"""An experiment of DVC (`dvc exp run`): which it is, and whose MLflow hears of it."""

from __future__ import annotations

import os
from pathlib import Path

from segmodels.core.settings import CACHE, cache_dir, project_root


def home() -> Path:
    """The project whose memory MLflow is: of a copy in which DVC runs an experiment, the original.

    DVC makes the copy below its own folder, and deletes it at the end.
    """
    root = project_root()
    named = os.environ.get("DVC_ROOT")  # DVC sets it for the command of every stage
    return Path(named) if named and Path(named) / ".dvc" in root.parents else root


def is_copy() -> bool:
    """Whether this is such a copy, whose results do not replace those of the project."""
    return home() != project_root()


def locks() -> Path:
    """Where processes that write to this MLflow find each other."""
    return home() / ".cache" if is_copy() and not os.environ.get(CACHE) else cache_dir()


def tags() -> dict[str, str]:
    """Tags of a run that an experiment makes: its name, and the commit it began from."""
    name = os.environ.get("DVC_EXP_NAME")
    base = os.environ.get("DVC_EXP_BASELINE_REV", "")
    return {"experiment": name, "experiment_base": base} if name else {}

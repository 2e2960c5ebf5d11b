"""What `prepare` recorded of a dataset, in `reports/local/datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segmodels.core import paths
from segmodels.core.files import read_json
from segmodels.errors import SegmodelsError


def skipped_in(name: str, split: str) -> dict[str, str]:
    """Samples of a split that its description leaves out, with the reason."""
    path = description_path(name)
    found: dict[str, dict[str, Any]] = read_json(path)["splits"] if path.is_file() else {}
    return dict(found.get(split, {}).get("skipped", {}))


def description_path(name: str) -> Path:
    """Where `prepare` records the fingerprint of a dataset."""
    return paths.local() / "datasets" / f"{name}.json"


def description(name: str) -> dict[str, Any]:
    """What `prepare` recorded (SegmodelsError when it has not run)."""
    found: dict[str, Any] = read_json(description_path(name))
    return found


def described_split(name: str, split: str) -> dict[str, Any]:
    """What `prepare` recorded of a split.

    Raises:
        SegmodelsError: it has not run, or the split was not here then.
    """
    found: dict[str, dict[str, Any]] = description(name)["splits"]
    if split not in found:
        raise SegmodelsError(
            f"{description_path(name)}: split {split!r} of {name} was not here when it was "
            f"prepared. Add its files, then: segmodels data add {name} PATH"
        )
    return found[split]


def forget_description(name: str) -> None:
    """Have a dataset described again when it is next needed."""
    description_path(name).unlink(missing_ok=True)

"""What a wheel holds besides code: a project in `segmodels/bundled` (`segmodels init`)."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLED = "segmodels/bundled"


class BundledProject(BuildHookInterface[Any]):
    """Puts the files that `bundled` in pyproject.toml names into a wheel, and a list of them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before a wheel is built; an editable one needs nothing, its project is the checkout."""
        if version == "editable":
            return
        root = Path(self.root)
        files = {name: root / name for name in _files(root, self.config["bundled"])}
        digests = {
            name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()
        }
        self._made = tempfile.TemporaryDirectory()
        listed = Path(self._made.name) / "files.json"
        listed.write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n")
        included = {**files, "files.json": listed}
        build_data["force_include"].update(
            {str(path): f"{BUNDLED}/{name}" for name, path in included.items()}
        )


def _files(root: Path, parts: list[str]) -> list[str]:
    """Files below the parts, relative to the root: those in git, or all in an unpacked sdist."""
    if (root / ".git").exists():
        command = ["git", "ls-files", "-z", "--", *(f":(glob){part}" for part in parts)]
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True)
        return sorted(filter(None, listed.stdout.split("\0")))
    named = [path for part in parts for path in root.glob(part)]
    found = {path for one in named for path in (one, *one.rglob("*")) if path.is_file()}
    return sorted(path.relative_to(root).as_posix() for path in found)

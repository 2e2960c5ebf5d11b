"""Toy DVC repositories: stages that take milliseconds, written by the test that needs them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

Stages = Mapping[str, Mapping[str, Any]]
MakeRepo = Callable[..., Path]

COPY = """
import sys
from pathlib import Path
out, *inputs = sys.argv[1:]
with Path("log").open("a") as log:
    log.write(out + chr(10))
Path(out).write_text("".join(Path(name).read_text() for name in inputs) + out)
"""


def copy(out: str, *inputs: str, **extra: Any) -> dict[str, Any]:
    """A stage that concatenates its inputs and its name, and writes its name to ``log``."""
    command = " ".join([sys.executable, "toy.py", out, *inputs])
    return {"cmd": command, "deps": list(inputs), "outs": [out], **extra}


def each(items: list[str], stage: Mapping[str, Any]) -> dict[str, Any]:
    """The stage once per item, as ``group@item``; it says ``${item.x}`` where the item goes."""
    return {"matrix": {"x": items}, **stage}


# download@a - prepare@a - train@a - leaderboard
# download@b - prepare@b ------------/
PIPELINE: Stages = {
    "download": each(["a", "b"], copy("raw-${item.x}", "source-${item.x}")),
    "prepare": each(["a", "b"], copy("data-${item.x}", "raw-${item.x}")),
    "train": each(["a"], copy("model-${item.x}", "data-${item.x}")),
    "leaderboard": copy("board", "model-a", "data-b"),
}


def write_repo(root: Path, stages: Stages = PIPELINE) -> Path:
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text(
        "[core]\n    no_scm = True\n    analytics = false\n    check_update = false\n"
    )
    (root / "toy.py").write_text(COPY)
    for name in ("a", "b"):
        (root / f"source-{name}").write_text(name)
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    return root


def dvc(root: Path, *arguments: str) -> str:
    """Run plain DVC, the reference that the flow is compared with."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def ran(root: Path) -> list[str]:
    """Which stages really ran since the last call."""
    log = root / "log"
    names = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return names

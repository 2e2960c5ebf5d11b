"""What a new project begins with: files of the checkout, or those that the wheel brought along."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segmodels.core.git import tracked_in
from segmodels.core.listing import is_stray
from segmodels.errors import SegmodelsError

#: The packages' folder: a checkout, or where pip installs.
_INSTALLED = Path(__file__).resolve().parents[2]
BUNDLED = _INSTALLED / "segmodels" / "bundled"
LISTED = BUNDLED / "files.json"

README = """# A project of segmodels

Made by `segmodels init`. `params/` holds claims, protocols, datasets, runs and suites, to be read
and edited; `reports/evidence` is the evidence published with segmodels.

    segmodels verify espnet_p2_q8_camvid    # judged at once from published evidence
    segmodels leaderboard                   # reports/leaderboard.html
    dvc repro                               # what params/active.yaml names
    python -m flows.reproduce               # the same as a Prefect flow

The last two want `pip install 'segmodels[flows]'`. After an update of segmodels, `segmodels init
--update .` brings files up to date that nobody changed here and names those that differ; with
`--check` it writes nothing. `.segmodels.json` remembers what was brought; keep it in git.
"""

#: What DVC watches in a checkout, and what says the same of an installed package.
_CODE = re.compile(r"^ +- segmodels/.*\n", re.MULTILINE)
_VERSIONS = re.compile(
    r"^    params:\n      - segmodels/versions\.py:\n(?: {10}- \w+\n)+", re.MULTILINE
)
_STAGE = re.compile(r"^  (?=\w+:)", re.MULTILINE)
_INSTALLATION = "      - reports/local/stages/installed/segmodels.json # which code judges\n"


def template() -> dict[str, bytes]:
    """The content of every file of a new project, by its path there.

    Raises:
        SegmodelsError: this installation brought none along.
    """
    found = {name: path.read_bytes() for name, path in _files().items()}
    for name, change in _CHANGED.items():
        found[name] = change(found[name].decode()).encode()
    return {**found, "README.md": README.encode()}


def _files() -> dict[str, Path]:
    if LISTED.is_file():
        return {name: BUNDLED / name for name in json.loads(LISTED.read_text(encoding="utf-8"))}
    if not (_INSTALLED / "hatch_build.py").is_file():
        raise SegmodelsError(f"{BUNDLED} is missing: this is no whole installation of segmodels.")
    about: Any = tomllib.loads((_INSTALLED / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = about["tool"]["hatch"]["build"]["targets"]["wheel"]
    named = [path for part in wheel["hooks"]["custom"]["bundled"] for path in _INSTALLED.glob(part)]
    found = {path for one in named for path in (one, *_below(one)) if path.is_file()}
    names = {path.relative_to(_INSTALLED).as_posix(): path for path in sorted(found)}
    tracked = _tracked()
    return {name: path for name, path in names.items() if tracked is None or name in tracked}


def _tracked() -> set[str] | None:
    """What git has of the checkout, so that nobody's own runs come along; None without git."""
    if not (_INSTALLED / ".git").exists():
        return None
    try:
        return tracked_in(_INSTALLED)
    except SegmodelsError:
        return None


def _below(folder: Path) -> list[Path]:
    """Files of a folder of the checkout; of hidden ones those that keep an empty folder in git."""
    found = folder.rglob("*")
    return [path for path in found if path.name == ".gitkeep" or not is_stray(path.name)]


def _pipeline(text: str) -> str:
    """The pipeline where the code is installed elsewhere: `resolve` always looks which it is."""
    head, *stages = _STAGE.split(text)
    return "  ".join([head, *map(_stage, stages)])


def _stage(text: str) -> str:
    changed = _VERSIONS.sub("", _CODE.sub("", _VERSIONS.sub("", text)))
    if changed == text:
        return text
    if text.startswith("resolve:"):
        return changed.replace("    deps:\n", "    always_changed: true\n    deps:\n", 1)
    return changed.replace("    deps:\n", f"    deps:\n{_INSTALLATION}", 1)


def _deployments(text: str) -> str:
    """Flows by the name of their module: their files are not in the project."""
    return re.sub(r"flows/(\w+)\.py:(\w+)", r"flows.\1.\2", text)


_CHANGED: dict[str, Callable[[str], str]] = {"dvc.yaml": _pipeline, "prefect.yaml": _deployments}

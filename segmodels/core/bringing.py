"""The files that segmodels brings into a project, and brings up to date where nobody changed them.

`.segmodels.json` in the project remembers them with their sha256, so that what was edited is known
and never written over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmodels.core.files import atomic_path, naming, read_json, write_json, write_text
from segmodels.core.template import template
from segmodels.errors import SegmodelsError
from segmodels.versions import SOFTWARE

REMEMBERED = ".segmodels.json"

#: What a folder may hold that is to become a project.
_ALLOWED = (".git",)


@dataclass(frozen=True)
class Brought:
    """What was done, or would be: paths in the project.

    Attributes:
        written: new ones, and those of an earlier version that nobody had changed.
        removed: those that this version no longer has, and nobody had changed.
        kept: changed here and in segmodels; left as they are.
    """

    written: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]


def make_project(folder: Path) -> Brought:
    """Make a project in a folder that is empty, has nothing but `.git`, or does not exist.

    Raises:
        SegmodelsError: there is something else in it, or it cannot be written.
    """
    with naming(folder):
        if folder.exists() and any(path.name not in _ALLOWED for path in folder.iterdir()):
            known = (folder / REMEMBERED).is_file()
            hint = f" It is a project: `segmodels init --update {folder}`." if known else ""
            raise SegmodelsError(f"{folder} is not empty; name a new folder.{hint}")
        folder.mkdir(parents=True, exist_ok=True)
    return bring(folder)


def update_project(folder: Path, save: bool = True) -> Brought:
    """Bring the files of a project up to date with the segmodels that is installed.

    Args:
        folder: a project that `make_project` made.
        save: otherwise nothing is written.

    Raises:
        SegmodelsError: it is no such project, or cannot be written.
    """
    if not (folder / REMEMBERED).is_file():
        raise SegmodelsError(f"{folder} has no {REMEMBERED}: `segmodels init` did not make it.")
    return bring(folder, save)


def bring(folder: Path, save: bool = True) -> Brought:
    """Write what is missing or out of date in a folder, and nothing that somebody changed."""
    new = template()
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in new.items()}
    old = remembered(folder).get("files", {})
    done = Brought(
        tuple(name for name, now in digests.items() if _is_due(folder / name, old.get(name), now)),
        tuple(name for name in sorted({*old} - {*new}) if _sha256(folder / name) == old[name]),
        tuple(_differing(folder, old, digests)),
    )
    if save:
        for name in done.written:
            _write(folder / name, new[name])
        for name in done.removed:
            (folder / name).unlink()
        write_json(folder / REMEMBERED, {"segmodels": SOFTWARE, "files": digests})
        _without_git(folder)
    return done


def _without_git(folder: Path) -> None:
    """Tell DVC where there is no git, in which it would look for one."""
    said = folder / ".dvc" / "config.local"
    if not said.exists() and not any((at / ".git").exists() for at in (folder, *folder.parents)):
        write_text(said, "[core]\n    no_scm = true\n")


def remembered(folder: Path) -> dict[str, Any]:
    """What `.segmodels.json` says; nothing where there is none."""
    path = folder / REMEMBERED
    said = read_json(path) if path.is_file() else {}
    if not isinstance(said, dict) or not isinstance(said.get("files", {}), dict):
        raise SegmodelsError(f"{path}: expected what `segmodels init` wrote; take it from git.")
    return said


def _is_due(path: Path, before: str | None, now: str) -> bool:
    """Whether a file is new, or of an earlier version and unchanged since.

    One that was brought and is gone was removed on purpose.
    """
    here = _sha256(path)
    return here == before and here != now


def _differing(folder: Path, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Files that were changed here while segmodels changed or removed them, too."""
    for name in sorted({*old, *new}):
        here, before, now = _sha256(folder / name), old.get(name), new.get(name)
        if here not in (None, before, now) and before != now:
            yield name


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _write(path: Path, content: bytes) -> None:
    with naming(path), atomic_path(path) as temporary:
        temporary.write_bytes(content)

"""The user's own project, which commands work in outside of any other."""

from __future__ import annotations

import os
from pathlib import Path

from segmodels.core.files import sha256_of_file
from segmodels.core.locks import only_one
from segmodels.errors import SegmodelsError
from segmodels.versions import SOFTWARE

HOME = "SEGMODELS_HOME"

#: Which files were brought last, so that the next command need not look at each.
_READY = Path(".cache", "brought")


def home_project() -> Path:
    """The folder of the user's own project, made or brought up to date where that is due.

    It is `SEGMODELS_HOME`, else `segmodels` in `XDG_DATA_HOME`, else `~/.local/share/segmodels`.

    Raises:
        SegmodelsError: it cannot be made, or this installation brought no files along.
    """
    from segmodels.core.template import LISTED

    folder = _home()
    if not LISTED.is_file():
        raise SegmodelsError(
            f"No segmodels project found above {Path.cwd()}, and {LISTED.parent} is missing: "
            f"install the wheel, or name a project by SEGMODELS_ROOT."
        )
    state = f"{SOFTWARE} {sha256_of_file(LISTED)}\n"
    if not _is(folder, state):
        try:
            _make(folder, state)
        except (OSError, SegmodelsError) as error:
            raise SegmodelsError(
                f"Outside of a project segmodels keeps its files in {folder}, which cannot be "
                f"made ({error}). Name another folder: {HOME}=FOLDER."
            ) from error
    return folder


def _home() -> Path:
    if named := os.environ.get(HOME):
        return Path(named).expanduser().resolve()
    try:
        data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    except RuntimeError:
        raise SegmodelsError(f"This user has no home folder; name one: {HOME}=FOLDER.") from None
    return Path(data).resolve() / "segmodels"


def _is(folder: Path, state: str) -> bool:
    path = folder / _READY
    return path.is_file() and path.read_text(encoding="utf-8") == state


def _make(folder: Path, state: str) -> None:
    """Bring its files, one process at a time."""
    from segmodels.core.bringing import bring
    from segmodels.core.files import write_text
    from segmodels.core.notes import note

    with only_one(folder / ".cache" / "home.lock", f"making {folder}", wait=True):
        if _is(folder, state):  # meanwhile
            return
        _check(folder)
        brought = bring(folder)
        write_text(folder / _READY, state)
    note(f"segmodels works in {folder} outside of a project ({HOME} names another folder).")
    if brought.kept:
        note(f"changed there, so not brought up to date: {', '.join(brought.kept)}")


def _check(folder: Path) -> None:
    """Refuse a folder that holds other things."""
    from segmodels.core.bringing import REMEMBERED

    ours = (folder / REMEMBERED).is_file() or (folder / "params").is_dir()
    if not ours and any(path.name != ".cache" for path in folder.iterdir()):
        raise SegmodelsError("it holds other files")

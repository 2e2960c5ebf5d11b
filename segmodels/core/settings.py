"""Where things are: the project root, the scratch cache and the optional local mirror."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from segmodels.errors import SegmodelsError

#: Environment variables a user may set; all are optional.
ROOT = "SEGMODELS_ROOT"
CACHE = "SEGMODELS_CACHE"
MIRROR = "SEGMODELS_MIRROR"
IMAGES = "SEGMODELS_IMAGES"
WORKERS = "SEGMODELS_WORKERS"
CONNECTIONS = "SEGMODELS_CONNECTIONS"
FORCE = "SEGMODELS_FORCE"
DEBUG = "SEGMODELS_DEBUG"

#: What lets DVC work in a copy without `.git`.
NO_GIT = "dvc config --local core.no_scm true"

#: As many as browsers and download managers take without being thought rude.
_CONNECTIONS = 4


def project_root() -> Path:
    """The folder that holds `params/`: `SEGMODELS_ROOT`, else the nearest parent of the
    current folder, else the checkout this package was installed from, else the user's own.

    Raises:
        SegmodelsError: none of them holds a `params/` folder, and the user's own cannot be made.
    """
    if named := os.environ.get(ROOT):
        return _checked(Path(named).expanduser().resolve())
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if _is_root(folder):
            return folder
    return _home()


@cache
def _home() -> Path:
    """The user's own project, looked after once in a process."""
    from segmodels.core.home import home_project

    return home_project()


def _is_root(folder: Path) -> bool:
    return (folder / "params" / "protocols.yaml").is_file()


def _checked(folder: Path) -> Path:
    if not _is_root(folder):
        raise SegmodelsError(f"{ROOT}={folder} does not hold params/protocols.yaml.")
    return folder


def cache_dir() -> Path:
    """Scratch space for unfinished work (`SEGMODELS_CACHE`, else `.cache/` in the project)."""
    named = os.environ.get(CACHE)
    return Path(named).expanduser().resolve() if named else project_root() / ".cache"


def mirror_dir() -> Path | None:
    """A local folder searched for archives and checkpoints before any network (`SEGMODELS_MIRROR`).

    Raises:
        SegmodelsError: the variable names a folder that does not exist.
    """
    named = os.environ.get(MIRROR)
    if not named:
        return None
    folder = Path(named).expanduser().resolve()
    if not folder.is_dir():
        raise SegmodelsError(f"{MIRROR}={named} is not a folder. Correct it or unset it.")
    return folder


def images_at_once() -> int | None:
    """Images of a batch (`SEGMODELS_IMAGES`); None leaves it to the device.

    Raises:
        SegmodelsError: it is no number of images.
    """
    return _number(IMAGES, "images")


def connections_at_once() -> int:
    """Parts of a large file that are downloaded at a time (`SEGMODELS_CONNECTIONS`).

    Raises:
        SegmodelsError: it is no number of connections.
    """
    return _number(CONNECTIONS, "connections") or _CONNECTIONS


def forced() -> bool:
    """Whether stages count again what is here (`SEGMODELS_FORCE=1`); commands have `--force`.

    Raises:
        SegmodelsError: it is neither 0 nor 1.
    """
    named = os.environ.get(FORCE) or "0"
    if named not in ("0", "1"):
        raise SegmodelsError(f"{FORCE}={named} is neither 0 nor 1.")
    return named == "1"


def debugging() -> bool:
    """Whether errors are shown with a traceback (`SEGMODELS_DEBUG=1`); commands have `--debug`."""
    return os.environ.get(DEBUG, "0") not in ("", "0")


def loading_workers() -> int | None:
    """Processes that load images for a training (`SEGMODELS_WORKERS`); None leaves it to the
    device, 0 is the training's own process.

    Raises:
        SegmodelsError: it is no number of processes.
    """
    return _number(WORKERS, "processes", least=0)


def _number(setting: str, what: str, least: int = 1) -> int | None:
    named = os.environ.get(setting)
    if not named:
        return None
    if not named.isdecimal() or int(named) < least:
        raise SegmodelsError(f"{setting}={named} is no number of {what}: {least} or more.")
    return int(named)

"""The package of mmsegmentation, a wheel or a folder: its version and the texts of its configs."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from segmodels.core.zips import refuse_bomb
from segmodels.errors import SegmodelsError

#: Where configs lie: in a wheel, in an installed package, in a clone of the repository.
_PLACES = ("mmseg/.mim/configs", ".mim/configs", "configs")
_VERSION = re.compile(r"""^__version__\s*=\s*['"]([\w.]+)['"]""", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """The texts that a model zoo is made of.

    Attributes:
        path: of the wheel or folder.
        version: of mmsegmentation.
        texts: configs and metafiles by their path below the folder of configs, with `/`.
    """

    path: Path
    version: str
    texts: Mapping[str, str]

    @property
    def metafiles(self) -> list[str]:
        """Paths of the lists of results, one a family, sorted."""
        return sorted(name for name in self.texts if posixpath.basename(name) == "metafile.yaml")


def open_package(path: Path) -> Package:
    """Read a wheel or folder of mmsegmentation; nothing of it is run.

    Raises:
        SegmodelsError: there is none, or it is another thing.
    """
    if not path.exists():
        raise SegmodelsError(
            f"{path}: no such file or folder. Expected mmsegmentation's wheel (pip download "
            f"--no-deps mmsegmentation==1.2.2) or a folder with its configs."
        )
    files = dict(_in_folder(path) if path.is_dir() else _in_wheel(path))
    for place in _PLACES:
        texts = {
            name.removeprefix(f"{place}/"): text
            for name, text in files.items()
            if name.startswith(f"{place}/")
        }
        if any(name.endswith("/metafile.yaml") for name in texts):
            return Package(path, _version(path, files), texts)
    raise SegmodelsError(
        f"{path}: no package of mmsegmentation; expected {_PLACES[0]}/FAMILY/metafile.yaml in a "
        f"wheel, or {' or '.join(_PLACES)} in a folder."
    )


def _in_wheel(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_bomb(archive, path)
            for name in archive.namelist():
                if _is_wanted(name):
                    yield name, archive.read(name).decode()
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise SegmodelsError(f"{path}: cannot be read as a wheel ({error}).") from None


def _in_folder(path: Path) -> Iterator[tuple[str, str]]:
    try:
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path).as_posix()
            if _is_wanted(name) and file.is_file():
                yield name, file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SegmodelsError(f"{path}: cannot be read ({error}).") from None


def _is_wanted(name: str) -> bool:
    if name in ("mmseg/version.py", "version.py"):
        return True
    return name.startswith(_PLACES) and name.endswith((".py", "/metafile.yaml"))


def _version(path: Path, files: Mapping[str, str]) -> str:
    for name in ("mmseg/version.py", "version.py"):
        if found := _VERSION.search(files.get(name, "")):
            return found[1]
    raise SegmodelsError(f"{path}: mmseg/version.py does not say which version it is.")

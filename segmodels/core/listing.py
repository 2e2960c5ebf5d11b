"""Which files of a folder count: not what systems, editors and programs leave beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePath

from segmodels.errors import SegmodelsError

#: Left by Windows and macOS; `__MACOSX` in zip archives; caches of Python and of notebooks.
_NAMES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "__pycache__"))
#: Of files that are being written, locked, or were saved aside by an editor.
_ENDS = ("~", ".part", ".tmp", ".lock", ".swp", ".swo", ".bak", ".orig", ".crdownload")


def is_stray(name: str) -> bool:
    """Whether a file or folder of this name is nobody's data.

    So are hidden ones (`._a.png`, `.DS_Store`, `.ipynb_checkpoints`, `.#a.yaml`), `Thumbs.db`,
    backups (`a.yaml~`, `#a.yaml#`) and files that are still being written (`a.zip.part`).
    """
    if name in (".", ".."):
        return False
    lower = name.lower()
    backup = name.startswith("#") and name.endswith("#")
    return name.startswith(".") or lower in _NAMES or lower.endswith(_ENDS) or backup


def has_stray_part(path: str | PurePath) -> bool:
    """Whether a file, or a folder on the way to it, is nobody's data.

    Args:
        path: relative, with `/`; what stands above a folder that the user named does not count.
    """
    return any(is_stray(part) for part in PurePath(path).parts)


def without_strays(folder: Path, found: Iterable[Path]) -> list[Path]:
    """Paths below a folder that are somebody's data, sorted."""
    return sorted(path for path in found if not has_stray_part(path.relative_to(folder)))


def yaml_files(folder: Path, what: str, nested: bool = False) -> list[Path]:
    """The `.yaml` files of a folder of `params/`, sorted; none if there is no such folder.

    Args:
        folder: looked at itself, not below.
        what: its files hold, for the message.
        nested: whether to look into the folders in it, too; their files come last.

    Raises:
        SegmodelsError: a file looks as if it were meant to be read, and would not be.
    """
    if not folder.is_dir():
        return []
    files = [path for path in sorted(folder.iterdir()) if not is_stray(path.name)]
    for path in files:
        if path.is_symlink() and not path.exists():
            raise SegmodelsError(f"{path}: a link that leads nowhere; remove or mend it.")
        if path.is_dir() and not nested and not path.is_symlink() and any(path.glob("*.y*ml")):
            raise SegmodelsError(f"{path}: files of {what} lie in {folder} itself; move them.")
        if path.suffix != ".yaml" and _looks_like_yaml(path.name) and not path.is_dir():
            raise SegmodelsError(f"{path}: files of {what} end in .yaml; rename it.")
    below = [path for path in files if nested and path.is_dir() and not path.is_symlink()]
    found = [path for path in files if path.suffix == ".yaml" and path.is_file()]
    return found + [file for path in below for file in yaml_files(path, what)]


def _looks_like_yaml(name: str) -> bool:
    """`.yml`, `.YAML`, `.yaml.txt` as Windows saves it, `.yaml (1)` of a browser, `.json`."""
    return re.search(r"\.\s*(ya?ml|json)\b", name, re.IGNORECASE) is not None

"""File names with a name in them, as `images/{name}.jpg`, and which names a split has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from segmodels.datasets.reading.layouts import files_below, spelled
from segmodels.errors import SegmodelsError, nearest

#: Ends of files that lie beside pictures.
_TEXTS = (".txt", ".yaml", ".yml", ".json", ".csv", ".md")


class NameTemplate:
    """Where files lie below a folder.

    Args:
        text: a relative path with `{name}` in it; a name may hold folders.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        before, _, self._after = text.partition("{name}")
        self._folder, _, self._before = before.rpartition("/")

    def path(self, name: str) -> str:
        """The relative path of the file of a name."""
        return self.text.replace("{name}", name)

    def names(self, root: Path, others: Iterable[NameTemplate] = ()) -> set[str]:
        """The names of all files that are there.

        Args:
            root: the folder that paths are relative to.
            others: templates of files that may lie among them.

        Raises:
            SegmodelsError: a file differs in the spelling of its ending alone, and would be passed
                over; or a folder cannot be read.
        """
        folder, others, found = root / self._folder, tuple(others), set()
        for file in files_below(folder) if folder.is_dir() else ():
            if name := self._name(file):
                found.add(name)
            elif self._misspelled(file) and not any(
                one.fits(folder / file, root) for one in others
            ):
                raise SegmodelsError(
                    f"{folder / file}: its ending is not that of {self.text!r}; rename it, or "
                    f"give a list of both."
                )
        return found

    def fits(self, file: Path, root: Path) -> bool:
        """Whether a file is one of these."""
        folder = root / self._folder
        inside = file.is_relative_to(folder)
        return inside and bool(self._name(file.relative_to(folder).as_posix()))

    def _name(self, file: str) -> str:
        """What stands in the place of the name; empty if it is another file."""
        if not (file.startswith(self._before) and file.endswith(self._after)):
            return ""
        return file[len(self._before) : len(file) - len(self._after)]

    def _misspelled(self, file: str) -> bool:
        return spelled(file).endswith(spelled(self._after)) and file.startswith(self._before)

    @staticmethod
    def example(root: Path) -> str:
        """A file that is there; rather a picture than a text."""
        first = min(files_below(root), key=lambda file: (file.endswith(_TEXTS), file), default="")
        return f"for example {first!r}" if first else "no file at all"


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a pattern fits, sorted.

    Args:
        pattern: `*` and `?` stand for anything but `/`, `**` for that too, `[abc]` for one of some.
        names: to choose from.
    """
    fits = re.compile(_as_expression(pattern))
    return sorted(name for name in names if fits.fullmatch(name))


def _as_expression(pattern: str) -> str:
    parts = re.split(r"(\*\*/?|\*|\?|\[[^\]/]+\])", pattern)
    known = {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return "".join(known.get(part) or _literal(part) for part in parts)


def _literal(part: str) -> str:
    if part.startswith("[") and part.endswith("]"):
        inner = part[1:-1]
        negated, inner = ("^", inner[1:]) if inner[:1] in "!^" else ("", inner)
        kept = inner.replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
        return f"[{negated}{kept}]" if inner else re.escape(part)
    return re.escape(part)


def list_names(path: Path, images: Mapping[str, str], field: str) -> list[str]:
    """The names in a list file: a line holds one, or the path of an image below the folder.

    Args:
        path: of the list.
        images: relative paths of all images by name.
        field: that names the list, for messages.

    Raises:
        SegmodelsError: it is missing, no text or empty; or a line is no image, or is there twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        reason = error.strerror or error
        raise SegmodelsError(f"{field}: {path} cannot be read ({reason}).") from None
    except UnicodeDecodeError as error:
        raise SegmodelsError(f"{field}: {path} is no text ({error}).") from None
    by_path = {relative: name for name, relative in images.items()}
    found: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not (given := line.strip()):
            continue
        name = by_path.get(given.removeprefix("./"), given)
        if name not in images:
            near = nearest(given, list(images))
            raise SegmodelsError(f"{path}, line {number}: there is no image {given!r}.{near}")
        if name in found:
            raise SegmodelsError(
                f"{path}, line {number}: {given!r} stands in line {found[name]} already."
            )
        found[name] = number
    if not found:
        raise SegmodelsError(f"{field}: {path} is empty. It names an image a line.")
    return list(found)

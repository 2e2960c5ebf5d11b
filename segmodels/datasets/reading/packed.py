"""Files of a dataset inside its zip archives, read where they lie.

A tree looks like the folder that unpacking would have made, and its members like paths. Bytes are
read at their offset (`pread`), with neither a shared position nor a lock, so threads and forked
workers may read at the same time.
"""

from __future__ import annotations

import os
import struct
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from segmodels.core.listing import has_stray_part
from segmodels.core.memory import blame_memory
from segmodels.core.zips import refuse_bomb
from segmodels.datasets.reading.archives import Target
from segmodels.errors import SegmodelsError, UnreadableError

_HEADER = struct.Struct("<4s2B4HL2L2H")
_ENCRYPTED = 1


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where in which archive a file is, and how it is packed."""

    archive: int
    name: str
    offset: int
    packed: int
    size: int
    method: int
    crc: int
    encrypted: bool


class Stat(NamedTuple):
    """Those parts of `os.stat_result` that tell a change."""

    st_size: int
    st_mtime_ns: int


class Tree:
    """What zip archives hold, as one folder.

    Args:
        archives: the zip files.
        target: where each of their members would be unpacked.

    Raises:
        SegmodelsError: an archive is missing or damaged.
    """

    def __init__(self, archives: tuple[Path, ...], target: Target) -> None:
        self.archives, self.target = archives, target
        self.entries: dict[str, _Entry] = {}
        self.folders: dict[str, list[str]] = {}
        for number, path in enumerate(archives):
            self._index(number, path)
        for name in self.entries:
            folder, _, last = name.rpartition("/")
            self.folders.setdefault(folder, []).append(last)
        for folder in list(self.folders):
            for parent in PurePosixPath(folder).parents:
                self.folders.setdefault("" if parent == PurePosixPath() else str(parent), [])
        self._open()

    def _open(self) -> None:
        self._handles = [os.open(path, os.O_RDONLY) for path in self.archives]
        for handle in self._handles:
            weakref.finalize(self, os.close, handle)

    def __getstate__(self) -> dict[str, Any]:
        """Workers that are spawned open the archives themselves."""
        return {name: value for name, value in vars(self).items() if name != "_handles"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    @property
    def root(self) -> Member:
        """The folder."""
        return Member(self, "")

    def title(self, name: str) -> str:
        """A file or folder for messages: `archive.zip!/member`."""
        if name in self.entries:
            entry = self.entries[name]
            return f"{self.archives[entry.archive]}!/{entry.name}"
        more = "".join(f", {path.name}" for path in self.archives[1:])
        return f"{self.archives[0]}{more}!/{name}"

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            UnreadableError: it is damaged, encrypted, or packed in a way other than stored and
                deflated.
            SegmodelsError: it is not there.
        """
        if name not in self.entries:
            raise SegmodelsError(f"{self.title(name)}: missing. Download the archive again.")
        entry = self.entries[name]
        try:
            return _unpacked(entry, self._packed(entry))
        except (OSError, ValueError, zlib.error, struct.error) as error:
            raise UnreadableError(
                Member(self, name),
                f"damaged ({error})",
                "Delete the archive and download it again.",
            ) from None

    def _packed(self, entry: _Entry) -> bytes:
        handle = self._handles[entry.archive]
        mark, *_, name, extra = _HEADER.unpack(os.pread(handle, _HEADER.size, entry.offset))
        if mark != b"PK\3\4":
            raise ValueError("no file begins where the list of the archive says")
        found = os.pread(handle, entry.packed, entry.offset + _HEADER.size + name + extra)
        if len(found) < entry.packed:
            raise ValueError("the archive ends too early")
        return found

    def _index(self, number: int, path: Path) -> None:
        try:
            with zipfile.ZipFile(path) as packed:
                refuse_bomb(packed, path)
                members = packed.infolist()
        except FileNotFoundError:
            raise SegmodelsError(f"{path}: missing. Download it again.") from None
        except (OSError, zipfile.BadZipFile, struct.error, ValueError, RuntimeError) as error:
            blame_memory(error)
            raise SegmodelsError(
                f"{path}: damaged ({error}). Delete it and download it again."
            ) from None
        for one in members:
            if not has_stray_part(one.filename) and (place := self.target(one.filename)):
                self.entries[place] = _Entry(
                    number,
                    one.filename,
                    one.header_offset,
                    one.compress_size,
                    one.file_size,
                    one.compress_type,
                    one.CRC,
                    bool(one.flag_bits & _ENCRYPTED),
                )


def _unpacked(entry: _Entry, data: bytes) -> bytes:
    if entry.encrypted:
        raise ValueError("encrypted")
    if entry.method == zipfile.ZIP_DEFLATED:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, entry.size + 1)
    elif entry.method != zipfile.ZIP_STORED:
        raise ValueError(f"packed by method {entry.method}; only stored and deflated are read")
    if len(data) != entry.size or zlib.crc32(data) != entry.crc:
        raise ValueError("its checksum is wrong")
    return data


@dataclass(frozen=True)
class Member:
    """A file or folder of a tree, with those manners of `pathlib.Path` that readers need."""

    tree: Tree
    path: str

    def __str__(self) -> str:
        return self.tree.title(self.path)

    def __truediv__(self, name: str) -> Member:
        return Member(self.tree, "/".join(part for part in (self.path, name.strip("/")) if part))

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """What follows the last point."""
        return PurePosixPath(self.path).suffix

    @property
    def parent(self) -> Member:
        """The folder it lies in."""
        return Member(self.tree, self.path.rpartition("/")[0])

    def is_file(self) -> bool:
        """Whether it is a file."""
        return self.path in self.tree.entries

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self.path in self.tree.folders

    def exists(self) -> bool:
        """Whether it is there."""
        return self.is_file() or self.is_dir()

    def stat(self) -> Stat:
        """Its size, and the date of the archive, which changes when anything inside does.

        Raises:
            FileNotFoundError: it is no file, or the archive has gone.
        """
        if not self.is_file():
            raise FileNotFoundError(str(self))
        entry = self.tree.entries[self.path]
        return Stat(entry.size, self.tree.archives[entry.archive].stat().st_mtime_ns)

    def read_bytes(self) -> bytes:
        """The content (SegmodelsError as in `Tree.read`)."""
        return self.tree.read(self.path)

    def read_text(self, encoding: str = "utf-8") -> str:
        """The content of a text file (SegmodelsError as in `Tree.read`, UnicodeDecodeError)."""
        return self.read_bytes().decode(encoding)

    def walk(self) -> Iterator[str]:
        """Relative names of all files below, unsorted."""
        start = f"{self.path}/" if self.path else ""
        for folder, names in self.tree.folders.items():
            if folder == self.path or folder.startswith(start):
                inner = folder[len(start) :]
                yield from (f"{inner}/{name}" if inner else name for name in names)


#: A file or folder on a disk, or inside an archive.
AnyPath = Path | Member


def open_tree(archives: tuple[Path, ...], target: Target) -> Tree:
    """A tree; the same one for archives that have not changed since (errors as in `Tree`)."""
    state = tuple((path, _state(path)) for path in archives)
    return _open_tree(state, target)


def _state(path: Path) -> tuple[int, int] | None:
    """Size and date of a file; None if there is none, which opening it will tell."""
    if not path.is_file():
        return None
    about = path.stat()
    return about.st_size, about.st_mtime_ns


@lru_cache(maxsize=8)
def _open_tree(state: tuple[tuple[Path, object], ...], target: Target) -> Tree:
    return Tree(tuple(path for path, _ in state), target)

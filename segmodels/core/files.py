"""Reading and writing small files so that a crash or a full disk never leaves half of one."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from segmodels.core.stand_ins import refuse_endless, stand_in
from segmodels.errors import SegmodelsError


def sha256_of_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha1_of_file(path: Path) -> str:
    """Hex SHA-1 of a file's bytes, for sources that publish nothing better."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha1").hexdigest()


def readable_size(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


#: One for all calls: `json.dumps` would make one for each, which costs more than a short text.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_json(value: object) -> str:
    """One spelling per value: sorted keys, no spaces, no NaN. What every digest is taken of."""
    return _CANONICAL.encode(value)


def digest(value: object) -> str:
    """Hex SHA-256 of a JSON-able value in its canonical spelling."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def combine(digests: Iterable[tuple[str, str]]) -> str:
    """Hex SHA-256 over `(name, digest)` pairs, in their order."""
    state = hashlib.sha256()
    for name, one in digests:
        state.update(f"{name} {one}\n".encode())
    return state.hexdigest()


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary sibling that becomes `path` when the block ends well and vanishes otherwise.

    What a killed writer of `path` left is used or deleted: in a folder that git or DVC looks at it
    would be a change.
    """
    with _temporary(path, _open_file) as (temporary, handle):
        os.ftruncate(handle, 0)
        try:
            yield temporary
            temporary.chmod(0o644)  # another mode would differ from what git and DVC expect
            temporary.replace(path)
        except BaseException:
            # Not after success: the name may be another writer's by now.
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """An empty sibling of a file or folder, gone at the end; those of the killed go too."""
    with _temporary(path, _open_folder) as (temporary, _):
        for left in temporary.iterdir():
            left.unlink()
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _temporary(path: Path, opened: Callable[[Path], int]) -> Iterator[tuple[Path, int]]:
    """A sibling that this process alone uses: the first of `.<name>.0`, `.<name>.1`, … not in use.

    Whoever uses one holds a lock on it, which the kernel drops however the process ends. So what
    a killed process left is found without looking through the folder, and a living one's is safe.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in count():
        temporary = path.with_name(f".{path.name}.{number}")
        handle = opened(temporary)
        try:
            if _is_ours(temporary, handle):
                sweep(path, number + 1)
                yield temporary, handle
                return
        finally:
            os.close(handle)


def _open_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _open_folder(path: Path) -> int:
    while True:
        path.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):  # whoever used it was done in between
            return os.open(path, os.O_RDONLY)


def _is_ours(path: Path, handle: int) -> bool:
    """Lock what was opened, if nobody uses it and it still has this name."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(path.stat(), os.fstat(handle))
    except (BlockingIOError, FileNotFoundError):
        return False


def sweep(path: Path, number: int = 0) -> None:
    """Delete the temporary siblings that killed writers of `path` left, from `.<name>.<number>` on.

    Those of the living stay.
    """
    while (left := path.with_name(f".{path.name}.{number}")).exists():
        try:
            handle = os.open(left, os.O_RDONLY)
        except FileNotFoundError:  # its writer was done in between
            return
        try:
            if _is_ours(left, handle):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        finally:
            os.close(handle)
        number += 1


def set_aside(path: Path) -> Path:
    """Rename a file that cannot be used to `<name>.aside`; returns the new path."""
    return path.replace(path.with_name(f"{path.name}.aside"))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Tell what the operating system refuses (a full disk, a read-only one) as one sentence.

    Raises:
        SegmodelsError: it refused something in the block; the message names `path`.
    """
    try:
        yield
    except OSError as error:
        raise SegmodelsError(f"{path}: {error.strerror or error}.") from error


def check_writable(path: Path) -> None:
    """Refuse a file that could not be written, before the work that fills it.

    Nothing is left behind, and folders that are missing are not made yet.

    Raises:
        SegmodelsError: where it would lie no file can be made, or no byte be written.
    """
    place = next(folder for folder in path.parents if folder.exists())
    with naming(path), tempfile.TemporaryFile(dir=place) as probe:
        probe.write(bytes(1024))


def first_file(folders: Iterable[Path], name: str) -> Path | None:
    """The file of a name in the first folder that has one."""
    return next((path for folder in folders if (path := folder / name).is_file()), None)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all (UTF-8, Unix line ends).

    Raises:
        SegmodelsError: the disk is full or read-only; what was there before stays.
    """
    with naming(path), atomic_path(path) as temporary:
        temporary.write_bytes(text.encode())


def write_json(path: Path, value: object) -> None:
    """Write `readable_json`, whole or not at all."""
    write_text(path, readable_json(value))


def readable_json(value: object) -> str:
    """JSON with stable bytes for people: indented, key order kept, final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def json_by_lines(value: Mapping[str, Any]) -> str:
    """The same of an object whose fields are long lists or objects: an entry of them is a line."""
    fields = ",\n".join(f"  {_compact(name)}: {_entries(one)}" for name, one in value.items())
    return f"{{\n{fields}\n}}\n"


def _entries(value: object) -> str:
    if isinstance(value, Mapping):
        lines, ends = [f"{_compact(name)}: {_compact(one)}" for name, one in value.items()], "{}"
    elif isinstance(value, list):
        lines, ends = [_compact(one) for one in value], "[]"
    else:
        return _compact(value)
    body = ",".join(f"\n    {line}" for line in lines) + ("\n  " if lines else "")
    return f"{ends[0]}{body}{ends[1]}"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        SegmodelsError: the file is missing or is not JSON.
    """
    refuse_endless(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SegmodelsError(f"{path}: no such file.") from None
    except OSError as error:
        raise SegmodelsError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except (ValueError, RecursionError) as error:
        found = stand_in(path, "the content")
        raise SegmodelsError(
            f"{path} {found}" if found else f"{path}: not valid JSON ({error})."
        ) from None

"""Reading and writing small files so that a crash or a full disk never leaves half of one."""

from __future__ import annotations

import copy
import fcntl
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import yaml

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


def canonical_json(value: object) -> str:
    """One spelling per value: sorted keys, no spaces, no NaN. What every digest is taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


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
                _sweep(path, number + 1)
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


def _sweep(path: Path, number: int) -> None:
    """Delete what killed writers left beside others that were writing too."""
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


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        SegmodelsError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SegmodelsError(f"{path}: no such file.") from None
    except OSError as error:
        raise SegmodelsError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except (ValueError, RecursionError) as error:
        raise SegmodelsError(f"{path}: not valid JSON ({error}).") from None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that refuses a name given twice, where YAML would keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    continue
                if key.value in seen:
                    problem = f"{key.value!r} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


@lru_cache(maxsize=32)
def _parsed(text: str) -> Any:
    """Plain values of a YAML text; kept, because judging asks for the same few files often."""
    return yaml.load(text, _Loader)  # a safe loader: plain values only


def read_yaml(path: Path) -> dict[str, Any]:
    """Parse a YAML file that holds a mapping; nothing in it is ever executed.

    Raises:
        SegmodelsError: the file is missing, is not YAML, gives a name twice or is not a
            mapping of names.
    """
    try:
        value = copy.deepcopy(_parsed(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SegmodelsError(f"{path}: no such file.") from None
    except OSError as error:
        raise SegmodelsError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise SegmodelsError(f"{path}: not valid YAML ({' '.join(str(error).split())}).") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SegmodelsError(f"{path}: expected a mapping of names, found {type(value).__name__}.")
    for name in value:
        if not isinstance(name, str):
            raise SegmodelsError(f"{path}: {name!r} is no name; put it in quotes.")
    return value


def take_fields(
    source: str, entry: object, required: Mapping[str, type], optional: Mapping[str, type]
) -> dict[str, Any]:
    """Check one YAML entry against the fields a record knows and return it.

    `source` names the file and entry in messages. An `int` is welcome where a finite `float`
    is asked for, and nothing else is converted.

    Raises:
        SegmodelsError: a field is missing, unknown or of the wrong type.
    """
    if not isinstance(entry, dict):
        raise SegmodelsError(f"{source}: expected fields, found {type(entry).__name__}.")
    known = {**required, **optional}
    for name in required:
        if entry.get(name) is None:
            raise SegmodelsError(f"{source}: field {name!r} is missing.")
    for name, value in entry.items():
        if name not in known:
            raise SegmodelsError(
                f"{source}: unknown field {name!r}. Known: {', '.join(sorted(known))}."
            )
        if value is not None and not _fits(value, known[name]):
            raise SegmodelsError(
                f"{source}: field {name!r} must be {known[name].__name__}, "
                f"not {type(value).__name__} ({value!r}).{_hint(value, known[name])}"
            )
    return {name: value for name, value in entry.items() if value is not None}


def take_list(source: str, name: str, value: object, kind: type) -> list[Any]:
    """Check that a field is a list of one type and return it.

    Raises:
        SegmodelsError: it is no list, or an element has another type.
    """
    if not isinstance(value, list):
        raise SegmodelsError(
            f"{source}: field {name!r} must be a list, not {type(value).__name__} ({value!r})."
        )
    for element in value:
        if not _fits(element, kind):
            raise SegmodelsError(
                f"{source}: field {name!r} must list {kind.__name__}, not "
                f"{type(element).__name__} ({element!r}).{_hint(element, kind)}"
            )
    return value


def _fits(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, kind)


def _hint(value: object, kind: type) -> str:
    """YAML reads 1e-3 as text, which nobody expects."""
    try:
        is_number = kind is float and isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        is_number = False
    return " YAML wants a point and a sign in numbers, as in 1.0e-3." if is_number else ""

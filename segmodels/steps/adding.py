"""Weights that a user has: checked, copied and noted, or forgotten."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from segmodels.assets.added import check_added, is_described, pins_of
from segmodels.assets.entries import load_weights_entry
from segmodels.assets.pins import lock_path, note_pins, remove_pins
from segmodels.assets.transfer import copy_file
from segmodels.core import paths
from segmodels.core.files import naming
from segmodels.core.listing import without_strays
from segmodels.core.settings import project_root
from segmodels.errors import SegmodelsError
from segmodels.steps.weights import check_opens, weights_path


def add_weights(name: str, files: Sequence[Path]) -> Path:
    """Use files that a user has as the weights of an entry of `params/weights.yaml`.

    They must load strictly as the entry's network. Copies go to `weights/added`, their sha256 into
    `params/weights.lock.yaml`; from then on no other file is taken for them. A folder stands for
    the files in it.

    Returns:
        the folder of the copies.

    Raises:
        UnknownNameError: no such entry; the message suggests the nearest.
        SegmodelsError: a file is missing, is another one, or is no such network.
    """
    entry = load_weights_entry(name)
    if entry.state == "unsupported":
        raise SegmodelsError(f"weights {name!r} cannot be read here: {entry.reason}.")
    files = [path for given in files for path in _files_of(given)]
    check_added(entry, files)
    folder = paths.added_weights(name)
    draft = folder.with_name(f".{name}.adding")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with naming(draft):
            draft.mkdir(parents=True)
            for path in files:
                copy_file(path, draft / path.name)
        names = [path.name for path in files]
        with _naming_given(draft, files):
            check_opens(weights_path(draft, names), entry)
        note_pins(_lock(), name, pins_of(entry, files))
        with naming(folder):
            shutil.rmtree(folder, ignore_errors=True)
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


@contextmanager
def _naming_given(draft: Path, files: Sequence[Path]) -> Iterator[None]:
    """Let what is said of copies in a draft name the files that the user gave."""
    try:
        yield
    except SegmodelsError as error:
        text = str(error)
        for path in files:
            text = text.replace(str(draft / path.name), str(path))
        raise SegmodelsError(text.replace(str(draft), str(files[0].parent))) from error


def _files_of(given: Path) -> list[Path]:
    """The file itself; of a folder the files in it, without what systems leave there."""
    if not given.is_dir():
        return [given]
    found = [path for path in without_strays(given, given.iterdir()) if path.is_file()]
    if not found:
        raise SegmodelsError(f"{given}: there are no files in this folder.")
    return found


def forget_weights(name: str) -> None:
    """Remove the copies of weights that a user added, and their note.

    Raises:
        UnknownNameError: no such entry.
        SegmodelsError: nothing was added under this name.
    """
    entry = load_weights_entry(name)
    added, noted = paths.added_weights(name), bool(entry.files) and not is_described(entry)
    if not added.is_dir() and not noted:
        raise SegmodelsError(f"weights {name!r} were not added: there is nothing to forget.")
    for folder in (added, paths.released_weights(name)):
        shutil.rmtree(folder, ignore_errors=True)
    if noted:
        remove_pins(_lock(), name)


def _lock() -> Path:
    return lock_path(project_root() / "params" / "weights.yaml")

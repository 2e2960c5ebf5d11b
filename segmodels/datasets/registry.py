"""Datasets by name. To add one: a file beside this one with a `Dataset` that has a `name`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType

from segmodels.assets.entries import load_dataset_entries
from segmodels.assets.own_dataset import is_description, load_own_dataset
from segmodels.core.settings import project_root
from segmodels.datasets.own import OwnFolder, own_kind
from segmodels.datasets.reading.base import Dataset
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.errors import SegmodelsError, UnknownNameError


class _Kinds(Mapping[str, type[Dataset]]):
    """Classes by the name of their dataset, found in files beside this one at the first look."""

    @cached_property
    def _found(self) -> dict[str, type[Dataset]]:
        files = sorted(Path(__file__).parent.glob("[!_.]*.py"))
        modules = [import_module(f"{__package__}.{path.stem}") for path in files]
        found: dict[str, type[Dataset]] = {}
        for kind in (kind for module in modules for kind in _kinds(module)):
            if kind.name in found:
                both = f"{found[kind.name].__module__} and {kind.__module__}"
                raise SegmodelsError(f"{both} both read dataset {kind.name!r}; rename one.")
            found[kind.name] = kind
        return found

    def __getitem__(self, name: str) -> type[Dataset]:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _kinds(module: ModuleType) -> Iterator[type[Dataset]]:
    """The datasets that a file defines, not what it imports or what others are made from."""
    for kind in vars(module).values():
        ours = isinstance(kind, type) and kind.__module__ == module.__name__
        if ours and issubclass(kind, Dataset) and "name" in vars(kind):
            yield kind


DATASETS: Mapping[str, type[Dataset]] = _Kinds()


def dataset_kind(name: str) -> type[Dataset]:
    """The class that reads a dataset.

    Args:
        name: of a dataset, or a file that describes one of the user's own.

    Raises:
        UnknownNameError: no such dataset; the message suggests the nearest.
        SegmodelsError: it is registered but cannot be read; the message gives the reason.
    """
    if name in DATASETS:
        return DATASETS[name]
    if is_description(name):
        return own_kind(load_own_dataset(Path(name)))
    entries = load_dataset_entries()
    if name in entries and (own := entries[name].own):
        return own_kind(own)
    if name in entries:
        raise SegmodelsError(f"dataset {name!r} is {entries[name].state}: {entries[name].reason}.")
    if "/" in name or Path(name).is_dir():
        raise SegmodelsError(
            f"dataset {name!r} is no name; one of your own is named by the file that describes it, "
            f"which ends in .yaml (docs/own.md)."
        )
    raise UnknownNameError("dataset", name, {*DATASETS, *entries})


def data_folder(name: str) -> Path:
    """Where a prepared dataset lies."""
    return project_root() / "data" / name


def splits_here(name: str) -> tuple[str, ...]:
    """The splits of a prepared or added dataset (SegmodelsError when it is neither)."""
    kind = dataset_kind(name)
    if not data_folder(name).is_dir() and not issubclass(kind, OwnFolder):
        kind(data_folder(name), kind.splits[0])  # says what to do
    return _here(kind, data_folder(name))


def _here(kind: type[Dataset], folder: Path) -> tuple[str, ...]:
    """The splits in a prepared folder; most datasets come whole."""
    return kind.place(folder).splits if issubclass(kind, FolderDataset) else kind.splits

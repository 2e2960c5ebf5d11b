"""Datasets by name. To add one: a file with a `Dataset` subclass, and one line here."""

from __future__ import annotations

from pathlib import Path

from segmodels.assets.entries import load_dataset_entries
from segmodels.assets.own_dataset import is_description, load_own_dataset
from segmodels.core.settings import project_root
from segmodels.datasets.ade20k import ADE20K
from segmodels.datasets.camvid import CamVid
from segmodels.datasets.camvid_720 import CamVid720
from segmodels.datasets.cityscapes import Cityscapes
from segmodels.datasets.coco_stuff import CocoStuff10k, CocoStuff164k, CocoStuff182
from segmodels.datasets.imagenet1k import ImageNet1k
from segmodels.datasets.own import OwnFolder, own_kind
from segmodels.datasets.pascal_context import PascalContext
from segmodels.datasets.reading.base import Dataset
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.datasets.shapes import Shapes
from segmodels.datasets.voc2012 import VOC2012
from segmodels.errors import SegmodelsError, UnknownNameError

DATASETS: dict[str, type[Dataset]] = {
    kind.name: kind
    for kind in (
        ADE20K,
        CamVid,
        CamVid720,
        Cityscapes,
        CocoStuff10k,
        CocoStuff164k,
        CocoStuff182,
        ImageNet1k,
        PascalContext,
        Shapes,
        VOC2012,
    )
}


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

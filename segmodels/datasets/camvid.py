"""CamVid at 360x480 with 11 classes, as the public SegNet tutorial packs it.

Brostow, Fauqueur, Cipolla, "Semantic object classes in video" (PRL 2009). 367 training,
101 validation and 233 test images; labels 0..10, and 11 for void.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import numpy as np

from segmodels.assets.entries import DatasetEntry
from segmodels.core.arrays import VOID, Pixels
from segmodels.datasets.reading.archives import archives_of, unpack
from segmodels.datasets.reading.base import Dataset, Files
from segmodels.datasets.reading.packed import AnyPath
from segmodels.datasets.reading.pictures import read_grey
from segmodels.errors import SegmodelsError

_STORED_VOID = 11
_MEMBER = re.compile(r"(?:[^/]+/)?CamVid/((?:train|val|test)(?:annot)?/[\w.-]+\.png|\w+\.txt)")


class CamVid(Dataset):
    """The tutorial's lists and PNG files, kept byte for byte under `train/`, `trainannot/`, …"""

    name = "camvid"
    splits = ("train", "val", "test")
    class_names: ClassVar[tuple[str, ...]] = (
        "Sky",
        "Building",
        "Pole",
        "Road",
        "Pavement",
        "Tree",
        "SignSymbol",
        "Fence",
        "Car",
        "Pedestrian",
        "Bicyclist",
    )
    palette: ClassVar[tuple[tuple[int, int, int], ...]] = (
        (128, 128, 128),
        (128, 0, 0),
        (192, 192, 128),
        (128, 64, 128),
        (60, 40, 222),
        (128, 128, 0),
        (192, 128, 128),
        (64, 64, 128),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
    )

    @classmethod
    def prepare(cls, entry: DatasetEntry, downloads: Path | None, folder: Path) -> None:
        """Unpack the members of `CamVid/`; anything else in the archive stays inside.

        Raises:
            SegmodelsError: the archive is missing, damaged or another one.
        """
        (archive,) = archives_of(entry, downloads)
        if not unpack(archive, folder, _target):
            raise SegmodelsError(f"{archive}: holds no CamVid/ folder; it is another archive.")

    def list_files(self) -> list[Files]:
        """The lines of `<split>.txt`, whose absolute paths are re-rooted."""
        listing = self.root / f"{self.split}.txt"
        try:
            lines = listing.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            raise SegmodelsError(f"{listing}: missing. Prepare camvid again.") from None
        except UnicodeDecodeError as error:
            raise SegmodelsError(f"{listing}: no text ({error}). Prepare camvid again.") from None
        return [self._files(listing, line) for line in lines if line.strip()]

    def _files(self, listing: Path, line: str) -> Files:
        paths = [self.root / "/".join(path.split("/")[-2:]) for path in line.split()]
        if len(paths) != 2:
            raise SegmodelsError(
                f"{listing}: a line names an image and its labels, not {line.strip()!r}."
            )
        return Files(paths[0].stem, paths[0], paths[1])

    def read_label(self, path: AnyPath) -> Pixels:
        """uint8 (H, W); the stored void 11 becomes `VOID`."""
        stored = read_grey(path)
        label = np.where(stored == _STORED_VOID, VOID, stored).astype(np.uint8)
        self.check_label(path, label)
        return label


def _target(member: str) -> str | None:
    matched = _MEMBER.fullmatch(member)
    return matched[1] if matched else None

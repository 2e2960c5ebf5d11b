"""CamVid at 360x480 with 11 classes, as the public SegNet tutorial packs it.

Brostow, Fauqueur, Cipolla, "Semantic object classes in video" (PRL 2009). 367 training,
101 validation and 233 test images; labels 0..10, and 11 for void.
"""

from __future__ import annotations

import re
import shutil
import struct
import zipfile
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np

from segmodels.assets import DatasetEntry
from segmodels.datasets.base import Dataset, Files, read_grey
from segmodels.errors import SegmodelsError
from segmodels.pixels import VOID, Pixels

_STORED_VOID = 11
#: What zipfile raises for damaged archives, depending on where the damage is; a member that
#: claims to be encrypted or packed by an unknown method is a RuntimeError.
_DAMAGED = (zipfile.BadZipFile, EOFError, zlib.error, struct.error, ValueError, RuntimeError)
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
        if downloads is None or not entry.archives:
            raise SegmodelsError("camvid is prepared from its archive, and none was downloaded.")
        archive = downloads / entry.archives[0].name
        try:
            with zipfile.ZipFile(archive) as packed:
                unpacked = sum(_unpack(packed, member, folder) for member in packed.namelist())
        except FileNotFoundError:
            raise SegmodelsError(f"{archive}: missing. Download it again.") from None
        except _DAMAGED as error:
            raise SegmodelsError(
                f"{archive}: damaged ({error}). Delete it and download it again."
            ) from None
        if not unpacked:
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

    def read_label(self, path: Path) -> Pixels:
        """uint8 (H, W); the stored void 11 becomes `VOID`."""
        stored = read_grey(path)
        label = np.where(stored == _STORED_VOID, VOID, stored).astype(np.uint8)
        self.check_label(path, label)
        return label


def _unpack(packed: zipfile.ZipFile, member: str, folder: Path) -> bool:
    matched = _MEMBER.fullmatch(member)
    if not matched:
        return False
    target = folder / matched[1]
    target.parent.mkdir(parents=True, exist_ok=True)
    with packed.open(member) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    return True

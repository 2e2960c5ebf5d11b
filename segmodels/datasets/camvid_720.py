"""CamVid as first published: 701 frames of 960x720, labels in 32 colours, here 11 classes.

Brostow, Fauqueur, Cipolla, "Semantic object classes in video" (PRL 2009). The release has no
lists; frames go to the splits of the SegNet tutorial (367, 101, 233), by their sequence and number.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import numpy as np

from segmodels.core.arrays import VOID, Pixels
from segmodels.datasets.camvid import CamVid
from segmodels.datasets.reading.base import Files
from segmodels.datasets.reading.encoding import Encoding
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.datasets.reading.layouts import Layout
from segmodels.datasets.reading.packed import AnyPath
from segmodels.datasets.reading.pictures import read_rgb
from segmodels.errors import SegmodelsError

#: Colours of label_colors.txt by the class that SegNet's training gives them. Void is black.
_COLOURS: dict[str, dict[str, tuple[int, int, int]]] = {
    "Sky": {"Sky": (128, 128, 128)},
    "Building": {
        "Archway": (192, 0, 128),
        "Bridge": (0, 128, 64),
        "Building": (128, 0, 0),
        "Tunnel": (64, 0, 64),
        "Wall": (64, 192, 0),
    },
    "Pole": {"Column_Pole": (192, 192, 128), "TrafficCone": (0, 0, 64)},
    "Road": {
        "LaneMkgsDriv": (128, 0, 192),
        "LaneMkgsNonDriv": (192, 0, 64),
        "Road": (128, 64, 128),
    },
    "Pavement": {
        "ParkingBlock": (64, 192, 128),
        "RoadShoulder": (128, 128, 192),
        "Sidewalk": (0, 0, 192),
    },
    "Tree": {"Tree": (128, 128, 0), "VegetationMisc": (192, 192, 0)},
    "SignSymbol": {
        "Misc_Text": (128, 128, 64),
        "SignSymbol": (192, 128, 128),
        "TrafficLight": (0, 64, 64),
    },
    "Fence": {"Fence": (64, 64, 128)},
    "Car": {
        "Car": (64, 0, 128),
        "OtherMoving": (128, 64, 64),
        "SUVPickupTruck": (64, 128, 192),
        "Train": (192, 64, 128),
        "Truck_Bus": (192, 128, 192),
    },
    "Pedestrian": {
        "Animal": (64, 128, 64),
        "CartLuggagePram": (64, 0, 192),
        "Child": (192, 128, 64),
        "Pedestrian": (64, 64, 0),
    },
    "Bicyclist": {"Bicyclist": (0, 128, 192), "MotorcycleScooter": (192, 0, 192)},
}
#: Hand-painted labels have stray pixels at edges; more than this share is another palette.
_STRAY = 0.01
_FRAME = re.compile(r"(0001TP|0006R0|0016E5|Seq05VD)_f?(\d+)")


class CamVid720(FolderDataset):
    """`701_StillsRaw_full/<frame>.png`, labels in `LabeledApproved_full/<frame>_L.png`."""

    name = "camvid_720"
    splits = ("train", "val", "test")
    class_names: ClassVar[tuple[str, ...]] = CamVid.class_names
    palette: ClassVar[tuple[tuple[int, int, int], ...]] = tuple(
        _COLOURS[name][{"Pole": "Column_Pole", "Pavement": "Sidewalk"}.get(name, name)]
        for name in CamVid.class_names
    )
    layouts: ClassVar[tuple[Layout, ...]] = (
        Layout(
            "the published archives",
            "701_StillsRaw_full",
            "LabeledApproved_full",
            ".png",
            "_L.png",
        ),
        Layout("folders per split", "{split}", "{split}_labels", ".png", "_L.png"),
    )
    below = ("", "CamVid", "camvid")
    encodings: ClassVar[dict[str, Encoding]] = {}

    @classmethod
    def foreign(cls, path: Path) -> str | None:
        """The SegNet tutorial's copy."""
        if (path / "trainannot").is_dir() or (path / "CamVid" / "trainannot").is_dir():
            return "This is the SegNet tutorial's copy at 480x360, which is dataset 'camvid'."
        return None

    def list_files(self) -> list[Files]:
        """The frames of the split, by sequence and number."""
        found = super().list_files()
        if "{split}" in self.layout.images:
            return found
        return [files for files in found if split_of(files.name) == self.split]

    def read_label(self, path: AnyPath) -> Pixels:
        """uint8 (H, W), classes and `VOID`, from a picture in CamVid's 32 colours.

        Raises:
            SegmodelsError: more than one pixel in a hundred has another colour.
        """
        red, green, blue = (
            channel.astype(np.int64) for channel in np.moveaxis(read_rgb(path), 2, 0)
        )
        packed = (red << 16) + (green << 8) + blue
        place = np.searchsorted(_KEYS, packed).clip(max=len(_KEYS) - 1)
        unknown = _KEYS[place] != packed
        if unknown.mean() > _STRAY:
            colour = divmod(int(packed[unknown][0]), 1 << 16)
            example = (colour[0], *divmod(colour[1], 1 << 8))
            raise SegmodelsError(
                f"{path}: {unknown.mean():.0%} of the pixels, such as {example}, have none of "
                f"CamVid's 32 colours. The labels are painted otherwise, or were resized or "
                f"compressed; unpack LabeledApproved_full.zip again."
            )
        return np.where(unknown, VOID, _CLASSES[place]).astype(np.uint8)


def _table() -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Pixels]:
    """Packed colours in ascending order, and the class of each."""
    classes = {
        (red << 16) + (green << 8) + blue: index
        for index, name in enumerate(CamVid.class_names)
        for red, green, blue in _COLOURS[name].values()
    }
    ordered = sorted({**classes, 0: VOID}.items())
    keys, indices = zip(*ordered, strict=True)
    return np.array(keys, dtype=np.int64), np.array(indices, dtype=np.uint8)


_KEYS, _CLASSES = _table()


def split_of(frame: str) -> str | None:
    """The SegNet tutorial's split of a frame; None for a name that is none of CamVid's."""
    matched = _FRAME.fullmatch(frame)
    if not matched:
        return None
    sequence, number = matched[1], int(matched[2])
    if sequence == "0016E5":
        return "val" if 7959 <= number <= 8159 else "train"
    if sequence == "0001TP":
        return "train" if number <= 8520 else "test"
    return "train" if sequence == "0006R0" else "test"

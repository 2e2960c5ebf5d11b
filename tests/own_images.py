"""A user's own dataset in small: drawn images, labels beside them, and the file that says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from segmodels.datasets.shapes import draw_scene

CLASSES = ("Ground", "Sky", "Disc", "Box", "Triangle", "Ring", "Pole", "Ball")

#: As a user writes it, as short as it may be.
PLAIN = {
    "image": "images/{name}.png",
    "label": "labels/{name}.png",
    "classes": list(CLASSES),
    "splits": {"train": "train/*", "val": "val/*"},
}

Fields = dict[str, object]


def draw(folder: Path, train: int = 4, val: int = 2) -> Path:
    """Write `images/train/0.png`, `labels/train/0.png` and so on; returns the folder."""
    for split, number in {"train": train, "val": val}.items():
        for index in range(number):
            scene = draw_scene(1, split, index)
            for kind, pixels in {"images": scene.image, "labels": scene.label}.items():
                save(folder / kind / split / f"{index}.png", pixels)
    return folder


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def describe(place: Path, **changes: object) -> Path:
    """Write `mine.yaml` into the folder; a field of None is left out."""
    fields = {name: value for name, value in {**PLAIN, **changes}.items() if value is not None}
    path = place / "mine.yaml"
    path.write_text(yaml.safe_dump(fields, sort_keys=False))
    return path

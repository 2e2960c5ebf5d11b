"""Shapes: scenes drawn by arithmetic, for tests and for machines without network.

The difficulty is the real thing in small: things occlude each other, poles are two pixels
wide, pebbles cover a handful of pixels, colours overlap between classes, texture and light
vary, some regions are void, and images come in several sizes.

Only + - * / and comparisons on uniform random numbers decide a pixel, so the same seed
gives the same bytes on every machine; `params/datasets.yaml` holds the fingerprints.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from segmodels.assets.entries import DatasetEntry
from segmodels.core.arrays import VOID
from segmodels.core.listing import without_strays
from segmodels.datasets.reading.base import Dataset, Files, Sample
from segmodels.errors import SegmodelsError

Grid = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Shape = Callable[[Grid, Grid], Mask]

_SPLITS = ("train", "val", "test")
_SIZES = ((96, 128), (128, 96), (112, 112), (90, 141))
_SETTINGS = {"seed": 0, "train": 192, "val": 32, "test": 64}

#: A typical colour per class; each object strays from it by up to `_STRAY` grey levels.
_COLOURS = (
    (104, 112, 92),
    (150, 170, 200),
    (190, 90, 80),
    (90, 110, 190),
    (90, 170, 110),
    (200, 170, 80),
    (70, 70, 80),
    (210, 200, 190),
)
_STRAY = 45.0


class Shapes(Dataset):
    """`<split>/<number>.png` with labels beside it in `<split>-labels/`."""

    name = "shapes"
    splits = _SPLITS
    class_names: ClassVar[tuple[str, ...]] = (
        "ground",
        "sky",
        "disc",
        "box",
        "triangle",
        "ring",
        "pole",
        "pebble",
    )
    palette: ClassVar[tuple[tuple[int, int, int], ...]] = (
        (122, 112, 96),
        (148, 190, 232),
        (214, 69, 65),
        (52, 93, 199),
        (44, 160, 90),
        (240, 178, 50),
        (60, 50, 70),
        (190, 90, 200),
    )

    @classmethod
    def prepare(cls, entry: DatasetEntry, downloads: Path | None, folder: Path) -> None:
        """Draw every split; `settings` of the entry may set `seed` and the images per split.

        Raises:
            SegmodelsError: a setting is unknown or not a whole number.
        """
        del downloads  # nothing is downloaded
        settings = _checked({**_SETTINGS, **entry.settings})
        for split in _SPLITS:
            images, labels = folder / split, folder / f"{split}-labels"
            images.mkdir()
            labels.mkdir()
            for index in range(settings[split]):
                scene = draw_scene(settings["seed"], split, index)
                Image.fromarray(scene.image).save(images / f"{scene.name}.png")
                Image.fromarray(scene.label).save(labels / f"{scene.name}.png")

    def list_files(self) -> list[Files]:
        """All numbers of the split, ascending."""
        labels = self.root / f"{self.split}-labels"
        folder = self.root / self.split
        paths = without_strays(folder, folder.glob("*.png"))
        return [Files(path.stem, path, labels / path.name) for path in paths]


def _checked(settings: dict[str, int]) -> dict[str, int]:
    for name, value in settings.items():
        if name not in _SETTINGS or type(value) is not int or value < (name != "seed"):
            raise SegmodelsError(
                f"params/datasets.yaml, dataset 'shapes': setting {name}={value!r} is not one of "
                f"{', '.join(_SETTINGS)} with a whole number (of images: at least 1)."
            )
    return settings


def draw_scene(seed: int, split: str, index: int) -> Sample:
    """Draw one scene: image uint8 (H, W, 3) and label uint8 (H, W), the same for the same
    arguments on every machine.
    """
    random = np.random.default_rng([seed, _SPLITS.index(split), index])
    height, width = _SIZES[int(random.integers(len(_SIZES)))]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    canvas = _Canvas(random, rows, columns)
    canvas.background()
    for _ in range(int(random.integers(4, 9))):
        canvas.object(int(random.integers(2, 7)))
    for _ in range(int(random.integers(2, 7))):
        canvas.object(7)
    canvas.finish()
    return Sample(f"{index:05d}", canvas.image.astype(np.uint8), canvas.label)


class _Canvas:
    """A scene being painted back to front."""

    def __init__(self, random: np.random.Generator, rows: Grid, columns: Grid) -> None:
        self.random = random
        self.rows, self.columns = rows, columns
        self.image: Grid = np.zeros((*rows.shape, 3))
        self.label = np.zeros(rows.shape, dtype=np.uint8)

    def background(self) -> None:
        """Ground below a tilted horizon, sky above."""
        height, width = self.rows.shape
        horizon = height * self._between(0.25, 0.55)
        slope = self._between(-0.15, 0.15)
        sky = self.rows < horizon + slope * (self.columns - width / 2)
        self._paint(~sky, 0)
        self._paint(sky, 1)

    def object(self, class_index: int) -> None:
        """One object of a class at a random place, size and angle."""
        height, width = self.rows.shape
        y, x = height * self._between(0.05, 0.95), width * self._between(0.05, 0.95)
        size = self._between(1.6, 3.2) if class_index == 7 else self._between(8.0, 24.0)
        across, along = self._rotated(y, x)
        shapes: dict[int, Shape] = {
            2: lambda u, v: u * u + v * v < size * size,
            3: lambda u, v: (abs(u) < size) & (abs(v) < 0.7 * size),
            4: lambda u, v: (v < 0.8 * size) & (v > 2 * abs(u) - size),
            5: lambda u, v: (u * u + v * v < size * size) & (u * u + v * v > 0.4 * size * size),
            6: lambda u, v: (abs(u) < 1.3) & (abs(v) < 2 * size),
            7: lambda u, v: u * u + v * v < size * size,
        }
        self._paint(shapes[class_index](across, along), class_index)

    def finish(self) -> None:
        """Light falling off sideways, sensor noise, and a void region in every third scene."""
        height, width = self.rows.shape
        light = 1.0 + self._between(-0.3, 0.3) * (self.columns / width - 0.5)
        noise = sum(self.random.random(self.image.shape) for _ in range(4)) - 2.0
        self.image = np.clip(self.image * light[..., None] + 12.0 * noise, 0, 255)
        if self.random.random() < 1 / 3:
            depth = height * self._between(0.05, 0.15)
            bend = self._between(-0.002, 0.002)
            middle = self.columns - width / 2
            self.label[self.rows > height - depth + bend * middle * middle] = VOID

    def _paint(self, mask: Mask, class_index: int) -> None:
        colour = np.array(_COLOURS[class_index]) + _STRAY * (2 * self.random.random(3) - 1)
        self.image[mask] = (colour + self._texture()[..., None])[mask]
        self.label[mask] = class_index

    def _texture(self) -> Grid:
        strength, period = self._between(0, 35), self._between(4, 12)
        kind = int(self.random.integers(3))
        across, along = self._rotated(0.0, 0.0)
        if kind == 0:
            return np.zeros(self.rows.shape)
        stripes = np.floor(across / period) % 2
        if kind == 2:
            stripes = (stripes + np.floor(along / period)) % 2
        return np.asarray(strength * (stripes - 0.5))

    def _rotated(self, y: float, x: float) -> tuple[Grid, Grid]:
        # (1-t²)/(1+t²) and 2t/(1+t²) are an exact cosine and sine without a libm call.
        t = self._between(-1, 1)
        cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
        down, right = self.rows - y, self.columns - x
        return cosine * right + sine * down, cosine * down - sine * right

    def _between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.random.random())

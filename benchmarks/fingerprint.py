"""Describing a dataset: every image and label decoded and digested, against one after another.

    python benchmarks/fingerprint.py --camvid data/camvid [--images 48] [--rounds 3]
                                     [--json FILE] [--note TEXT]

Images as large as ADE20K's (512x683, JPEG) and Cityscapes' (1024x2048, PNG) are made from CamVid
frames, so that they compress as photographs do, with labels in the encoding of each. "serial" is
one loop over the split, decode, digest and histogram, as it was done before there was a survey;
"threads" is the survey, "processes" the same looks by forked processes; "again" is the survey when
nothing has changed. Every way starts without a cache, variants are interleaved, seconds are medians
on the wall; the processor time of this process, which other work on the machine lengthens less,
stands beside them. Their ratio says how many cores there were to be had.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segmodels.core.environment import cores, machine
from segmodels.core.files import combine, write_json
from segmodels.core.settings import CACHE
from segmodels.datasets.camvid import CamVid
from segmodels.datasets.fingerprint import sample_digest
from segmodels.datasets.reading.base import Dataset
from segmodels.datasets.registry import dataset_kind
from segmodels.datasets.survey import look_at, survey

ADE_SIZE, CITYSCAPES_SIZE = (512, 683), (1024, 2048)
#: Stored numbers that CamVid's twelve become: any that the encodings know.
ADE_STORED = np.arange(12, dtype=np.uint8)
CITYSCAPES_STORED = np.array([23, 11, 17, 7, 8, 21, 20, 13, 26, 24, 33, 0], dtype=np.uint8)


def resized(path: Path, size: tuple[int, int], filter_: Image.Resampling) -> Image.Image:
    """A file at another height and width."""
    return Image.open(path).resize(size[::-1], filter_)


def label(path: Path, size: tuple[int, int], stored: Any) -> Image.Image:
    """CamVid's labels in another encoding."""
    return Image.fromarray(stored[np.asarray(resized(path, size, Image.Resampling.NEAREST))])


def as_ade20k(camvid: Dataset, number: int, root: Path) -> Dataset:
    """Frames as ADE20K's validation split."""
    images, labels = root / "images/validation", root / "annotations/validation"
    for folder in (images, labels):
        folder.mkdir(parents=True)
    for index, files in enumerate(camvid.files[:number], start=1):
        image = resized(files.image, ADE_SIZE, Image.Resampling.BICUBIC)
        image.save(images / f"ADE_val_{index:08}.jpg", quality=90)
        label(files.label, ADE_SIZE, ADE_STORED).save(labels / f"ADE_val_{index:08}.png")
    return dataset_kind("ade20k")(root, "val")


def as_cityscapes(camvid: Dataset, number: int, root: Path) -> Dataset:
    """Frames as Cityscapes' validation split, in labelIds."""
    images, labels = root / "leftImg8bit/val/bonn", root / "gtFine/val/bonn"
    for folder in (images, labels):
        folder.mkdir(parents=True)
    for index, files in enumerate(camvid.files[:number]):
        name = f"bonn_{index:06}_000019"
        image = resized(files.image, CITYSCAPES_SIZE, Image.Resampling.BICUBIC)
        image.save(images / f"{name}_leftImg8bit.png")
        ids = label(files.label, CITYSCAPES_SIZE, CITYSCAPES_STORED)
        ids.save(labels / f"{name}_gtFine_labelIds.png")
    return dataset_kind("cityscapes")(root, "val")


def serial(dataset: Dataset) -> str:
    """One after another; returns the fingerprint."""
    histogram, digests = np.zeros(256, dtype=np.int64), []
    for sample in dataset:
        histogram += np.bincount(sample.label.ravel(), minlength=256)
        digests.append((sample.name, sample_digest(sample)))
    return combine(digests)


def processes(dataset: Dataset, workers: int) -> str:
    """The looks of the survey, by forked processes."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        looks = list(pool.map(partial(look_at, dataset), range(len(dataset)), chunksize=4))
    return combine((f.name, look.sample) for f, look in zip(dataset.files, looks, strict=True))


def without_cache(work: Callable[[], str]) -> Callable[[], str]:
    """The same with an empty cache, which is gone afterwards."""

    def done() -> str:
        with tempfile.TemporaryDirectory() as empty:
            before, os.environ[CACHE] = os.environ.get(CACHE), empty
            try:
                return work()
            finally:
                os.environ.pop(CACHE) if before is None else os.environ.update({CACHE: before})

    return done


def measure(dataset: Dataset, rounds: int) -> dict[str, Any]:
    """Milliseconds per image of every way; all must give the same fingerprint."""
    workers = cores()
    ways: dict[str, Callable[[], str]] = {
        "serial": lambda: serial(dataset),
        "one thread": without_cache(lambda: survey(dataset, workers=1).fingerprint),
        "threads": without_cache(lambda: survey(dataset).fingerprint),
        "processes": lambda: processes(dataset, workers),
        "again": lambda: survey(dataset).fingerprint,
    }
    survey(dataset)
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    found = set()
    for _ in range(rounds):
        for name, work in ways.items():
            start, spent = time.perf_counter(), time.process_time()
            found.add(work())
            seen[name].append((time.perf_counter() - start, time.process_time() - spent))
    assert len(found) == 1, "the ways do not agree"
    wall, used = (
        {
            name: 1e3 * statistics.median(t[i] for t in times) / len(dataset)
            for name, times in seen.items()
        }
        for i in (0, 1)
    )
    return {
        "images": len(dataset),
        "milliseconds_per_image": {name: round(value, 3) for name, value in wall.items()},
        "processor_milliseconds_per_image": {
            name: round(value, 3) for name, value in used.items() if name != "processes"
        },
        "ratio": round(wall["serial"] / wall["threads"], 2),
        "ratio_again": round(wall["serial"] / wall["again"]),
    }


def _load() -> float:
    """Processes that wanted a core in the last minute."""
    return round(os.getloadavg()[0], 2)


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--camvid", type=Path, default=Path("data/camvid"))
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--note", default="", help="what else the machine did, for the record")
    options = parser.parse_args()
    camvid, found = CamVid(options.camvid, "test"), {}
    before = _load()
    for name, made in {"512x683": as_ade20k, "1024x2048": as_cityscapes}.items():
        with tempfile.TemporaryDirectory() as folder:
            os.environ[CACHE] = f"{folder}/cache"
            found[name] = measure(made(camvid, options.images, Path(folder)), options.rounds)
        print(name, found[name], flush=True)
    if options.json:
        load = {"load_before": before, "load_after": _load()}
        note = {"note": options.note} if options.note else {}
        about = {"machine": machine("cpu"), "workers": cores(), **load, **note}
        write_json(options.json, {**about, "rounds": options.rounds, "sizes": found})


if __name__ == "__main__":
    main()

"""Reading images and labels from an unpacked folder, and straight from a zip, in one run.

    python benchmarks/archives.py ADE_SAMPLES CAMVID_ZIP [--rounds 5] [--json FILE]

ADE_SAMPLES is a folder with `images/` and `annotations/` of a few real files of ADE20K, which are
repeated under other names until there are `--images`; CAMVID_ZIP holds the SegNet tutorial's
CamVid, of which the test images are taken. Ways: files of a folder; `zipfile` with one open
archive; `segmodels.datasets.reading.packed` (ours). Both kinds of packing: stored, as it suits
pictures, and deflated. Milliseconds per image with its label, median over rounds, ways
interleaved; `warm` from the page cache, in time of the process; `cold` after the kernel was told
to drop the files, which a virtual disk may cache once more, in time on the wall; `read` bytes
only, `decode` pixels.
`2 workers`: two forked processes decode at the same time, time on the wall. Unpacking and opening
are seconds for the whole set. The record holds the load of the machine before and after.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from models import write_record
from PIL import Image

from segmodels.datasets.reading.archives import unpack
from segmodels.datasets.reading.packed import Tree

Read = Callable[[str], bytes]
PACKINGS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED}
CAMVID = re.compile(r"(?:[^/]+/)?CamVid/((?:test|testannot)/[\w.-]+\.png)")


def ade20k(samples: Path, images: int) -> Iterator[tuple[str, bytes]]:
    """Real files under new names, image and label in turn."""
    photos = sorted(samples.glob("images/*/*.jpg"))
    for index in range(images):
        photo = photos[index % len(photos)]
        label = samples / "annotations" / photo.parent.name / f"{photo.stem}.png"
        yield f"images/validation/ADE_val_{index:08}.jpg", photo.read_bytes()
        yield f"annotations/validation/ADE_val_{index:08}.png", label.read_bytes()


def camvid(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The test images and their labels."""
    with zipfile.ZipFile(archive) as packed:
        for member in packed.namelist():
            if matched := CAMVID.fullmatch(member):
                yield matched[1], packed.read(member)


def same(name: str) -> str:
    """Nothing is moved and nothing left out."""
    return name


def ways(folder: Path, archive: Path) -> dict[str, Read]:
    """What is compared."""
    packed, tree = zipfile.ZipFile(archive), Tree((archive,), same)
    return {
        "folder": lambda name: (folder / name).read_bytes(),
        "zipfile": packed.read,
        "ours": tree.read,
    }


def drop(folder: Path, archive: Path) -> None:
    """Ask the kernel to forget the files."""
    for path in (archive, *(p for p in folder.rglob("*") if p.is_file())):
        handle = os.open(path, os.O_RDONLY)
        os.fdatasync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long something takes."""
    start = clock()
    work()
    return clock() - start


def decode(data: bytes) -> Any:
    """Pixels of a picture."""
    return np.asarray(Image.open(io.BytesIO(data)))


class Reader:
    """What forked workers are given: the way of reading as their parent opened it."""

    way: Read

    @classmethod
    def decode_all(cls, names: list[str]) -> int:
        """Decode some pictures; returns the number of values."""
        return sum(decode(cls.way(name)).size for name in names)


def by_workers(way: Read, names: list[str], workers: int) -> float:
    """Seconds until forked workers have decoded everything."""
    Reader.way = staticmethod(way)
    parts = [names[start::workers] for start in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as crew:
        list(crew.map(len, [names] * workers))  # processes have started
        return seconds(lambda: list(crew.map(Reader.decode_all, parts)))


def one_round(read: Read, names: list[str], forget: Callable[[], None]) -> dict[str, float]:
    """Seconds of everything that is tried of a way, except with workers."""

    def decode_all() -> None:
        for name in names:
            decode(read(name))

    found = {
        "read warm": seconds(lambda: [read(name) for name in names], time.process_time),
        "decode warm": seconds(decode_all, time.process_time),
    }
    forget()
    return {**found, "decode cold": seconds(decode_all)}


def measure(files: list[tuple[str, bytes]], place: Path, packing: str, rounds: int) -> Any:
    """One set in one packing: every way reads the same bytes, then is timed."""
    folder, archive = place / "folder", place / f"{packing}.zip"
    with zipfile.ZipFile(archive, "w", PACKINGS[packing]) as packed:
        for name, data in files:
            packed.writestr(name, data)
    unpacking = seconds(lambda: unpack(archive, folder, same))
    opening = seconds(lambda: Tree((archive,), same))
    names, readers = [name for name, _ in files], ways(folder, archive)
    for name, data in files:
        assert all(read(name) == data for read in readers.values())
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for way, read in readers.items():
            found = one_round(read, names, lambda: drop(folder, archive))
            if way != "zipfile":  # forked workers would share its position in the file
                found["2 workers"] = by_workers(read, names, 2)
            for what, taken in found.items():
                times.setdefault(f"{what}, {way}", []).append(taken)
    images = len(files) / 2
    return {
        "unpacking seconds": unpacking,
        "opening seconds": opening,
        "megabytes": {
            "archive": archive.stat().st_size / 1e6,
            "unpacked": sum(len(data) for _, data in files) / 1e6,
        },
        "milliseconds per image": {
            what: 1000 * statistics.median(one) / images for what, one in times.items()
        },
    }


def main() -> None:
    """Measure both sets in both packings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ade", type=Path)
    parser.add_argument("camvid", type=Path)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.threads, options.device = 1, "cpu"
    before, rows = os.getloadavg()[0], []
    sets = {"ade20k": ade20k(options.ade, options.images), "camvid": camvid(options.camvid)}
    for name, source in sets.items():
        files = list(source)
        for packing in PACKINGS:
            with tempfile.TemporaryDirectory() as place:
                found = measure(files, Path(place), packing, options.rounds)
            rows.append({"set": name, "packing": packing, "images": len(files) // 2, **found})
            print(f"{name}, {packing}: {found}", flush=True)
    if options.json:
        load = [before, os.getloadavg()[0]]
        write_record(options.json, options, {"load": load, "rows": rows})


if __name__ == "__main__":
    main()

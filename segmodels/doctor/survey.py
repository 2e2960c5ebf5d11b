"""Every image of a split decoded once: what is damaged, and a digest of each image's pixels.

The digests are kept in the cache, so that splits can be compared again without decoding. They
hold as long as no file changed its size or time.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from segmodels.datasets import VOID, Dataset
from segmodels.datasets.fingerprint import sample_digest
from segmodels.errors import SegmodelsError
from segmodels.files import combine, digest, read_json, write_json
from segmodels.pixels import Pixels
from segmodels.settings import cache_dir


@dataclass(frozen=True)
class Survey:
    """What decoding a split found.

    Attributes:
        state: digest of names, sizes and times of its files.
        images: hex SHA-256 of each image's pixels, labels left out, by file.
        fingerprint: as `prepare` computes it; empty when a file is damaged.
        faults: one sentence per damaged file, and one if all labels together cannot be right.
    """

    state: str
    images: dict[str, str]
    fingerprint: str
    faults: tuple[str, ...]


def survey(dataset: Dataset) -> Survey:
    """Decode all of a split, and keep the result in the cache."""
    images, digests, faults = {}, [], []
    histogram = np.zeros(256, dtype=np.int64)
    for index, files in enumerate(dataset.files):
        try:
            sample = dataset.read(index)
        except SegmodelsError as error:
            faults.append(str(error))
            continue
        images[str(files.image)] = pixel_digest(sample.image)
        digests.append((sample.name, sample_digest(sample)))
        histogram += np.bincount(sample.label.ravel(), minlength=256)
    whole = "" if faults else combine(digests)
    faults += [] if faults else _wrong_labels(dataset, histogram.tolist())
    found = Survey(files_state(dataset), images, whole, tuple(faults))
    write_json(_kept(dataset), asdict(found))
    return found


def kept_survey(dataset: Dataset) -> Survey | None:
    """What an earlier survey found; None if there was none or files have changed since."""
    path = _kept(dataset)
    if not path.is_file():
        return None
    try:
        entry = read_json(path)
        found = Survey(**{**entry, "faults": tuple(entry["faults"])})
    except (SegmodelsError, KeyError, TypeError):
        return None  # a cache that cannot be read is none
    return found if found.state == files_state(dataset) else None


def files_state(dataset: Dataset) -> str:
    """Digest of names, sizes and times of all images and labels (missing files count too)."""
    paths = (path for files in dataset.files for path in (files.image, files.label))
    return digest([(str(path), *_stamp(path)) for path in paths])


def empty_files(dataset: Dataset) -> list[str]:
    """Images and labels without a byte, or gone."""
    paths = (path for files in dataset.files for path in (files.image, files.label))
    return [str(path) for path in paths if not _stamp(path)[0]]


def pixel_digest(image: Pixels) -> str:
    """Hex SHA-256 over shape and pixels of an image."""
    state = hashlib.sha256(repr(image.shape).encode())
    state.update(np.ascontiguousarray(image).data)
    return state.hexdigest()


def overlap(a: Survey, b: Survey) -> list[tuple[str, str]]:
    """Files of a and b with the same pixels."""
    theirs = {one: path for path, one in b.images.items()}
    return [(path, theirs[one]) for path, one in a.images.items() if one in theirs]


def _wrong_labels(dataset: Dataset, histogram: list[int]) -> list[str]:
    pixels = dict(zip(dataset.class_names, histogram, strict=False))
    pixels["void"] = histogram[VOID]
    try:
        dataset.check_pixels(dataset.split, len(dataset), pixels)
    except SegmodelsError as error:
        return [str(error)]
    return []


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _kept(dataset: Dataset) -> Path:
    return cache_dir() / "doctor" / f"{dataset.name}-{dataset.split}.json"

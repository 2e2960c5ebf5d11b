"""Every image and label of a split decoded once, by all cores, and remembered.

What was found of a sample is kept in the cache under the path, size and time of its two files. A
survey that was killed goes on where it was, and whoever looks at a split again (`prepare`,
`segmodels data check`, `segmodels doctor --deep`) decodes only what has changed. Threads do it, as
Pillow, OpenCV and hashlib let go of the interpreter while they work: on two cores they were no
slower than processes (benchmarks/fingerprint.py). The result does not depend on their number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from segmodels.core.arrays import VOID, VOID_OF_IMAGE, Counts
from segmodels.core.environment import cores
from segmodels.core.files import combine, digest, naming, write_text
from segmodels.core.progress import Progress
from segmodels.core.settings import cache_dir
from segmodels.datasets.fingerprint import digests
from segmodels.datasets.reading.base import Dataset, Files
from segmodels.datasets.reading.encoding import value_counts
from segmodels.datasets.reading.packed import AnyPath
from segmodels.datasets.reading.pictures import turn_of
from segmodels.errors import SegmodelsError, UnreadableError
from segmodels.versions import DATASETS

#: Raised when image files are decoded to other values, so that they are looked at again.
_PICTURES = 2


@dataclass(frozen=True)
class Look:
    """What decoding one sample found.

    Attributes:
        image: hex SHA-256 of the image's pixels, labels left out.
        sample: hex SHA-256 of image and labels.
        size: height and width.
        labels: pixels by label that occurs, `VOID` included.
        fault: why it cannot be used, with the file; the others then say nothing.
        turn: what EXIF asks a viewer to do with the photograph (`turn_of`).
        reason: the same in short if only this sample is damaged, and could be left out.
    """

    image: str = ""
    sample: str = ""
    size: tuple[int, int] = (0, 0)
    labels: tuple[tuple[int, int], ...] = ()
    fault: str = ""
    reason: str = ""
    turn: str = ""


@dataclass(frozen=True)
class Survey:
    """What decoding a split found: its samples, and a look at each."""

    files: tuple[Files, ...]
    looks: tuple[Look, ...]

    @property
    def faults(self) -> list[str]:
        """One sentence for every sample that cannot be read."""
        return [look.fault for look in self.looks if look.fault]

    @property
    def damaged(self) -> dict[str, str]:
        """Names of the samples that could be left out, with the reason."""
        pairs = zip(self.files, self.looks, strict=True)
        return {files.name: look.reason for files, look in pairs if look.reason}

    @property
    def turned(self) -> dict[str, str]:
        """Photographs that EXIF asks to be turned or mirrored, by name, with what it asks."""
        return {files.name: look.turn for files, look in self.good if look.turn}

    @property
    def good(self) -> list[tuple[Files, Look]]:
        """The samples that can be read."""
        pairs = zip(self.files, self.looks, strict=True)
        return [(files, look) for files, look in pairs if not look.fault]

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of the decoded images and labels that can be read."""
        return combine((files.name, look.sample) for files, look in self.good)

    @property
    def images(self) -> dict[str, str]:
        """Hex SHA-256 of each image's pixels, by file."""
        return {str(files.image): look.image for files, look in self.good}

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of each image."""
        return [look.size for _, look in self.good]

    @property
    def histogram(self) -> Counts:
        """int64 (256,): pixels by label, `VOID` included; (65536,) of labels of whole images."""
        found = [pair for _, look in self.good for pair in look.labels]
        wide = any(label > VOID for label, _ in found)
        total = np.zeros(1 + (VOID_OF_IMAGE if wide else VOID), dtype=np.int64)
        for label, pixels in found:
            total[label] += pixels
        return total


def survey(
    dataset: Dataset,
    progress: Progress | None = None,
    workers: int | None = None,
    again: bool = False,
) -> Survey:
    """Decode what of a split was not decoded before, or could not be.

    Args:
        dataset: the split.
        progress: called after every sample that had to be decoded.
        workers: threads; None for one per core.
        again: decode all; a disk that fails changes neither size nor time of a file.

    Returns:
        what every sample holds; those that cannot be read are among its `faults`.
    """
    cache, states = _cache(dataset), _states(dataset)
    kept = {} if again else _read(cache)
    known = {state: kept[state] for state in states if state in kept and not kept[state].fault}
    todo = [index for index, state in enumerate(states) if state not in known]
    done = len(states) - len(todo)
    cache.parent.mkdir(parents=True, exist_ok=True)
    with naming(cache), cache.open("a", encoding="utf-8") as sink:
        for index, look in zip(todo, _looks(dataset, todo, workers or cores()), strict=True):
            known[states[index]] = look
            sink.write(_line(states[index], look))
            sink.flush()
            done += 1
            if progress:
                progress(done, len(states))
    if len(kept) > 2 * len(states):  # mostly of files that are gone
        write_text(cache, "".join(_line(state, look) for state, look in known.items()))
    return Survey(tuple(dataset.files), tuple(known[state] for state in states))


def kept_survey(dataset: Dataset) -> Survey | None:
    """What earlier surveys found; None if a sample was never decoded as it is now."""
    kept, states = _read(_cache(dataset)), _states(dataset)
    if any(state not in kept for state in states):
        return None
    return Survey(tuple(dataset.files), tuple(kept[state] for state in states))


def overlap(a: Survey, b: Survey) -> list[tuple[str, str]]:
    """Files of a and b with the same pixels."""
    theirs = {one: path for path, one in b.images.items()}
    return [(path, theirs[one]) for path, one in a.images.items() if one in theirs]


def empty_files(dataset: Dataset) -> list[str]:
    """Images and labels without a byte, or gone."""
    paths = (path for files in dataset.files for path in (files.image, files.label))
    return [str(path) for path in paths if not _stamp(path)[0]]


def _looks(dataset: Dataset, indices: Sequence[int], workers: int) -> Iterator[Look]:
    """A look at each sample, in order, several at a time."""
    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(lambda index: look_at(dataset, index), indices)
    finally:
        pool.shutdown(cancel_futures=True)


def look_at(dataset: Dataset, index: int) -> Look:
    """Decode one sample; what is wrong with it becomes its `fault`."""
    try:
        sample = dataset.read(index)
    except UnreadableError as error:
        return Look(fault=str(error), reason=error.reason)
    except SegmodelsError as error:
        return Look(fault=str(error))
    height, width = sample.image.shape[:2]
    counts = value_counts(sample.label)
    labels = tuple((int(label), int(counts[label])) for label in np.flatnonzero(counts))
    image, whole = digests(sample)
    turn = turn_of(dataset.files[index].image)
    return Look(image, whole, (height, width), labels, turn=turn)


def _states(dataset: Dataset) -> list[str]:
    """For each sample a digest of where its files are, their sizes and times, and the reader."""
    reader = [dataset.name, dataset.encoding, DATASETS, _PICTURES]
    return [
        digest([*reader, *_place(dataset, files.image), *_place(dataset, files.label)])
        for files in dataset.files
    ]


def _place(dataset: Dataset, path: AnyPath) -> tuple[str, int, int]:
    """A prepared folder may be moved, and is when it is complete."""
    inside = isinstance(path, Path) and path.is_relative_to(dataset.root)
    place = path.relative_to(dataset.root) if isinstance(path, Path) and inside else path
    return (str(place), *_stamp(path))


def _stamp(path: AnyPath) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _cache(dataset: Dataset) -> Path:
    return cache_dir() / "surveys" / f"{dataset.name}-{dataset.split}.jsonl"


def _line(state: str, look: Look) -> str:
    return json.dumps({"state": state, **asdict(look)}) + "\n"


def _read(path: Path) -> dict[str, Look]:
    """Looks by state; a line that cannot be read, as a kill may leave one, is none."""
    found: dict[str, Look] = {}
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            entry = json.loads(line)
            height, width = entry["size"]
            labels = tuple((int(label), int(pixels)) for label, pixels in entry["labels"])
            found[str(entry["state"])] = Look(
                str(entry["image"]),
                str(entry["sample"]),
                (int(height), int(width)),
                labels,
                str(entry["fault"]),
                str(entry["reason"]),
                str(entry["turn"]),
            )
        except (ValueError, KeyError, TypeError):
            continue
    return found

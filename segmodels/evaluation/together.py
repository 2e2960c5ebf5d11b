"""One pass over a split for a network under several disturbances: every image is decoded once.

Each disturbance has the scratch file that evaluating it alone would have, and each image a line in
every one of them: what is killed goes on where it was, and `evaluate` afterwards finds all images
counted. Memory holds some decoded images, whatever the number of disturbances. More disturbances
than the process may have files open for are counted in several passes.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import TextIO

from segmodels.core.environment import arithmetic, cores
from segmodels.core.files import naming
from segmodels.core.locks import only_one
from segmodels.core.progress import Progress
from segmodels.datasets.fingerprint import sample_digest
from segmodels.datasets.reading.base import Dataset, Sample
from segmodels.evaluation.image_counter import ImageCounter, images_of_batch
from segmodels.evaluation.resume import read_lines, scratch_file
from segmodels.evaluation.stream import PreparedImage, Stream, prepared
from segmodels.evaluation.subject import Subject, identify
from segmodels.evaluation.truth import comparing
from segmodels.protocols.protocol import Protocol

#: Place of an image in the split, and of a subject among those that are counted.
Item = tuple[int, int]

#: Most subjects of a pass: one decoding for so many is next to nothing beside their predictions.
_MOST = 256

#: A pass may open one file in so many of those that the process may: the others are left to
#: archives, packages, and whoever imported this one.
_SHARE = 2

#: Files of a subject that stay open through its pass: the scratch file and its lock.
_FILES = 2


def count_together(
    subjects: Sequence[Subject],
    dataset: Dataset,
    protocol: Protocol,
    progress: Progress | None = None,
) -> None:
    """Count a split for subjects that differ in their disturbance of pixels alone.

    Args:
        subjects: the same network each time, on the same images of the split.
        dataset: the split.
        protocol: how.
        progress: called after every image of every subject, with the number of all of them.

    Raises:
        SegmodelsError: an image is damaged, or a label or prediction is out of range.
    """
    named = {identify(one, dataset, protocol).key: one for one in subjects}
    names, number = sorted(named), _at_once()
    images = len(identify(subjects[0], dataset, protocol).places(len(dataset)))
    for first in range(0, len(names), number):
        part = {name: named[name] for name in names[first : first + number]}
        told = progress and _further(progress, first * images, len(names) * images)
        _one_pass(part, dataset, protocol, told)


def _at_once() -> int:
    """Of how many subjects this process can have the files open at a time, at least 1."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return _MOST
    return max(1, min(_MOST, limit // _SHARE // _FILES))


def _further(progress: Progress, before: int, total: int) -> Progress:
    """Progress of a pass that begins when so many are done, of so many in all passes."""

    def told(done: int, of_this_pass: int) -> None:
        progress(before + done, total)

    return told


def _one_pass(
    named: dict[str, Subject], dataset: Dataset, protocol: Protocol, progress: Progress | None
) -> None:
    """Count subjects by their keys, which are sorted: all processes take locks in one order."""
    scratches, wanted = [scratch_file(name) for name in named], list(named.values())
    places = identify(wanted[0], dataset, protocol).places(len(dataset))
    with ExitStack() as stack:
        for name, path in zip(named, scratches, strict=True):
            lock = path.with_name(f"{name}.lock")
            stack.enter_context(only_one(lock, f"evaluation {name}", wait=True))
        done = [_finished(path, wanted[0], dataset, places) for path in scratches]
        sinks = [stack.enter_context(path.open("a", encoding="utf-8")) for path in scratches]
        pairs = list(zip(scratches, sinks, strict=True))
        _count(wanted, (dataset, places), protocol, done, pairs, progress)


def _finished(scratch: Path, subject: Subject, dataset: Dataset, places: range) -> int:
    """How many images a scratch file has already."""
    here = arithmetic(str(next(subject.model.parameters()).device))
    named = [(place, dataset.files[place].name) for place in places]
    with naming(scratch):
        return len(read_lines(scratch, here, named, None))


def _count(
    subjects: Sequence[Subject],
    images_of: tuple[Dataset, range],
    protocol: Protocol,
    done: Sequence[int],
    sinks: Sequence[tuple[Path, TextIO]],
    progress: Progress | None,
) -> None:
    """Append to every sink the lines it lacks, image by image."""
    (dataset, places), images = images_of, images_of_batch(subjects[0], protocol)
    items = [
        (places[number], index)
        for number in range(min(done), len(places))
        for index in range(len(subjects))
        if number >= done[index]
    ]
    # As far ahead of the reader as the stream goes.
    at_once = 2 * (cores() + 1) * images // len(subjects) + 2
    decoded = _Decoded(dataset.read, at_once)

    how = comparing(dataset, protocol)

    def prepare(item: Item) -> PreparedImage:
        sample, digest = decoded.read(item[0])
        return prepared(sample, subjects[item[1]].disturb, how, digest)

    counter = ImageCounter(subjects[0], protocol, len(dataset.class_names))
    stream = Stream(subjects[0].model, prepare, protocol, images)
    before, total = sum(done), len(places) * len(subjects)
    for number, ((place, index), line) in enumerate(
        zip(items, stream.results(items, counter.begin), strict=True), start=1
    ):
        path, sink = sinks[index]
        with naming(path):
            sink.write(line.to_text(place))
            sink.flush()
        if progress:
            progress(before + number, total)


class _Decoded:
    """The last images that were asked for, each decoded once, by whoever asks for it first."""

    def __init__(self, read: Callable[[int], Sample], number: int) -> None:
        self._read, self._number = read, number
        self._lock = Lock()
        self._found: dict[int, Future[tuple[Sample, str]]] = {}

    def read(self, place: int) -> tuple[Sample, str]:
        """An image with its labels, and the digest of both."""
        with self._lock:
            future = self._found.get(place)
            if first := future is None:
                future = self._found[place] = Future()
                while len(self._found) > self._number:
                    del self._found[next(iter(self._found))]
        if first:
            try:
                sample = self._read(place)
                future.set_result((sample, sample_digest(sample)))
            except BaseException as error:
                future.set_exception(error)
        return future.result()

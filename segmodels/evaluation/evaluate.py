"""Evaluating: stream the images of a split through a model and keep one count matrix each.

On a processor images are judged independently, each on one thread, by as many workers as there
are cores; on a GPU several at a time share forward passes of one size
(`segmodels.evaluation.windows`) and are counted there, while the cores prepare the next
(`segmodels.evaluation.stream`). The result depends neither on their number nor on where a killed
evaluation was taken up. Finished images are appended to a scratch file named by the evidence key;
the next attempt continues behind its last whole line. The file goes when the evidence is on disk,
not before. Memory does not grow with the split beyond those lines.

A split can be dealt out to several processes. Each counts its shard, and the shards are merged
from files (`segmodels.evidence.merge`). Nothing is sent between processes while they run, so it
makes no difference whether gloo, nccl or nothing at all connects them.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from segmodels.core.arrays import VOID, Pixels
from segmodels.core.environment import arithmetic, machine, peak_memory_bytes, software
from segmodels.core.files import combine, naming
from segmodels.core.locks import only_one
from segmodels.datasets.reading.base import Dataset
from segmodels.datasets.survey import survey
from segmodels.errors import SegmodelsError
from segmodels.evaluation.counting import begin_to_count
from segmodels.evaluation.device import arriving
from segmodels.evaluation.drawn import Drawn
from segmodels.evaluation.fast import predict_many
from segmodels.evaluation.label_maps import Kept, check_names, publish, write_map
from segmodels.evaluation.resume import Line, forget, read_lines, scratch_file
from segmodels.evaluation.stream import Shown, Stream
from segmodels.evaluation.subject import Subject, identify
from segmodels.evaluation.windows import Batching
from segmodels.evidence import Counted, Evidence, ImageCounts, Shard
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol

#: Called with the number of finished images and of all images.
Progress = Callable[[int, int], None]

#: The record of a measurement: machine, seconds, peak memory.
Record = dict[str, Any]
#: Puts evidence on disk, with the record of its measurement; gives the evidence as it was kept.
Finish = Callable[[Evidence, Record], Evidence]


def evaluate(
    subject: Subject,
    dataset: Dataset,
    protocol: Protocol,
    first: int | None = None,
    progress: Progress | None = None,
    shard: tuple[int, int] | None = None,
    maps: Path | None = None,
    finish: Finish | None = None,
) -> tuple[Evidence, Record]:
    """Count a split, or its first images, under a protocol.

    What is counted at the same time by another process is waited for. Counts that it began and
    did not finish are taken up if it had this device, torch and packages.

    Args:
        subject: what is evaluated.
        dataset: the split.
        protocol: how; only its inference half matters here.
        first: count this many images from the start of the split only.
        progress: told after every image.
        shard: `(index, number)`: count images index, index + number, … only. The evidence of
            all shards gives `merge_evidence` the bytes that one process would have written.
        maps: folder that afterwards holds the label map of every image
        (`segmodels.evaluation.label_maps`);
            None keeps none.
        finish: puts the evidence on disk. The counts stay in the scratch file until it returns,
            whatever happens to it, and so do the labels that a figure of undisturbed evidence
            shows (`segmodels.evaluation.drawn`); those are its caller's to forget.

    Returns:
        the evidence as `finish` kept it, and the record of the measurement.

    Raises:
        SegmodelsError: an image is damaged, the images are not the registered ones, or the model
            has fewer outputs than there are classes.
    """
    if first is not None and first < 1:
        raise SegmodelsError(f"'first' is a number of images, not {first}.")
    _check_outputs(subject.model, dataset)
    identity = identify(subject, dataset, protocol, first)
    part = None if shard is None else Shard(*shard)
    name = identity.key if part is None else f"{identity.key}.{part.index}-of-{part.number}"
    scratch = scratch_file(name)
    start, device = time.perf_counter(), str(next(subject.model.parameters()).device)
    number = len(dataset) if first is None else min(first, len(dataset))
    wanted = range(number) if part is None else range(part.index, number, part.number)
    unfinished = scratch.with_suffix(".maps")
    plain = finish is not None and first is None and subject.condition is None
    keep = _Keep(unfinished if maps else None, Drawn.of(identity.key, dataset) if plain else None)
    if maps:
        check_names(files.name for files in dataset.files)
    with only_one(scratch.with_name(f"{name}.lock"), f"evaluation {name}", wait=True):
        lines, resumed = _count_images(subject, dataset, protocol, scratch, wanted, keep, progress)
        try:
            if part is None or number < len(dataset):  # merging checks the shards of a whole
                _check_content(lines, wanted, dataset, subject.fingerprint)
        except SegmodelsError:
            forget(scratch)  # counts of wrong images must not be taken up again
            raise
        if part is not None:
            part = dataclasses.replace(part, digests=tuple(line.digest for line in lines))
        evidence = Evidence(
            identity=identity,
            classes=dataset.class_names,
            outputs=subject.model.num_classes,
            expected_images=len(dataset) + len(dataset.skipped),
            weights_origin=subject.origin,
            software=software(),
            images=tuple(line.counts for line in lines),
            shard=part,
            skipped=dataset.skipped,
            counted=Counted("evaluated"),
        )
        record = {
            "evidence": identity.key,
            "images": len(lines),
            "resumed_at": resumed,
            "seconds": round(time.perf_counter() - start, 3),
            "peak_memory_bytes": peak_memory_bytes(device),
            "machine": machine(device),
        }
        if part is not None:
            record["shard"] = str(part)
        if finish is not None:
            evidence = finish(evidence, record)
        if maps:
            kept = [line.kept for line in lines if line.kept]
            publish(unfinished, maps, identity.key, subject.model.num_classes, kept)
        forget(scratch)
        shutil.rmtree(unfinished, ignore_errors=True)  # of an attempt that was to keep maps
    return evidence, record


@dataclass(frozen=True)
class _Keep:
    """Which labels are kept while they are counted: all in a folder, or those of a figure."""

    draft: Path | None = None
    drawn: Drawn | None = None

    def wants(self, image: str) -> bool:
        return self.draft is not None or (self.drawn is not None and self.drawn.wants(image))

    def keep(self, image: str, labels: Pixels) -> Kept | None:
        if self.drawn is not None and self.drawn.wants(image):
            self.drawn.keep(image, labels)
        return write_map(self.draft, image, labels) if self.draft else None


def _check_outputs(model: SegModel, dataset: Dataset) -> None:
    classes = len(dataset.class_names)
    if model.num_classes < classes:
        raise SegmodelsError(
            f"model {model.config.get('name')!r} has {model.num_classes} outputs, but "
            f"{dataset.name} has {classes} classes: these weights belong to another dataset."
        )


def _count_images(
    subject: Subject,
    dataset: Dataset,
    protocol: Protocol,
    scratch: Path,
    wanted: range,
    keep: _Keep,
    progress: Progress | None,
) -> tuple[list[Line], int]:
    """Append what `scratch` lacks; returns all lines, and how many of them it had."""
    places = [(place, dataset.files[place].name) for place in wanted]
    here = arithmetic(str(next(subject.model.parameters()).device))
    with naming(scratch):
        lines = read_lines(scratch, here, places, keep.draft)
    resumed_at = len(lines)

    def judge(shown: Sequence[Shown]) -> Callable[[], list[Line]]:
        return judge_images(subject, shown, protocol, len(dataset.class_names), keep)

    stream = _stream(subject, dataset, protocol)
    with scratch.open("a", encoding="utf-8") as sink:
        for judged in stream.judged(wanted[resumed_at:], judge):
            for line in judged:
                with naming(scratch):
                    sink.write(line.to_text(wanted[len(lines)]))
                    sink.flush()
                lines.append(line)
                if progress:
                    progress(len(lines), len(wanted))
    return lines, resumed_at


def _stream(subject: Subject, dataset: Dataset, protocol: Protocol) -> Stream:
    images = _batching(subject, protocol).images
    return Stream(subject.model, dataset, protocol, subject.disturb, images)


def predict_images(
    subject: Subject, dataset: Dataset, protocol: Protocol, places: Sequence[int]
) -> Iterator[Pixels]:
    """The labels uint8 (H, W) of some images of a split, by the path that counts them."""

    def judge(shown: Sequence[Shown]) -> Callable[[], list[Pixels]]:
        found = [arriving(labels) for labels in _predicted(subject, shown, protocol)]
        return lambda: [labels().numpy() for labels in found]

    for hand in _stream(subject, dataset, protocol).judged(places, judge):
        yield from hand


def judge_images(
    subject: Subject,
    shown: Sequence[Shown],
    protocol: Protocol,
    classes: int,
    keep: _Keep = _Keep(),
) -> Callable[[], list[Line]]:
    """Predict some images, count them against their labels, and keep what is to be kept.

    Returns:
        what waits for the device and gives a line for each image. It raises SegmodelsError when
        a label or prediction is out of range; the message names the image.
    """
    found = _predicted(subject, shown, protocol)
    begun = [
        _judge(subject, one, prediction, classes, keep)
        for one, prediction in zip(shown, found, strict=True)
    ]
    return lambda: [finish() for finish in begun]


def _predicted(subject: Subject, shown: Sequence[Shown], protocol: Protocol) -> list[Tensor]:
    inputs = [one.inputs for one in shown if one.inputs is not None]
    return predict_many(
        subject.model,
        [one.image for one in shown],
        protocol,
        _batching(subject, protocol),
        inputs or None,
    )


def _judge(
    subject: Subject, shown: Shown, prediction: Tensor, classes: int, keep: _Keep
) -> Callable[[], Line]:
    """Begin to count one image where its prediction is."""
    name, digest = shown.sample.name, shown.digest
    outputs = subject.model.num_classes
    counted = begin_to_count(shown.sample.label, prediction, classes, outputs, VOID)
    labels = arriving(prediction) if keep.wants(name) else None

    def finish() -> Line:
        try:
            matrix = counted()
        except SegmodelsError as error:
            raise SegmodelsError(f"image {name!r}: {error}") from None
        kept = keep.keep(name, labels().numpy()) if labels else None
        return Line(digest, ImageCounts.from_matrix(name, matrix), kept)

    return finish


def _batching(subject: Subject, protocol: Protocol) -> Batching:
    """The passes of the device, which no setting changes: labels follow them at ties."""
    usual = Batching.usual(next(subject.model.parameters()).device, protocol)
    return dataclasses.replace(usual, images=subject.images or usual.images)


def _check_content(
    lines: Sequence[Line], wanted: range, dataset: Dataset, fingerprint: str
) -> None:
    """Compare the images that were seen with the registered ones.

    A fingerprint is that of a whole split. Of a part the other images are decoded too, unless a
    survey of them is here; then the images seen are compared one by one with those of the survey.
    """
    names, digests = [files.name for files in dataset.files], [line.digest for line in lines]
    if len(lines) < len(dataset):
        looks = [look.sample for look in survey(dataset).looks]
        seen = dict(zip(wanted, digests, strict=True))
        digests = [seen.get(place, look) for place, look in enumerate(looks)]
    found = combine(zip(names, digests, strict=True))
    if found != fingerprint:
        raise SegmodelsError(
            f"{dataset.root}: the {dataset.split} images are not those that were registered "
            f"(fingerprint {found[:12]}…, expected {fingerprint[:12]}…). They changed since "
            f"`prepare`: run dvc repro again."
        )

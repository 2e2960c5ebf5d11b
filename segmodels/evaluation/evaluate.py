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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from segmodels.core.environment import arithmetic, machine, peak_memory_bytes, software
from segmodels.core.files import combine, naming
from segmodels.core.locks import only_one
from segmodels.core.progress import Progress
from segmodels.datasets.reading.base import Dataset
from segmodels.datasets.survey import survey
from segmodels.errors import SegmodelsError
from segmodels.evaluation.drawn import Drawn
from segmodels.evaluation.image_counter import ImageCounter, LabelStore, stream_of
from segmodels.evaluation.label_maps import check_names, publish
from segmodels.evaluation.resume import Line, forget, read_lines, scratch_file
from segmodels.evaluation.subject import Subject, identify
from segmodels.evidence import Counted, Evidence, Shard
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol

#: The record of a measurement: machine, seconds, peak memory.
Record = dict[str, Any]
#: Puts evidence on disk, with the record of its measurement; gives the evidence as it was kept.
Finish = Callable[[Evidence, Record], Evidence]


def evaluate(
    subject: Subject,
    dataset: Dataset,
    protocol: Protocol,
    limit: int | None = None,
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
        limit: count this many images from the start of the split only.
        progress: called after every image.
        shard: `(index, number)`: count images index, index + number, … only. The evidence of
            all shards gives `merge_evidence` the bytes that one process would have written.
        maps: folder that afterwards holds the label map of every image
            (`segmodels.evaluation.label_maps`); None keeps none.
        finish: puts the evidence on disk. The counts stay in the scratch file until it returns,
            whatever happens to it, and so do the labels that a figure of undisturbed evidence
            shows (`segmodels.evaluation.drawn`); those are its caller's to forget.

    Returns:
        the evidence as `finish` kept it, and the record of the measurement.

    Raises:
        SegmodelsError: an image is damaged, the images are not the registered ones, or the model
            has other outputs than there are classes.
    """
    if limit is not None and limit < 1:
        raise SegmodelsError(f"'limit' is a number of images, not {limit}.")
    check_outputs(subject.model, dataset)
    _check_kind(dataset, protocol)
    identity = identify(subject, dataset, protocol, limit)
    part = None if shard is None else Shard(*shard)
    name = identity.key if part is None else f"{identity.key}.{part.index}-of-{part.number}"
    scratch = scratch_file(name)
    start, device = time.perf_counter(), str(next(subject.model.parameters()).device)
    whole = identity.places(len(dataset))
    wanted = whole if part is None else whole[part.index :: part.number]
    unfinished = scratch.with_suffix(".maps")
    plain = finish is not None and limit is None and subject.condition is None
    drawn = Drawn.of(identity.key, dataset) if plain else None
    store = LabelStore(unfinished if maps else None, drawn)
    if maps:
        check_names(files.name for files in dataset.files)
    with only_one(scratch.with_name(f"{name}.lock"), f"evaluation {name}", wait=True):
        lines, resumed = _count_images(subject, dataset, protocol, scratch, wanted, store, progress)
        try:
            if part is None or len(whole) < len(dataset):  # merging checks the shards of a whole
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
            files = [line.map_file for line in lines if line.map_file]
            publish(unfinished, maps, identity.key, subject.model.num_classes, files)
        forget(scratch)
        shutil.rmtree(unfinished, ignore_errors=True)  # of an attempt that was to keep maps
    return evidence, record


def check_outputs(model: SegModel, dataset: Dataset) -> None:
    """Refuse a network whose outputs are not the classes of a dataset.

    Weights that say what each output is may have one more, for void, as the CamVid ones have.
    """
    classes, name = len(dataset.class_names), model.config.get("name")
    extra = model.num_classes - classes
    outputs = f"model {name!r} has {model.num_classes} outputs"
    has = f"{outputs}, but {dataset.name} has {classes} classes"
    if extra < 0:
        raise SegmodelsError(f"{has}: these weights belong to another dataset.")
    if extra != model.extra_outputs and (extra != 1 or not model.class_names):
        said = f" (it says extra_outputs = {model.extra_outputs})" if model.extra_outputs else ""
        raise SegmodelsError(
            f"{has}{said}. If the first {classes} are these classes, in this order, and a pixel is "
            f"wrong where another output wins, say so: net.extra_outputs = {extra}. Otherwise the "
            f"weights belong to another dataset."
        )


def _check_kind(dataset: Dataset, protocol: Protocol) -> None:
    if dataset.labels_images != bool(protocol.whole_image):
        labelled = "images" if dataset.labels_images else "pixels"
        wanted = "images" if protocol.whole_image else "pixels"
        raise SegmodelsError(
            f"{dataset.name} has labels of {labelled}, and protocol {protocol.name!r} compares "
            f"labels of {wanted} (field `whole_image`): choose another of the two."
        )


def _count_images(
    subject: Subject,
    dataset: Dataset,
    protocol: Protocol,
    scratch: Path,
    wanted: range,
    store: LabelStore,
    progress: Progress | None,
) -> tuple[list[Line], int]:
    """Append what `scratch` lacks; returns all lines, and how many of them it had."""
    places = [(place, dataset.files[place].name) for place in wanted]
    here = arithmetic(str(next(subject.model.parameters()).device))
    with naming(scratch):
        lines = read_lines(scratch, here, places, store.folder)
    resumed_at = len(lines)

    protocol = subject.look(protocol) if subject.look else protocol
    counter = ImageCounter(subject, protocol, len(dataset.class_names), store)
    stream = stream_of(subject, dataset, protocol)
    with scratch.open("a", encoding="utf-8") as sink:
        for line in stream.results(wanted[resumed_at:], counter.begin):
            with naming(scratch):
                sink.write(line.to_text(wanted[len(lines)]))
                sink.flush()
            lines.append(line)
            if progress:
                progress(len(lines), len(wanted))
    return lines, resumed_at


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

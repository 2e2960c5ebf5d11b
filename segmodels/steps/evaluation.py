"""A run under a protocol: evidence, metrics, record and picture."""

from __future__ import annotations

import dataclasses
import shutil
from functools import partial
from pathlib import Path

from segmodels.core import paths
from segmodels.core.arrays import Pixels
from segmodels.core.files import check_writable, sweep, write_json
from segmodels.datasets import Dataset, Sample
from segmodels.datasets.opening import open_dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation.drawn import Drawn
from segmodels.evaluation.evaluate import Record, evaluate
from segmodels.evaluation.figure import draw_picture, evidence_of_picture
from segmodels.evaluation.image_counter import predict_images
from segmodels.evaluation.shards import evaluate_shard
from segmodels.evaluation.subject import Subject
from segmodels.evaluation.truth import comparing
from segmodels.evidence import Evidence
from segmodels.metrics.precision_effect import measure_effect
from segmodels.protocols.protocol import Precision, Protocol
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import Run, load_run
from segmodels.steps.dealing import deal_shards
from segmodels.steps.loading import subject_of
from segmodels.steps.options import USUAL, Options
from segmodels.steps.scores import of_inference, scores_of
from segmodels.steps.stored import check_folder, known_evidence, known_or_new, replace_evidence
from segmodels.verdicts.rules import load_rules


def evaluate_run(asked: str | Run, protocol_name: str, options: Options = USUAL) -> Evidence:
    """Count a run's split under a protocol and write evidence, metrics, record and picture.

    Evidence that exists anywhere in the project under the same key, published or of this machine,
    is taken over, not computed again, unless forced. The folder of the run and protocol in
    `reports/local/evidence` ends up holding this evidence alone.

    Args:
        asked: name of a run in `params/runs`, or a run that stands nowhere.
        protocol_name: one of the run's.
        options: how.

    Returns:
        the evidence. Of several processes that each count a shard, the last one, and those that
        find everything counted, return the whole evidence; every other one its own shard.
    """
    run = asked if isinstance(asked, Run) else load_run(asked)
    protocol = protocol_in(protocol_name, options.precision)
    dataset, subject = open_dataset(run.dataset, run.split), subject_of(run, options.device)
    if _lacks_fp32(subject, dataset, protocol):  # of shards, who ends last also ended last in fp32
        full = dataclasses.replace(options, precision="fp32", force=False, keep_maps=False)
        evaluate_run(run, protocol_name, full)
    place = _Place(run, subject, dataset, protocol)
    place.check(options)
    if options.shard is not None:
        return _shard(place, options, options.shard)
    maps = place.maps(options)
    count = partial(deal_shards, run, *place.asked, place.keep, options) if options.engine else None
    evidence = known_or_new(place.asked, place.keep, options, maps, count)
    place.draw(evidence)
    return evidence


def _shard(place: _Place, options: Options, shard: tuple[int, int]) -> Evidence:
    """One shard of a run under a protocol, or the whole where that is here or this was the last."""
    maps = place.maps(options)
    found = None if options.force else known_evidence(*place.asked, maps)
    if found is None:
        how = options.progress, options.force, maps
        found = evaluate_shard(*place.asked, shard, place.keep, *how)
    elif shard[0] == 0:  # one of us is enough to write it down
        found = place.keep(found)
    else:
        return found
    if found.shard is None:
        place.draw(found)
    return found


def keep_maps(run_name: str, protocol_name: str, options: Options = USUAL) -> Path:
    """Keep the label maps behind evidence that is here; they must give its counts.

    Returns:
        their folder.

    Raises:
        SegmodelsError: there is no such evidence, or it was counted on a machine whose
            arithmetic gives other labels; then count it again here.
    """
    run, protocol = load_run(run_name), load_protocol(protocol_name)
    dataset, subject = open_dataset(run.dataset, run.split), subject_of(run, options.device)
    known, folder = known_evidence(subject, dataset, protocol), paths.maps(run.name, protocol.name)
    again = f"segmodels evaluate {run.name} --protocol {protocol.name}"
    if known is None:
        raise SegmodelsError(f"run {run.name!r} has no evidence under {protocol.name!r}: {again}")
    found, _ = evaluate(subject, dataset, protocol, progress=options.progress, maps=folder)
    if found.images != known.images:
        shutil.rmtree(folder)
        raise SegmodelsError(
            f"the labels of run {run.name!r} on {options.device} do not give the counts of "
            f"evidence {known.key}, which was counted elsewhere. Count it here: {again} --force"
        )
    return folder


def protocol_in(name: str, precision: Precision | None) -> Protocol:
    """A protocol by name, in another precision if asked, which its own name then tells."""
    protocol = load_protocol(name)
    if precision in (None, protocol.precision):
        return protocol
    return protocol.replace(name=f"{name}-{precision}", precision=precision)


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where what is found of a run under a protocol belongs."""

    run: Run
    subject: Subject
    dataset: Dataset
    protocol: Protocol

    @property
    def asked(self) -> tuple[Subject, Dataset, Protocol]:
        """What is evaluated, on what, and how."""
        return self.subject, self.dataset, self.protocol

    def maps(self, options: Options) -> Path | None:
        """The folder of its label maps, if they are to be kept."""
        return paths.maps(self.run.name, self.protocol.name) if options.keep_maps else None

    def check(self, options: Options) -> None:
        """Ask before hours of counting whether their result can be written."""
        if options.keep_maps and options.engine:
            raise SegmodelsError(
                "label maps are too large to be sent between workers: leave out --keep-labels, or "
                "--engine."
            )
        if options.keep_maps and self.protocol.labels_resized:
            raise SegmodelsError(
                f"protocol {self.protocol.name!r} compares labels at another size than that of the "
                f"images; label maps are kept at theirs. Leave out --keep-labels."
            )
        names = self.run.name, self.protocol.name
        places = (paths.metrics(*names), paths.record(*names), paths.figure(*names))
        evidence = paths.evidence() / self.run.name / self.protocol.name / "evidence"
        check_folder(evidence.parent)
        for path in (evidence, *places):
            check_writable(path)

    def keep(self, evidence: Evidence, record: Record | None = None) -> Evidence:
        """Write evidence and metrics, and the record if it was counted now."""
        names = self.run.name, self.protocol.name
        if self.protocol.precision != "fp32":
            evidence = _with_effect(self.run, self.subject, self.dataset, self.protocol, evidence)
        replace_evidence(paths.evidence() / self.run.name / self.protocol.name, [evidence])
        write_json(paths.metrics(*names), scores_of(self.run, evidence))
        if record is not None:
            write_json(paths.record(*names), record)
        else:
            sweep(paths.record(*names))
        return evidence

    def draw(self, evidence: Evidence) -> None:
        """Draw the figure unless it is here; last, because it can be drawn again at any time."""
        path = paths.figure(self.run.name, self.protocol.name)
        drawn = Drawn.of(evidence.key, self.dataset)
        if evidence_of_picture(path) != evidence.key:

            def labels(place: int, sample: Sample) -> Pixels:
                kept = drawn.labels(sample, evidence)
                return self._predicted(place) if kept is None else kept

            how = comparing(self.dataset, self.protocol)
            draw_picture(self.dataset, labels, path, evidence=evidence.key, compared=how)
        drawn.forget()

    def _predicted(self, place: int) -> Pixels:
        (labels,) = predict_images(self.subject, self.dataset, self.protocol, [place])
        return labels


def _lacks_fp32(subject: Subject, dataset: Dataset, protocol: Protocol) -> bool:
    reduced = protocol.precision != "fp32"
    return reduced and known_evidence(subject, dataset, protocol.replace(precision="fp32")) is None


def _with_effect(
    run: Run, subject: Subject, dataset: Dataset, protocol: Protocol, evidence: Evidence
) -> Evidence:
    full = known_evidence(subject, dataset, protocol.replace(precision="fp32"))
    if full is None:  # shards on machines that share no folder
        own = protocol.name in run.protocols
        name = protocol.name if own else protocol.name.removesuffix(f"-{protocol.precision}")
        raise SegmodelsError(
            f"evidence {evidence.key} of run {run.name!r} is in {protocol.precision}, and the same "
            f"in fp32 is not here to compare with. First: segmodels evaluate {run.name} "
            f"--protocol {name} --precision fp32"
        )
    judged, rule = of_inference(run, evidence), load_rules().interval
    return dataclasses.replace(evidence, effect=measure_effect(evidence, full, judged, rule))

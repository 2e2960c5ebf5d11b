"""What a row says of its evidence beside the number that was judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from segmodels.evidence import Evidence, read_evidence
from segmodels.evidence.bundle import file_of
from segmodels.metrics.averages import averages
from segmodels.metrics.draws import Draws, draws_of
from segmodels.metrics.intervals import Interval, mean_interval
from segmodels.metrics.robustness import Robustness, summarise
from segmodels.metrics.scores import comparable, score, score_per_image
from segmodels.protocols.protocol import Protocol
from segmodels.verdicts.evidence_index import Found, conditions
from segmodels.verdicts.project import Project
from segmodels.verdicts.rounding import known_interval, rounded, rounded_interval

#: Images named as those of the lowest mIoU.
_LOWEST = 5


@dataclass(frozen=True)
class EvidenceSummary:
    """A piece of evidence without its counts per image.

    Attributes:
        key: of the evidence, 16 hex digits.
        file: its `<key>.json`, seen from the folder of the leaderboard.
        images: how many were evaluated.
        expected_images: how many the split has.
        fingerprint: hex SHA-256 of the decoded images and labels of the split.
        evaluator: version of the code that counted.
        counted_by: the third party who counted it; empty for our own.
        counted_at: where they published it.
        signed: the public key that their signature was checked with, `not checked`, or empty.
        software: versions of the packages that counted, by name.
        pixel_accuracy, mean_accuracy: over labelled pixels, percent; None without any.
        per_class: IoU, percent; None for a class that never occurs.
        averages: the same counts averaged in other ways (`segmodels.metrics.averages`), percent.
        draws: what drawing images with replacement makes of the number, where the protocol's
            authors do that; None elsewhere.
        lowest: the images whose own mIoU is lowest, with it, percent; a few, lowest first.
        robustness: what disturbed copies of it came to; None without any.
    """

    key: str
    file: str
    images: int
    expected_images: int
    fingerprint: str
    evaluator: int
    counted_by: str = ""
    counted_at: str = ""
    signed: str = ""
    software: Mapping[str, str] = field(default_factory=dict)
    pixel_accuracy: float | None = None
    mean_accuracy: float | None = None
    per_class: Mapping[str, float | None] = field(default_factory=dict)
    averages: Mapping[str, float | None] = field(default_factory=dict)
    draws: Draws | None = None
    lowest: tuple[tuple[str, float], ...] = ()
    robustness: Robustness | None = None


def summarise_evidence(project: Project, found: Found, protocol: Protocol) -> EvidenceSummary:
    """A piece of evidence as a row tells it, scored under a protocol."""
    evidence, identity = found.evidence, found.evidence.identity
    scores, whole = score(evidence, protocol), read_evidence(found.path)
    labelled = not math.isnan(scores.miou)
    return EvidenceSummary(
        key=evidence.key,
        file=project.linked(file_of(found.published or found.path)),
        images=len(evidence.images),
        expected_images=evidence.expected_images,
        fingerprint=identity.fingerprint,
        evaluator=identity.evaluator,
        counted_by=found.by,
        counted_at=evidence.counted.url,
        signed=evidence.counted.signed,
        software=dict(sorted(evidence.software.items())),
        pixel_accuracy=rounded(scores.pixel_accuracy),
        mean_accuracy=rounded(scores.mean_accuracy),
        per_class={name: rounded(iou) for name, iou in scores.per_class.items()},
        averages={name: rounded(value) for name, value in averages(whole, protocol).items()},
        draws=draws_of(whole, protocol),
        lowest=_lowest(whole, protocol),
        robustness=_robustness(project, found, protocol) if labelled else None,
    )


def _lowest(evidence: Evidence, protocol: Protocol) -> tuple[tuple[str, float], ...]:
    """The images whose own mIoU is lowest, where there are more than a few."""
    scores = score_per_image(evidence, protocol).items()
    known = sorted((value, name) for name, value in scores if not math.isnan(value))
    if len(known) <= _LOWEST:
        return ()
    return tuple((name, round(value, 2)) for value, name in known[:_LOWEST])


def _robustness(project: Project, clean: Found, protocol: Protocol) -> Robustness | None:
    """What disturbed copies of evidence came to; None without any."""
    disturbed = project.index.disturbed(clean.evidence)
    files = {found.evidence.key: found.path for found in disturbed}

    def interval_of(seeds: list[Evidence]) -> Interval | None:
        # The index merges their images; a few at a time they fit in memory.
        whole = [read_evidence(files[evidence.key]) for evidence in seeds]
        if not comparable(whole):
            return None
        interval = mean_interval(whole, protocol, project.rules.interval)
        return rounded_interval(known_interval(interval))

    if not disturbed:
        return None
    return summarise(clean.evidence, conditions(disturbed), protocol, interval_of)

"""A run under every condition of a robustness suite."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from segmodels.core import paths
from segmodels.core.files import check_writable, write_json
from segmodels.core.locks import only_one
from segmodels.core.progress import Progress
from segmodels.core.settings import cache_dir
from segmodels.datasets import Dataset
from segmodels.datasets.opening import open_dataset
from segmodels.evaluation.evaluate import Record
from segmodels.evaluation.resume import forget_older, is_older, scratch_file
from segmodels.evaluation.subject import Subject, identify
from segmodels.evaluation.together import count_together
from segmodels.evidence import Evidence, evidence_files, write_evidence
from segmodels.metrics.scores import score
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol
from segmodels.robustness import parameter_noise
from segmodels.robustness.suite import (
    Condition,
    StressSuite,
    load_stress_suite,
    stressed,
    stressing,
)
from segmodels.runs.run import load_run
from segmodels.steps.dealing import deal_conditions
from segmodels.steps.loading import subject_of
from segmodels.steps.options import USUAL, Options
from segmodels.steps.scores import percent
from segmodels.steps.stored import (
    EvidenceSnapshot,
    check_folder,
    files_of_key,
    known_evidence,
    known_or_new,
    replace_evidence,
)

#: Conditions by their keys, each with the evidence of it that waits in the cache, if any.
_Waiting = dict[str, tuple[Condition, Evidence | None]]


def stress_run(run_name: str, suite_name: str, options: Options = USUAL) -> list[Evidence]:
    """Count a run under every condition of a robustness suite, by its first protocol.

    What a killed attempt had finished waits in the cache, and is not counted again even if forced.
    Corruptions are counted together, in one pass over the images, then all conditions one by one;
    by an engine, each condition by one of its workers.
    """
    run, suite = load_run(run_name), load_stress_suite(suite_name)
    protocol = load_protocol(run.protocols[0])
    dataset, clean = open_dataset(run.dataset, run.split), subject_of(run, options.device)
    done, what = cache_dir() / "stress" / f"{run.name}-{suite.name}", f"robustness-{suite.name}"
    place, metrics = paths.evidence() / run.name / what, paths.metrics(run.name, what)
    check_folder(place)
    for path in (place / "evidence", metrics):
        check_writable(path)

    def keep(evidence: Evidence, record: Record | None) -> Evidence:
        del record  # of one condition of many
        write_evidence(done, evidence)
        return evidence

    def count(condition: Condition, again: Options) -> Evidence:
        with stressing(clean, condition, suite.photographs) as subject:
            return known_or_new((subject, dataset, protocol), keep, again)

    asked, found = EvidenceSnapshot(), list[Evidence]()
    with only_one(done.with_suffix(".lock"), f"{what} of {run.name}", wait=True):
        if options.force and _is_in_place(done, place):
            _forget(done)
        waiting = _waiting(suite, clean, dataset, protocol, done)
        files = {key: files_of_key(key) for key in waiting}
        known = _known(waiting, files, force=options.force)
        lacking = _lacking(waiting, files, known, every=options.engine is not None)
        moved = _Steps(options.progress, len(waiting), len(range(0, len(dataset), suite.every)))
        moved.conditions(len(known))
        if options.engine:
            dealt = dataclasses.replace(options, progress=moved.images)
            how = suite, dealt, partial(write_evidence, done)
            deal_conditions(run, clean, dataset, protocol, list(lacking.values()), *how)
            waiting = _waiting(suite, clean, dataset, protocol, done)
        elif len(lacking) > 1:
            together = [stressed(clean, one, suite.photographs) for one in lacking.values()]
            count_together(together, dataset, protocol, moved.images)
        if options.engine or len(lacking) > 1:
            known |= lacking.keys()
            moved.conditions(len(lacking))
        for key, (condition, evidence) in waiting.items():
            forced = options.force and not asked.answered(key)
            again = Options(force=forced, progress=None if key in known else moved.images)
            found.append(evidence or count(condition, again))
            moved.conditions(key not in known)
        replace_evidence(place, found)
        write_json(metrics, scores_of_suite(found, protocol))
        parameter_noise.forget_left()  # killed in the last condition, which is not done again
        _forget(done)
    return found


def _waiting(
    suite: StressSuite, clean: Subject, dataset: Dataset, protocol: Protocol, done: Path
) -> _Waiting:
    """Every condition by its key, with the evidence of it that a killed attempt left in `done`."""
    found = {}
    for condition in suite.under(protocol):
        subject = dataclasses.replace(clean, condition=condition)
        evidence = known_evidence(subject, dataset, protocol, folder=done)
        found[identify(subject, dataset, protocol).key] = condition, evidence
    return found


def _known(waiting: _Waiting, files: dict[str, list[Path]], *, force: bool) -> set[str]:
    """Keys of what waits, and, if not forced, of what lies anywhere in the project."""
    return {key for key, (_, e) in waiting.items() if e is not None or (files[key] and not force)}


def _lacking(
    waiting: _Waiting, files: dict[str, list[Path]], known: set[str], *, every: bool
) -> dict[str, Condition]:
    """Corruptions that are to be counted, by key; of `every` kind, noise and attacks too."""
    lacking = {}
    for key, (condition, _) in waiting.items():
        if key not in known and (every or "corruption" in condition):
            forget_older(scratch_file(key), files[key])
            lacking[key] = condition
    return lacking


class _Steps:
    """Progress in images under all conditions, of which some may be known before."""

    def __init__(self, progress: Progress | None, conditions: int, images: int) -> None:
        self._progress, self._each = progress, images
        self._total, self._done, self._told = conditions * images, 0, -1

    def images(self, done: int, total: int) -> None:
        """So many images more than those of the conditions that are in place."""
        del total  # of one condition, or of those that are counted together
        if self._progress and self._told < self._total:  # the end is told once
            self._told = self._done + done
            self._progress(self._told, self._total)

    def conditions(self, more: int) -> None:
        """So many conditions more are in place."""
        self._done += more * self._each
        self.images(0, 0)


def _is_in_place(done: Path, place: Path) -> bool:
    """Whether all that waits was put in place already, by a process that was killed just then."""
    waiting = evidence_files(done)
    return bool(waiting) and all(is_older(file, [place / file.name]) for file in waiting)


def _forget(done: Path) -> None:
    """Delete what waited in the cache; a kill meanwhile leaves nothing that the next one reads."""
    gone = done.with_suffix(".gone")
    shutil.rmtree(gone, ignore_errors=True)
    if done.is_dir():
        done.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def scores_of_suite(found: Iterable[Evidence], protocol: Protocol) -> dict[str, Any]:
    """mIoU by condition, percent, and the mean over them; seeds of one condition are averaged.

    None where there is no labelled pixel.
    """
    seeds: dict[str, list[float]] = defaultdict(list)
    for evidence in found:
        seeds[_label(evidence.identity.condition)].append(score(evidence, protocol).miou)
    means = {label: fmean(values) for label, values in seeds.items()}
    known = [value for value in means.values() if not math.isnan(value)]
    mean = fmean(known) if known else math.nan
    scores = {label: percent(value) for label, value in means.items()}
    return {"mean_mIoU": percent(mean), "mIoU": scores}


def _label(condition: Condition | None) -> str:
    every = (condition or {}).get("every")
    named = {k: v for k, v in (condition or {}).items() if k not in ("seed", "version", "every")}
    return "-".join([*map(str, named.values()), *([f"1-in-{every}"] if every else [])])

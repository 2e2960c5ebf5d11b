"""A run under every condition of a robustness suite."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from segmodels.core import paths
from segmodels.core.files import check_writable, write_json
from segmodels.core.locks import only_one
from segmodels.core.settings import cache_dir
from segmodels.datasets.opening import open_dataset
from segmodels.evaluation.evaluate import Record
from segmodels.evaluation.resume import is_older
from segmodels.evaluation.subject import identify
from segmodels.evidence import Evidence, evidence_files, write_evidence
from segmodels.metrics.scores import score
from segmodels.protocols.reading import load_protocol
from segmodels.robustness.suite import Condition, load_stress_suite, stressed
from segmodels.runs.run import load_run
from segmodels.steps.loading import subject_of
from segmodels.steps.options import USUAL, Options
from segmodels.steps.scores import percent
from segmodels.steps.stored import (
    EvidenceSnapshot,
    check_folder,
    known_evidence,
    known_or_new,
    replace_evidence,
)


def stress_run(run_name: str, suite_name: str, options: Options = USUAL) -> list[Evidence]:
    """Count a run under every condition of a robustness suite, by its first protocol.

    What a killed attempt had finished waits in the cache, and is not counted again even if forced.
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

    asked, found = EvidenceSnapshot(), []
    with only_one(done.with_suffix(".lock"), f"{what} of {run.name}", wait=True):
        if options.force and _is_in_place(done, place):
            _forget(done)
        for condition in suite.conditions:
            subject = stressed(clean, condition)
            evidence = known_evidence(subject, dataset, protocol, folder=done)
            if evidence is None:
                wanted = subject, dataset, protocol
                again = options.force and not asked.answered(identify(*wanted).key)
                evidence = known_or_new(wanted, keep, Options(force=again))
            found.append(evidence)
            if options.progress:
                options.progress(len(found), len(suite.conditions))
        replace_evidence(place, found)
        scores = {_label(e.identity.condition): percent(score(e, protocol).miou) for e in found}
        mean = float(np.mean([value for value in scores.values() if value is not None]))
        write_json(metrics, {"mean_mIoU": round(mean, 4), "mIoU": scores})
        _forget(done)
    return found


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


def _label(condition: Condition | None) -> str:
    return "-".join(str(value) for key, value in (condition or {}).items() if key != "seed")

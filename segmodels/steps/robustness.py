"""A run under every condition of a robustness suite."""

from __future__ import annotations

import shutil

import numpy as np

from segmodels import layout
from segmodels.datasets import open_dataset
from segmodels.evaluate import Progress
from segmodels.evidence import Evidence, write_evidence
from segmodels.files import write_json
from segmodels.protocols import load_protocol
from segmodels.runs import load_run
from segmodels.scores import score
from segmodels.settings import cache_dir
from segmodels.steps.known import known_evidence, known_or_new, replace_evidence
from segmodels.steps.subject import subject_of
from segmodels.steps.summary import percent
from segmodels.stress import Condition, load_stress_suite, stressed


def stress_run(
    run_name: str,
    suite_name: str,
    device: str = "cpu",
    progress: Progress | None = None,
    force: bool = False,
) -> list[Evidence]:
    """Count a run under every condition of a robustness suite, by its first protocol.

    What a killed attempt had finished waits in the cache, and is not counted again even if forced.
    """
    run, suite = load_run(run_name), load_stress_suite(suite_name)
    protocol = load_protocol(run.protocols[0])
    dataset, clean = open_dataset(run.dataset, run.split), subject_of(run, device)
    done, found = cache_dir() / "stress" / f"{run.name}-{suite.name}", []
    for condition in suite.conditions:
        subject = stressed(clean, condition)
        evidence = known_evidence(subject, dataset, protocol, folder=done)
        if evidence is None:
            evidence = known_or_new(run, subject, dataset, protocol, None, force)
            write_evidence(done, evidence)
        found.append(evidence)
        if progress:
            progress(len(found), len(suite.conditions))
    what = f"robustness-{suite.name}"
    replace_evidence(layout.evidence() / run.name / what, found)
    scores = {_label(e.identity.condition): percent(score(e, protocol).miou) for e in found}
    mean = float(np.mean([value for value in scores.values() if value is not None]))
    write_json(layout.metrics(run.name, what), {"mean_mIoU": round(mean, 4), "mIoU": scores})
    shutil.rmtree(done)
    return found


def _label(condition: Condition | None) -> str:
    return "-".join(str(value) for key, value in (condition or {}).items() if key != "seed")

"""The steps from a name to evidence, each complete in itself and without any server.

`dvc repro`, the Prefect flow and the command line all call these functions, which is why
they give the same evidence keys and the same numbers.
"""

from __future__ import annotations

from segmodels.steps.data import download, prepare
from segmodels.steps.evaluation import evaluate_run, evaluate_run_shard, keep_maps, protocol_in
from segmodels.steps.inputs import bring, bring_data
from segmodels.steps.known import find_key, replace_evidence
from segmodels.steps.robustness import stress_run
from segmodels.steps.subject import subject_of
from segmodels.steps.summary import scores_of
from segmodels.steps.weights import (
    fetch_released,
    train_run,
    trained_as_asked,
    weights_digest,
    weights_path,
)

__all__ = [
    "bring",
    "bring_data",
    "download",
    "evaluate_run",
    "evaluate_run_shard",
    "fetch_released",
    "find_key",
    "keep_maps",
    "prepare",
    "protocol_in",
    "replace_evidence",
    "scores_of",
    "stress_run",
    "subject_of",
    "train_run",
    "trained_as_asked",
    "weights_digest",
    "weights_path",
]

"""The steps from a name to evidence, each complete in itself and without any server.

`dvc repro`, the Prefect flow and the command line all call these functions, which is why
they give the same evidence keys and the same numbers. Each is imported when it is first used:
preparing a dataset and drawing the leaderboard do not wait for PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segmodels.core.lazy import lazily

if TYPE_CHECKING:
    from segmodels.steps.asked import write_asked
    from segmodels.steps.data import download, prepare
    from segmodels.steps.evaluation import evaluate_run, keep_maps, protocol_in
    from segmodels.steps.inputs import ensure_dataset, ensure_inputs
    from segmodels.steps.loading import subject_of
    from segmodels.steps.options import Options
    from segmodels.steps.publishing import publish
    from segmodels.steps.robustness import stress_run
    from segmodels.steps.scores import scores_of
    from segmodels.steps.stored import files_of_key, replace_evidence
    from segmodels.steps.weights import (
        fetch_released,
        train_run,
        trained_as_asked,
        weights_digest,
        weights_path,
    )

_HOMES = {
    "write_asked": "asked",
    "ensure_inputs": "inputs",
    "ensure_dataset": "inputs",
    "download": "data",
    "evaluate_run": "evaluation",
    "fetch_released": "weights",
    "files_of_key": "stored",
    "keep_maps": "evaluation",
    "Options": "options",
    "prepare": "data",
    "protocol_in": "evaluation",
    "publish": "publishing",
    "replace_evidence": "stored",
    "scores_of": "scores",
    "stress_run": "robustness",
    "subject_of": "loading",
    "train_run": "weights",
    "trained_as_asked": "weights",
    "weights_digest": "weights",
    "weights_path": "weights",
}

__all__ = [
    "Options",
    "download",
    "ensure_dataset",
    "ensure_inputs",
    "evaluate_run",
    "fetch_released",
    "files_of_key",
    "keep_maps",
    "prepare",
    "protocol_in",
    "publish",
    "replace_evidence",
    "scores_of",
    "stress_run",
    "subject_of",
    "train_run",
    "trained_as_asked",
    "weights_digest",
    "weights_path",
    "write_asked",
]

__getattr__ = lazily(__name__, _HOMES)

"""What is evaluated: the model of a run with its weights."""

from __future__ import annotations

from typing import Any

from segmodels.assets.checksums import check_files
from segmodels.assets.entries import load_weights_entry
from segmodels.checkpoints import load_checkpoint
from segmodels.core.settings import images_at_once, project_root
from segmodels.datasets.described import described_split
from segmodels.errors import SegmodelsError
from segmodels.evaluation.subject import Subject
from segmodels.runs.run import Run
from segmodels.steps.own_loading import own_subject
from segmodels.steps.weights import (
    check_model,
    released_files,
    trained_origin,
    weights_digest,
    weights_path,
)


def subject_of(run: Run, device: str = "cpu") -> Subject:
    """The model of a run with its weights, ready to be evaluated.

    Raises:
        SegmodelsError: weights or dataset are not there yet, a file of released weights is not
            the one that is registered or was noted, or they are those of another model.
    """
    if run.is_own:
        return own_subject(run, device)
    folder = project_root() / run.weights_folder
    if not folder.is_dir():
        step = "fetch" if run.weights else "train"
        raise SegmodelsError(
            f"{folder}: the weights of run {run.name!r} are not there; {step} them first "
            f"(dvc repro, or segmodels evaluate {run.name})."
        )
    names = released_files(run.weights)
    path = weights_path(folder, names)
    if run.weights:
        check_files(load_weights_entry(run.weights), folder)
    model = load_checkpoint(path, device=device)
    check_model(path, model.config["name"], run.model)
    if run.weights:
        origin: dict[str, Any] = {"released": run.weights}
    else:
        origin = trained_origin(run, folder)
    fingerprint = described_split(run.dataset, run.split)["fingerprint"]
    return Subject(model, weights_digest(path, names), origin, fingerprint, images=images_at_once())

"""What is evaluated: the model of a run with its weights."""

from __future__ import annotations

from typing import Any

from segmodels.assets.checksums import check_files
from segmodels.assets.entries import load_weights_entry
from segmodels.checkpoints import load_checkpoint
from segmodels.core.settings import images_at_once, project_root
from segmodels.datasets.described import described_split, skipped_in
from segmodels.errors import SegmodelsError
from segmodels.evaluation.subject import Subject
from segmodels.runs.run import Run
from segmodels.steps.weights import (
    check_model,
    made_by,
    released_files,
    trained_otherwise,
    weights_digest,
    weights_path,
)


def subject_of(run: Run, device: str = "cpu") -> Subject:
    """The model of a run with its weights, ready to be evaluated.

    Raises:
        SegmodelsError: weights or dataset are not there yet, a file of released weights is not
            the one that is registered or was noted, or they are those of another model.
    """
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
    elif change := trained_otherwise(run):
        raise SegmodelsError(
            f"{path}: not what training run {run.name!r} gives as its file names now ({change}); "
            f"train it again (dvc repro, or segmodels train {run.name})."
        )
    else:
        origin = {"trained": run.name, "training": made_by(folder)}
        if lost := sum(len(skipped_in(run.dataset, split)) for split in ("train", "val")):
            origin["skipped_images"] = lost
    fingerprint = described_split(run.dataset, run.split)["fingerprint"]
    return Subject(model, weights_digest(path, names), origin, fingerprint, images=images_at_once())

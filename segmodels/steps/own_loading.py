"""What is evaluated where a run names a network of the user's own."""

from __future__ import annotations

import torch

from segmodels.checkpoints.native import fill, weights_sha256
from segmodels.core.settings import images_at_once, project_root
from segmodels.datasets.described import described_split
from segmodels.datasets.registry import dataset_kind
from segmodels.errors import SegmodelsError
from segmodels.evaluation.subject import Subject
from segmodels.models.base import SegModel
from segmodels.models.building import build_model
from segmodels.runs.run import Run
from segmodels.steps.weights import trained_origin, weights_digest, weights_path
from segmodels.training.provenance import own_network
from segmodels.training.reading import load_recipe


def own_subject(run: Run, device: str = "cpu") -> Subject:
    """The user's own network of a run with its weights, ready to be evaluated. Its Python is run.

    Raises:
        SegmodelsError: it cannot be built; or its weights are not there, or those of another
            network, or of another form of this one.
    """
    classes = len(dataset_kind(run.dataset).class_names)
    crop = load_recipe(run.recipe).crop if run.recipe else None
    torch.manual_seed(run.seed)  # for weights that the function draws
    if run.comes_with_weights:
        model = build_model(run.model, classes, crop, run.overrides).eval()
        weights, origin = weights_sha256(model), {"own": run.name, "training": own_network(run)}
    else:
        folder = project_root() / run.weights_folder
        if not folder.is_dir():
            raise SegmodelsError(
                f"{folder}: the weights of run {run.name!r} are not there; train them first "
                f"(dvc repro, or segmodels train {run.name})."
            )
        origin = trained_origin(run, folder)
        model = fill(build_model(run.model, classes, crop, run.overrides), folder)
        weights = weights_digest(weights_path(folder))
    fingerprint = described_split(run.dataset, run.split)["fingerprint"]
    return Subject(moved(model, device), weights, origin, fingerprint, images=images_at_once())


def moved(model: SegModel, device: str) -> SegModel:
    """The network on a device (SegmodelsError when that is not there)."""
    try:
        return model.to(device)
    except (RuntimeError, AssertionError) as error:  # torch raises either without a GPU
        why = " ".join(str(error).split())[:300]
        raise SegmodelsError(f"The model cannot be moved to {device!r}: {why}.") from error

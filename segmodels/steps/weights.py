"""Weights: fetched or trained, and what identifies them."""

from __future__ import annotations

from pathlib import Path

from segmodels import layout
from segmodels.assets import load_weights_entry
from segmodels.checkpoints import load_checkpoint
from segmodels.datasets import described_split, open_dataset
from segmodels.errors import SegmodelsError
from segmodels.fetch import fetch_weights
from segmodels.files import digest, read_json, sha256_of_file, write_json
from segmodels.provenance import TRAINING_FIELDS, Training, first_change
from segmodels.recipes import load_recipe
from segmodels.runs import Run, load_run
from segmodels.train import Job, train
from segmodels.train import Progress as TrainProgress


def fetch_released(weights: str) -> Path:
    """Fetch a released checkpoint and open it once, so that a damaged file is found here.

    Returns:
        its folder.
    """
    entry = load_weights_entry(weights)

    def accept(folder: Path) -> None:
        model = load_checkpoint(weights_path(folder))
        check_model(folder, model.config["name"], entry.model)

    return fetch_weights(entry, layout.released_weights(weights), accept)


def train_run(run_name: str, device: str = "cpu", progress: TrainProgress | None = None) -> Path:
    """Train the weights of a run; returns their folder."""
    run = load_run(run_name)
    folder = layout.trained_weights(run.name)
    record = train(_job(run, device), folder, layout.curve(run.name), progress)
    write_json(layout.record(run.name, "train"), record)
    return folder


def _job(run: Run, device: str) -> Job:
    if run.recipe is None:
        raise SegmodelsError(f"run {run.name!r} uses released weights; there is nothing to train.")
    about = described_split(run.dataset, "train")
    return Job(
        run=run.name,
        model=run.model,
        recipe=load_recipe(run.recipe),
        seed=run.seed,
        train=open_dataset(run.dataset, "train"),
        val=open_dataset(run.dataset, "val"),
        fingerprint=about["fingerprint"],
        pixels=about["pixels"],
        overrides=run.overrides,
        device=device,
    )


def trained_as_asked(run: Run) -> bool:
    """Whether the weights in a run's folder are what training it now would give."""
    return not trained_otherwise(run)


def trained_otherwise(run: Run) -> str:
    """How the weights in a run's folder differ from what training it now would give, as words."""
    path = layout.trained_weights(run.name) / "model.json"
    if not path.is_file():
        return "there are no weights"
    return first_change(made_by(path.parent), _job(run, "cpu").provenance)


def made_by(folder: Path) -> Training:
    """What made the trained weights in a folder, as they say themselves."""
    metadata = read_json(folder / "model.json").get("metadata", {})
    return {name: metadata[name] for name in TRAINING_FIELDS if name in metadata}


def weights_path(folder: Path) -> Path:
    """What `load_checkpoint` opens: the only file of the folder, or the folder."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    return files[0] if len(files) == 1 else folder


def weights_digest(path: Path) -> str:
    """Identity of weights: SHA-256 of the file, of `model.safetensors` for our own format, or
    of the digests of all files where a format needs several.
    """
    if path.is_file():
        return sha256_of_file(path)
    own = path / "model.safetensors"
    if own.is_file():
        return sha256_of_file(own)
    return digest({file.name: sha256_of_file(file) for file in sorted(path.iterdir())})


def check_model(path: Path, found: str, expected: str) -> None:
    """Refuse weights of another model than was asked for."""
    if found != expected:
        raise SegmodelsError(f"{path}: holds {found}, but {expected} was asked for.")

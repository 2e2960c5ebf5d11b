"""Weights: fetched or trained, and what identifies them."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from segmodels.assets.entries import OWN, WeightsEntry, load_weights_entry, weights_identity
from segmodels.assets.fetch import fetch_weights
from segmodels.checkpoints import load_backbone, load_checkpoint
from segmodels.core import paths
from segmodels.core.files import check_writable, digest, read_json, sha256_of_file, write_json
from segmodels.core.listing import is_stray
from segmodels.core.locks import only_one
from segmodels.core.settings import cache_dir
from segmodels.datasets.described import described_split, skipped_in
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.registry import dataset_kind
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.undrawn import Undrawn
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import Run, load_run
from segmodels.steps.options import USUAL, Options
from segmodels.training.job import Job
from segmodels.training.loop import train
from segmodels.training.processes import Processes, joined
from segmodels.training.provenance import (
    TRAINING_FIELDS,
    Training,
    first_change,
    initial_identity,
)
from segmodels.training.reading import load_recipe
from segmodels.training.recipe import Recipe


def fetch_released(weights: str) -> Path:
    """Fetch a released checkpoint and open it once, so that a damaged file is found here.

    Returns:
        its folder.
    """
    entry = load_weights_entry(weights)

    def accept(folder: Path) -> None:
        check_opens(weights_path(folder, released_files(weights)), entry)

    return fetch_weights(entry, paths.released_weights(weights), accept)


def check_opens(path: Path, entry: WeightsEntry) -> None:
    """Refuse files that are not the weights of an entry's network, or of its encoder.

    Raises:
        SegmodelsError: they are damaged, or of another network.
    """
    if entry.part == "whole":
        check_model(path, load_checkpoint(path).config["name"], entry.model)
        return
    arguments: dict[str, Any] = entry.overrides
    with Undrawn():
        network = create_model(entry.model, **arguments)
    load_backbone(network, path)


def train_run(run_name: str, options: Options = USUAL) -> Path:
    """Train the weights of a run; returns their folder.

    Who asks while another process trains the same waits, and takes what that one trained.
    """
    run = load_run(run_name)
    with joined(options.device, options.sharded) as processes:
        if initial := run.initial:
            processes.from_first(lambda: fetch_released(initial))
        return _trained(run, options, processes)


def _trained(run: Run, options: Options, processes: Processes) -> Path:
    job, folder = _job(run, options.device), paths.trained_weights(run.name)
    curve, about = paths.curve(run.name), paths.record(run.name, "train")
    before, lock = _stamp(folder), cache_dir() / "training" / f"{run.name}.turn"
    turn = only_one(lock, f"training {run.name}", wait=True) if processes.first else nullcontext()
    with turn:
        if processes.from_first(lambda: _stamp(folder) != before and trained_as_asked(run)):
            return folder  # by another training, since it was asked for
        for path in (folder / "model.json", curve, about):
            check_writable(path)
        record = train(job, folder, curve, options.curve, processes)
        if processes.first:
            write_json(about, record)
    return folder


def _stamp(folder: Path) -> tuple[int, int] | None:
    """Tells whether weights were written again."""
    path = folder / "model.json"  # which is written last
    found = path.stat() if path.is_file() else None
    return found and (found.st_ino, found.st_mtime_ns)


_LOOKED_AT = "with which a training is looked at"


def _job(run: Run, device: str) -> Job:
    if run.recipe is None:
        what = "comes with its weights" if run.is_own else "uses released weights"
        raise SegmodelsError(f"run {run.name!r} {what}; there is nothing to train.")
    kind = dataset_kind(run.dataset)
    for split, use in (("train", "on which weights are trained"), ("val", _LOOKED_AT)):
        if split not in kind.splits:
            here = ", ".join(kind.splits)
            raise SegmodelsError(
                f"run {run.name!r}: dataset {run.dataset!r} has no split {split!r}, {use}; it has "
                f"{here}."
            )
    about, recipe = described_split(run.dataset, "train"), load_recipe(run.recipe)
    if recipe.keep == "best" and run.split == "val":
        raise SegmodelsError(
            f"run {run.name!r} is judged on 'val', and recipe {recipe.name!r} keeps the weights "
            f"that are best there ('keep: best'): that number would say nothing. Leave out 'keep'."
        )
    initial, identity = _initial(recipe)
    return Job(
        run=run.name,
        model=run.model,
        recipe=recipe,
        seed=run.seed,
        train=open_dataset(run.dataset, "train"),
        val=open_dataset(run.dataset, "val"),
        fingerprint=about["fingerprint"],
        pixels=about["pixels"],
        overrides=run.overrides,
        device=device,
        looked_at=load_protocol(run.protocols[0]),
        initial=initial,
        initial_identity=identity,
    )


def _initial(recipe: Recipe) -> tuple[Path | None, str | None]:
    """The weights that a training begins with, and what identifies them, as far as known."""
    if recipe.initial is None:
        return None, None
    folder, names = paths.released_weights(recipe.initial), released_files(recipe.initial)
    if not all((folder / name).is_file() for name in names):
        return None, initial_identity(recipe)
    path = weights_path(folder, names)
    return path, weights_digest(path, names)


def trained_as_asked(run: Run) -> bool:
    """Whether the weights in a run's folder are what training it now would give."""
    return not trained_otherwise(run)


def trained_otherwise(run: Run) -> str:
    """How the weights in a run's folder differ from what training it now would give, as words."""
    folder = paths.trained_weights(run.name)
    if not all((folder / name).is_file() for name in ("model.json", OWN)):
        return "there are no weights"
    return first_change(made_by(folder), _job(run, "cpu").provenance) or _swapped(run, folder)


def trained_origin(run: Run, folder: Path) -> dict[str, Any]:
    """What evidence says of where weights come from that were trained here.

    Raises:
        SegmodelsError: they are not what training the run now would give.
    """
    if change := trained_otherwise(run):
        raise SegmodelsError(
            f"{folder}: not what training run {run.name!r} gives as its file names now ({change}); "
            f"train it again (dvc repro, or segmodels train {run.name})."
        )
    origin: dict[str, Any] = {"trained": run.name, "training": made_by(folder)}
    if lost := sum(len(skipped_in(run.dataset, split)) for split in ("train", "val")):
        origin["skipped_images"] = lost
    return origin


def _swapped(run: Run, folder: Path) -> str:
    """Whether the weights are others than the record of their training names, as words.

    What they say of themselves can be copied onto any others. A record of another training says
    nothing about these; one without `training` is of the time before it was noted, and does.
    """
    path = paths.record(run.name, "train")
    record = read_json(path) if path.is_file() else {}
    if not isinstance(record, dict):
        raise SegmodelsError(f"{path}: no record of a training; remove it, or train again.")
    made = digest(made_by(folder))
    named = record.get("weights_sha256") if record.get("training", made) == made else None
    if named is None or named == sha256_of_file(folder / OWN):
        return ""
    return f"the weights are not those that the record of the training names, {path}"


def made_by(folder: Path) -> Training:
    """What made the trained weights in a folder, as they say themselves."""
    metadata = read_json(folder / "model.json").get("metadata", {})
    return {name: metadata[name] for name in TRAINING_FIELDS if name in metadata}


#: Ends of files that a reader of checkpoints would open.
_READ = (".safetensors", ".bin", ".pth", ".pt", ".npz", ".json", ".yml", ".yaml")


def released_files(weights: str | None) -> tuple[str, ...]:
    """Names of the files of a released checkpoint; none for weights trained here (None)."""
    return tuple(file.name for file in load_weights_entry(weights).files) if weights else ()


def weights_path(folder: Path, names: Collection[str] = ()) -> Path:
    """What `load_checkpoint` opens: the only file of the folder, or the folder.

    Args:
        folder: of a checkpoint.
        names: its files, where an entry of `params/weights.yaml` lists them; else all that
            count: neither folders nor what systems leave behind.

    Raises:
        SegmodelsError: another file lies among those of an entry, and might be read for one.
    """
    files = _files(folder)
    for path in files:
        if names and path.name not in names and path.suffix.lower() in _READ:
            raise SegmodelsError(
                f"{path}: none of the files that params/weights.yaml lists for these weights "
                f"({', '.join(sorted(names))}), and it might be read for one. Move it away."
            )
    if names:
        files = [folder / name for name in names]
    return files[0] if len(files) == 1 and files[0].is_file() else folder


def weights_digest(path: Path, names: Collection[str] = ()) -> str:
    """Identity of weights (`segmodels.assets.entries.weights_identity`).

    Args:
        path: what `weights_path` gave.
        names: as there.

    Raises:
        SegmodelsError: a file of the entry is missing.
    """
    if path.is_file():
        return sha256_of_file(path)
    if (own := path / OWN).is_file():
        return sha256_of_file(own)
    files = [path / name for name in names] or _files(path)
    for file in files:
        if not file.is_file():
            raise SegmodelsError(f"{file}: missing. Fetch the weights again (dvc repro).")
    return weights_identity({file.name: sha256_of_file(file) for file in files})


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_file() and not is_stray(path.name)]


def check_model(path: Path, found: str, expected: str) -> None:
    """Refuse weights of another model than was asked for."""
    if found != expected:
        raise SegmodelsError(f"{path}: holds {found}, but {expected} was asked for.")

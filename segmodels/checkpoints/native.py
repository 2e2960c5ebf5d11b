"""Our own format: a folder with ``model.safetensors`` and ``model.json``.

The weights file holds tensors only. The JSON says how to build the network and what its
inputs and outputs mean, and carries the hash of the weights, so that two files of
different saves are never taken for one model. Equal models give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from segmodels.checkpoints.readers import read_safetensors
from segmodels.checkpoints.source import Source, read_json
from segmodels.checkpoints.states import check_weights
from segmodels.checkpoints.strict import build, fill_in
from segmodels.core.arguments import an, path_to, wrong
from segmodels.core.files import temporary_folder
from segmodels.errors import SegmodelsError, nearest, shown
from segmodels.models.base import SegModel
from segmodels.models.own_source import is_own
from segmodels.models.preprocessing import Preprocessing

FORMAT = "segmodels"
VERSION = 1
WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
FIELDS = {
    "format",
    "version",
    "config",
    "class_names",
    "preprocessing",
    "metadata",
    "weights_sha256",
}


def recognises(source: Source) -> bool:
    """Both files are there, and the user pointed at the folder or at one of them."""
    return source.has(WEIGHTS, DESCRIPTION)


def load(source: Source) -> SegModel:
    """Read a folder that ``save_checkpoint`` wrote; a network of a user's own is not built."""
    description = _described(source.folder / DESCRIPTION)
    name = description["config"]["name"]
    if is_own(name):
        raise SegmodelsError(
            f"{source.folder}: the weights of {name}, somebody's own network, whose Python is run "
            f"only where it is named: as 'model' of a run, or segmodels.own_model('mynet.py:build',"
            f" weights={str(source.folder)!r})."
        )
    tensors = _checked_tensors(source.folder, description)
    model = build(source.folder / WEIGHTS, description["config"], tensors)
    names, preprocessing = description["class_names"], description["preprocessing"]
    where = source.folder / DESCRIPTION
    model.class_names = _names(where, names, model.num_classes)
    model.preprocessing = None if preprocessing is None else _preprocessing(where, preprocessing)
    return model


def fill(model: SegModel, folder: Path) -> SegModel:
    """Give a network of a user's own the weights in a folder that ``save_checkpoint`` wrote.

    Packages of another version are no other network, though evidence then names them.

    Raises:
        SegmodelsError: they are of another network, or of another form of it; or files are broken.
    """
    description = _described(folder / DESCRIPTION)
    asked = {name: one for name, one in description["config"].items() if name != "packages"}
    if changed := [name for name, one in asked.items() if model.config.get(name) != one]:
        field = changed[0]
        raise SegmodelsError(
            f"{folder}: the weights of a network whose {field} is "
            f"{description['config'][field]!r}, not {model.config.get(field)!r}."
        )
    fill_in(folder / WEIGHTS, model, _checked_tensors(folder, description))
    names = description["class_names"]
    model.class_names = _names(folder / DESCRIPTION, names, model.num_classes)
    return model.eval()


def _checked_tensors(folder: Path, description: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors of a folder, if they are those that its description is of."""
    weights = folder / WEIGHTS
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != description["weights_sha256"]:
        raise SegmodelsError(
            f"{weights} has sha256 {found}, but {DESCRIPTION} beside it describes "
            f"{description['weights_sha256']}: cut short, changed, or from another save."
        )
    tensors = read_safetensors(weights)
    for name, tensor in tensors.items():
        check_weights(weights, name, tensor)
    return tensors


def _preprocessing(path: Path, values: Any) -> Preprocessing:
    try:
        return Preprocessing.from_dict(values)
    except SegmodelsError as error:
        raise SegmodelsError(f"{path}: {error}") from error


def _names(path: Path, names: Any, number: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    texts = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not texts or len(names) != number:
        raise SegmodelsError(
            f"{path}: the field 'class_names' must hold {number} names, one for each class of the "
            f"weights, got {str(names)[:80]}."
        )
    return tuple(names)


def _described(path: Path) -> dict[str, Any]:
    values = read_json(path)
    form, version = values.get("format"), values.get("version")
    if (form, version) != (FORMAT, VERSION):
        raise SegmodelsError(
            f"{path} says format {shown(form)} version {shown(version)}; "
            f"this is {FORMAT!r} version {VERSION}. Update segmodels or save the model again."
        )
    for name in sorted(FIELDS - values.keys()):
        raise SegmodelsError(f"{path} lacks the field {name!r}.")
    for name in sorted(values.keys() - FIELDS):
        raise SegmodelsError(
            f"{path}: the field {shown(name)} is not known here, and might change what the network "
            f"computes.{nearest(name, sorted(FIELDS))} Notes belong under 'metadata'."
        )
    config = values["config"]
    if not isinstance(config, dict) or not isinstance(config.get("name"), str):
        raise SegmodelsError(f"{path}: the field 'config' must hold the model's name.")
    return values


def save_checkpoint(
    model: SegModel, folder: str | Path, *, metadata: Mapping[str, Any] | None = None
) -> str:
    """Write a model to a folder, whole or not at all.

    Args:
        model: a model of ``create_model`` or ``load_checkpoint``, on any device.
        folder: created if needed; an earlier checkpoint in it is replaced.
        metadata: JSON-able facts worth keeping (recipe, seed, dataset fingerprint).

    Returns:
        The sha256 of the weights file, in hexadecimal.

    Raises:
        SegmodelsError: the model was not built by name, the metadata is not JSON, or the folder is
            a file.
    """
    an(SegModel, "model", model, "create_model")
    if "name" not in model.config:
        raise SegmodelsError("Only models from create_model or load_checkpoint can be saved.")
    folder = path_to("folder", folder)
    if metadata is not None and not isinstance(metadata, Mapping):
        raise wrong("metadata", "values by name", metadata)
    if folder.is_file():
        raise SegmodelsError(f"{folder} is a file; a checkpoint is a folder.")
    weights = save(_saved(model))
    digest = hashlib.sha256(weights).hexdigest()
    description = _describe(model, dict(metadata or {}), digest)
    _write(folder, {WEIGHTS: weights, DESCRIPTION: description.encode()})
    return digest


def weights_sha256(model: SegModel) -> str:
    """Hex SHA-256 of the weights file that ``save_checkpoint`` would write."""
    return hashlib.sha256(save(_saved(model))).hexdigest()


def _saved(model: SegModel) -> dict[str, Tensor]:
    """The tensors by name, sorted; of two that share their numbers, each with its own."""
    saved, seen = dict[str, Tensor](), set[int]()
    for key, value in sorted(model.state_dict().items()):
        tensor = value.detach().cpu().contiguous()
        address = tensor.untyped_storage().data_ptr()
        saved[key] = tensor.clone() if address in seen else tensor
        seen.add(address)
    return saved


def _describe(model: SegModel, metadata: dict[str, Any], digest: str) -> str:
    values = {
        "format": FORMAT,
        "version": VERSION,
        "config": model.config,
        "class_names": None if model.class_names is None else list(model.class_names),
        "preprocessing": model.preprocessing.to_dict() if model.preprocessing else None,
        "metadata": metadata,
        "weights_sha256": digest,
    }
    try:
        return json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise SegmodelsError(f"Checkpoint metadata must be plain JSON values: {error}.") from error


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Write aside, then rename; a reader never sees half a file.

    Over an earlier checkpoint the two renames are separate, which the hash in the
    description makes harmless: a mixture is refused instead of loaded.
    """
    with temporary_folder(folder) as aside:
        for name, data in files.items():
            (aside / name).write_bytes(data)
        folder.mkdir(exist_ok=True)
        for name in files:
            os.replace(aside / name, folder / name)  # noqa: PTH105 - the atomic one

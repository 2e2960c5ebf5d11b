"""Evaluating from Python: any network, dataset and protocol, to evidence that others can check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn
from tqdm import tqdm

from segmodels.assets.entries import load_dataset_entries, load_weights_entries, load_weights_entry
from segmodels.assets.own_dataset import check_name, is_description, load_own_dataset
from segmodels.checkpoints import load_checkpoint, on_device
from segmodels.checkpoints.native import weights_sha256
from segmodels.checkpoints.own import own_model
from segmodels.core.arguments import an, path_to, whole, words, wrong
from segmodels.core.progress import Progress
from segmodels.core.settings import images_at_once
from segmodels.datasets import Dataset
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.own import own_kind
from segmodels.datasets.registry import dataset_kind
from segmodels.datasets.survey import survey
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.evaluation import evaluate as counting
from segmodels.evaluation.precision import evaluating
from segmodels.evaluation.subject import Subject
from segmodels.evidence import Evidence
from segmodels.metrics.scores import Score
from segmodels.metrics.scores import score as score_of
from segmodels.models.base import SegModel
from segmodels.models.own import OwnModel
from segmodels.models.own_source import is_own
from segmodels.models.preprocessing import Preprocessing
from segmodels.models.registry import MODELS
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import protocol_of
from segmodels.steps.inputs import ensure_dataset
from segmodels.steps.weights import fetch_released, released_files, weights_digest, weights_path


def evaluate(
    model: nn.Module | str | Path,
    dataset: Dataset | str | Path,
    protocol: Protocol | str,
    *,
    split: str | None = None,
    preprocessing: Preprocessing | Mapping[str, Any] | None = None,
    device: str | None = None,
    limit: int | None = None,
    progress: Progress | bool = False,
) -> Evidence:
    """Count a split under a protocol, as `segmodels evaluate` does.

    Nothing is written and nothing that is here already is taken for it. `score` gives the numbers,
    `write_evidence` the files that others check (`segmodels evidence check`).

    Args:
        model: a network of this library, any module (see `own_model`), a function that builds one
            (`mynet.py:build`), the path of a checkpoint, or an entry of `params/weights.yaml`.
        dataset: a name, the file that describes one of your own, or what `load_dataset` gave.
        protocol: a name, or what `load_protocol` gave.
        split: of the dataset; default `val`, or the only one.
        preprocessing: of a module that does not say itself how pixels become its input.
        device: that the network is moved to; default where it is.
        limit: count this many images from the start only; the evidence is then partial.
        progress: True shows a bar; a function is called with the number of images that are counted,
            and of all.

    Raises:
        SegmodelsError: something is unknown, is not there and cannot be fetched, or fails.
    """
    protocol = protocol_of(protocol)
    limit = None if limit is None else whole("limit", limit, 1)
    if not (isinstance(progress, bool | None) or _is_function(progress)):
        raise wrong("progress", "true, false or a function of two numbers", progress)
    opened = load_dataset(dataset, split)
    subject = _subject(model, opened, preprocessing, device)
    with evaluating(subject.model), _shown(progress) as watch:
        evidence, _ = counting.evaluate(subject, opened, protocol, limit, watch)
    return evidence


def score(evidence: Evidence, protocol: Protocol | str) -> Score:
    """mIoU, the IoU of every class by its name, and both accuracies, in percent.

    Args:
        evidence: what `evaluate` gave, or `read_evidence`.
        protocol: how counts become numbers; its inference is that of the evidence.

    Raises:
        SegmodelsError: no such protocol, or evidence of another inference.
    """
    protocol = protocol_of(protocol)
    an(Evidence, "evidence", evidence, "evaluate")
    if protocol.inference_fp32 != evidence.identity.inference:
        raise SegmodelsError(
            f"evidence {evidence.key} was not counted under protocol {protocol.name!r}: another "
            f"inference gives other labels."
        )
    return score_of(evidence, protocol)


def load_dataset(dataset: Dataset | str | Path, split: str | None = None) -> Dataset:
    """A split of a dataset, opened; fetched and prepared first, if that is needed and possible.

    Args:
        dataset: a name, or the file that describes one of your own.
        split: one of its splits; default `val`, or the only one.

    Raises:
        SegmodelsError: there is none, it cannot be had, or files are missing.
    """
    if isinstance(dataset, Dataset):
        if split not in (None, dataset.split):
            raise SegmodelsError(f"argument 'split': {split!r}, but {dataset.split!r} is open.")
        return dataset
    if not isinstance(dataset, str | Path):
        raise wrong(
            "dataset", "a name, a file that describes one, or what load_dataset gave", dataset
        )
    path_to("dataset", dataset)
    if is_description(str(dataset)):
        about = load_own_dataset(Path(dataset))
        check_name(about, [name for name, one in load_dataset_entries().items() if not one.own])
        own = own_kind(about)
        return own(about.place, _split_of(own, split))
    kind = dataset_kind(str(dataset))
    chosen = _split_of(kind, split)
    ensure_dataset(kind.name, needed=(chosen,))
    return open_dataset(kind.name, chosen)


def _split_of(kind: type[Dataset], split: str | None) -> str:
    if split is None:
        split = kind.splits[0] if len(kind.splits) == 1 else "val"
    if words("split", split) not in kind.splits:
        raise UnknownNameError(f"split of {kind.name}", split, kind.splits)
    return split


def _subject(
    model: nn.Module | str | Path,
    dataset: Dataset,
    preprocessing: Preprocessing | Mapping[str, Any] | None,
    device: str | None,
) -> Subject:
    if isinstance(model, nn.Module):
        found, origin = _as_ours(model, preprocessing), {"python": ""}
        weights = weights_sha256(found)
    elif isinstance(model, str) and is_own(model) and not path_to("model", model).exists():
        classes = len(dataset.class_names)
        found = own_model(model, num_classes=classes, preprocessing=preprocessing)
        weights, origin = weights_sha256(found), {"python": ""}
    elif isinstance(model, str | Path):
        path, origin = find_checkpoint(model)
        found = load_checkpoint(path)
        names = released_files(origin.get("released"))
        weights = weights_digest(path, names)
    else:
        raise wrong("model", "a network, or the name or path of one", model)
    if "released" not in origin:
        origin = {"python": str(found.config["name"])}
    found = found if device is None else on_device(found, device)
    fingerprint = _fingerprint(dataset)
    return Subject(found, weights, origin, fingerprint, images=images_at_once())


def _as_ours(model: nn.Module, preprocessing: Preprocessing | Mapping[str, Any] | None) -> SegModel:
    """A network whose class is what its name says is known by its name; others by their content."""
    if isinstance(model, OwnModel) and preprocessing is None:
        return model
    if isinstance(model, SegModel) and preprocessing is None and _is_known(model):
        return model
    return own_model(model, preprocessing=preprocessing)


def _is_known(model: SegModel) -> bool:
    entry, kind = MODELS.get(str(model.config.get("name"))), type(model)
    return entry is not None and entry.builder == f"{kind.__module__}:{kind.__qualname__}"


def find_checkpoint(model: str | Path) -> tuple[Path, dict[str, str]]:
    """The file or folder that a name or path leads to, and where it comes from."""
    path = path_to("model", model)
    if isinstance(model, Path) or path.exists():
        return path, {"python": ""}
    entries = load_weights_entries()
    if model in MODELS and model not in entries:
        raise SegmodelsError(
            f"model {model!r} is a network without weights. Name weights of params/weights.yaml "
            f"(segmodels list weights), the path of a checkpoint, or hand over the network."
        )
    if model not in entries:
        raise UnknownNameError("model or weights", model, entries)
    folder = fetch_released(load_weights_entry(model).name)
    return weights_path(folder, released_files(model)), {"released": model}


def _fingerprint(dataset: Dataset) -> str:
    """Of the whole split; only what was never decoded before is decoded for it."""
    looked = survey(dataset)
    if looked.faults:
        more = f" So are {len(looked.faults) - 1} more." if len(looked.faults) > 1 else ""
        raise SegmodelsError(f"{looked.faults[0]}{more}")
    return looked.fingerprint


def _is_function(value: object) -> bool:
    return callable(value) and not isinstance(value, type | nn.Module)


@contextmanager
def _shown(progress: Progress | bool) -> Iterator[Progress | None]:
    if callable(progress):
        yield progress
    elif progress is not True:
        yield None
    else:
        with tqdm(unit=" images", mininterval=1) as bar:

            def move(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            yield move
